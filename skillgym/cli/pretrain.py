"""`skillgym pretrain`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from skillgym.cli.options import default_folder, find_model, parse_options
from skillgym.pretraining.config import TrainerConfig
from skillgym.skills.ptgm.config import KITCHEN_GOAL, PtgmConfig
from skillgym.skills.spirl.config import FlatPriorConfig, ImageSpirlConfig, SpirlConfig

if TYPE_CHECKING:
    import gymnasium as gym

    from skillgym.pretraining import TrainingResult
    from skillgym.skills.base import SkillModule


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """What is trained from what.

    Attributes:
        name: Name of the model, and of the run folder.
        dataset: Minari id or folder, or a D4RL .hdf5 file; [:N] at the end takes N episodes.
        world: World that the data is from.
        env: Keywords of the world, for example tasks=kbts.
        folder: Run folder; runs/NAME-seedK by default.
        resume: Go on with the run in the folder, if there is one.
        evaluation_episodes: Episodes of the roll-outs of the prior, or of SkiLD's posterior; 0 for
            none.
        trainer: Settings of the trainer.
    """

    name: tyro.conf.Suppress[str] = ""
    dataset: str = "skillgym/kitchen/play-v0"
    world: str = "skillgym/Kitchen-v0"
    env: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = ()
    folder: Path | None = None
    resume: bool = True
    evaluation_episodes: int = 20
    trainer: TrainerConfig = field(
        default_factory=lambda: TrainerConfig(evaluate_every=TrainerConfig.steps // 4)
    )


@dataclass(frozen=True, kw_only=True)
class SpirlPretraining(Pretraining):
    """A SPiRL skill model.

    Attributes:
        type: Whether the decoder sees each state, or decodes all actions at once.
        model: Settings of the model.
    """

    type: Literal["closed-loop", "open-loop"] = "closed-loop"
    model: SpirlConfig = field(default_factory=SpirlConfig)


@dataclass(frozen=True, kw_only=True)
class ImagePretraining(Pretraining):
    """A SPiRL skill model whose prior sees pictures, which are drawn from a dataset of states.

    Attributes:
        type: Whether the decoder sees the pictures of each step, or decodes all actions at once.
        model: Settings of the model.
    """

    type: Literal["closed-loop", "open-loop"] = "closed-loop"
    model: ImageSpirlConfig = field(default_factory=ImageSpirlConfig)


@dataclass(frozen=True, kw_only=True)
class FlatPretraining(Pretraining):
    """A single-step action prior.

    Attributes:
        model: Settings of the model.
    """

    model: FlatPriorConfig = field(default_factory=FlatPriorConfig)


@dataclass(frozen=True, kw_only=True)
class PtgmPretraining(Pretraining):
    """A goal-based model: codebook, goal prior and low-level policy.

    Attributes:
        model: Settings of the model.
    """

    model: PtgmConfig = field(default_factory=PtgmConfig)


@dataclass(frozen=True, kw_only=True)
class SkildPretraining(Pretraining):
    """The skill posterior of demonstrations, and their discriminator.

    Attributes:
        embedding: Skill embedding: name of a bundled model, folder, or name of its preset.
        task_agnostic: Dataset of other states, in the forms of `dataset`.
        discriminator_size: Width of the discriminator.
        discriminator_layers: Its square layers.
    """

    embedding: str = "spirl-kitchen"
    task_agnostic: str = "skillgym/kitchen/play-v0"
    discriminator_size: int = 32
    discriminator_layers: int = 3


MAZE: dict[str, Any] = {"world": "skillgym/Maze-v0"}
PICTURES: dict[str, Any] = {
    "dataset": "skillgym/maze/random-v0",
    "env": ("variant=spirl", "observation=image"),
    "trainer": TrainerConfig(steps=15_000, evaluate_every=5_000),
    **MAZE,
}
OFFICE: dict[str, Any] = {"world": "skillgym/Office-v0"}
DEMOS: dict[str, dict[str, Any]] = {
    f"kitchen-{task}": {
        "dataset": f"skillgym/kitchen/demos-{task}-v0",
        "env": (f"tasks={task}", "ordered=true"),
    }
    for task in ("kbts", "misaligned")
}
DEMOS["maze"] = {
    "dataset": "skillgym/maze/demos-v0[:6]",
    "trainer": TrainerConfig(evaluate_every=TrainerConfig.steps // 4, validation_share=0.1),
    **MAZE,
}
DEMOS["office"] = {"dataset": "skillgym/office/demos-v0", **OFFICE}
"""The tasks of SkiLD. In the maze it trains on five demonstrations; the sixth is for validation."""

EMBEDDINGS: dict[str, dict[str, Any]] = {
    world: {"embedding": f"spirl-{world}", "task_agnostic": f"skillgym/{world}/play-v0"}
    for world in ("kitchen", "maze", "office")
}

SHORT = TrainerConfig(steps=12_000, evaluate_every=6_000)
"""For worlds whose scripted motions are fewer than the kitchen's."""

