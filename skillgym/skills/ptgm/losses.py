"""The losses of PTGM as pure functions.

Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
Learning", ICLR.

Shapes: `B` batch, `H` skill horizon, `G` prior horizon, `A` action, `K` codes, `F` goal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from skillgym.nn.distributions import Categorical, Gaussian


def nearest_codes(goals: Tensor, codes: Tensor, matching: str = "cosine") -> Tensor:
    """Index of the code most similar to each goal.

    Args:
        goals: (B, F).
        codes: (K, F).
        matching: `"cosine"`: the smallest angle, regardless of the lengths (the authors).
            `"euclidean"`: the smallest distance.

    Returns:
        (B,), int64.
    """
    if matching == "cosine":
        directions = torch.nn.functional.normalize(codes, dim=-1)
        return (goals @ directions.T).argmax(-1)  # the goal's length does not change the order
    return torch.cdist(goals, codes, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)


def prior_nll(prior: Categorical, labels: Tensor) -> Tensor:
    """Cross entropy of the prior: the mean over states of -log p(label | s), in nats.

    Args:
        prior: Distributions in the states of a window, (B, G, K).
        labels: Code nearest to the state at the end of each window, (B,).
    """
    return -prior.log_prob(labels[:, None].expand(prior.log_probs.shape[:-1])).mean()


def policy_nll(policy: Gaussian, actions: Tensor) -> Tensor:
    """Negative log-likelihood of recorded actions, summed over A, averaged over the rest, in nats.

    Args:
        policy: Low-level policy in the states of a window, (B, H, A).
        actions: Recorded actions, (B, H, A).
    """
    return -policy.log_prob(actions).mean()
