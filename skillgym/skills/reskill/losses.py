"""The losses of ReSkill's skill model as pure functions.

Paper: Rana et al. 2022, "Residual Skill Policies: Learning an Adaptable Skill-based Action Space
for Reinforcement Learning for Robotics", Sec. 4.1; arXiv:2211.02231.

The fit of the prior is that of SPiRL: `skillgym.skills.spirl.losses.prior_nll`.

Shapes: `B` batch, `H` skill horizon, `A` action, `Z` latent.
"""

from __future__ import annotations

from torch import Tensor

from skillgym.nn.distributions import Gaussian


def reconstruction_loss(predicted: Tensor, actions: Tensor) -> Tensor:
    """Mean squared error over batch, time and action dimensions.

    Args:
        predicted: Decoded actions (B, H, A).
        actions: Recorded actions (B, H, A).
    """
    return (predicted - actions).square().mean()


def posterior_kl(posterior: Gaussian) -> Tensor:
    """KL from the posterior q(z | window) to the unit Gaussian, in nats.

    Deviation: averaged over the batch; the authors sum over it, so that the weight depends on the
    batch size.

    Args:
        posterior: q, parameters of shape (B, Z).

    Returns:
        Scalar: summed over the latent, averaged over the batch.
    """
    return posterior.kl(Gaussian.standard_like(posterior.mean)).sum(-1).mean()
