"""What a preset of a method says, and what several of them say."""

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
"""Keywords of a replay buffer: a time limit is an end, as for the authors. It anchors the critics
in worlds where hardly an episode ends by itself."""

FROM_PRIOR: Mapping[str, Any] = {
    "policy": "SkillPriorPolicy",
    "replay_buffer_kwargs": TIME_LIMITS_END,
}
"""Keywords of agents whose policy starts as a prior."""

NORMALISED: Mapping[str, Any] = {"critic_layer_norm": True}
"""Keywords of policies that start as a prior.

Deviation: the authors' critics are plain. In the maze such critics and the weights of SkiLD's
divergences drive each other up (values of -7500 after 200 000 control steps).
"""

NEAR_PRIOR: Mapping[str, Any] = {"target_divergence": 2.5, "alpha": "auto_0.1"}
"""Keywords of agents that stay close to a prior.

Deviation: the authors let the policy be 5 nats away from the prior of their human data. The prior
of the scripted data is sharper: from 4 nats on, the critics mislead the policy and runs of the
kitchen fall from 3 subtasks to 1.

Deviation: the authors' alpha starts at 1. Its logarithm moves by at most 3e-4 per update, so that
the first 8000 updates of a run (80 000 control steps) would only bring it down to this.
"""


def from_scratch(
    actor_arch: tuple[int, ...] = DEEP, critic_arch: tuple[int, ...] = DEEP
) -> dict[str, Any]:
    """Keywords of agents with random networks of these hidden layers."""
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
    """A method: which actions an agent has, of which class it is, and its keywords.

    Attributes:
        title: What it is, in a few words.
        skill_model: Default skill model whose skills are the actions; None for primitive actions.
            Single-step models make primitive actions skills.
        world: Id of the world it is meant for.
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
