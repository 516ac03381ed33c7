"""The four scenes A to D of CALVIN: positions of the furniture and lengths of the blocks.

Paper: Mees et al. 2022, "CALVIN: A Benchmark for Language-Conditioned Policy Learning",
arXiv:2112.03227. World axes: x to the right seen from the robot, y away from it, z up [m].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Range = tuple[float, float]

COLOURS = ("red", "blue", "pink")
"""Order of the blocks, except in the scene state of some scenes."""

BLOCK_LENGTHS = {"small": 0.04, "middle": 0.056, "big": 0.08}
"""Length of a block along its own x axis [m]; the other sides are `BLOCK_WIDTH`."""

BLOCK_WIDTH = 0.04
BLOCK_HEIGHT = 0.46
"""Height of the centre of a block on the table or in the cabinet [m]."""

TABLE_Y: Range = (-0.15, -0.03)
CABINET_Y: Range = (0.05, 0.12)
DRAWER_RANGE = 0.22
SWITCH_RANGE = 0.088
BUTTON_RANGE = 0.02
SWITCH_ON = 0.044
"""Position of the lever above which the bulb is on [m]."""
BUTTON_PRESSED = 0.01
"""Position of the button above which it counts as pressed [m]."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Differences between the scenes; lengths in m.

    Attributes:
        button: x of button and LED.
        lever: x of lever and bulb.
        drawer: x of the drawer's middle.
        opening: x range of the cabinet's opening, and of its floor, the plank.
        door: x of the sliding door's left edge when it is at the right.
        door_range: Travel of the sliding door to the left.
        sizes: Sizes of the blocks by colour.
        order: Order of the blocks in the 24-D scene state.
        table: x range of random blocks on the table.
        slider_left: x range of random blocks in the left half of the cabinet.
        slider_right: x range of random blocks in the right half of the cabinet.
        wood: Colours of the table and of drawer and door.
    """

    button: float
    lever: float
    drawer: float
    opening: Range
    door: float
    door_range: float
    sizes: Mapping[str, str]
    order: tuple[str, str, str]
    table: Range
    slider_left: Range
    slider_right: Range
    wood: tuple[tuple[float, float, float], tuple[float, float, float]]


def _sizes(red: str, blue: str, pink: str) -> Mapping[str, str]:
    return {"red": red, "blue": blue, "pink": pink}


_DARK, _LIGHT, _MIDDLE = (0.38, 0.27, 0.18), (0.80, 0.66, 0.47), (0.62, 0.45, 0.29)

SCENES: Mapping[str, Scene] = {
    "A": Scene(
        button=-0.28,
        lever=0.30,
        drawer=0.10,
        opening=(-0.36, 0.16),
        door=-0.10,
        door_range=0.28,
        sizes=_sizes("middle", "big", "small"),
        order=("pink", "blue", "red"),
        table=(-0.20, 0.35),
        slider_left=(-0.32, -0.16),
        slider_right=(-0.05, 0.13),
        wood=(_DARK, (0.50, 0.36, 0.25)),
    ),
    "B": Scene(
        button=0.28,
        lever=-0.32,
        drawer=0.18,
        opening=(-0.18, 0.34),
        door=0.088,
        door_range=0.304,
        sizes=_sizes("small", "big", "middle"),
        order=("red", "blue", "pink"),
        table=(-0.35, 0.15),
        slider_left=(-0.12, 0.06),
        slider_right=(0.15, 0.33),
        wood=(_LIGHT, (0.86, 0.74, 0.56)),
    ),
    "C": Scene(
        button=-0.12,
        lever=-0.32,
        drawer=0.10,
        opening=(-0.18, 0.34),
        door=0.06,
        door_range=0.24,
        sizes=_sizes("big", "small", "middle"),
        order=("blue", "red", "pink"),
        table=(0.0, 0.35),
        slider_left=(-0.12, 0.06),
        slider_right=(0.15, 0.30),
        wood=(_MIDDLE, _DARK),
    ),
    "D": Scene(
        button=-0.12,
        lever=0.30,
        drawer=0.18,
        opening=(-0.36, 0.16),
        door=-0.10,
        door_range=0.28,
        sizes=_sizes("middle", "small", "big"),
        order=("red", "blue", "pink"),
        table=(0.0, 0.35),
        slider_left=(-0.32, -0.16),
        slider_right=(-0.05, 0.13),
        wood=((0.45, 0.33, 0.23), (0.55, 0.42, 0.30)),
    ),
}
