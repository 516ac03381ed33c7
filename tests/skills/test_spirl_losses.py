"""Reductions of SPiRL's losses, and where their gradients stop."""

from __future__ import annotations

import math

import pytest
import torch

from skillgym.nn.distributions import Gaussian
from skillgym.skills.spirl.losses import (
    best_mse,
    beta_loss,
    posterior_kl,
    prior_kl,
    prior_nll,
    reconstruction_loss,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def gaussian(generator: torch.Generator) -> Gaussian:
    return Gaussian.from_parameters(torch.randn(4, 6, generator=generator).requires_grad_())


def test_reconstruction_is_a_mean_over_all_axes(generator: torch.Generator) -> None:
    predicted = torch.randn(4, 10, 3, generator=generator)
    actions = torch.randn(4, 10, 3, generator=generator)
    by_hand = sum(
        0.5 * (float(a) - float(b)) ** 2 + 0.5 * math.log(2 * math.pi)
        for a, b in zip(predicted.flatten(), actions.flatten(), strict=True)
    )
    assert reconstruction_loss(predicted, actions).item() == pytest.approx(by_hand / 120, rel=1e-5)


def test_kl_is_a_mean_over_batch_and_latent(generator: torch.Generator) -> None:
    posterior = gaussian(generator)
    mean, std = posterior.mean, posterior.std
    by_hand = 0.5 * (std**2 + mean**2 - 1.0) - std.log()
    assert posterior_kl(posterior).item() == pytest.approx(by_hand.sum().item() / (4 * 3))


def test_prior_nll_sums_over_latent_and_averages_over_batch(generator: torch.Generator) -> None:
    prior, latents = gaussian(generator), torch.randn(4, 3, generator=generator)
    normal = torch.distributions.Normal(prior.mean, prior.std)
    expected = -normal.log_prob(latents).sum() / 4
    torch.testing.assert_close(prior_nll(prior, latents), expected)


def test_prior_kl_is_that_of_the_posterior_from_the_prior(generator: torch.Generator) -> None:
    """The other direction would let the prior leave out skills that occur."""
    posterior, prior = gaussian(generator), gaussian(generator)
    normals = (torch.distributions.Normal(each.mean, each.std) for each in (posterior, prior))
    expected = torch.distributions.kl_divergence(*normals).mean()
    torch.testing.assert_close(prior_kl(posterior, prior), expected)


def test_prior_terms_stop_gradients_to_the_posterior(generator: torch.Generator) -> None:
    for term in ("nll", "kl"):
        posterior, prior = gaussian(generator), gaussian(generator)
        for part in (posterior.mean, posterior.log_std, prior.mean):
            part.retain_grad()
        sample = posterior.sample(generator)
        loss = prior_nll(prior, sample) if term == "nll" else prior_kl(posterior, prior)
        loss.backward()
        assert posterior.mean.grad is None and posterior.log_std.grad is None
        assert prior.mean.grad is not None and prior.mean.grad.count_nonzero() > 0


def test_the_best_draw_is_chosen_for_each_window() -> None:
    actions = torch.tensor([3.0, 50.0, 99.5])[:, None, None].expand(3, 4, 2)
    draws = iter(torch.arange(100.0))
    best = best_mse(lambda: next(draws).expand(3, 4, 2), actions)
    assert best.item() == pytest.approx((0.0 + 0.0 + 0.25) / 3)


@pytest.mark.parametrize(("kl", "direction"), [(2.0, 1.0), (0.5, -1.0)])
def test_beta_rises_above_the_target_and_falls_below(kl: float, direction: float) -> None:
    log_beta = torch.zeros((), requires_grad=True)
    value = torch.tensor(kl, requires_grad=True)
    beta_loss(log_beta, value, target_kl=1.0).backward()
    assert log_beta.grad is not None
    assert -log_beta.grad.item() * direction > 0  # the direction of a descent step
    assert value.grad is None
