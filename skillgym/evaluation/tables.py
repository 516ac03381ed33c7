"""The cells of the results tables: which method is trained on which task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a results table.

    Attributes:
        method: Preset of `skillgym.rl.presets`.
        task: Name of the task in the table.
        seed: Seed.
        options: Keywords of the world, as `KEY=VALUE`.
        agent: Keywords of the agent in place of the preset's, as `KEY=VALUE`.
        world: Id of the world.
        steps: Training budget [control steps].
        final_episodes: Episodes of the final evaluation.
        num_envs: Training environments.
        score: What the table compares: subtasks completed, or returns.
    """

    method: str
    task: str
    seed: int
    options: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    world: str = "skillgym/Kitchen-v0"
    steps: int = 500_000
    final_episodes: int = 50
    num_envs: int = 1
    score: Literal["subtasks", "return"] = "subtasks"

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return f"{self.task}-{self.method}-seed{self.seed}"

    def command(self) -> list[str]:
        """Arguments of `skillgym` that run this cell, without the run folder."""
        return [
            *("train", self.method, "--world", self.world),
            *(("--env", *self.options) if self.options else ()),
            *(("--agent", *self.agent) if self.agent else ()),
            *(("--num-envs", str(self.num_envs)) if self.num_envs > 1 else ()),
            *("--seed", str(self.seed), "--steps", str(self.steps)),
            *("--final-episodes", str(self.final_episodes)),
        ]


KITCHEN_TASKS: dict[str, tuple[str, ...]] = {
    "mixed": ("tasks=mixed",),
    "mixed-ordered": ("tasks=mixed", "ordered=true"),
    "misaligned": ("tasks=misaligned",),
}

KITCHEN_METHODS: dict[str, tuple[str, ...]] = {
    "mixed": ("spirl-cl", "spirl-ol", "ssp", "flat-prior", "bc-sac", "sac"),
    "mixed-ordered": ("spirl-cl",),
    "misaligned": ("spirl-cl",),
}


ONE_UPDATE_PER_SKILL_LENGTH = ("train_freq=10", "gradient_steps=1")
"""Gives methods without skills as many updates as methods with skills, where the authors give them
ten times as many: the table takes a day on two cores instead of a week."""

KITCHEN_AGENTS = dict.fromkeys(("flat-prior", "bc-sac", "sac"), ONE_UPDATE_PER_SKILL_LENGTH)


def kitchen(seeds: tuple[int, ...], steps: int = 500_000) -> list[Cell]:
    """Cells of the kitchen table, all methods of one seed before the next seed.

    Args:
        seeds: Seeds of each method and task.
        steps: Training budget of each cell [control steps].
    """
    return [
        Cell(
            method=method,
            task=task,
            seed=seed,
            options=options,
            agent=KITCHEN_AGENTS.get(method, ()),
            steps=steps,
        )
        for seed in seeds
        for task, options in KITCHEN_TASKS.items()
        for method in KITCHEN_METHODS[task]
    ]


SKILD_TASKS: dict[str, str] = {
    "kitchen-kbts": "skillgym/Kitchen-v0",
    "kitchen-misaligned": "skillgym/Kitchen-v0",
    "maze": "skillgym/Maze-v0",
    "office": "skillgym/Office-v0",
}

SKILD_METHODS = (
    "skild", "spirl", "skild-imitation", "skild-imitation-tuned", "skill-bc-rl", "bc-rl",
    "demo-replay", "gail", "gail-rl",
)  # fmt: skip

SKILD_AGENTS = dict.fromkeys(
    ("bc-rl", "demo-replay", "gail", "gail-rl"), ONE_UPDATE_PER_SKILL_LENGTH
)


def skild(seeds: tuple[int, ...], steps: int = 500_000) -> list[Cell]:
    """Cells of SkiLD's table, all methods of one seed before the next seed.

    Args:
        seeds: Seeds of each method and task.
        steps: Training budget of each cell [control steps].
    """
    from skillgym.rl.presets import PRESETS

    return [
        Cell(
            method=f"{method}-{task}",
            task=task,
            seed=seed,
            agent=SKILD_AGENTS.get(method, ()),
            world=world,
            steps=steps,
        )
        for seed in seeds
        for task, world in SKILD_TASKS.items()
        for method in SKILD_METHODS
        if f"{method}-{task}" in PRESETS
    ]


RESKILL_TASKS: dict[str, tuple[str, str]] = {
    "slippery-push": ("skillgym/FetchSlipperyPush-v0", "sac-her"),
    "clean-up": ("skillgym/FetchCleanUp-v0", "sac"),
    "pyramid-stack": ("skillgym/FetchPyramidStack-v0", "sac"),
    "complex-hook": ("skillgym/FetchComplexHook-v0", "sac-her"),
}
"""World of each task, and the SAC that it is compared with."""

RESKILL_METHODS = ("reskill", "reskill-no-residual", "reskill-gaussian", "reskill-unit", "ppo")
RESKILL_ENVS = 15
"""The authors' workers; SAC has one environment."""


def reskill(seeds: tuple[int, ...], steps: int = 500_000) -> list[Cell]:
    """Cells of ReSkill's table, all methods of one seed before the next seed.

    Args:
        seeds: Seeds of each method and task.
        steps: Training budget of each cell [control steps].
    """
    return [
        Cell(
            method=f"{method}-{task}",
            task=task,
            seed=seed,
            agent=ONE_UPDATE_PER_SKILL_LENGTH if method == sac else (),
            world=world,
            steps=steps,
            final_episodes=100,
            num_envs=1 if method == sac else RESKILL_ENVS,
            score="return",
        )
        for seed in seeds
        for task, (world, sac) in RESKILL_TASKS.items()
        for method in (*RESKILL_METHODS, sac)
    ]


TABLES = {"kitchen": kitchen, "skild": skild, "reskill": reskill}
