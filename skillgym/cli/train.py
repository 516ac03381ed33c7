"""`skillgym train`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from skillgym.cli.options import ENV_RESERVED, check_world_id, find_model, parse_options
from skillgym_envs.core.checks import check_range

if TYPE_CHECKING:
    from skillgym.evaluation import Episodes
    from skillgym.evaluation.monitor import TrainingMonitor

AGENT_RESERVED = ("preset", "env", "seed")

FAMILIES = (
    "Preset; `skillgym worlds` lists all of them.",
    "kitchen: spirl-cl, spirl-ol, ssp, flat-prior, bc-sac, sac, ptgm, ptgm-ppo",
    "maze, tabletop: spirl-maze-skimo, spirl-maze-image, spirl-maze-image-open, spirl-tabletop",
    "demonstrations, METHOD-TASK: spirl, skild, skild-mixed (not in the maze), skild-imitation, "
    "skild-imitation-tuned, skill-bc-rl, bc-rl, demo-replay, gail, gail-rl; of kitchen-kbts, "
    "kitchen-misaligned, maze, office",
    "Fetch, METHOD-TASK: reskill, reskill-gaussian, reskill-unit, reskill-no-residual, spirl, ppo, "
    "sac, sac-her; of slippery-push, clean-up, pyramid-stack, complex-hook",
)
"""Help text of the presets: a line for each family."""


def main(
    method: Annotated[
        tyro.conf.Positional[str], tyro.conf.arg(metavar="PRESET", help="\n- ".join(FAMILIES))
    ] = "spirl-cl",
    *,
    world: str | None = None,
    env: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = (),
    skill_model: str | None = None,
    seed: int = 0,
    steps: int = 500_000,
    num_envs: int = 1,
    threads: int = 1,
    eval_every: int = 25_000,
    eval_episodes: int = 20,
    final_episodes: int = 50,
    checkpoint_every: int = 25_000,
    agent: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = (),
    minutes: float | None = None,
    folder: Path | None = None,
) -> None:
    """Train an agent. The same command continues a run that was stopped or killed.

    Args:
        method: Preset.
        world: World to train in, or another package's environment, for example Pusher-v5 or
            MODULE:ID; that of the preset by default.
        env: Keywords of the world, for example tasks=misaligned ordered=true.
        skill_model: Name or folder of a skill model instead of the preset's.
        seed: Seed of everything.
        steps: Budget in control steps; with a larger one, a complete run continues.
        num_envs: Environments that collect at the same time.
        threads: Threads of torch and of the simulator.
        eval_every: Control steps between evaluations.
        eval_episodes: Episodes of each evaluation during training.
        final_episodes: Episodes of the evaluation after training.
        checkpoint_every: Control steps between checkpoints.
        agent: Keywords of the agent that override the preset's, for example gradient_steps=2.
        minutes: Time budget of the training; the run is complete when the time is up.
        folder: Run folder; runs/METHOD-WORLD-... by default.
    """
    from skillgym.evaluation.experiment import Experiment, ExperimentConfig
    from skillgym.evaluation.rollouts import in_words
    from skillgym.rl.presets import find_preset

    check_range("minutes", 0.0 if minutes is None else minutes, 0)
    preset = find_preset(method)
    options = parse_options(env, (*ENV_RESERVED, "num_threads"))
    skill_model = skill_model or default_skill_model(method)
    config = ExperimentConfig(
        method=method,
        world=None if world is None else check_world_id(world),
        options=options,
        skill_model=skill_model,
        seed=seed,
        steps=steps,
        num_envs=num_envs,
        num_threads=threads,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        final_episodes=final_episodes,
        checkpoint_every=checkpoint_every,
        agent=parse_options(agent, AGENT_RESERVED),
    )
    variant = "-".join(str(value).replace(" ", "_") for value in options.values())
    where = re.split("[/:]", world or preset.world)[-1].lower()
    name = "-".join(filter(None, [method, where, variant, f"seed{seed}"]))
    folder = folder or Path("runs") / name
    experiment = Experiment(config, folder, on_evaluation=tell)
    result = experiment.run(seconds=None if minutes is None else 60.0 * minutes)
    sampled, most_likely = (
        in_words(result[f"subtasks{end}"], result[f"return{end}"], result["rates"])
        for end in ("", "_deterministic")
    )
    print(
        f"{sampled}, over {result['episodes']} episodes; {most_likely}, with the most likely "
        f"actions; run in {folder}"
    )


def tell(step: int, episodes: Episodes, monitor: TrainingMonitor) -> None:
    """Print an evaluation above the progress bar."""
    from skillgym.evaluation.rollouts import in_words

    rates = episodes.rates()
    means = in_words(episodes.num_subtasks.mean(), episodes.returns.mean(), rates)
    each = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in rates.items())
    monitor.say(f"step {step:>8,}: {means}   {each}".rstrip())


def default_skill_model(method: str) -> str | None:
    """None if a method has no skill model or a bundled one, else where its model was trained.

    Args:
        method: Name of a preset.
    """
    from skillgym.rl.presets import find_preset

    name = find_preset(method).skill_model
    found = None if name is None else find_model(name)
    return None if found == name else found
