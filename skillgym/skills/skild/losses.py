"""The losses of SkiLD's posterior and discriminator as pure functions.

The posterior p_d(z | s_0) is fitted to demonstrations as the prior is to all data: by
`skillgym.skills.spirl.losses.prior_nll`.

Paper: Pertsch et al. 2021, "Demonstration-Guided Reinforcement Learning with Learned Skills", Sec.
4; arXiv:2107.10253.

Shapes: `B` batch, `O` observation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

MAX_LOG_ODDS = -math.log(1e-20)


def discriminator_loss(demonstration_logits: Tensor, other_logits: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over all logits of states with labels 1 and 0.

    Args:
        demonstration_logits: Logits of D for states of demonstrations, (B,).
        other_logits: Logits of D for other states, (B,).

    Returns:
        Scalar, in nats; log 2 for a discriminator that cannot tell states apart.
    """
    logits = torch.cat([demonstration_logits, other_logits])
    labels = torch.cat([torch.ones_like(demonstration_logits), torch.zeros_like(other_logits)])
    return binary_cross_entropy_with_logits(logits, labels)


def accuracy(demonstration_logits: Tensor, other_logits: Tensor) -> Tensor:
    """Share of the states (B,) and (B,) that are on the correct side of D = 1/2."""
    right = torch.cat([demonstration_logits > 0, other_logits <= 0])
    return right.float().mean()


def log_odds_reward(logits: Tensor, bound: float | None = MAX_LOG_ODDS) -> Tensor:
    """The reward log D(s) - log(1 - D(s)): D's logit, between -bound and bound.

    Paper: Sec. 4.3. Deviation: the authors add 1e-20 inside both logarithms, in single precision,
    where 1 - D is zero from a logit of 17 on and the reward jumps to 46; `bound=None` restores it.

    Args:
        logits: Logits of D, any shape.
        bound: Largest absolute value [nat], by default about 46; None for the authors' logarithms.
    """
    if bound is not None:
        return logits.clamp(-bound, bound)
    probability = torch.sigmoid(logits.float())
    return (probability + 1e-20).log() - (1.0 - probability + 1e-20).log()


def gradient_penalty(discriminator: nn.Module, demonstrations: Tensor, others: Tensor) -> Tensor:
    """Mean of (norm of the logit's gradient - 1)^2 at random points between two sets of states.

    Paper: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", Sec. 4; arXiv:1704.00028.

    Args:
        discriminator: Maps states (B, O) to logits (B,).
        demonstrations: States of demonstrations, (B, O).
        others: Other states, (B, O).
    """
    share = torch.rand(len(others), 1, device=others.device)
    between = (share * demonstrations + (1.0 - share) * others).requires_grad_()
    logits = discriminator(between).sum()
    (gradient,) = torch.autograd.grad(logits, between, create_graph=True)
    return (gradient.norm(dim=-1) - 1.0).square().mean()
