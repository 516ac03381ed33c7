"""Read recorded trajectories as windows: a Minari dataset of skillgym, of D4RL, or a D4RL file.

Usage: python examples/load_dataset.py [DATASET]

The default is made in a minute by `skillgym collect kitchen-play-mini`.
"""

from __future__ import annotations

import sys

import numpy as np

from skillgym.data import load_windows


def main(dataset: str = "skillgym/kitchen/play-mini-v0") -> None:
    """Print the size of a dataset, and sample a batch of windows from it."""
    data = load_windows(dataset)
    print(f"{data.num_episodes} episodes, {data.num_transitions} transitions")

    observations, actions = data.sample(np.random.default_rng(0), 128, 10)
    print("observations", observations.shape, "actions", actions.shape)
    print("largest action", float(np.abs(actions).max()))


if __name__ == "__main__":
    main(*sys.argv[1:])
