"""Losses that SkiLD adds to those of PriorSAC, as pure functions.

Paper: Pertsch et al. 2021, "Demonstration-Guided Reinforcement Learning with Learned Skills", Eq. 4
and Alg. 1; arXiv:2107.10253.

Shapes: `B` batch.
"""

from __future__ import annotations

import math

from torch import Tensor

from skillgym.checks import check_positive
from skillgym.errors import InvalidConfig
from skillgym.skills.skild.losses import MAX_LOG_ODDS, log_odds_reward
from skillgym_envs.core.checks import check_flag, check_range


def check_reward(
    env_reward_weight: float,
    discriminator_reward_weight: float,
    max_log_odds: float | None,
    absorbing_ends: bool,
) -> None:
    """Check an agent's keywords for `mixed_reward` and `with_absorbing_ends`.

    Raises:
        InvalidConfig: If one has an invalid value.
    """
    check_range("env_reward_weight", env_reward_weight, -math.inf)
    check_range("discriminator_reward_weight", discriminator_reward_weight, -math.inf)
    if max_log_odds is not None:
        check_positive("max_log_odds", max_log_odds)
    check_flag("absorbing_ends", absorbing_ends)


def check_ends(absorbing_ends: bool, discount: float) -> None:
    """Check that the rewards of absorbing ends have a finite sum.

    Raises:
        InvalidConfig: If they are not discounted.
    """
    if absorbing_ends and discount == 1.0:
        raise InvalidConfig("gamma", discount, "a number below 1, or absorbing_ends=False")


def mixed_reward(
    rewards: Tensor,
    logits: Tensor,
    env_reward_weight: float,
    discriminator_reward_weight: float,
    max_log_odds: float | None = MAX_LOG_ODDS,
) -> Tensor:
    """Weighted sum of the environment's reward and log D(s) - log(1 - D(s)), (B, 1).

    Args:
        rewards: Rewards of the environment, summed over each skill, (B, 1).
        logits: Logits of D in the state where each skill began, (B,).
        env_reward_weight: Weight of the environment's reward.
        discriminator_reward_weight: Weight of the discriminator's reward.
        max_log_odds: Bound of the discriminator's reward, before it is weighted [nat]; None for the
            authors' logarithms.
    """
    reward = discriminator_reward_weight * log_odds_reward(logits, max_log_odds)
    return env_reward_weight * rewards + reward[:, None]


def with_absorbing_ends(
    rewards: Tensor,
    dones: Tensor,
    rewards_of_ends: Tensor,
    discounts: Tensor | float,
    step_discount: float,
) -> Tensor:
    """Rewards (B, 1) with absorbing terminal states, in which episodes continue for ever.

    Paper: Kostrikov et al. 2019, "Discriminator-Actor-Critic", Sec. 4.2; arXiv:1809.02925.

    Args:
        rewards: Rewards, (B, 1).
        dones: 1 for terminal next states (0 for time limits), (B, 1).
        rewards_of_ends: Reward of every further step in the next state, (B, 1).
        discounts: Discount of the next value.
        step_discount: Discount per such step.
    """
    return rewards + dones * discounts * rewards_of_ends / (1.0 - step_discount)


def guided_penalty(
    demonstration: Tensor,
    prior_divergence: Tensor,
    posterior_divergence: Tensor,
    alpha: Tensor,
    posterior_alpha: Tensor,
) -> tuple[Tensor, Tensor]:
    """The two parts of the penalty: alpha (1 - D) KL(pi || p_a) and alpha_q D KL(pi || p_d).

    Args:
        demonstration: D(s), the weights, without gradient, (B,).
        prior_divergence: Divergence from the prior, (B,).
        posterior_divergence: Divergence from the posterior, (B,).
        alpha: Temperature of the first.
        posterior_alpha: Temperature of the second.

    Returns:
        Two tensors (B,), to be added.
    """
    return (
        alpha * (1.0 - demonstration) * prior_divergence,
        posterior_alpha * demonstration * posterior_divergence,
    )


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of values (B,) with weights (B,); 0 if all weights are 0."""
    return (weights * values).sum() / weights.sum().clamp(min=1e-6)
