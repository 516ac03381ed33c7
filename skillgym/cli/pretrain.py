"""`skillgym pretrain`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from skillgym.pretraining.config import TrainerConfig
from skillgym.skills.ptgm.config import KITCHEN_GOAL, PtgmConfig
from skillgym.skills.spirl.config import FlatPriorConfig, SpirlConfig

if TYPE_CHECKING:
    import gymnasium as gym

    from skillgym.pretraining import TrainingResult
    from skillgym.skills.base import SkillModule


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """What is trained from what.

    Attributes:
        name: Name of the model, and of the run folder.
        dataset: Minari id or folder, or a D4RL .hdf5 file.
        world: World that the data is from.
        folder: Run folder; runs/NAME-seedK by default.
        resume: Go on with the run in the folder, if there is one.
        evaluation_episodes: Episodes of the roll-outs of the prior; 0 for none.
        trainer: Settings of the trainer.
    """

    name: str = "spirl-kitchen"
    dataset: str = "skillgym/kitchen/play-v0"
    world: str = "skillgym/Kitchen-v0"
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


PRESETS: dict[str, tuple[str, Pretraining]] = {
    preset.name: (text, preset)
    for text, preset in (
        ("closed-loop SPiRL skills of the kitchen", SpirlPretraining()),
        (
            "open-loop SPiRL skills of the kitchen",
            SpirlPretraining(name="spirl-kitchen-open", type="open-loop"),
        ),
        (
            "single-step action prior of the kitchen, for the baselines",
            FlatPretraining(name="flat-kitchen"),
        ),
        (
            "closed-loop SPiRL skills of the maze, from its state",
            SpirlPretraining(
                name="spirl-maze",
                dataset="skillgym/maze/play-v0",
                world="skillgym/Maze-v0",
                model=SpirlConfig(beta=1e-3),
            ),
        ),
        (
            "closed-loop SPiRL skills of the Fetch block tasks",
            SpirlPretraining(
                name="spirl-fetch-block",
                dataset="skillgym/fetch/block-v0",
                world="skillgym/FetchPlace-v0",
            ),
        ),
        (
            "closed-loop SPiRL skills of the Fetch hook tasks",
            SpirlPretraining(
                name="spirl-fetch-hook",
                dataset="skillgym/fetch/hook-v0",
                world="skillgym/FetchHook-v0",
            ),
        ),
        (
            "goal codes of the kitchen (PTGM)",
            PtgmPretraining(name="ptgm-kitchen", model=PtgmConfig(goal=KITCHEN_GOAL)),
        ),
    )
}


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
    """Run folder: the given one, or one named after the preset."""
    return preset.folder or Path("runs") / f"{preset.name}-seed{preset.trainer.seed}"


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
    from skillgym.data import load_windows

    data = load_windows(preset.dataset)
    env = gym.make(preset.world)
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
        dataset=preset.dataset,
        progress_bar=progress,
    )


def make_model(preset: Pretraining, env: gym.Env[Any, Any]) -> SkillModule:
    """The untrained model of a preset for an environment."""
    from skillgym.skills.ptgm import Ptgm
    from skillgym.skills.spirl import ClosedLoopSpirl, FlatPrior, OpenLoopSpirl

    kind: type[SkillModule] = FlatPrior
    if isinstance(preset, SpirlPretraining):
        kind = ClosedLoopSpirl if preset.type == "closed-loop" else OpenLoopSpirl
    elif isinstance(preset, PtgmPretraining):
        kind = Ptgm
    config = preset.model  # type: ignore[attr-defined]
    spaces = env.observation_space, env.action_space
    model = kind.create(*spaces, config, seed=preset.trainer.seed)
    model.world = env.get_wrapper_attr("world").name
    return model


def prior_evaluation(preset: Pretraining) -> Callable[[SkillModule], dict[str, float]]:
    """Measures how many subtasks the prior of a model completes by itself.

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
        kitchens = gym.make_vec(
            preset.world,
            num_envs=min(10, preset.evaluation_episodes),
            autoreset_mode=AutoresetMode.DISABLED,
        )
        skills = VectorSkillActions(kitchens, model, autoreset_mode=AutoresetMode.SAME_STEP)
        env = GymnasiumVecEnv(skills)
        seed = preset.trainer.seed
        episodes = rollout(prior_policy(model, seed), env, preset.evaluation_episodes, seed)
        env.close()
        return {name.removeprefix("eval/"): value for name, value in episodes.metrics().items()}

    return evaluate
