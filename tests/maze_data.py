"""A small dataset of random mazes, for the tests of the models that see pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from skillgym_envs.collect import collect, dataset_spec

EPISODES = 6


def collect_random_mazes(root: Path) -> str:
    """Make the dataset in a Minari folder, and return its id."""
    spec = dataset_spec("maze-random")
    spec = replace(spec, dataset_id="skillgym/maze/tiny-v0", plans=spec.plans[:EPISODES])
    collect(spec, root, workers=1)
    return spec.dataset_id
