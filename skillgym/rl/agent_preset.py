"""Preset of a method, and keywords that several presets share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from stable_baselines3.common.base_class import BaseAlgorithm
from torch import nn

from skillgym.nn.mlp import LEAKY_SLOPE
from skillgym.rl.common.policies import DEEP
from skillgym.rl.prior_sac import PriorSAC

TIME_LIMITS_END: Mapping[str, Any] = {"handle_timeout_termination": False}
"""Keywords of a replay buffer: time limits are terminal, as in the authors' code. This anchors the
critics in worlds where few episodes end by themselves."""

FROM_PRIOR: Mapping[str, Any] = {
    "policy": "SkillPriorPolicy",
    "replay_buffer_kwargs": TIME_LIMITS_END,
}
"""Keywords of agents whose policy starts as a prior."""

NORMALISED: Mapping[str, Any] = {"critic_layer_norm": True}
"""Keywords of policies that start as a prior.

Deviation: the authors' critics are not normalised. In the maze, such critics and the weights of
SkiLD's divergences drive each other up (values of -7500 after 200 000 control steps).
"""

NEAR_PRIOR: Mapping[str, Any] = {"target_divergence": 2.5, "alpha": "auto_0.1"}
"""Keywords of agents that stay close to a prior.

Deviation: the authors' target is 5 nats, for the prior of their human data. The prior of the
scripted data is sharper: from 4 nats on, the critics mislead the policy and runs in the kitchen
fall from 3 subtasks to 1.

Deviation: the authors' alpha starts at 1. Its logarithm changes by at most 3e-4 per update, so the
first 8000 updates of a run (80 000 control steps) would only bring it down to this value.
"""


def from_scratch(
    actor_arch: tuple[int, ...] = DEEP, critic_arch: tuple[int, ...] = DEEP
) -> dict[str, Any]:
    """Keywords of agents with randomly initialised networks of these hidden layers."""
    return {
        "policy": "MlpPolicy",
        "policy_kwargs": {
            "net_arch": {"pi": list(actor_arch), "qf": list(critic_arch)},
            "activation_fn": partial(nn.LeakyReLU, LEAKY_SLOPE),
            "optimizer_kwargs": {"fused": True},
        },
        "replay_buffer_kwargs": TIME_LIMITS_END,
    }


@dataclass(frozen=True, kw_only=True)
class AgentPreset:
    """A method: actions, class and keywords of an agent.

    Attributes:
        title: Short description.
        skill_model: Default skill model whose skills are the actions; None for primitive actions.
            For single-step models, each primitive action is a skill.
        world: Id of the world that it is for.
        options: Keywords of that world.
        actions: `"skills"` (`SkillActions`), or `"residuals"` on top of them (`ResidualActions`).
        algorithm: Class of the agent.
        deterministic: Whether evaluations take the most likely actions, not samples.
        agent: Keywords of the agent.
    """

    title: str
    skill_model: str | None
    world: str = "skillgym/Kitchen-v0"
    options: Mapping[str, Any] = field(default_factory=dict)
    actions: Literal["skills", "residuals"] = "skills"
    algorithm: type[BaseAlgorithm] = PriorSAC
    deterministic: bool = False
    agent: Mapping[str, Any]
