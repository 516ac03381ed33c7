"""`skillgym worlds`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym

from skillgym.cli.options import registered_ids


def main() -> None:
    """List worlds, environments whose actions are skills, skill models, datasets and presets."""
    from skillgym import hub
    from skillgym.cli.pretrain_presets import PRESETS
    from skillgym.rl.presets import PRESETS as METHODS
    from skillgym.wrappers.registration import SKILL_ENVS
    from skillgym_envs.collect import registered_datasets

    ids = registered_ids()
    width = max(map(len, ids))
    for name in ids:
        world, skill_model = SKILL_ENVS.get(name, (name, None))
        actions = f"skills of {skill_model}" if skill_model else "single control steps"
        limit = gym.spec(world).max_episode_steps
        print(f"{name:<{width}}  {limit:>4} control steps an episode; actions: {actions}")
    print("\nBundled skill models: " + ", ".join(hub.list_skills()))
    print("Datasets that `skillgym collect` makes: " + ", ".join(sorted(registered_datasets())))
    print("\n".join(["Presets of `skillgym pretrain`, by world:", *by_world(PRESETS)]))
    print("\n".join(["Presets of `skillgym train`, by world:", *by_world(METHODS)]))
    print("`skillgym describe ID` lists the observations and actions of an environment.")


def by_world(presets: Mapping[str, Any]) -> Iterable[str]:
    """A line for each world, with the names of its presets.

    Args:
        presets: Presets with an attribute `world`, by their names.
    """
    names: dict[str, list[str]] = {}
    for name, preset in presets.items():
        names.setdefault(preset.world, []).append(name)
    return (f"  {world}: {', '.join(names[world])}" for world in sorted(names))