PRESETS: dict[str, tuple[str, Pretraining]] = {
    "spirl-kitchen": ("closed-loop SPiRL skills of the kitchen", SpirlPretraining()),
    "spirl-kitchen-open": (
        "open-loop SPiRL skills of the kitchen",
        SpirlPretraining(type="open-loop"),
    ),
    "spirl-maze": (
        "closed-loop SPiRL skills of the maze",
        SpirlPretraining(
            dataset="skillgym/maze/play-v0", model=SpirlConfig(beta=1e-3), trainer=SHORT, **MAZE
        ),
    ),
    "spirl-maze-image": (
        "closed-loop SPiRL skills of mazes, seen in pictures",
        ImagePretraining(**PICTURES),
    ),
    "spirl-maze-image-open": (
        "open-loop SPiRL skills of mazes, with a prior that sees pictures",
        ImagePretraining(type="open-loop", **PICTURES),
    ),
    "spirl-fetch-block": (
        "closed-loop SPiRL skills of the Fetch block tasks",
        SpirlPretraining(
            dataset="skillgym/fetch/block-v0", world="skillgym/FetchPlace-v0", trainer=SHORT
        ),
    ),
    "spirl-fetch-hook": (
        "closed-loop SPiRL skills of the Fetch hook tasks",
        SpirlPretraining(
            dataset="skillgym/fetch/hook-v0", world="skillgym/FetchHook-v0", trainer=SHORT
        ),
    ),
    "spirl-office": (
        "closed-loop SPiRL skills of the office",
        SpirlPretraining(dataset="skillgym/office/play-small-v0", trainer=SHORT, **OFFICE),
    ),
    "spirl-tabletop": (
        "closed-loop SPiRL skills of the tabletop",
        SpirlPretraining(
            dataset="skillgym/tabletop/play-small-v0", world="skillgym/Tabletop-v0", trainer=SHORT
        ),
    ),
    "flat-kitchen": (
        "single-step action prior of the kitchen, for the baselines",
        FlatPretraining(),
    ),
    "ptgm-kitchen": (
        "goal codes of the kitchen (PTGM)",
        PtgmPretraining(model=PtgmConfig(goal=KITCHEN_GOAL)),
    ),
}
for _task, _fields in DEMOS.items():
    PRESETS[f"skild-{_task}"] = (
        f"SkiLD's posterior and discriminator: {_task}",
        SkildPretraining(**_fields, **EMBEDDINGS[_task.split("-")[0]]),
    )
    PRESETS[f"bc-{_task}"] = (
        f"behaviour cloning of the demonstrations: {_task}",
        FlatPretraining(**_fields),
    )
PRESETS = {name: (text, replace(config, name=name)) for name, (text, config) in PRESETS.items()}


Preset = tyro.extras.subcommand_type_from_defaults(
    {name: config for name, (_, config) in PRESETS.items()},
    {name: text for name, (text, _) in PRESETS.items()},
    prefix_names=False,
)


def main(preset: Annotated[Preset, tyro.conf.arg(name="")]) -> None:  # type: ignore[valid-type]
    """Train a skill model, or an action prior, from a dataset.

    Args:
        preset: What to train.
    """
    result = pretrain(preset, folder_of(preset))
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in sorted(result.metrics.items()))
    print(f"{metrics}\n{result.folder}")


