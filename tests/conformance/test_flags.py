"""Keywords that are True or False are nothing else, in every world."""

from __future__ import annotations

from inspect import signature

import pytest

from skillgym_envs.core.errors import InvalidConfig
from skillgym_envs.core.world import World
from skillgym_envs.fetch.tasks import TASKS
from skillgym_envs.kitchen import KitchenWorld
from skillgym_envs.maze import MazeWorld
from skillgym_envs.office import OfficeWorld
from skillgym_envs.tabletop import TabletopWorld

FLAGS = [
    (world, name)
    for world in (KitchenWorld, MazeWorld, OfficeWorld, TabletopWorld, *TASKS.values())
    for name, parameter in signature(world).parameters.items()
    if str(parameter.annotation) in ("bool", "bool | None")
]


def test_flags_are_found() -> None:
    found = {(world.__name__, name) for world, name in FLAGS}
    assert {("KitchenWorld", "ordered"), ("MazeWorld", "terminate")} < found


@pytest.mark.parametrize("given", ["yes", 1])
@pytest.mark.parametrize(("world", "name"), FLAGS)
def test_flags_are_true_or_false(world: type[World], name: str, given: object) -> None:
    with pytest.raises(InvalidConfig, match=f"{name}={given!r}, expected True or False"):
        world(**{name: given})
