"""`skillgym worlds`."""

from __future__ import annotations

import gymnasium as gym

from skillgym.cli.options import registered_ids


def main() -> None:
    """List worlds, environments whose actions are skills, bundled skill models, and datasets."""
    from skillgym import hub
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
    print("`skillgym describe ID` tells what an environment observes and does.")
