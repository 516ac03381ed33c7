"""Densities, samples and divergences against closed forms, Monte Carlo and torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from skillgym.errors import ShapeMismatch
from skillgym.nn.distributions import Gaussian, GaussianMixture


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def random_gaussian(generator: torch.Generator, *shape: int) -> Gaussian:
    mean = torch.randn(shape, generator=generator, dtype=torch.double)
    log_std = 0.5 * torch.randn(shape, generator=generator, dtype=torch.double)
    return Gaussian(mean, log_std)


def as_torch(gaussian: Gaussian) -> Independent:
    return Independent(Normal(gaussian.mean, gaussian.std), 1)


def test_log_prob_and_entropy_equal_torch(generator: torch.Generator) -> None:
    gaussian = random_gaussian(generator, 5, 3)
    x = torch.randn(7, 5, 3, generator=generator, dtype=torch.double)
    torch.testing.assert_close(gaussian.log_prob(x), as_torch(gaussian).log_prob(x))
    torch.testing.assert_close(gaussian.entropy(), as_torch(gaussian).entropy())


def test_kl_equals_torch_and_monte_carlo(generator: torch.Generator) -> None:
    p, q = random_gaussian(generator, 4, 3), random_gaussian(generator, 4, 3)
    closed = p.kl(q)
    assert closed.shape == (4, 3)
    torch.testing.assert_close(closed.sum(-1), kl_divergence(as_torch(p), as_torch(q)))
    many = Gaussian(p.mean.expand(20_000, -1, -1), p.log_std)
    x = many.sample(generator)
    estimate = (p.log_prob(x) - q.log_prob(x)).mean(0)
    torch.testing.assert_close(estimate, closed.sum(-1), rtol=0.1, atol=0.1)


def test_kl_of_equal_distributions_is_exactly_zero(generator: torch.Generator) -> None:
    p = random_gaussian(generator, 4, 3)
    assert torch.all(p.kl(p) == 0)


def test_kl_refuses_another_size(generator: torch.Generator) -> None:
    with pytest.raises(ShapeMismatch, match="last axis of 2"):
        random_gaussian(generator, 4, 3).kl(random_gaussian(generator, 4, 2))


@pytest.mark.parametrize(("raw", "std"), [(100.0, math.e**2), (-100.0, math.exp(-10))])
def test_log_std_is_clamped(raw: float, std: float) -> None:
    gaussian = Gaussian.from_parameters(torch.tensor([[0.5, raw]]))
    assert gaussian.mean.item() == 0.5
    assert gaussian.std.item() == pytest.approx(std, rel=1e-6)


def test_samples_are_reparameterised_and_repeatable() -> None:
    parameters = torch.zeros(2, 6, requires_grad=True)
    gaussian = Gaussian.from_parameters(parameters)
    first = gaussian.sample(torch.Generator().manual_seed(3))
    assert torch.equal(first, gaussian.sample(torch.Generator().manual_seed(3)))
    first.sum().backward()
    assert parameters.grad is not None
    assert torch.all(parameters.grad != 0)


def random_mixture(generator: torch.Generator, *shape: int) -> GaussianMixture:
    logits = torch.randn(shape[:2], generator=generator, dtype=torch.double)
    return GaussianMixture(logits.log_softmax(-1), random_gaussian(generator, *shape))


def test_mixture_density_equals_torch(generator: torch.Generator) -> None:
    mixture = random_mixture(generator, 3, 5, 2)
    reference = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=mixture.log_weights), as_torch(mixture.components)
    )
    x = torch.randn(6, 3, 2, generator=generator, dtype=torch.double)
    torch.testing.assert_close(mixture.log_prob(x), reference.log_prob(x))


def test_mixture_samples_have_the_mixture_mean(generator: torch.Generator) -> None:
    mixture = random_mixture(generator, 1, 4, 2)
    many = GaussianMixture(
        mixture.log_weights.expand(40_000, -1),
        Gaussian(
            mixture.components.mean.expand(40_000, -1, -1),
            mixture.components.log_std.expand(40_000, -1, -1),
        ),
    )
    expected = (mixture.log_weights.exp().unsqueeze(-1) * mixture.components.mean).sum(-2)[0]
    torch.testing.assert_close(many.sample(generator).mean(0), expected, rtol=0, atol=0.05)


def test_mixture_samples_give_no_gradient_to_the_weights(generator: torch.Generator) -> None:
    logits = torch.zeros(3, 5, requires_grad=True)
    parameters = torch.zeros(3, 5, 4, requires_grad=True)
    mixture = GaussianMixture(logits.log_softmax(-1), Gaussian.from_parameters(parameters))
    mixture.sample(generator).sum().backward()
    assert logits.grad is None
    assert parameters.grad is not None and parameters.grad.count_nonzero() > 0


def test_mixture_of_one_is_that_gaussian(generator: torch.Generator) -> None:
    mixture = random_mixture(generator, 3, 1, 2)
    single = Gaussian(mixture.components.mean[:, 0], mixture.components.log_std[:, 0])
    x = torch.randn(3, 2, generator=generator, dtype=torch.double)
    torch.testing.assert_close(mixture.log_prob(x), single.log_prob(x))
    torch.testing.assert_close(mixture.mode(), single.mode())
