"""The methods of the papers as presets of the same parts: environments and agents.

Papers: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors",
Sec. 4.2; arXiv:2010.11944. Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for
Sample-Efficient Reinforcement Learning" (`ptgm`, `ptgm-ppo`). Numbers are those of the authors'
kitchen configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from skillgym.nn.mlp import LEAKY_SLOPE
from skillgym.rl.discrete_prior_sac import DiscretePriorSAC
from skillgym.rl.errors import UnknownPreset
from skillgym.rl.prior_ppo import PriorPPO
from skillgym.rl.prior_sac import PriorSAC
from skillgym.rl.vec_env import GymnasiumVecEnv
from skillgym.wrappers import VectorSkillActions

SKILL_ALPHA = "auto_0.1"
"""Deviation: the authors start at 1. Log alpha moves by at most 3e-4 per update, so that the first
8000 updates of a run (80 000 control steps) would only bring it down to this."""

SKILL_DIVERGENCE = 2.5
"""Deviation: the authors let the policy be 5 nats away from the prior of their human data. The
prior of the scripted data is sharper: from 4 nats on, the critics mislead the policy and runs of
the kitchen fall from 3 subtasks to 1."""

DEEP, SHALLOW = (256,) * 6, (256,) * 3
"""Hidden layers of the authors' "5 x 256" and "2 x 256", which count square layers only."""


@dataclass(frozen=True, kw_only=True)
class AgentPreset:
    """A method: which actions an agent has, where its policy starts, what it is regularised by.

    Attributes:
        title: What it is, in a few words.
        skill_model: Default skill model (of the kitchen) whose skills are the actions; None for
            primitive actions. Single-step models make primitive actions skills.
        start: The policy starts as the `"prior"` of the skill model, or as a `"random"` network.
        objective: `"prior"`: stay close to the prior. `"entropy"`: that of SAC.
        target_divergence: Target of the mean divergence from the prior [nat].
        alpha: Temperature, as `PriorSAC` takes it.
        bootstrap_time_limits: Whether a time limit is no end, so that the value of the last state
            counts. The authors end there; it anchors the critics in worlds where hardly an episode
            ends by itself.
        critic_arch: Hidden layers of the critics.
        learning_starts: Actions before the first update; skills if the actions are skills.
        buffer_size: Transitions that are kept.
        algorithm: Class of the agent. `PriorPPO` has no critics' targets and no replay: of the
            fields it takes the skill model and the start only.
    """

    title: str
    skill_model: str | None
    start: Literal["prior", "random"] = "prior"
    objective: Literal["prior", "entropy"] = "prior"
    target_divergence: float = 5.0
    alpha: str | float = "auto"
    bootstrap_time_limits: bool = False
    critic_arch: tuple[int, ...] = DEEP
    learning_starts: int = 1_000
    buffer_size: int = 1_000_000
    algorithm: type[BaseAlgorithm] = PriorSAC


_FLAT = {"critic_arch": SHALLOW, "learning_starts": 5_000, "buffer_size": 100_000}

PRESETS: dict[str, AgentPreset] = {
    "spirl-cl": AgentPreset(
        title="closed-loop skills, prior-regularised",
        skill_model="spirl-kitchen",
        target_divergence=SKILL_DIVERGENCE,
        alpha=SKILL_ALPHA,
    ),
    "spirl-ol": AgentPreset(
        title="open-loop skills, prior-regularised",
        skill_model="spirl-kitchen-open",
        target_divergence=SKILL_DIVERGENCE,
        alpha=SKILL_ALPHA,
    ),
    "ssp": AgentPreset(
        title="open-loop skills without prior",
        skill_model="spirl-kitchen-open",
        start="random",
        objective="entropy",
    ),
    "flat-prior": AgentPreset(
        title="single-step actions, prior-regularised",
        skill_model="flat-kitchen",
        target_divergence=1.0,
        **_FLAT,  # type: ignore[arg-type]
    ),
    "bc-sac": AgentPreset(
        title="behaviour cloning, fine-tuned with SAC",
        skill_model="flat-kitchen",
        objective="entropy",
        **_FLAT,  # type: ignore[arg-type]
    ),
    "sac": AgentPreset(
        title="SAC from scratch",
        skill_model=None,
        start="random",
        objective="entropy",
        **_FLAT,  # type: ignore[arg-type]
    ),
    "ptgm": AgentPreset(
        title="goal codes, prior-regularised",
        skill_model="ptgm-kitchen",
        alpha=SKILL_ALPHA,
        algorithm=DiscretePriorSAC,
    ),
    "ptgm-ppo": AgentPreset(
        title="goal codes, PPO with the divergence in the reward",
        skill_model="ptgm-kitchen",
        algorithm=PriorPPO,
    ),
}


