"""Arguments that several subcommands share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium as gym

from skillgym.cli.errors import InvalidOption, NoSkillModel, UnknownName


def registered_ids() -> list[str]:
    """Ids of the worlds (`skillgym/...`) and of their skill environments (`Skill...`)."""
    import skillgym  # noqa: F401  (registers)

    return sorted(
        (name for name in gym.registry if name.startswith(("skillgym/", "Skill"))),
        key=lambda name: (not name.startswith("skillgym/"), name),
    )


def check_id(name: str) -> str:
    """The id itself, if it is registered.

    Args:
        name: Id of an environment; other packages' ids are fine.

    Raises:
        UnknownName: If nothing has this id; it names the nearest.
    """
    known = registered_ids()
    if name not in gym.registry:
        raise UnknownName("environment", name, known)
    return name


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """Keywords from `KEY=VALUE` arguments; a value is JSON where it can be, else a string.

    Args:
        pairs: For example `["tasks=misaligned", "ordered=true"]`.

    Returns:
        For example `{"tasks": "misaligned", "ordered": True}`.
    """
    keywords: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise InvalidOption(pair)
        try:
            keywords[key] = json.loads(value)
        except json.JSONDecodeError:
            keywords[key] = value
    return keywords


def default_folder(preset: str, seed: int = 0) -> Path:
    """Where `skillgym pretrain` puts a run.

    Args:
        preset: Name of its preset.
        seed: Its seed.
    """
    return Path("runs") / f"{preset}-seed{seed}"


def find_model(name: str) -> str:
    """A bundled skill model's name, or else the folder where `skillgym pretrain` has put it.

    Args:
        name: Name of a bundled model, or of a preset of `skillgym pretrain`.

    Raises:
        NoSkillModel: If it is neither bundled nor made yet.
    """
    from skillgym.hub import list_skills

    if name in list_skills():
        return name
    folder = default_folder(name)
    if not (folder / "checkpoints").exists():
        raise NoSkillModel(name, folder)
    return str(folder)


FETCH_WORLDS = {25: "skillgym/FetchPlace-v0", 43: "skillgym/FetchHook-v0"}
"""The Fetch worlds that data come from, by the size of their observations."""


def world_id(world: str | None, observation_size: int = 0) -> str:
    """Id of the world of a skill model.

    Args:
        world: The world's name, for example maze; the kitchen if None or unknown.
        observation_size: Tells the Fetch worlds apart.
    """
    if world == "fetch" and observation_size in FETCH_WORLDS:
        return FETCH_WORLDS[observation_size]
    ids = {name.lower(): name for name in registered_ids()}
    return ids.get(f"skillgym/{world}-v0", "skillgym/Kitchen-v0")
