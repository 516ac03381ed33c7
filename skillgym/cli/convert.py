"""`skillgym convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skillgym.cli.options import parse_options
from skillgym.data.legacy import convert


def main(
    kind: tyro.conf.Positional[Literal["spirl", "skimo", "reskill", "calvin"]],
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")],
    dataset: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ID")],
    *,
    world: str | None = None,
    env: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = (),
    trust: bool = False,
    overwrite: bool = False,
    observation_size: int | None = None,
) -> None:
    """Make a Minari dataset from recordings of an original project.

    Args:
        kind: Format: spirl (also SkiLD's; .h5 files), skimo (.gz), reskill (demos.npy), calvin (a
            folder of .npz files).
        source: File, or folder that is searched recursively.
        dataset: Minari id of the dataset, for example legacy/maze-v0.
        world: Id of the world that the recordings are from; their shapes are checked.
        env: Keywords of the world, for example observation=full scene=A.
        trust: Read pickles (skimo, reskill), although reading one runs any code that it contains.
        overwrite: Replace a dataset that was made from something else.
        observation_size: Keep only the first so many numbers of each observation, such as 21 of
            CALVIN's 39 for SkiMo's task.
    """
    options = parse_options(env)
    print(convert(source, kind, dataset, world, trust, overwrite, observation_size, options))
