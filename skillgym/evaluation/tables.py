"""The results tables: methods, tasks, training budgets and scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ONE_UPDATE_PER_SKILL_LENGTH = ("train_freq=10", "gradient_steps=1")
"""Methods without skills do as many updates as methods with skills. The authors' do ten times as
many, with which the table would take a week on two cores instead of a day."""

WITHOUT_SKILLS = (
    *("flat-prior", "bc-sac", "sac", "sac-her"),
    *("bc-rl", "demo-replay", "gail", "gail-rl"),
)
"""Off-policy methods with primitive actions."""

UNTRAINED = {"bc": "bc-rl"}
"""Methods that evaluate another method before its first update: their budget is one control step,
in which there is no update."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task, and the methods that are trained on it.

    Attributes:
        name: Name of the task in the tables.
        methods: Names of the methods.
        suffix: Suffix of a method's name in that of its preset in `skillgym.rl.presets`.
        world: Id of the world.
        options: Keywords of the world in addition to those of the preset, as `KEY=VALUE`.
        steps: Training budget [control steps].
        score: Name of the score.
        best: The largest possible score; scores of several tasks are compared as shares of it. None
            if it is not known.
        final_episodes: Episodes of the final evaluation.
        num_envs: Training environments of methods that collect roll-outs; off-policy methods with
            primitive actions have one.
    """

    name: str
    methods: tuple[str, ...]
    suffix: str = ""
    world: str = "skillgym/Kitchen-v0"
    options: tuple[str, ...] = ()
    steps: int = 500_000
    score: Literal["subtasks", "return"] = "subtasks"
    best: float | None = 4.0
    final_episodes: int = 50
    num_envs: int = 1


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a results table.

    Attributes:
        task: The task.
        method: One of its methods.
        seed: Seed.
        steps: Training budget [control steps].
        skill_model: Folder of a skill model instead of the preset's.
    """

    task: Task
    method: str
    seed: int
    steps: int
    skill_model: str | None = None

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return f"{self.task.name}-{self.method}-seed{self.seed}"

    @property
    def preset(self) -> str:
        """Preset of `skillgym.rl.presets`."""
        return UNTRAINED.get(self.method, self.method) + self.task.suffix

    def command(self) -> list[str]:
        """Arguments of `skillgym` that run this cell, without the run folder."""
        flat = self.method in WITHOUT_SKILLS
        agent = ONE_UPDATE_PER_SKILL_LENGTH if flat else ()
        num_envs = 1 if flat else self.task.num_envs
        return [
            *("train", self.preset, "--world", self.task.world),
            *(("--env", *self.task.options) if self.task.options else ()),
            *(("--skill-model", self.skill_model) if self.skill_model else ()),
            *(("--agent", *agent) if agent else ()),
            *(("--num-envs", str(num_envs)) if num_envs > 1 else ()),
            *("--seed", str(self.seed), "--steps", str(self.steps)),
            *("--final-episodes", str(self.task.final_episodes)),
        ]


@dataclass(frozen=True)
class Pretrained:
    """A skill model that a cell needs, trained like the cells.

    Attributes:
        model: Its preset in `skillgym pretrain`.
    """

    model: str

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return f"{self.model}-seed0"

    def command(self) -> list[str]:
        """Arguments of `skillgym` that train it, without the run folder."""
        return ["pretrain", self.model]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Tasks that are shown together.

    Attributes:
        title: What is compared.
        tasks: The tasks.
    """

    title: str
    tasks: tuple[Task, ...]

    def cells(self, seeds: Iterable[int], steps: int | None = None) -> list[Cell]:
        """All cells, those of one seed before those of the next.

        Args:
            seeds: Seeds of each method and task.
            steps: Training budget [control steps]; that of each task if None. Methods that are not
                trained keep their own.
        """
        return [
            Cell(
                task=task,
                method=method,
                seed=seed,
                steps=1 if method in UNTRAINED else steps or task.steps,
            )
            for seed in seeds
            for task in self.tasks
            for method in task.methods
        ]


GUIDED = ("skild", "spirl", "skill-bc-rl", "bc-rl", "demo-replay", "gail", "gail-rl")
IMITATION = ("skild-imitation", "skild-imitation-tuned", "bc")
MAZE, OFFICE, TABLETOP = "skillgym/Maze-v0", "skillgym/Office-v0", "skillgym/Tabletop-v0"

KITCHEN_TABLE = Table(
    title="Kitchen: SPiRL, PTGM and baselines",
    tasks=(
        Task(
            name="mixed",
            options=("tasks=mixed",),
            methods=(
                *("spirl-cl", "spirl-ol", "ptgm", "ptgm-ppo"),
                *("ssp", "flat-prior", "bc-sac", "sac"),
            ),
        ),
        Task(name="mixed-ordered", options=("tasks=mixed", "ordered=true"), methods=("spirl-cl",)),
        Task(name="misaligned", options=("tasks=misaligned",), methods=("spirl-cl",)),
    ),
)

SKILD_TABLE = Table(
    title="SkiLD, SPiRL and baselines with demonstrations",
    tasks=(
        *(
            Task(
                name=name,
                suffix=f"-{name}",
                methods=(*GUIDED, "skild-mixed", *IMITATION),
                steps=1_250_000,
            )
            for name in ("kitchen-kbts", "kitchen-misaligned")
        ),
        Task(
            name="maze",
            suffix="-maze",
            world=MAZE,
            methods=(*GUIDED, *IMITATION),
            steps=700_000,
            best=1.0,
        ),
        Task(
            name="office", suffix="-office", world=OFFICE, methods=(*GUIDED, *IMITATION), best=8.0
        ),
    ),
)

WORLDS_TABLE = Table(
    title="SPiRL in other worlds",
    tasks=(
        Task(
            name="maze-image",
            world=MAZE,
            methods=("spirl-maze-image-open", "spirl-maze-image"),
            steps=1_400_000,
            best=1.0,
        ),
        Task(
            name="maze-skimo",
            suffix="-maze-skimo",
            world=MAZE,
            methods=("spirl",),
            steps=2_000_000,
            best=1.0,
        ),
        Task(
            name="tabletop", suffix="-tabletop", world=TABLETOP, methods=("spirl",), steps=2_000_000
        ),
    ),
)

RESKILL = (
    *("reskill", "reskill-no-residual", "reskill-gaussian", "reskill-unit"),
    *("spirl", "ppo", "sac"),
)

RESKILL_TABLE = Table(
    title="ReSkill, SPiRL and baselines in the Fetch tasks",
    tasks=tuple(
        Task(
            name=name,
            suffix=f"-{name}",
            world=f"skillgym/Fetch{world}-v0",
            methods=(*RESKILL, *more),
            steps=2_000_000,
            score="return",
            best=best,
            final_episodes=100,
            num_envs=15,
        )
        for name, world, more, best in (
            ("slippery-push", "SlipperyPush", ("sac-her",), 50.0),
            ("clean-up", "CleanUp", (), 50.0),
            ("pyramid-stack", "PyramidStack", (), 50.0),
            ("complex-hook", "ComplexHook", ("sac-her",), 100.0),
        )
    ),
)

TABLES = {
    "kitchen": KITCHEN_TABLE,
    "skild": SKILD_TABLE,
    "reskill": RESKILL_TABLE,
    "worlds": WORLDS_TABLE,
}

SUITES = {"papers": tuple(TABLES)}
"""Names of the tables that belong together."""
