"""Arguments that several subcommands share."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym

from skillgym.cli.errors import InvalidOption, NoSkillModel, NoWorld, UnknownName, UntoldWorld
from skillgym.files import read_json
from skillgym.runs.folder import checkpoint_path

ENV_RESERVED = ("preset", "world", "num_envs", "skill_model", "id", "autoreset_mode")
"""Keywords of environments that the commands set."""


def registered_ids() -> list[str]:
    """Ids of the worlds (`skillgym/...`) and of their skill environments (`Skill...`)."""
    import skillgym  # noqa: F401  (registers)

    return sorted(
        (name for name in gym.registry if name.startswith(("skillgym/", "Skill"))),
        key=lambda name: (not name.startswith("skillgym/"), name),
    )


def check_id(name: str) -> str:
    """Return an id if it is registered.

    Args:
        name: Id of an environment, of skillgym or of another package; for `MODULE:ID`, the module,
            which registers the id, is imported.

    Raises:
        UnknownName: If no environment has this id; the error names the nearest one.
    """
    return _registered(name, "environment", registered_ids())


def check_world_id(name: str) -> str:
    """Return an id if it is that of an environment with primitive actions.

    Args:
        name: Id of a world, or of another package's environment, as for `check_id`.

    Raises:
        NoWorld: If its actions are skills.
        UnknownName: If no environment has this id; the error names the nearest world.
    """
    from skillgym.wrappers.registration import SKILL_ENVS

    if (own := name.rpartition(":")[2]) in SKILL_ENVS:
        raise NoWorld(name, SKILL_ENVS[own][0])
    worlds = [known for known in registered_ids() if known.startswith("skillgym/")]
    return _registered(name, "world", worlds)


def _registered(name: str, kind: str, known: Iterable[str]) -> str:
    """The name, after importing its module; `known` are named if it is not registered."""
    module, _, own = name.rpartition(":")
    try:
        if module and not module.startswith("."):  # relative to nothing
            import_module(module)
        gym.spec(own)
    except (gym.error.Error, ModuleNotFoundError) as error:
        raise UnknownName(kind, name, known, "skillgym worlds") from error
    return name


def parse_options(pairs: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, Any]:
    """Keywords from `KEY=VALUE` arguments; values are JSON or Python literals, otherwise text.

    Args:
        pairs: For example `["tasks=misaligned", "ordered=true"]`.
        reserved: Keywords that the command itself sets.

    Returns:
        For example `{"tasks": "misaligned", "ordered": True}`.

    Raises:
        InvalidOption: If a pair or a value with braces or brackets cannot be read, a value has no
            form in JSON, or a keyword is reserved.
    """
    keywords: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise InvalidOption(pair)
        if key in reserved:
            raise InvalidOption(pair, "another keyword, as the command sets this one")
        keywords[key] = _parsed(value)
        if isinstance(keywords[key], str) and value.startswith(("{", "[", "(")):
            raise InvalidOption(pair, "a value in JSON or Python's notation")
        try:
            json.dumps(keywords[key], allow_nan=False)
        except (TypeError, ValueError):
            expected = "a finite number, text, True, False, None, or lists and mappings of these"
            raise InvalidOption(pair, expected) from None
    return keywords


def _parsed(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError):  # TypeError: a list as a key
            pass
    return text


def default_folder(preset: str, seed: int = 0) -> Path:
    """Default run folder of `skillgym pretrain`.

    Args:
        preset: Name of its preset.
        seed: Its seed.
    """
    return Path("runs") / f"{preset}-seed{seed}"


def find_model(name: str) -> str:
    """The name of a bundled skill model, or else the folder in which it was pretrained.

    Args:
        name: Name of a bundled model, or of a preset of `skillgym pretrain`.

    Raises:
        NoSkillModel: If it is neither bundled nor pretrained.
    """
    from skillgym.hub import list_skills

    if name in list_skills():
        return name
    folder = default_folder(name)
    if not (folder / "checkpoints").exists():
        raise NoSkillModel(name, folder)
    return str(folder)


def is_pretrained(name: str) -> bool:
    """Whether a skill model is bundled, or `skillgym pretrain` has completed it.

    Args:
        name: Name of a bundled model, or of a preset of `skillgym pretrain`.
    """
    from skillgym.hub import list_skills

    return name in list_skills() or is_trained(default_folder(name))


def is_trained(folder: Path) -> bool:
    """Whether `skillgym pretrain` has completed the run in a folder.

    Args:
        folder: The run folder; need not exist.
    """
    config, metrics = folder / "config.json", checkpoint_path(folder) / "metrics.json"
    if not config.exists() or not metrics.exists():
        return False
    return bool(read_json(metrics)["step"] >= read_json(config)["trainer"]["steps"])


FETCH_WORLDS = {25: "skillgym/FetchPlace-v0", 43: "skillgym/FetchHook-v0"}
"""The Fetch worlds of the datasets, by the size of their observations."""


def world_id(world: str | None, observation_size: int = 0) -> str:
    """Id of the world of a skill model.

    Args:
        world: The world's name, for example maze, or the id of another package's environment.
        observation_size: Size of the observations, which tells the Fetch worlds apart.

    Raises:
        UntoldWorld: If `world` is None.
        UnknownName: If there is no such world.
    """
    if world is None:
        raise UntoldWorld
    if world == "fetch" and observation_size in FETCH_WORLDS:
        return FETCH_WORLDS[observation_size]
    ids = {name.lower(): name for name in registered_ids()}
    return ids.get(f"skillgym/{world}-v0") or check_world_id(world)
