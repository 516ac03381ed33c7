"""Minari datasets from scripted experts: one function for all worlds.

`collect(dataset_spec("kitchen-play"))` is what `skillgym collect kitchen-play` runs.
"""

from __future__ import annotations

from skillgym_envs.collect.collection import collect
from skillgym_envs.collect.errors import (
    DatasetExists,
    DiskFull,
    ExpertFailed,
    StaleEpisodes,
    UnknownDataset,
    WorkerDied,
)
from skillgym_envs.collect.spec import DatasetSpec, Expert, dataset_spec, registered_datasets

__all__ = [
    "DatasetExists",
    "DatasetSpec",
    "DiskFull",
    "Expert",
    "ExpertFailed",
    "StaleEpisodes",
    "UnknownDataset",
    "WorkerDied",
    "collect",
    "dataset_spec",
    "registered_datasets",
]
