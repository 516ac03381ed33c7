"""The losses of SPiRL as pure functions, with the reductions of the authors' code.

Paper: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors", Sec.
3.2; arXiv:2010.11944. The objective per window is E_q[log p(a | z)] - beta KL(q(z | a) || N(0, I)),
plus the fit of the prior p_a(z | s_0).

The reductions differ: reconstruction and KL are means over all axes, the prior's likelihood is a
sum over the latent. With the usual sums, beta would be beta * (H A) / Z.

Shapes: `B` batch, `H` skill horizon, `A` action, `Z` latent.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skillgym.nn.distributions import HALF_LOG_TWO_PI, Distribution, Gaussian

VALIDATION_DRAWS = 100


def reconstruction_loss(predicted: Tensor, actions: Tensor) -> Tensor:
    """Negative log-likelihood of the actions under a unit-variance Gaussian.

    Deviation: averaged over batch, time and action dimensions, as in the authors' code (the paper
    sums).

    Args:
        predicted: Decoded means (B, H, A).
        actions: Recorded actions (B, H, A).

    Returns:
        Scalar, in nats per action dimension.
    """
    return 0.5 * (predicted - actions).square().mean() + HALF_LOG_TWO_PI


def posterior_kl(posterior: Gaussian) -> Tensor:
    """KL from the posterior q(z | a) to the unit Gaussian.

    Deviation: averaged over batch and latent dimensions, as in the authors' code (the paper sums
    the latter).

    Args:
        posterior: q, parameters of shape (B, Z).

    Returns:
        Scalar, in nats per latent dimension.
    """
    return posterior.kl(Gaussian.standard_like(posterior.mean)).mean()


def prior_nll(prior: Distribution, latents: Tensor) -> Tensor:
    """Negative log-likelihood of posterior samples under the learned prior.

    Its minimum over priors is that of the mode-covering KL(q || p_a).

    Args:
        prior: p_a(z | s_0) of batch shape (B,).
        latents: One posterior sample per window (B, Z). Gradients stop here.

    Returns:
        Scalar: summed over the latent, averaged over the batch, in nats.
    """
    return -prior.log_prob(latents.detach()).mean()


def prior_kl(posterior: Gaussian, prior: Gaussian) -> Tensor:
    """Analytic KL(q || p_a), the alternative to `prior_nll`.

    Args:
        posterior: q, parameters (B, Z). Gradients stop here.
        prior: p_a(z | s_0), parameters (B, Z).

    Returns:
        Scalar, averaged over batch and latent dimensions, in nats per dimension.
    """
    return posterior.detach().kl(prior).mean()


def beta_loss(log_beta: Tensor, kl: Tensor, target_kl: float) -> Tensor:
    """Loss that raises beta while the KL is above its target and lowers it below.

    Args:
        log_beta: Learned scalar.
        kl: Mean-reduced KL of `posterior_kl`. Gradients stop here.
        target_kl: Target of the KL, in nats per dimension.

    Returns:
        Scalar: exp(log_beta) (target_kl - kl).
    """
    return log_beta.exp() * (target_kl - kl.detach())


def best_mse(decode: Callable[[], Tensor], actions: Tensor) -> Tensor:
    """How well the best of 100 drawn skills fits each window; a validation metric.

    Args:
        decode: Actions (B, H, A) of one newly drawn skill per window.
        actions: Recorded actions (B, H, A).

    Returns:
        Scalar: mean over the windows of the smallest mean squared error.
    """
    best = actions.new_full((len(actions),), float("inf"))
    for _ in range(VALIDATION_DRAWS):
        best = torch.minimum(best, (decode() - actions).square().mean((1, 2)))
    return best.mean()
