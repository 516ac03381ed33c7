"""`skillgym watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from skillgym.cli.options import ENV_RESERVED, parse_options
from skillgym.errors import InvalidConfig
from skillgym.runs.folder import read_config
from skillgym_envs.core.checks import check_count, check_seed


def main(
    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WHAT")],
    *,
    episodes: int = 1,
    output: Path | None = None,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    deterministic: bool = False,
    env: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = (),
) -> None:
    """Make a video of a trained agent, or of a skill model's prior.

    Args:
        what: Run folder of `skillgym train`, or name or folder of a skill model.
        episodes: Number of episodes.
        output: The .mp4 or .gif file; by default in videos/ of the run folder, or in runs/watch/.
        seed: Seed of the environment and of the policy's samples.
        width: Width of the video in pixels; the world's own (skillgym's: 480) by default.
        height: Height of the video in pixels; the world's own (skillgym's: 360) by default.
        deterministic: Take the most likely actions, even if the method is evaluated by sampling.
        env: Keywords of the world that override those of the run, or those that the skill model
            was trained for; for example tasks=misaligned.
    """
    check_count("episodes", episodes)
    check_seed(seed)
    if output is not None and output.suffix not in (".mp4", ".gif"):
        raise InvalidConfig("output", str(output), "a file whose name ends with .mp4 or .gif")
    sizes = {"width": width, "height": height}  # not every environment takes these
    options = parse_options(env, (*ENV_RESERVED, "render_mode", *sizes))
    given = {name: size for name, size in sizes.items() if size is not None}
    import torch

    from skillgym.cli.agents import open_agent
    from skillgym.viz.video import record_episodes

    is_run = read_config(Path(what)) is not None
    folder = Path(what) / "videos" if is_run else Path("runs/watch")
    path = output or folder / f"{Path(what).absolute().name}-seed{seed}.mp4"
    torch.manual_seed(seed)
    acting = open_agent(what, 1, seed, options, deterministic, render_mode="rgb_array", **given)
    print(acting)
    try:
        outcomes = record_episodes(
            acting.policy, acting.env, path, seed, episodes=episodes, progress_bar=True
        )
    finally:
        acting.env.close()
    for number, subtasks in enumerate(outcomes):
        print(f"episode {number}: {', '.join(subtasks) or 'no subtask'}")
    print(path)