def folder_of(preset: Pretraining) -> Path:
    """Run folder: the given one, or a name made from the preset."""
    return preset.folder or default_folder(preset.name, preset.trainer.seed)


def pretrain(preset: Pretraining, folder: Path, progress: bool = True) -> TrainingResult:
    """Train, with roll-outs of the prior in the world as early evaluation.

    Args:
        preset: What to train.
        folder: Run folder; goes on with the run in it.
        progress: Whether to show a progress bar.
    """
    import gymnasium as gym

    import skillgym  # noqa: F401  (registers the worlds)
    from skillgym import pretraining

    data, dataset = load_data(preset)
    env = gym.make(preset.world, **parse_options(preset.env))
    model = make_model(preset, env)
    env.close()
    return pretraining.pretrain(
        model,
        data,
        folder,
        preset.trainer,
        resume=preset.resume,
        evaluate=prior_evaluation(preset) if preset.evaluation_episodes else None,
        world=model.world,
        dataset=dataset,
        progress_bar=progress,
    )


def load_data(preset: Pretraining) -> tuple[Any, str]:
    """The data of a preset, and what to call them."""
    from skillgym.data import Demonstrations, load_pictures, load_windows

    if isinstance(preset, ImagePretraining):
        return load_pictures(preset.dataset), preset.dataset
    data = load_windows(preset.dataset)
    if not isinstance(preset, SkildPretraining):
        return data, preset.dataset
    others = load_windows(preset.task_agnostic)
    return Demonstrations(data, others), f"{preset.dataset}, against {preset.task_agnostic}"


def make_model(preset: Pretraining, env: gym.Env[Any, Any]) -> SkillModule:
    """The untrained model of a preset for an environment."""
    from skillgym.hub import check_world, load_skill
    from skillgym.skills.ptgm import Ptgm
    from skillgym.skills.skild import SkildModel
    from skillgym.skills.spirl import (
        ClosedLoopSpirl,
        FlatPrior,
        ImageClosedLoopSpirl,
        ImageOpenLoopSpirl,
        OpenLoopSpirl,
    )

    seed = preset.trainer.seed
    if isinstance(preset, SkildPretraining):
        name = preset.embedding
        embedding = load_skill(find_model(name) if name in PRESETS else name)
        check_world(embedding, env)
        return SkildModel.from_embedding(
            embedding,
            seed,
            discriminator_size=preset.discriminator_size,
            discriminator_layers=preset.discriminator_layers,
        )
    kind: type[SkillModule] = FlatPrior
    if isinstance(preset, SpirlPretraining):
        kind = ClosedLoopSpirl if preset.type == "closed-loop" else OpenLoopSpirl
    elif isinstance(preset, ImagePretraining):
        kind = ImageClosedLoopSpirl if preset.type == "closed-loop" else ImageOpenLoopSpirl
    elif isinstance(preset, PtgmPretraining):
        kind = Ptgm
    config = preset.model  # type: ignore[attr-defined]
    model = kind.create(env.observation_space, env.action_space, config, seed=seed)
    model.world = env.get_wrapper_attr("world").name
    return model


def prior_evaluation(preset: Pretraining) -> Callable[[SkillModule], dict[str, float]]:
    """Measures how many subtasks a model completes by itself.

    Args:
        preset: Says in which world, and over how many episodes.
    """
    import gymnasium as gym
    from gymnasium.vector import AutoresetMode

    from skillgym.evaluation import rollout
    from skillgym.evaluation.prior import prior_policy
    from skillgym.rl import GymnasiumVecEnv
    from skillgym.wrappers import VectorSkillActions

    def evaluate(model: SkillModule) -> dict[str, float]:
        worlds = gym.make_vec(
            preset.world,
            num_envs=min(10, preset.evaluation_episodes),
            autoreset_mode=AutoresetMode.DISABLED,
            **parse_options(preset.env),
        )
        skills = VectorSkillActions(worlds, model, autoreset_mode=AutoresetMode.SAME_STEP)
        env = GymnasiumVecEnv(skills)
        seed = preset.trainer.seed
        episodes = rollout(prior_policy(model, seed), env, preset.evaluation_episodes, seed)
        env.close()
        return {name.removeprefix("eval/"): value for name, value in episodes.metrics().items()}

    return evaluate
