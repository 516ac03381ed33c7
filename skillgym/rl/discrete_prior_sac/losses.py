"""What is special to discrete skills: expectations and divergences are sums, not samples.

The losses themselves are those of `skillgym.rl.common.losses`, given these.

Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
Learning", Sec. 3.4; Christodoulou 2019, arXiv:1910.07207 (soft actor-critic over discrete actions).

Shapes: `B` batch, `K` skills, `C` critics.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor

from skillgym.nn.distributions import Categorical

Direction: TypeAlias = Literal["prior-policy", "policy-prior"]
DIRECTIONS: tuple[Direction, ...] = ("prior-policy", "policy-prior")


def divergence(policy: Categorical, prior: Categorical, direction: Direction) -> Tensor:
    """KL divergence of every state, (B,), in nats, exact.

    Deviation: the authors add 1e-8 to the second argument, which bounds the divergence by 18.4.

    Args:
        policy: Distributions over (B, K), with gradient.
        prior: Distributions over (B, K).
        direction: `"prior-policy"`: KL(prior || policy), large where the policy gives up a skill
            of the prior (the paper's objective and the kitchen code). `"policy-prior"`:
            KL(policy || prior), large where the policy takes a skill that the prior excludes (the
            Minecraft code; SPiRL).
    """
    return prior.kl(policy) if direction == "prior-policy" else policy.kl(prior)


def expected_value(policy: Categorical, q_values: Tensor) -> Tensor:
    """Mean over the policy's skills of the smallest critic, (B,), exact.

    Args:
        policy: Distributions over (B, K).
        q_values: Values of all skills, (C, B, K); the minimum is taken for each skill.
    """
    return policy.expectation(q_values.min(dim=0).values)


def values_of(q_values: Tensor, skills: Tensor) -> Tensor:
    """Values (B, C) of chosen skills (B, 1), from those of all skills (C, B, K)."""
    return q_values.gather(-1, skills.expand(len(q_values), -1, -1))[..., 0].T
