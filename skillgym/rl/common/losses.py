"""Losses of soft actor-critics with a prior: pure functions, averaged over the batch.

Paper: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors", Alg. 1;
arXiv:2010.11944.

Shapes: `B` batch. `Q` values are (B, n_critics).
"""

from __future__ import annotations

from torch import Tensor

MAX_DIVERGENCE = 100.0
"""Bound of every divergence of a policy from a prior [nat] (the authors' code)."""


def temperature_loss(
    log_alpha: Tensor, divergence: Tensor, target_divergence: float, weights: Tensor | float = 1.0
) -> Tensor:
    """Loss of a temperature: it rises while the mean divergence exceeds its target.

    Deviation: exp(log_alpha) multiplies the gap, as in the authors' code; SB3's SAC uses log_alpha
        itself.

    Args:
        log_alpha: Logarithm of the temperature.
        divergence: Divergence in every state, (B,) [nat].
        target_divergence: Its target [nat].
        weights: Weight of each state, (B,).
    """
    gap = weights * (target_divergence - divergence.detach())
    return log_alpha.exp().squeeze() * gap.mean()


def actor_loss(q_values: Tensor, penalty: Tensor) -> Tensor:
    """Mean of penalty (B,) - min Q for actions of the policy.

    The penalty is alpha * divergence; gradients flow through it.
    """
    return (penalty - q_values.min(dim=1).values).mean()


def td_target(
    rewards: Tensor,
    dones: Tensor,
    discounts: Tensor | float,
    next_q_values: Tensor,
    next_penalty: Tensor,
) -> Tensor:
    """Regression target of the critics: r + (1 - done) * discount * (min Q' - penalty').

    Args:
        rewards: Rewards of skills, (B, 1).
        dones: 1 for terminal next states (0 for time limits), (B, 1).
        discounts: Discount of the next value: one number, or (B, 1).
        next_q_values: Target critics at actions of the policy in the next states.
        next_penalty: alpha * divergence in the next states, (B,).

    Returns:
        (B, 1).
    """
    next_values = next_q_values.min(dim=1, keepdim=True).values - next_penalty[:, None]
    return rewards + (1.0 - dones) * discounts * next_values


def critic_loss(q_values: Tensor, target: Tensor) -> Tensor:
    """Half the mean squared error against the target (B, 1), summed over the critics."""
    return 0.5 * (q_values - target).square().mean(0).sum()
