"""SkiLD and the methods it is compared with, for the tasks of its paper.

Paper: Pertsch et al. 2021, "Demonstration-Guided Reinforcement Learning with Learned Skills", Sec.
5; arXiv:2107.10253. Numbers are those of the authors' configurations. Of the baselines, only SPiRL
and GAIL have published code; the others are what their names say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skillgym.rl.agent_preset import (
    FROM_PRIOR,
    NEAR_PRIOR,
    NORMALISED,
    TIME_LIMITS_END,
    AgentPreset,
    from_scratch,
)
from skillgym.rl.buffers import DemonstrationReplayBuffer
from skillgym.rl.common.policies import DEEP, SHALLOW
from skillgym.rl.gail import GAIL
from skillgym.rl.skild.skild import SkiLD

MIXED = {"env_reward_weight": 0.9, "discriminator_reward_weight": 0.1}

ENVIRONMENT_REWARD = {"env_reward_weight": 1.0, "discriminator_reward_weight": 0.0}
"""Deviation: the authors mix both rewards in kitchen and office. If an episode ends with the last
subtask, the agent earns more by waiting near the demonstrations: in the misaligned kitchen it
unlearns the last subtask."""

WITHOUT_REWARD = {"env_reward_weight": 0.0, "absorbing_ends": True}
"""Keywords of agents that imitate.

Deviation: terminal states are absorbing, and time limits are not terminal. The authors' terminal
states are worth only the environment's reward, which their imitation keeps; their time limits are
terminal. The weight of the discriminator's reward stays 0.1 (authors: 1), as critics learn badly
with values around 500.
"""

LOG_ODDS = 5.0
"""Deviation: the authors' bound is 46 nats. With scripted data, the discriminator is so confident
that most states away from the demonstrations would reach it, and a tenth of it for each skill
outweighs all subtasks."""

LEARNED_WEIGHTS: Mapping[str, Any] = {
    **NEAR_PRIOR,
    "posterior_alpha": NEAR_PRIOR["alpha"],
    "posterior_target_divergence": NEAR_PRIOR["target_divergence"],
    "max_log_odds": LOG_ODDS,
}
"""Deviation: the authors fix both weights: in the kitchen at 0.1 (a bug makes it 1 and 0.1), in the
office at 5, where our agent stays at the 1.7 subtasks of its posterior."""


@dataclass(frozen=True, kw_only=True)
class DemonstrationTask:
    """A task with demonstrations.

    Attributes:
        name: Name of the task; also of the models that learned from its demonstrations.
        world: Id of the world.
        options: Keywords of the world.
        demonstrations: Dataset of demonstrations.
        spirl_model: Skill model of SPiRL.
        spirl: Keywords of SPiRL's agent.
        flat: Keywords of agents without skills.
        flat_arch: Hidden layers of their randomly initialised policies.
        skild: Keywords of `SkiLD`.
        imitation: Keywords of `SkiLD` that differ without the world's reward.
        discriminator_updates: Updates of a fine-tuned discriminator per update of the agent.
    """

    name: str
    world: str
    options: Mapping[str, Any] = field(default_factory=dict)
    demonstrations: str
    spirl_model: str
    spirl: Mapping[str, Any]
    flat: Mapping[str, Any] = field(default_factory=dict)
    flat_arch: tuple[int, ...] = DEEP
    skild: Mapping[str, Any]
    imitation: Mapping[str, Any] = field(default_factory=dict)
    discriminator_updates: float


def kitchen(task: str) -> DemonstrationTask:
    """A kitchen task whose elements only count in its order, as in the paper's figures."""
    return DemonstrationTask(
        name=f"kitchen-{task}",
        world="skillgym/Kitchen-v0",
        options={"tasks": task, "ordered": True},
        demonstrations=f"skillgym/kitchen/demos-{task}-v0",
        spirl_model="spirl-kitchen",
        spirl=NEAR_PRIOR,
        flat={"buffer_size": 100_000},
        skild={**LEARNED_WEIGHTS, **ENVIRONMENT_REWARD},
        discriminator_updates=5e-4,
    )


MAZE = DemonstrationTask(
    name="maze",
    world="skillgym/Maze-v0",
    demonstrations="skillgym/maze/demos-v0[:5]",
    spirl_model="spirl-maze",
    spirl={"target_divergence": 1.0, "policy_kwargs": {**NORMALISED, "critic_arch": SHALLOW}},
    flat_arch=SHALLOW,
    skild={
        # Deviation: it starts as the posterior, the authors' as the prior here.
        "alpha": "auto",
        "target_divergence": 10.0,
        "posterior_alpha": "auto",
        "posterior_target_divergence": 1.0,
        "max_log_odds": LOG_ODDS,
    },
    # Deviation: the authors learn it. A few states where D is small keep their divergence at its
    # bound, drive the weight up for ever, and success sinks from 1.0 to 0.5.
    imitation={"posterior_alpha": 1.0},
    discriminator_updates=0.2,
)

OFFICE_RETURN = {"n_steps": 5}

