"""Meaning of the dimensions of the maze's observations."""

from __future__ import annotations

from skillgym_envs.core.observations import ObservationBlock, ObservationLayout

IMAGE_SIZE = 32
"""Rows and columns of a picture in the observation [pixel]."""

STATE_LAYOUT = ObservationLayout(
    (
        ObservationBlock.exact("position", ("x (row)", "y (column)"), "m", "world", "qpos"),
        ObservationBlock.exact("velocity", ("vx", "vy"), "m/s", "world", "qvel"),
    )
)


def _picture_block(name: str) -> ObservationBlock:
    pixels = range(IMAGE_SIZE)
    labels = [f"{c} {i} {j}" for c in ("red", "green", "blue") for i in pixels for j in pixels]
    return ObservationBlock.exact(name, labels, "1", "camera", "camera")


IMAGE_LAYOUT = ObservationLayout(
    (*STATE_LAYOUT.blocks, _picture_block("picture before"), _picture_block("picture"))
)
