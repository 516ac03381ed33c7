"""Configuration of PTGM. The defaults are the authors' kitchen settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skillgym.errors import InvalidConfig

KITCHEN_GOAL = (*range(9), 11, 12, 17, 18, 22, *range(23, 30))
"""The authors' goal in the kitchen: robot, bottom burner, light switch, microwave and kettle."""


@dataclass(frozen=True, kw_only=True)
class PtgmConfig:
    """Configuration of `Ptgm`.

    Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
    Learning"; the values of the authors' kitchen code.

    Attributes:
        skill_horizon: H, control steps of one code; also the farthest goal in the data.
        num_codes: K, size of the codebook.
        features: What goals are made of: `"observation"`, or a name of `register_features`.
        goal: Entries of the features that make up the goal; all if None.
        inputs: Entries of the observation that prior and low-level policy see; all if None.
            Leaving out a constant half that tells the task makes a model that serves other tasks.
        codebook: `"tsne"` clusters a 2-D t-SNE embedding of the goals (the paper), `"kmeans"` the
            goals themselves.
        codebook_start: Row of the data, laid end to end, at which sub-sampling begins.
        codebook_stride: Rows between two samples.
        codebook_samples: At most this many samples, evenly spread.
        standardise: Whether goals are standardised before clustering and matching. The authors do
            not, so that the arm outweighs the objects.
        matching: How the code nearest to a goal is found.
        sample_actions: Whether the low-level policy samples its Gaussian, as the authors' does
            (also in evaluations), or acts with its mean.
        hidden_size: Width of both networks.
        num_layers: Their square layers.
    """

    skill_horizon: int = 10
    num_codes: int = 50
    features: str = "observation"
    goal: tuple[int, ...] | None = None
    inputs: tuple[int, ...] | None = None
    codebook: Literal["tsne", "kmeans"] = "tsne"
    codebook_start: int = 8
    codebook_stride: int = 6
    codebook_samples: int = 20_000
    standardise: bool = False
    matching: Literal["cosine", "euclidean"] = "cosine"
    sample_actions: bool = True
    hidden_size: int = 128
    num_layers: int = 3

    def __post_init__(self) -> None:
        """Check the values; lists, which JSON has in place of tuples, become tuples.

        Raises:
            InvalidConfig: If one cannot work.
        """
        for field in ("goal", "inputs"):
            if (indices := getattr(self, field)) is None:
                continue
            object.__setattr__(self, field, tuple(indices))
            if not indices or min(indices) < 0 or len(set(indices)) < len(indices):
                raise InvalidConfig(field, indices, "different indices from 0 on, or None")
        least = {"skill_horizon": 1, "num_codes": 2, "codebook_stride": 1, "hidden_size": 1}
        least |= {"codebook_start": 0, "num_layers": 0, "codebook_samples": self.num_codes}
        for field, smallest in least.items():
            if getattr(self, field) < smallest:
                raise InvalidConfig(field, getattr(self, field), f"at least {smallest}")
        for field, known in (
            ("codebook", ("tsne", "kmeans")),
            ("matching", ("cosine", "euclidean")),
        ):
            if getattr(self, field) not in known:
                raise InvalidConfig(field, getattr(self, field), " or ".join(known))
