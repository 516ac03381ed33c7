"""`skillgym evaluate`."""

from __future__ import annotations

import json
from typing import Annotated

import tyro

from skillgym.cli.options import ENV_RESERVED, parse_options
from skillgym_envs.core.checks import check_count, check_seed


def main(
    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WHAT")],
    *,
    episodes: int = 50,
    num_envs: int = 10,
    seed: int = 1_000_003,
    deterministic: bool = False,
    env: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = (),
    json_output: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Evaluate a trained agent, or a skill model's prior, on fresh episodes.

    Args:
        what: Run folder of `skillgym train`, or name or folder of a skill model.
        episodes: Number of episodes.
        num_envs: Environments that run at the same time.
        seed: Seed of the environments and of the prior's samples.
        deterministic: Take the most likely actions, even if the method is evaluated by sampling.
        env: Keywords of the world that override those of the run, or those that the skill model
            was trained for; for example tasks=misaligned.
        json_output: Print JSON.
    """
    check_count("episodes", episodes)
    check_count("num_envs", num_envs)
    check_seed(seed)
    options = parse_options(env, ENV_RESERVED)
    import torch

    from skillgym.cli.agents import open_agent
    from skillgym.evaluation.rollouts import in_words, rollout

    torch.manual_seed(seed)
    acting = open_agent(what, min(num_envs, episodes), seed, options, deterministic)
    try:
        measured = rollout(acting.policy, acting.env, episodes, seed, progress_bar=True)
    finally:
        acting.env.close()
    if json_output:
        where = {"world": acting.world, "world_options": acting.options}
        metrics = {f"eval/{name}": value for name, value in measured.metrics().items()}
        print(json.dumps({**where, **metrics}, indent=2, default=str))
        return
    rates = measured.rates()
    means = in_words(measured.num_subtasks.mean(), measured.returns.mean(), rates)
    print(f"{acting}: {means}, over {episodes} episodes")
    for name, rate in rates.items():
        print(f"  {name:<16} {100 * rate:5.1f} %")
