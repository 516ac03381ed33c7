"""The mathematics of PriorSAC."""

from __future__ import annotations

import pytest
import torch

from skillgym.nn.distributions import Gaussian, GaussianMixture
from skillgym.rl.common import losses
from skillgym.rl.prior_sac.losses import analytic_divergence, sampled_divergence

B, Z = 7, 4


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def gaussian(generator: torch.Generator) -> Gaussian:
    return Gaussian(
        torch.randn(B, Z, generator=generator), 0.5 * torch.randn(B, Z, generator=generator)
    )


def test_divergence_is_zero_if_the_policy_is_the_prior(generator: torch.Generator) -> None:
    policy = gaussian(generator)
    noise = torch.randn(10, B, Z, generator=generator)
    assert sampled_divergence(policy, policy, noise).eq(0).all()
    assert analytic_divergence(policy, policy).abs().max() < 1e-6


def test_sampled_divergence_is_the_mean_log_ratio_of_the_samples(
    generator: torch.Generator,
) -> None:
    policy, prior = gaussian(generator), gaussian(generator)
    noise = torch.randn(10, B, Z, generator=generator)
    samples = policy.mean + policy.std * noise
    expected = (policy.log_prob(samples) - prior.log_prob(samples)).mean(0)
    torch.testing.assert_close(sampled_divergence(policy, prior, noise), expected)


def test_sampled_divergence_converges_to_the_analytic_one(generator: torch.Generator) -> None:
    policy, prior = gaussian(generator), gaussian(generator)
    noise = torch.randn(200_000, B, Z, generator=generator)
    sampled = sampled_divergence(policy, prior, noise)
    torch.testing.assert_close(sampled, analytic_divergence(policy, prior), rtol=0.02, atol=0.02)


def test_gradients_flow_through_the_samples(generator: torch.Generator) -> None:
    mean = torch.randn(B, Z, generator=generator, requires_grad=True)
    log_std = torch.zeros(B, Z, requires_grad=True)
    prior = gaussian(generator)
    noise = torch.randn(10, B, Z, generator=generator)
    policy = Gaussian(mean, log_std)
    fast = torch.autograd.grad(sampled_divergence(policy, prior, noise).sum(), [mean, log_std])
    samples = policy.mean + policy.std * noise
    slow = torch.autograd.grad(
        (policy.log_prob(samples) - prior.log_prob(samples)).mean(0).sum(), [mean, log_std]
    )
    torch.testing.assert_close(fast, slow)


def test_divergence_from_a_mixture_prior(generator: torch.Generator) -> None:
    prior = gaussian(generator)
    components = Gaussian(
        prior.mean[:, None].expand(B, 3, Z), prior.log_std[:, None].expand(B, 3, Z)
    )
    mixture = GaussianMixture(torch.full((B, 3), 1 / 3).log(), components)
    policy, noise = gaussian(generator), torch.randn(10, B, Z, generator=generator)
    torch.testing.assert_close(
        sampled_divergence(policy, mixture, noise),
        sampled_divergence(policy, prior, noise),
    )


def test_divergence_saturates_at_100_without_gradient(generator: torch.Generator) -> None:
    mean = torch.full((B, Z), 50.0, requires_grad=True)
    policy = Gaussian(mean, torch.zeros(B, Z))
    prior = Gaussian.standard_like(mean.detach())
    noise = torch.randn(10, B, Z, generator=generator)
    for divergence in (
        sampled_divergence(policy, prior, noise),
        analytic_divergence(policy, prior),
    ):
        assert divergence.eq(100).all()
        (gradient,) = torch.autograd.grad(divergence.sum(), mean)
        assert gradient.eq(0).all()


@pytest.mark.parametrize(("divergence", "direction"), [(9.0, 1.0), (1.0, -1.0)])
def test_temperature_rises_above_the_target_and_falls_below(
    divergence: float, direction: float
) -> None:
    log_alpha = torch.zeros(1, requires_grad=True)
    loss = losses.temperature_loss(log_alpha, torch.full((B,), divergence), 5.0)
    assert loss.item() == pytest.approx(5.0 - divergence)
    loss.backward()
    assert torch.sign(-log_alpha.grad).item() == direction


def test_targets_and_losses_by_hand() -> None:
    target = losses.td_target(
        rewards=torch.tensor([[1.0], [2.0]]),
        dones=torch.tensor([[0.0], [1.0]]),
        discounts=torch.tensor([[0.5], [0.5]]),
        next_q_values=torch.tensor([[3.0, 4.0], [9.0, 9.0]]),
        next_penalty=torch.tensor([0.5, 0.5]),
    )
    assert target.tolist() == [[1.0 + 0.5 * (3.0 - 0.5)], [2.0]]
    q_values = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    # Critic 1: errors 1, 1; critic 2: errors 0, 2.
    loss = losses.critic_loss(q_values, torch.tensor([[2.0], [2.0]]))
    assert loss.item() == pytest.approx(0.5 * (1.0 + 2.0))
    actor = losses.actor_loss(q_values, torch.tensor([1.0, 2.0]))
    assert actor.item() == pytest.approx(((1.0 - 1.0) + (2.0 - 3.0)) / 2)
