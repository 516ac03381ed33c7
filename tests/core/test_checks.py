"""Settings that cannot work are told in one sentence, and so are unknown names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skillgym_envs.core.checks import check_choice, resolve_names
from skillgym_envs.core.errors import InvalidTask, UnknownChoice, UnknownTask

SETS = {"breakfast": ("kettle", "toaster")}
KNOWN = ("kettle", "toaster", "lamp")


@pytest.mark.parametrize("given", ["kettel", ["kettle"]])
def test_an_unknown_choice_points_to_the_nearest(given: Any) -> None:
    with pytest.raises(UnknownChoice, match=r"^Got element=.*; did you mean 'kettle'\? Known: '"):
        check_choice("element", given, KNOWN)


@pytest.mark.parametrize("given", [np.array(["kettle", "lamp"]), None, 5])
def test_what_is_no_name_is_no_choice(given: Any) -> None:
    with pytest.raises(UnknownChoice, match=r"^Got element=.*; known: 'kettle', 'lamp', 'toaster'"):
        check_choice("element", given, KNOWN)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("breakfast", ("kettle", "toaster")),
        ("lamp", ("lamp",)),
        (["lamp", "kettle"], ("lamp", "kettle")),
        (np.array(["lamp"]), ("lamp",)),
    ],
)
def test_names_of_a_task(given: Any, names: tuple[str, ...]) -> None:
    assert resolve_names(given, SETS, KNOWN) == names


@pytest.mark.parametrize(
    ("given", "error", "hint"),
    [
        ("breakfst", UnknownTask, "did you mean 'breakfast'"),
        ("lmp", UnknownTask, "did you mean 'lamp'"),
        (["lamp", "breakfast"], UnknownTask, "'breakfast'"),
        ([["lamp"]], UnknownTask, "did you mean 'lamp'"),
        ([], InvalidTask, "has no subtask"),
        (["lamp", "lamp"], InvalidTask, "names a subtask twice"),
        (5, InvalidTask, "5, which is not a list of names"),
        (None, InvalidTask, "is not a list of names"),
    ],
)
def test_bad_names_of_a_task(given: Any, error: type[Exception], hint: str) -> None:
    with pytest.raises(error, match=hint):
        resolve_names(given, SETS, KNOWN)
