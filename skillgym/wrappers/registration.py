"""Registers the environments whose actions are skills. Imports neither torch nor a world."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv


def register_skill_envs() -> None:
    """Register `SkillKitchen-v0`. Calling it twice is fine.

    No `max_episode_steps` is given: Gymnasium's own time limit would sit outside and count skills.
    """
    gym.register(
        id="SkillKitchen-v0",
        entry_point=f"{__name__}:make_skill_kitchen",
        vector_entry_point=f"{__name__}:make_vector_skill_kitchen",
        kwargs={"skill_model": "spirl-kitchen"},
    )


def make_skill_kitchen(
    skill_model: Any, reward: str = "sum", gamma: float = 0.99, **world: Any
) -> gym.Env[Any, Any]:
    """Make a kitchen whose actions are skills.

    Args:
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
            With a live model the environment's `spec` cannot be written as JSON.
        reward: `"sum"` or `"discounted"`, see `SkillActions`.
        gamma: Discount per control step; used by `"discounted"` only.
        world: Keywords of `skillgym/Kitchen-v0` (`tasks`, `ordered`, `goal`, `velocities`, `noise`,
            `render_mode`...).

    Returns:
        The environment; episodes are truncated after the world's number of control steps (280).
        Gymnasium's own `max_episode_steps` would count skills.
    """
    from skillgym.wrappers.registered import RegisteredSkillActions
    from skillgym_envs.kitchen import make_env

    env = make_env(**world)
    limited: gym.Env[Any, Any] = gym.wrappers.TimeLimit(env, env.world.max_episode_steps)
    return RegisteredSkillActions(limited, skill_model, reward, gamma)  # type: ignore[arg-type]


def make_vector_skill_kitchen(
    num_envs: int,
    skill_model: Any,
    reward: str = "sum",
    gamma: float = 0.99,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **world: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make N kitchens whose actions are skills, decoded in one forward pass.

    Args:
        num_envs: Number of environments N.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
        reward: `"sum"` or `"discounted"`, see `SkillActions`.
        gamma: Discount per control step; used by `"discounted"` only.
        autoreset_mode: `NEXT_STEP` or `SAME_STEP`, see `VectorSkillActions`.
        world: Keywords of `skillgym/Kitchen-v0`.

    Returns:
        The vector environment; episodes are truncated after the world's number of control steps
        (280).
    """
    from skillgym.wrappers.vector_skill_actions import VectorSkillActions
    from skillgym_envs.kitchen import make_vec

    env = make_vec(num_envs=num_envs, autoreset_mode=AutoresetMode.DISABLED, **world)
    return VectorSkillActions(env, skill_model, reward, gamma, autoreset_mode)  # type: ignore[arg-type]
