"""What a preset of a method says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DEEP, SHALLOW = (256,) * 6, (256,) * 3
"""Hidden layers of the authors' "5 x 256" and "2 x 256", which count square layers only."""

SKILL_ALPHA = "auto_0.1"
"""Deviation: the authors start at 1. Log alpha moves by at most 3e-4 per update, so that the first
8000 updates of a run (80 000 control steps) would only bring it down to this."""

SKILL_DIVERGENCE = 2.5
"""Deviation: the authors let the policy be 5 nats away from the prior of their human data. The
prior of the scripted data is sharper: from 4 nats on, the critics mislead the policy and runs of
the kitchen fall from 3 subtasks to 1."""


Algorithm = Literal[
    "PriorSAC",
    "DiscretePriorSAC",
    "PriorPPO",
    "SkiLD",
    "GAIL",
    "ReSkill",
    "ReskillPPO",
    "PPO",
    "SAC",
]


@dataclass(frozen=True, kw_only=True)
class AgentPreset:
    """A method: which actions an agent has, where its policy starts, what it is regularised by.

    Attributes:
        title: What it is, in a few words.
        skill_model: Default skill model whose skills are the actions; None for primitive actions.
            Single-step models make primitive actions skills.
        world: Id of the world it is meant for.
        options: Keywords of that world.
        actions: `"skills"` (`SkillActions`), or `"residuals"` on top of them (`ResidualActions`).
        algorithm: Class of the agent. `PriorPPO`, `ReSkill`, `ReskillPPO`, and PPO and SAC of SB3
            take only `policy` and `agent` of the fields below.
        policy: Their policy.
        deterministic: Whether evaluations take the most likely actions, not samples.
        start: The policy starts as the `"prior"` of the skill model or as its `"posterior"` (the
            skills of demonstrations), or as a `"random"` network.
        objective: `"prior"`: stay close to the prior. `"entropy"`: that of SAC.
        target_divergence: Target of the mean divergence from the prior [nat].
        alpha: Temperature, as `PriorSAC` takes it.
        bootstrap_time_limits: Whether a time limit is no end, so that the value of the last state
            counts. The authors end there; it anchors the critics in worlds where hardly an episode
            ends by itself.
        actor_arch: Hidden layers of a random policy.
        critic_arch: Hidden layers of the critics.
        critic_inputs: How many of the first numbers of an observation the critics of a policy that
            starts as a prior see; all if None.
        critic_layer_norm: Whether the critics of a policy that starts as a prior are normalised.
        learning_starts: Actions before the first update; skills if the actions are skills.
        buffer_size: Transitions that are kept.
        batch_size: Transitions of one update.
        replay: Other keywords of the replay buffer.
        agent: Other keywords of the agent.
    """

    title: str
    skill_model: str | None
    world: str = "skillgym/Kitchen-v0"
    options: Mapping[str, Any] = field(default_factory=dict)
    actions: Literal["skills", "residuals"] = "skills"
    algorithm: Algorithm = "PriorSAC"
    policy: str = "MlpPolicy"
    deterministic: bool = False
    start: Literal["prior", "posterior", "random"] = "prior"
    objective: Literal["prior", "entropy"] = "prior"
    target_divergence: float = 5.0
    alpha: str | float = "auto"
    bootstrap_time_limits: bool = False
    actor_arch: tuple[int, ...] = DEEP
    critic_arch: tuple[int, ...] = DEEP
    critic_inputs: int | None = None
    critic_layer_norm: bool = False
    learning_starts: int = 1_000
    buffer_size: int = 1_000_000
    batch_size: int = 256
    replay: Mapping[str, Any] = field(default_factory=dict)
    agent: Mapping[str, Any] = field(default_factory=dict)
