"""Errors are part of the interface: they travel between processes with their sentence."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from skillgym.errors import CheckpointNotWritten, MissingFile, UnknownSkill
from skillgym_envs.collect.errors import DatasetExists, ExpertFailed
from skillgym_envs.core.errors import (
    InvalidAction,
    InvalidConfig,
    SkillgymError,
    UnknownTask,
    nearest,
)


@pytest.mark.parametrize(
    "error",
    [
        InvalidAction("of shape (3,)", (9,)),
        UnknownTask("ketle", ["kettle"]),
        ExpertFailed(3, ["kettle"], 5, []),
        DatasetExists(Path("data"), ["seed"]),
        MissingFile(Path("config.json")),
        CheckpointNotWritten(Path("folder"), "no space"),
        UnknownSkill("spirl", ["spirl-kitchen"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pickling_keeps_type_and_message(error: SkillgymError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_unknown_names_point_to_the_nearest() -> None:
    assert "did you mean 'kettle'?" in str(UnknownTask("ketle", ["kettle", "microwave"]))


def test_a_missing_namespace_is_nearest() -> None:
    assert nearest("Maze-v0", ["SkillMaze-v0", "skillgym/Maze-v0"]).startswith(
        "did you mean 'skillgym/Maze-v0'? Known: 'skillgym/Maze-v0', 'SkillMaze-v0'."
    )


def test_of_equally_near_names_the_first_is_meant() -> None:
    assert nearest("spirl", ["spirl-ol", "spirl-cl"]).startswith("did you mean 'spirl-cl'?")


@pytest.mark.parametrize(
    ("number", "end"),
    [
        (0, "known: none."),
        (2, "known: 'a00', 'a01'."),
        (10, ", 'a09'."),
        (13, ", 'a09' and 3 more, which `all` lists."),
    ],
)
def test_at_most_ten_names_are_listed(number: int, end: str) -> None:
    assert nearest("zz", [f"a{i:02}" for i in range(number)], "all").endswith(end)
    assert nearest("zz", [f"a{i:02}" for i in range(13)]).endswith("'a09' and 3 more.")


def test_of_many_names_the_nearest_are_listed() -> None:
    known = [*(f"other-{i}" for i in range(20)), "kitchen", "kitchen-play"]
    assert nearest("kitchn", known).startswith(
        "did you mean 'kitchen'? Known: 'kitchen', 'kitchen-play', 'other-"
    )


def test_a_wrong_value_is_no_field() -> None:
    sentence = "Got seed=-1, expected a number at least 0; change this value."
    assert str(InvalidConfig("seed", -1, "a number at least 0")) == sentence