OFFICE = DemonstrationTask(
    name="office",
    world="skillgym/Office-v0",
    demonstrations="skillgym/office/demos-v0",
    # Deviation: the authors' code of SPiRL configures 1 nat here, but then runs plain SAC. With
    # 1 nat, our policy completes 1.4 subtasks with samples, but 4.1 with its most likely skills.
    # More nats need reliable critics: with one-step returns, 2.5 nats are hardly better.
    spirl_model="spirl-office",
    spirl={**NEAR_PRIOR, "target_divergence": 4.0, **OFFICE_RETURN},
    flat={"buffer_size": 100_000},
    # Deviation: returns over five skills, as SPiRL's; the authors have one-step returns.
    skild={**LEARNED_WEIGHTS, **ENVIRONMENT_REWARD, **OFFICE_RETURN},
    # The authors do not imitate here; this is the kitchen's.
    discriminator_updates=5e-4,
)

TASKS = (kitchen("kbts"), kitchen("misaligned"), MAZE, OFFICE)


def presets_of(task: DemonstrationTask) -> dict[str, AgentPreset]:
    """All methods on a task, by `METHOD-TASK`."""
    methods = {"spirl": spirl(task), **skild_presets(task), **flat_presets(task)}
    return {f"{method}-{task.name}": preset for method, preset in methods.items()}


def spirl(task: DemonstrationTask) -> AgentPreset:
    """SPiRL, which does not know the demonstrations."""
    return AgentPreset(
        title=f"{task.name}: closed-loop skills, prior-regularised",
        skill_model=task.spirl_model,
        world=task.world,
        options=task.options,
        agent={**FROM_PRIOR, "policy_kwargs": NORMALISED, **task.spirl},
    )


def skild_presets(task: DemonstrationTask) -> dict[str, AgentPreset]:
    """The methods that choose skills of a `SkildModel`."""
    common: dict[str, Any] = {
        "skill_model": f"skild-{task.name}",
        "world": task.world,
        "options": task.options,
    }
    skild = AgentPreset(
        title=f"{task.name}: skills, guided by demonstrations",
        algorithm=SkiLD,
        agent={**FROM_PRIOR, "policy_kwargs": NORMALISED, **MIXED, **task.skild},
        **common,
    )
    mixed = replace(
        skild,
        title=f"{task.name}: the same, with the discriminator's reward mixed in, as in the paper",
        agent={**skild.agent, **MIXED},
    )
    guided = {
        "skild": skild,
        **({} if mixed.agent == skild.agent else {"skild-mixed": mixed}),
        "skill-bc-rl": AgentPreset(
            title=f"{task.name}: cloned skills of demonstrations, fine-tuned with SAC",
            agent={
                **FROM_PRIOR,
                "prior": "posterior",
                "kl": None,
                "policy_kwargs": {**NORMALISED, "critic_arch": SHALLOW},
                "learning_starts": 2_000,
                "batch_size": 128,
            },
            **common,
        ),
    }
    return guided | imitation(task, {**common, "algorithm": SkiLD})


def imitation(task: DemonstrationTask, common: Mapping[str, Any]) -> dict[str, AgentPreset]:
    """SkiLD without the environment's reward."""
    policy = {"policy": "SkillPriorPolicy", "policy_kwargs": NORMALISED}
    imitated = {**policy, **task.skild, **MIXED, **WITHOUT_REWARD, **task.imitation}
    tuned = {
        "discriminator_updates": task.discriminator_updates,
        "demonstrations": task.demonstrations,
        "n_steps": 1,  # a changing reward is only recomputed for the first skill
    }
    return {
        "skild-imitation": AgentPreset(
            title=f"{task.name}: skills, guided by demonstrations, without the world's reward",
            agent=imitated,
            **common,
        ),
        "skild-imitation-tuned": AgentPreset(
            title=f"{task.name}: the same, with a fine-tuned discriminator",
            agent={**imitated, **tuned},
            **common,
        ),
    }


def flat_presets(task: DemonstrationTask) -> dict[str, AgentPreset]:
    """The methods without skills."""
    common: dict[str, Any] = {"world": task.world, "options": task.options}
    agent = {"learning_starts": 5_000, **task.flat}
    scratch = {**agent, **from_scratch(task.flat_arch, SHALLOW)}
    demonstrations = {"demonstrations": task.demonstrations}
    return {
        "bc-rl": AgentPreset(
            title=f"{task.name}: behaviour cloning of demonstrations, fine-tuned with SAC",
            skill_model=f"bc-{task.name}",
            agent={**agent, **FROM_PRIOR, "kl": None, "policy_kwargs": {"critic_arch": SHALLOW}},
            **common,
        ),
        "demo-replay": AgentPreset(
            title=f"{task.name}: SAC with demonstrations in every batch",
            skill_model=None,
            agent={
                **scratch,
                "prior": None,
                "replay_buffer_class": DemonstrationReplayBuffer,
                "replay_buffer_kwargs": {**TIME_LIMITS_END, **demonstrations},
            },
            **common,
        ),
        "gail": AgentPreset(
            title=f"{task.name}: SAC with the reward of an adversarial discriminator",
            skill_model=None,
            algorithm=GAIL,
            agent={
                **scratch,
                **MIXED,
                **WITHOUT_REWARD,
                **demonstrations,
                "max_log_odds": LOG_ODDS,
                "replay_buffer_kwargs": {},
            },
            **common,
        ),
        "gail-rl": AgentPreset(
            title=f"{task.name}: the same, mixed with the environment's reward",
            skill_model=None,
            algorithm=GAIL,
            agent={**scratch, **MIXED, **demonstrations, "max_log_odds": LOG_ODDS},
            **common,
        ),
    }
