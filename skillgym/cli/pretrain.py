"""`skillgym pretrain`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from skillgym.cli.options import check_world_id, default_folder, find_model, parse_options
from skillgym.cli.pretrain_presets import (
    PRESETS,
    ImagePretraining,
    Pretraining,
    SkildPretraining,
)

if TYPE_CHECKING:
    import gymnasium as gym

    from skillgym.pretraining import TrainingResult
    from skillgym.skills.base import SkillModule

Preset = tyro.extras.subcommand_type_from_defaults(
    PRESETS,
    {name: preset.title for name, preset in PRESETS.items()},
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


def pretrain(preset: Pretraining, folder: Path, progress_bar: bool = True) -> TrainingResult:
    """Train, with roll-outs of the prior in the world as early evaluation.

    Args:
        preset: What to train.
        folder: Run folder; a run in it continues.
        progress_bar: Whether to show a progress bar.
    """
    import gymnasium as gym

    import skillgym  # noqa: F401  (registers the worlds)
    from skillgym import pretraining
    from skillgym.checks import keywords_of

    check_world_id(preset.world)
    data, dataset = load_data(preset)
    options = parse_options(preset.env)
    with keywords_of(preset.world, options):
        env = gym.make(preset.world, **options)
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
        world_options=options,
        dataset=dataset,
        progress_bar=progress_bar,
    )


def load_data(preset: Pretraining) -> tuple[Any, str]:
    """The data of a preset, and a description of them."""
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
    from skillgym.hub.model_types import model_class
    from skillgym.skills.skild import SkildModel

    seed = preset.trainer.seed
    if isinstance(preset, SkildPretraining):
        name = preset.embedding
        embedding = load_skill(find_model(name) if name in PRESETS else name)
        check_world(embedding, env)
        return SkildModel.from_embedding(
            embedding,
            seed,
            preset.posterior,
            discriminator_size=preset.discriminator_size,
            discriminator_layers=preset.discriminator_layers,
            fallback_weight=preset.fallback_weight,
        )
    kind = model_class(preset.tag)
    model = kind.create(env.observation_space, env.action_space, preset.model, seed=seed)
    world = getattr(env.unwrapped, "world", None)  # environments of other packages have none
    model.world = getattr(world, "name", preset.world)
    return model


def prior_evaluation(preset: Pretraining) -> Callable[[SkillModule], dict[str, float]]:
    """A function that measures how many subtasks a model completes by itself.

    Args:
        preset: Preset with the world and the number of episodes.
    """
    from skillgym.evaluation import rollout
    from skillgym.evaluation.prior import prior_policy
    from skillgym.rl.presets import skill_vec_env

    def evaluate(model: SkillModule) -> dict[str, float]:
        number = min(10, preset.evaluation_episodes)
        env = skill_vec_env(preset.world, model, number, **parse_options(preset.env))
        seed = preset.trainer.seed
        episodes = rollout(prior_policy(model, seed), env, preset.evaluation_episodes, seed)
        env.close()
        return episodes.metrics()

    return evaluate
