"""Losses of soft actor-critic with a prior: pure functions, averaged over the batch.

Paper: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors", Alg. 1;
arXiv:2010.11944.

Shapes: `B` batch, `Z` latent, `S` samples. `Q` values are (B, n_critics).
"""

from __future__ import annotations

import torch
from torch import Tensor

from skillgym.nn.distributions import Distribution, Gaussian

MAX_DIVERGENCE = 100.0


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


def temperature_loss(log_alpha: Tensor, divergence: Tensor, target_divergence: float) -> Tensor:
    """Loss of the temperature: it rises while the mean divergence (B,) exceeds its target [nat].

    Deviation: exp(log_alpha) multiplies the gap, as in the authors' code; SB3's SAC uses log_alpha
        itself.
    """
    return log_alpha.exp().squeeze() * (target_divergence - divergence.detach()).mean()


def actor_loss(q_values: Tensor, divergence: Tensor, alpha: Tensor) -> Tensor:
    """Mean of alpha * divergence - min Q for actions of the policy."""
    return (alpha * divergence - q_values.min(dim=1).values).mean()


def td_target(
    rewards: Tensor,
    dones: Tensor,
    discounts: Tensor | float,
    next_q_values: Tensor,
    next_divergence: Tensor,
    alpha: Tensor,
) -> Tensor:
    """Regression target of the critics: r + (1 - done) * discount * (min Q' - alpha * divergence').

    Args:
        rewards: Rewards of skills, (B, 1).
        dones: 1 for terminal next states (0 for time limits), (B, 1).
        discounts: Discount of the next value: one number, or (B, 1).
        next_q_values: Target critics at actions of the policy in the next states.
        next_divergence: Divergence in the next states, (B,).
        alpha: Temperature.

    Returns:
        (B, 1).
    """
    next_values = next_q_values.min(dim=1, keepdim=True).values - alpha * next_divergence[:, None]
    return rewards + (1.0 - dones) * discounts * next_values


def critic_loss(q_values: Tensor, target: Tensor) -> Tensor:
    """Half the mean squared error against the target (B, 1), summed over the critics."""
    return 0.5 * (q_values - target).square().mean(0).sum()
