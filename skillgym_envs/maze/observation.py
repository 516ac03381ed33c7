"""What the dimensions of the maze's observations mean."""

from __future__ import annotations

from skillgym_envs.core.observations import ObservationBlock, ObservationLayout

IMAGE_SIZE = 32
"""Rows and columns of a picture in the observation [pixel]."""

STATE_LAYOUT = ObservationLayout(
    (
        ObservationBlock(
            name="position",
            labels=("x (row)", "y (column)"),
            units=("m", "m"),
            frame="world",
            source="qpos",
            noise=(0.0, 0.0),
        ),
        ObservationBlock(
            name="velocity",
            labels=("vx", "vy"),
            units=("m/s", "m/s"),
            frame="world",
            source="qvel",
            noise=(0.0, 0.0),
        ),
    )
)


def _picture_block(name: str) -> ObservationBlock:
    pixels = range(IMAGE_SIZE)
    labels = [f"{c} {i} {j}" for c in ("red", "green", "blue") for i in pixels for j in pixels]
    return ObservationBlock(
        name=name,
        labels=tuple(labels),
        units=("1",) * len(labels),
        frame="camera",
        source="camera",
        noise=(0.0,) * len(labels),
    )


IMAGE_LAYOUT = ObservationLayout(
    (*STATE_LAYOUT.blocks, _picture_block("picture before"), _picture_block("picture"))
)