def find_preset(preset: str | AgentPreset) -> AgentPreset:
    """The preset of a name.

    Raises:
        UnknownPreset: If there is none.
    """
    if isinstance(preset, AgentPreset):
        return preset
    if preset not in PRESETS:
        raise UnknownPreset(preset, PRESETS)
    return PRESETS[preset]


def make_env(
    preset: str | AgentPreset,
    world: str = "skillgym/Kitchen-v0",
    num_envs: int = 1,
    skill_model: Any = None,
    **options: Any,
) -> GymnasiumVecEnv:
    """The environments of a method, as SB3 takes them.

    Args:
        preset: The method.
        world: Id of a world with primitive actions.
        num_envs: Number of environments.
        skill_model: Name, path or live skill model in place of the preset's own.
        options: Keywords of the world and of its vector environment (`num_threads`).
    """
    name = find_preset(preset).skill_model
    if name is None:
        env = gym.make_vec(world, num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **options)
        return GymnasiumVecEnv(env)
    env = gym.make_vec(world, num_envs, autoreset_mode=AutoresetMode.DISABLED, **options)
    model = skill_model or name
    skills = VectorSkillActions(env, model, autoreset_mode=AutoresetMode.SAME_STEP)
    return GymnasiumVecEnv(skills)


def make_agent(
    preset: str | AgentPreset,
    env: VecEnv | gym.Env[Any, Any],
    seed: int | None = None,
    **overrides: Any,
) -> Any:
    """The agent of a method, of the class `preset.algorithm`.

    Args:
        preset: The method.
        env: Its environment or environments, for example of `make_env`.
        seed: Seed of the agent and of the environments.
        overrides: Keywords of the algorithm in place of the preset's.
    """
    preset = find_preset(preset)
    if preset.algorithm is PriorPPO:
        return PriorPPO(**{"policy": "SkillPriorPolicy", "env": env, "seed": seed, **overrides})
    policy, policy_kwargs = "SkillPriorPolicy", {"critic_arch": preset.critic_arch}
    if preset.start == "random":
        policy, policy_kwargs = "MlpPolicy", _random_networks(preset)
    keywords = {
        "prior": None if preset.start == "random" and preset.objective == "entropy" else "auto",
        "kl": "sampled" if preset.objective == "prior" else None,
        "target_divergence": preset.target_divergence,
        "alpha": preset.alpha,
        "learning_starts": preset.learning_starts,
        "buffer_size": preset.buffer_size,
        "replay_buffer_kwargs": {"handle_timeout_termination": preset.bootstrap_time_limits},
        "policy_kwargs": policy_kwargs,
    }
    if preset.algorithm is DiscretePriorSAC:
        del keywords["kl"]  # its divergence is exact, and there is no other objective
    return preset.algorithm(policy, env, seed=seed, **{**keywords, **overrides})


def load_agent(
    preset: str | AgentPreset, path: str | Path, env: VecEnv | gym.Env[Any, Any] | None = None
) -> Any:
    """A saved agent of a method.

    Args:
        preset: The method.
        path: File that its `save` wrote.
        env: Its environments; without, it can only predict.
    """
    return find_preset(preset).algorithm.load(path, env=env)


def _random_networks(preset: AgentPreset) -> dict[str, Any]:
    return {
        "net_arch": {"pi": list(DEEP), "qf": list(preset.critic_arch)},
        "activation_fn": partial(nn.LeakyReLU, LEAKY_SLOPE),
        "optimizer_kwargs": {"fused": True},
    }
