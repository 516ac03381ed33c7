"""Divergences between a policy and a prior over continuous skills.

Paper: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors", Alg. 1;
arXiv:2010.11944.

Shapes: `B` batch, `Z` latent, `S` samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from skillgym.nn.distributions import Distribution, Gaussian
from skillgym.rl.common.losses import MAX_DIVERGENCE


def sampled_divergence(policy: Gaussian, prior: Distribution, noise: Tensor) -> Tensor:
    """Monte-Carlo KL(policy || prior) of every state, in nats.

    The mean over samples u = mean + std * noise of log policy(u) - log prior(u), then clamped to
    [-100, 100] (the authors' code), which stops gradients outside. Gradients flow through the
    samples. Both distributions are over the latent before squashing.

    Args:
        policy: Distribution of the policy, (B, Z).
        prior: Distribution of the prior, (B, Z).
        noise: Standard-normal numbers, (S, B, Z).

    Returns:
        (B,).
    """
    if isinstance(prior, Gaussian):
        # The samples enter as a polynomial of degree two: their first two moments are enough.
        mean, square = noise.mean(0), noise.square().mean(0)
        ratio = torch.exp(policy.log_std - prior.log_std)
        shift = (policy.mean - prior.mean) * torch.exp(-prior.log_std)
        quadratic = shift.square() + 2.0 * shift * ratio * mean + (ratio.square() - 1.0) * square
        divergence = (prior.log_std - policy.log_std + 0.5 * quadratic).sum(-1)
    else:
        samples = policy.mean + policy.std * noise
        divergence = (policy.log_prob(samples) - prior.log_prob(samples)).mean(0)
    return divergence.clamp(-MAX_DIVERGENCE, MAX_DIVERGENCE)


def analytic_divergence(policy: Gaussian, prior: Gaussian) -> Tensor:
    """Closed form of `sampled_divergence` for two Gaussians: (B,), at most 100 nats."""
    return policy.kl(prior).sum(-1).clamp(max=MAX_DIVERGENCE)
