"""Expectations and divergences for discrete skills, which are exact sums instead of samples.

The losses of `skillgym.rl.common.losses` are computed from these.

Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
Learning", Sec. 3.4; Christodoulou 2019, arXiv:1910.07207 (soft actor-critic over discrete actions).

Shapes: `B` batch, `K` skills, `C` critics.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor

from skillgym.nn.distributions import Categorical
from skillgym.rl.common.losses import MAX_DIVERGENCE

Direction: TypeAlias = Literal["prior-policy", "policy-prior"]
DIRECTIONS: tuple[Direction, ...] = ("prior-policy", "policy-prior")


FLOOR = 1e-8
"""What the authors' kitchen code adds to the probabilities of the second distribution."""


def divergence(
    policy: Categorical, prior: Categorical, direction: Direction, floor: float = 0.0
) -> Tensor:
    """KL divergence of every state, (B,), in nats: exact where it is finite, at most 100.

    Where it is infinite, because the second distribution excludes a skill that the first one has,
    the log-probability of that skill is set to -100, so that gradients still lead away from there.

    Deviation: the authors' code adds 1e-8 (`FLOOR`) to the probabilities of the second
        distribution, which bounds the divergence by 18.4.

    Args:
        policy: Distributions over (B, K), with gradient.
        prior: Distributions over (B, K).
        direction: `"prior-policy"`: KL(prior || policy), large where the policy gives up a skill
            of the prior (the paper's objective and the kitchen code). `"policy-prior"`:
            KL(policy || prior), large where the policy takes a skill that the prior excludes (the
            Minecraft code; SPiRL).
        floor: Added to the probabilities of the second distribution.
    """
    first, second = (prior, policy) if direction == "prior-policy" else (policy, prior)
    if floor > 0.0:
        return first.kl(Categorical(second.probs.add(floor).log()))
    exact = first.kl(second)
    if not (exact > MAX_DIVERGENCE).any():
        return exact
    if (infinite := exact.isinf()).any():  # its gradient is NaN there
        floored = second.log_probs.clamp(min=-MAX_DIVERGENCE)
        exact = first.kl(Categorical(floored.where(infinite[..., None], second.log_probs)))
    return exact.clamp(max=MAX_DIVERGENCE)


def expected_value(policy: Categorical, q_values: Tensor) -> Tensor:
    """Mean over the policy's skills of the smallest critic, (B,), exact.

    Args:
        policy: Distributions over (B, K).
        q_values: Values of all skills, (C, B, K); the minimum is taken for each skill.
    """
    return policy.expectation(q_values.min(dim=0).values)


def values_of(q_values: Tensor, skills: Tensor) -> Tensor:
    """Values (B, C) of chosen skills (B, 1), given those of all skills (C, B, K)."""
    return q_values.gather(-1, skills.expand(len(q_values), -1, -1))[..., 0].T
