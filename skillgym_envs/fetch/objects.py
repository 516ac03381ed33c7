"""A procedural family of objects and bumpy tables for the complex hook task.

ReSkill and Residual Policy Learning use an archive of scanned meshes that cannot be redistributed.
This family poses the same problem: skills learned with a cube meet objects of other shapes, weights
and drag, on tables with bumps, and neither shape nor bumps are observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Split = Literal["train", "test"]

SPLITS: dict[str, int] = {"train": 0, "test": 1}
NUM_SCENES = 100
"""Number of scenes per split, as in the archive."""

_SHAPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
_TABLE_TOP = 0.4


@dataclass(frozen=True)
class Piece:
    """A convex piece of an object, with axes parallel to the object's.

    Attributes:
        shape: `box`, `cylinder`, `capsule` or `ellipsoid`; round ones stand upright.
        half: Half extents [m].
        pos: Centre in the object's frame [m].
    """

    shape: str
    half: tuple[float, float, float]
    pos: tuple[float, float, float]

    @property
    def size(self) -> tuple[float, ...]:
        """MuJoCo's geom size."""
        radius, height = self.half[0], self.half[2]
        if self.shape == "cylinder":
            return radius, height
        return (radius, height - radius) if self.shape == "capsule" else self.half

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        a, b, c = self.half
        if self.shape == "box":
            return 8.0 * a * b * c
        if self.shape == "cylinder":
            return 2.0 * np.pi * a * a * c
        if self.shape == "capsule":
            return 2.0 * np.pi * a * a * (c - a) + 4.0 / 3.0 * np.pi * a**3
        return 4.0 / 3.0 * np.pi * a * b * c


@dataclass(frozen=True)
class ComplexHookScene:
    """One scene of the family.

    Attributes:
        pieces: Convex pieces of the object; their bounding box is centred on the object's site.
        mass: Mass of the object [kg].
        damping: Damping of its free joint [N s/m and N m s/rad].
        bumps: Boxes on the table: centre x, y and half sizes [m].
    """

    pieces: tuple[Piece, ...]
    mass: float
    damping: float
    bumps: tuple[tuple[float, float, float, float, float], ...]

    @property
    def extent(self) -> Floats:
        """Sides (3,) of the object's bounding box [m]."""
        low, high = _bounds(self.pieces)
        return high - low


def complex_scene(split: str, index: int) -> ComplexHookScene:
    """Scene `index` of a split; the same in every version of the family.

    One to four pieces that touch, longest side 4 to 10 cm, mass 50 to 500 g, damping 1 to 4.5, and
    7 to 12 bumps as in the archive.
    """
    rng = np.random.default_rng([2211, SPLITS[split], index])
    pieces = [_piece(rng, np.zeros(3))]
    for _ in range(rng.integers(4)):
        pieces.append(_attached(rng, pieces[rng.integers(len(pieces))]))
    longest = rng.uniform(0.04, 0.1)
    mass = float(np.exp(rng.uniform(np.log(0.05), np.log(0.5))))
    damping = float(rng.uniform(1.0, 4.5))
    bumps = tuple(_bump(rng) for _ in range(rng.integers(7, 13)))
    return ComplexHookScene(_scaled(pieces, longest), mass, damping, bumps)


def add_object(body: mujoco.MjsBody, scene: ComplexHookScene) -> None:
    """Add the pieces of a scene's object to a body; they do not collide with each other."""
    total = sum(piece.volume for piece in scene.pieces)
    for piece in scene.pieces:
        body.add_geom(
            type=_SHAPES[piece.shape],
            size=[*piece.size, *[0.0] * (3 - len(piece.size))],
            pos=piece.pos,
            mass=scene.mass * piece.volume / total,
            contype=1,
            conaffinity=0,
            rgba=(0.83, 0.45, 0.18, 1.0),
        )


def add_bumps(spec: mujoco.MjSpec, scene: ComplexHookScene) -> None:
    """Put a scene's bumps on the table."""
    for x, y, *half in scene.bumps:
        spec.worldbody.add_geom(
            type=_SHAPES["box"],
            size=half,
            pos=[x, y, _TABLE_TOP + half[2]],
            mass=200.0,
            rgba=(0.62, 0.48, 0.33, 1.0),
        )


def _piece(rng: np.random.Generator, pos: Floats) -> Piece:
    shape = str(rng.choice(list(_SHAPES)))
    half = rng.uniform(0.3, 1.0, 3)
    if shape in ("cylinder", "capsule"):
        half[1] = half[0]
    if shape == "capsule":
        half[2] = half[0] * rng.uniform(1.1, 2.5)
    return Piece(shape, tuple(half.tolist()), tuple(pos.tolist()))


def _attached(rng: np.random.Generator, other: Piece) -> Piece:
    """A piece on a side of another one, slightly overlapping it."""
    piece = _piece(rng, np.zeros(3))
    axis, side = rng.integers(3), rng.choice([-1.0, 1.0])
    pos = np.array(other.pos) + rng.uniform(-0.3, 0.3, 3) * other.half
    pos[axis] = other.pos[axis] + side * 0.85 * (other.half[axis] + piece.half[axis])
    return Piece(piece.shape, piece.half, tuple(pos.tolist()))


def _scaled(pieces: list[Piece], longest: float) -> tuple[Piece, ...]:
    """Pieces with a bounding box of a given longest side, centred on the origin."""
    low, high = _bounds(pieces)
    scale, centre = longest / (high - low).max(), (low + high) / 2.0
    return tuple(
        Piece(
            piece.shape,
            tuple((scale * np.array(piece.half)).tolist()),
            tuple((scale * (np.array(piece.pos) - centre)).tolist()),
        )
        for piece in pieces
    )


def _bounds(pieces: list[Piece] | tuple[Piece, ...]) -> tuple[Floats, Floats]:
    centres, halves = (np.array([getattr(p, name) for p in pieces]) for name in ("pos", "half"))
    return (centres - halves).min(axis=0), (centres + halves).max(axis=0)


def _bump(rng: np.random.Generator) -> tuple[float, float, float, float, float]:
    x, y = np.array([1.65, 0.75]) + rng.uniform(-0.3, 0.3, 2)
    half = rng.uniform(0.0, [0.05, 0.05, 0.005]).clip(1e-4)
    return float(x), float(y), float(half[0]), float(half[1]), float(half[2])
