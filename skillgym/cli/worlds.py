"""`skillgym worlds`."""

from __future__ import annotations

import gymnasium as gym

from skillgym.cli.options import registered_ids


def main() -> None:
    """List the worlds, the environments whose actions are skills, and the bundled skill models."""
    from skillgym import hub

    for name in registered_ids():
        actions = "skills" if name.startswith("Skill") else "control steps"
        limit = gym.spec(name).max_episode_steps
        print(f"{name:<28} actions: {actions}" + (f", {limit} steps an episode" if limit else ""))
    print("\nBundled skill models: " + ", ".join(hub.list_skills()))
    print("`skillgym describe ID` tells what an environment observes and does.")
