"""Configuration of PTGM. The defaults are the authors' kitchen settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skillgym.checks import make_tuple, require
from skillgym_envs.core.checks import check_choice, check_flag, check_integer

KITCHEN_GOAL = (*range(9), 11, 12, 17, 18, 22, *range(23, 30))
"""The authors' goal in the kitchen: robot, bottom burner, light switch, microwave and kettle."""


@dataclass(frozen=True, kw_only=True)
class PtgmConfig:
    """Configuration of `Ptgm`.

    Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
    Learning"; the values of the authors' kitchen code.

    Attributes:
        skill_horizon: H, control steps of one code; also the farthest goal of the low-level policy.
        prior_horizon: G, control steps to the farthest state whose code the prior predicts; H, as
            in the authors' kitchen code, if None. With more (their Minecraft code: up to twice H),
            the prior is less likely to stay where the agent is.
        num_codes: K, size of the codebook.
        features: Features that goals consist of: `"observation"`, a name of `register_features`, or
            `"module:function"`, which is imported. Only training needs the function.
        goal: Entries of the features that make up the goal; all if None.
        inputs: Entries of the observation that prior and low-level policy see; all if None.
            Without the constant half that encodes the task, a model can be used for other tasks.
        codebook: `"tsne"` clusters a 2-D t-SNE embedding of the goals (the paper), `"kmeans"` the
            goals themselves.
        codebook_start: Row of the concatenated data at which sub-sampling starts.
        codebook_stride: Rows between two samples.
        codebook_samples: At most this many samples, evenly spread.
        standardise: Whether goals are standardised before clustering and matching. The authors' are
            not, so that the arm outweighs the objects.
        matching: How the code nearest to a goal is found.
        sample_actions: Whether the low-level policy samples its Gaussian, as the authors' does
            (also in evaluations), or acts with its mean.
        hidden_size: Width of both networks.
        num_layers: Number of square layers of each network.
    """

    skill_horizon: int = 10
    prior_horizon: int | None = None
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
        """Check the values.

        Raises:
            InvalidConfig: If one is invalid.
        """
        for field in ("goal", "inputs"):
            if getattr(self, field) is not None:
                indices = make_tuple(self, field)
                for index in indices:
                    check_integer(field, index, 0)
                different = len(set(indices)) == len(indices) > 0
                require(self, field, different, "different indices from 0 on, or None")
        for field in ("skill_horizon", "codebook_stride", "hidden_size"):
            check_integer(field, getattr(self, field), 1)
        for field in ("codebook_start", "num_layers"):
            check_integer(field, getattr(self, field), 0)
        if self.prior_horizon is not None:
            check_integer("prior_horizon", self.prior_horizon, 1)
        check_integer("num_codes", self.num_codes, 2)
        check_integer("codebook_samples", self.codebook_samples, self.num_codes)
        check_choice("codebook", self.codebook, ("tsne", "kmeans"))
        check_choice("matching", self.matching, ("cosine", "euclidean"))
        for field in ("standardise", "sample_actions"):
            check_flag(field, getattr(self, field))
