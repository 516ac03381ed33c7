"""ReSkill and the methods it is compared with, for the four tasks of its paper.

Paper: Rana et al. 2022, "Residual Skill Policies: Learning an Adaptable Skill-based Action Space
for Reinforcement Learning for Robotics", Sec. 5; arXiv:2211.02231. Numbers of ReSkill are those of
the authors' configurations. There is no code of the baselines; flat methods have the numbers of
Stable-Baselines3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stable_baselines3 import PPO, SAC, HerReplayBuffer

from skillgym.rl.agent_preset import FROM_PRIOR, NEAR_PRIOR, NORMALISED, AgentPreset
from skillgym.rl.reskill.ppo import ReskillPPO
from skillgym.rl.reskill.reskill import ReSkill

WORKERS, SKILL_LENGTH = 15, 10

LEARNING_RATE = 3e-4
"""Deviation: the authors' 1e-4 is for 800 roll-outs; the presets are meant for about 60."""

RESIDUAL: dict[str, Any] = {
    "learning_rate": 1e-3,
    "policy_kwargs": {
        "critic_rate": 3.0,
        "zero_mean": True,
        "log_std_init": -2.3,
        "std_bounds": (0.05, 1.0),
    },
}
"""Deviation: the authors' residuals start with a random mean and a standard deviation of 0.61,
never below 0.2. When their weight rises, the skills fail, and the upper level unlearns what it knew
before the lower level has learned anything."""


@dataclass(frozen=True, kw_only=True)
class FetchTask:
    """A task of ReSkill.

    Attributes:
        name: Name of the task.
        world: Id of its world.
        source: Data that its skills are learned from.
        relabel: Whether relabelled goals change the reward, as hindsight experience replay needs.
        skills_per_rollout: Skills per roll-out, of all workers.
        weight: Control steps of one worker after which the residual's weight is 1/2 (C), and the
            steepness of its curve (k).
    """

    name: str
    world: str
    source: str = "block"
    relabel: bool = False
    skills_per_rollout: int = 3_000
    weight: tuple[float, float] = (18_000, 1e-3)

    @property
    def agent(self) -> Mapping[str, Any]:
        """Keywords of `ReSkill`, in control steps of all workers."""
        midpoint, steepness = self.weight
        return {
            "policy": "MlpPolicy",
            "rollout_steps": SKILL_LENGTH * self.skills_per_rollout,
            "weight_midpoint": WORKERS * midpoint,
            "weight_steepness": steepness / WORKERS,
            "weight_to_learn": 0.01,
            "learning_rate": LEARNING_RATE,
            "residual_kwargs": RESIDUAL,
        }


TASKS = (
    FetchTask(name="slippery-push", world="skillgym/FetchSlipperyPush-v0", relabel=True),
    FetchTask(name="clean-up", world="skillgym/FetchCleanUp-v0"),
    FetchTask(
        name="pyramid-stack",
        world="skillgym/FetchPyramidStack-v0",
        skills_per_rollout=2_000,
        weight=(45_000, 1.25e-4),
    ),
    FetchTask(
        name="complex-hook", world="skillgym/FetchComplexHook-v0", source="hook", relabel=True
    ),
)

PRIORS = {
    "reskill": ("", "with a flow prior"),
    "reskill-gaussian": ("-gaussian", "with a Gaussian prior"),
    "reskill-unit": ("-unit", "without a prior"),
}
"""Methods with both levels: suffix of the skill model's name, and a description of the prior."""

FLAT = (PPO, SAC)


def presets_of(task: FetchTask) -> dict[str, AgentPreset]:
    """All methods on a task, by `METHOD-TASK`."""
    methods = {**skill_presets(task), **flat_presets(task)}
    return {f"{method}-{task.name}": preset for method, preset in methods.items()}


def skill_presets(task: FetchTask) -> dict[str, AgentPreset]:
    """The methods that choose skills."""
    model = f"reskill-fetch-{task.source}"
    found = {
        method: AgentPreset(
            title=f"{task.name}: skills {prior}, and a residual",
            skill_model=model + end,
            world=task.world,
            actions="residuals",
            algorithm=ReSkill,
            deterministic=True,
            agent=task.agent,
        )
        for method, (end, prior) in PRIORS.items()
    }
    found["reskill-no-residual"] = AgentPreset(
        title=f"{task.name}: skills with a flow prior, no residual",
        skill_model=model,
        world=task.world,
        algorithm=ReskillPPO,
        deterministic=True,
        agent={
            "policy": "MlpPolicy",
            "rollout_steps": task.skills_per_rollout,
            "learning_rate": LEARNING_RATE,
        },
    )
    found["spirl"] = AgentPreset(
        title=f"{task.name}: closed-loop skills of SPiRL, prior-regularised",
        skill_model=f"spirl-fetch-{task.source}",
        world=task.world,
        agent={
            **FROM_PRIOR,
            "target_divergence": NEAR_PRIOR["target_divergence"],
            "policy_kwargs": NORMALISED,
        },
    )
    return found


def flat_presets(task: FetchTask) -> dict[str, AgentPreset]:
    """The methods without skills."""
    common: dict[str, Any] = {"skill_model": None, "world": task.world, "deterministic": True}
    found = {
        algorithm.__name__.lower(): AgentPreset(
            title=f"{task.name}: {algorithm.__name__} with primitive actions",
            algorithm=algorithm,
            agent={"policy": "MlpPolicy"},
            **common,
        )
        for algorithm in FLAT
    }
    if task.relabel:
        found["sac-her"] = AgentPreset(
            title=f"{task.name}: SAC with primitive actions and hindsight experience replay",
            algorithm=SAC,
            options={"goals": True},
            agent={
                "policy": "MultiInputPolicy",
                "replay_buffer_class": HerReplayBuffer,
                "learning_starts": 1_000,
            },
            **common,
        )
    return found
