"""`skillgym worlds`."""

from __future__ import annotations

import gymnasium as gym

from skillgym.cli.options import registered_ids


def main() -> None:
    """List worlds, environments whose actions are skills, bundled skill models, and datasets."""
    from skillgym import hub
    from skillgym_envs.collect import registered_datasets

    for name in registered_ids():
        actions = "skills" if name.startswith("Skill") else "control steps"
        limit = gym.spec(name).max_episode_steps
        print(f"{name:<28} actions: {actions}" + (f", {limit} steps an episode" if limit else ""))
    print("\nBundled skill models: " + ", ".join(hub.list_skills()))
    print("Datasets that `skillgym collect` makes: " + ", ".join(sorted(registered_datasets())))
    print("`skillgym describe ID` tells what an environment observes and does.")
