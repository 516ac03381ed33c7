"""Named observation blocks, which define the meaning of each dimension of an observation.

The observation space, the documentation tables, `skillgym describe` and dataset metadata are made
from these blocks, so that they always agree with the code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from gymnasium import spaces

SOURCES = ("qpos", "qvel", "sensor", "camera", "memory", "constant")
"""Sources of numbers: the simulator, a picture, the world's memory (last commands, lights,
progress), or none, if they are constant throughout an episode."""


@dataclass(frozen=True, kw_only=True)
class ObservationBlock:
    """Consecutive observation dimensions with one meaning.

    Attributes:
        name: Name of the block, unique in its layout.
        labels: One label per dimension, for example the joint's name in the MJCF file.
        units: One unit per dimension, SI: `m`, `rad`, `m/s`, `rad/s` or `1`.
        frame: Coordinate frame of the numbers: `world`, `joint`, the name of a body, or `task`.
        source: Source of the numbers, one of `SOURCES`.
        noise: Half-width of the uniform noise added to each dimension, in the dimension's unit.
    """

    name: str
    labels: tuple[str, ...]
    units: tuple[str, ...]
    frame: str
    source: str
    noise: tuple[float, ...]

    @classmethod
    def exact(
        cls, name: str, labels: Iterable[str], units: str | Iterable[str], frame: str, source: str
    ) -> ObservationBlock:
        """A block without noise; `units` has one unit per dimension, or one for all."""
        labels = tuple(labels)
        units = (units,) * len(labels) if isinstance(units, str) else tuple(units)
        noise = (0.0,) * len(labels)
        return cls(name=name, labels=labels, units=units, frame=frame, source=source, noise=noise)

    @property
    def size(self) -> int:
        """Number of dimensions."""
        return len(self.labels)


@dataclass(frozen=True)
class ObservationLayout:
    """Blocks in their order in the flat observation vector."""

    blocks: tuple[ObservationBlock, ...]

    @cached_property
    def size(self) -> int:
        """Number of dimensions of the flat observation."""
        return sum(block.size for block in self.blocks)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Slice of each block in the flat observation, by name."""
        slices, start = {}, 0
        for block in self.blocks:
            slices[block.name] = slice(start, start + block.size)
            start += block.size
        return slices

    def space(self) -> spaces.Box:
        """Flat float32 observation space."""
        return spaces.Box(-np.inf, np.inf, (self.size,), np.float32)

    def rows(self) -> list[dict[str, object]]:
        """One row per dimension: index, block, label, unit, frame, source, noise."""
        rows: list[dict[str, object]] = []
        for block in self.blocks:
            for label, unit, noise in zip(block.labels, block.units, block.noise, strict=True):
                rows.append(
                    {
                        "index": len(rows),
                        "block": block.name,
                        "label": label,
                        "unit": unit,
                        "frame": block.frame,
                        "source": block.source,
                        "noise": noise,
                    }
                )
        return rows

    def to_json(self) -> list[dict[str, object]]:
        """The blocks as plain JSON, for dataset and checkpoint metadata."""
        return [asdict(block) for block in self.blocks]
