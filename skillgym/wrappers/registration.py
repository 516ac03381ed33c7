"""Registers the environments whose actions are skills. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, VectorEnv

from skillgym.errors import InvalidConfig
from skillgym.wrappers.skill_actions import SkillActions
from skillgym.wrappers.vector_skill_actions import VectorSkillActions
from skillgym_envs.core.checks import check_count
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownKeyword

SKILL_ENVS = {
    "SkillKitchen-v0": ("skillgym/Kitchen-v0", "spirl-kitchen"),
    "SkillMaze-v0": ("skillgym/Maze-v0", "spirl-maze"),
    "SkillOffice-v0": ("skillgym/Office-v0", "spirl-office"),
    "SkillTabletop-v0": ("skillgym/Tabletop-v0", "spirl-tabletop"),
    "SkillFetchPyramidStack-v0": ("skillgym/FetchPyramidStack-v0", "spirl-fetch-block"),
    "SkillFetchCleanUp-v0": ("skillgym/FetchCleanUp-v0", "spirl-fetch-block"),
    "SkillFetchSlipperyPush-v0": ("skillgym/FetchSlipperyPush-v0", "spirl-fetch-block"),
    "SkillFetchComplexHook-v0": ("skillgym/FetchComplexHook-v0", "spirl-fetch-hook"),
}
"""World and default skill model of each id."""


class RegisteredSkillActions(SkillActions):
    """`SkillActions` made by the entry point of an id such as `SkillKitchen-v0`.

    The keywords of the id already describe this wrapper and the time limit inside it. If they were
    appended to the specification, as wrappers usually do, both would be built twice.
    """

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]
        """Specification of the id, with its keywords."""
        spec = self.unwrapped.spec
        if spec is not None and self.skill_name is not None:
            # JSON has no paths.
            spec = replace(spec, kwargs={**spec.kwargs, "skill_model": self.skill_name})
        return spec


def register_skill_envs() -> None:
    """Register the ids of `SKILL_ENVS`. Calling it twice is fine.

    `max_episode_steps` is not given: Gymnasium's own time limit would be outside and count skills.
    """
    for env_id, (world_id, skill_model) in SKILL_ENVS.items():
        gym.register(
            id=env_id,
            entry_point=f"{__name__}:make_skill_env",
            vector_entry_point=f"{__name__}:make_vector_skill_env",
            kwargs={"world_id": world_id, "skill_model": skill_model},
        )


def make_skill_env(
    world_id: str,
    skill_model: Any,
    reward: str = "sum",
    gamma: float = 0.99,
    control_steps: int | None = None,
    **world: Any,
) -> gym.Env[Any, Any]:
    """Make an environment whose actions are skills.

    Args:
        world_id: Id of the world; fixed by the id of the environment.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
            With a live model the environment's `spec` cannot be written as JSON.
        reward: `"sum"` or `"discounted"`, see `SkillActions`.
        gamma: Discount per control step; used by `"discounted"` only.
        control_steps: Control steps after which an episode is truncated; the world's own number if
            None. Gymnasium's `max_episode_steps` is another limit, which counts skills.
        world: Keywords of the world (`skillgym/Kitchen-v0`: `tasks`, `ordered`, `goal`,
            `velocities`, `noise`, `render_mode`...).

    Raises:
        InvalidConfig: If `control_steps` is not a positive integer.
    """
    check_count("control_steps", control_steps)
    spec = gym.spec(world_id)
    env = _made(spec.entry_point, **spec.kwargs, **world)
    limit = control_steps or env.unwrapped.world.max_episode_steps
    limited: gym.Env[Any, Any] = gym.wrappers.TimeLimit(env, limit)
    return RegisteredSkillActions(limited, skill_model, reward, gamma)  # type: ignore[arg-type]


make_skill_env.metadata = WorldEnv.metadata  # type: ignore[attr-defined]  # for rgb_array_list


def make_vector_skill_env(
    num_envs: int,
    world_id: str,
    skill_model: Any,
    reward: str = "sum",
    gamma: float = 0.99,
    control_steps: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **world: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make N environments whose actions are skills, decoded in one forward pass.

    Args:
        num_envs: Number of environments N.
        world_id: Id of the world; fixed by the id of the environment.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
        reward: `"sum"` or `"discounted"`, see `SkillActions`.
        gamma: Discount per control step; used by `"discounted"` only.
        control_steps: Control steps after which an episode is truncated; the world's own number if
            None.
        autoreset_mode: `NEXT_STEP` or `SAME_STEP`, see `VectorSkillActions`.
        world: Keywords of the world and of its vector environment (`num_threads`).

    Raises:
        InvalidConfig: If `control_steps` is not a positive integer, or if `max_episode_steps` is
            given, which would count skills in one environment and control steps in many.
    """
    check_count("control_steps", control_steps)
    if (counted := world.pop("max_episode_steps", None)) is not None:
        raise InvalidConfig("max_episode_steps", counted, "control_steps in its place")
    spec = gym.spec(world_id)
    vector_world = {"autoreset_mode": AutoresetMode.DISABLED, **spec.kwargs, **world}
    if control_steps is not None:
        vector_world["max_episode_steps"] = control_steps
    env = _made(spec.vector_entry_point, num_envs, **vector_world)
    return VectorSkillActions(env, skill_model, reward, gamma, autoreset_mode)  # type: ignore[arg-type]


def _made(entry_point: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call a world's entry point; errors about unknown keywords suggest those of skills, too."""
    try:
        return load_env_creator(entry_point)(*arguments, **keywords)
    except UnknownKeyword as error:
        raise error.with_known(("skill_model", "reward", "gamma", "control_steps")) from None
