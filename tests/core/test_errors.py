"""Errors are part of the interface: they travel between processes with their sentence."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from skillgym.errors import CheckpointNotWritten, MissingFile, UnknownSkill
from skillgym_envs.collect.errors import DatasetExists, ExpertFailed
from skillgym_envs.core.errors import InvalidAction, SkillgymError, UnknownTask


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
