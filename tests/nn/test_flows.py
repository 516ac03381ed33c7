"""The flow is exactly invertible and its log-determinant is that of autograd."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from skillgym.errors import InvalidConfig
from skillgym.nn.distributions import Gaussian
from skillgym.nn.flows import FlowDistribution, RealNVP

SIZE, CONTEXT = 4, 3


def random_flow(seed: int = 0) -> RealNVP:
    """A flow far from the identity."""
    generator = torch.Generator().manual_seed(seed)
    flow = RealNVP(SIZE, CONTEXT, num_layers=3, hidden_size=8).double()
    for parameter in flow.parameters():
        parameter.data = 0.4 * torch.randn(parameter.shape, generator=generator, dtype=torch.double)
    return flow


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(6, SIZE, generator=generator, dtype=torch.double)
    return noise, torch.randn(6, CONTEXT, generator=generator, dtype=torch.double)


def test_inverse(inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
    noise, context = inputs
    flow = random_flow()
    x, log_det = flow(noise, context)
    back, inverse_log_det = flow.inverse(x, context)
    assert not torch.allclose(x, noise, atol=0.1)
    torch.testing.assert_close(back, noise)
    torch.testing.assert_close(inverse_log_det, -log_det)


def test_log_determinant_equals_autograd(inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
    noise, context = inputs
    flow = random_flow()
    _, log_det = flow(noise, context)
    for i in range(len(noise)):
        matrix = jacobian(lambda e, c=context[i]: flow(e, c)[0], noise[i])
        torch.testing.assert_close(log_det[i], torch.linalg.slogdet(matrix).logabsdet)


def test_fresh_flow_is_the_identity(inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
    noise, context = inputs
    x, log_det = RealNVP(SIZE, CONTEXT).double()(noise, context)
    assert torch.equal(x, noise)
    assert torch.all(log_det == 0)


def test_density_integrates_to_one() -> None:
    flow = RealNVP(2, 1, num_layers=2, hidden_size=8).double()
    generator = torch.Generator().manual_seed(2)
    for parameter in flow.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.double)
    axis = torch.linspace(-9, 9, 361, dtype=torch.double)
    grid = torch.cartesian_prod(axis, axis)
    distribution = FlowDistribution(flow, torch.ones(1, 1, dtype=torch.double), 2)
    mass = distribution.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert mass.item() == pytest.approx(1.0, abs=1e-3)


def test_samples_fit_the_density(inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
    """E[log p(x)] over samples equals the base's negative entropy minus E[log det]."""
    context = inputs[1][:1].expand(20_000, -1)
    flow = random_flow()
    distribution = FlowDistribution(flow, context, SIZE)
    generator = torch.Generator().manual_seed(4)
    x = distribution.sample(generator)
    noise, inverse_log_det = flow.inverse(x, context)
    base = Gaussian.standard_like(noise)
    torch.testing.assert_close(
        distribution.log_prob(x).mean(),
        -base.entropy()[0] + inverse_log_det.mean(),
        rtol=0,
        atol=0.05,
    )


def test_odd_size_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="even"):
        RealNVP(3, 1)
