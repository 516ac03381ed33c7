"""The codebook: real states, spread over all states that a dataset reaches.

Letters: `N` rows, `M` samples, `K` codes, `O` observation, `F` goal.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym.errors import MissingPackage, NotEnoughData
from skillgym.skills.ptgm.config import PtgmConfig
from skillgym.types import FloatArray

logger = logging.getLogger(__name__)

PERPLEXITY = 30.0
"""Perplexity of t-SNE, the default of scikit-learn; lower with few samples."""

RESTARTS = 10
"""Restarts of k-means, the default of scikit-learn at the time of the authors' code."""


@dataclass(frozen=True)
class Codebook:
    """K states of a dataset.

    Attributes:
        codes: Their goals, (K, F).
        observations: The states themselves, (K, O).
        rows: Their rows in the dataset, (K,).
    """

    codes: FloatArray
    observations: FloatArray
    rows: NDArray[np.int64]


def build_codebook(
    observations: FloatArray,
    goals_of: Callable[[FloatArray], FloatArray],
    config: PtgmConfig,
    seed: int,
) -> Codebook:
    """Choose K states by clustering a sub-sample.

    Every sixth state is embedded in 2-D with t-SNE, k-means++ finds K clusters there, and the
    member nearest to each centroid is a code: a real state, never a mean of states.

    Paper: Yuan et al. 2024, Sec. 3.2.
    Deviation: t-SNE's settings are explicit and it is seeded (authors: defaults, NumPy's global
        seed), and at most `config.codebook_samples` states are used.

    Args:
        observations: States of all trajectories, (N, O).
        goals_of: Maps observations (M, O) to goals (M, F).
        config: Sub-sampling, method and K.
        seed: Seed of t-SNE and of k-means.

    Raises:
        NotEnoughData: If there are fewer than K different samples.
        MissingPackage: If scikit-learn is not installed.
    """
    rows = subsample(len(observations), config)
    goals = goals_of(observations[rows])
    different = len(np.unique(goals, axis=0))
    if different < config.num_codes:
        raise NotEnoughData("different sampled states", different, config.num_codes)
    points = standardised(goals) if config.standardise else goals
    if config.codebook == "tsne":
        logger.info("t-SNE of %d goals, which takes a few minutes.", len(points))
        points = embed(points, seed)
    chosen = rows[nearest_members(points, config.num_codes, seed)]
    return Codebook(goals_of(observations[chosen]), observations[chosen], chosen)


def subsample(num_rows: int, config: PtgmConfig) -> NDArray[np.int64]:
    """Rows of the samples, (M,): every `codebook_stride`-th, thinned to `codebook_samples`."""
    rows = np.arange(config.codebook_start, num_rows, config.codebook_stride)
    if len(rows) > config.codebook_samples:
        rows = rows[np.linspace(0, len(rows) - 1, config.codebook_samples).astype(np.int64)]
    return rows


def standardised(goals: FloatArray) -> FloatArray:
    """Goals with mean 0 and standard deviation 1; entries that are constant become 0."""
    mean, std = moments(goals)
    return ((goals - mean) / std).astype(np.float32)


def moments(goals: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of goals (M, F), (F,); 1 for entries that are constant."""
    # In single precision, rounding errors of long sums give constant entries a deviation.
    mean, std = goals.mean(axis=0, dtype=np.float64), goals.std(axis=0, dtype=np.float64)
    return mean, np.where(goals.max(axis=0) > goals.min(axis=0), std, 1)


def embed(points: FloatArray, seed: int) -> FloatArray:
    """t-SNE of points (M, F) into the plane, (M, 2)."""
    manifold = _sklearn("manifold")
    tsne = manifold.TSNE(
        n_components=2,
        perplexity=min(PERPLEXITY, (len(points) - 1) / 3),
        init="pca" if points.shape[1] > 1 else "random",  # PCA needs two dimensions
        learning_rate="auto",
        random_state=seed,
    )
    embedded: FloatArray = tsne.fit_transform(points)
    return embedded


def nearest_members(points: FloatArray, num_clusters: int, seed: int) -> NDArray[np.int64]:
    """For each cluster of points (M, D), the index of the member nearest to its centroid, (K,).

    Raises:
        NotEnoughData: If fewer clusters are found.
    """
    cluster = _sklearn("cluster")
    kmeans = cluster.KMeans(num_clusters, init="k-means++", n_init=RESTARTS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about duplicates, which the count below finds
        labels = kmeans.fit_predict(points)
    found = len(np.unique(labels))
    if found < num_clusters:
        raise NotEnoughData("different clusters of states", found, num_clusters)
    distances = np.linalg.norm(points - kmeans.cluster_centers_[labels], axis=1)
    # Sorted by cluster, then by distance: the first of each cluster is its nearest member.
    order = np.lexsort((distances, labels))
    _, first = np.unique(labels[order], return_index=True)
    return order[first]


def _sklearn(module: str) -> Any:
    """A module of scikit-learn, which is only needed to build a codebook."""
    from importlib import import_module

    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingPackage("scikit-learn", "the codebook of PTGM") from error
