"""The flow is exactly invertible and its log-determinant is that of autograd."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from skillgym.errors import InvalidConfig
from skillgym.nn.distributions import Gaussian
from skillgym.nn.flows import (
    BoundedConditioner,
    Conditioner,
    FlowDistribution,
    InverseFlow,
    RealNVP,
)

SIZE, CONTEXT = 4, 3
KINDS = pytest.mark.parametrize("kind", ["papers", "reskill"])


def random_flow(kind: str = "papers", seed: int = 0) -> RealNVP | InverseFlow:
    """A flow far from the identity, of either form."""
    generator = torch.Generator().manual_seed(seed)
    conditioner = Conditioner if kind == "papers" else BoundedConditioner
    flow = RealNVP(SIZE, CONTEXT, num_layers=3, hidden_size=8, conditioner=conditioner).double()
    for parameter in flow.parameters():
        parameter.data = 0.4 * torch.randn(parameter.shape, generator=generator, dtype=torch.double)
    return flow if kind == "papers" else InverseFlow(flow)


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(6, SIZE, generator=generator, dtype=torch.double)
    return noise, torch.randn(6, CONTEXT, generator=generator, dtype=torch.double)


@KINDS
def test_inverse(kind: str, inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
    noise, context = inputs
    flow = random_flow(kind)
    x, log_det = flow(noise, context)
    back, inverse_log_det = flow.inverse(x, context)
    assert not torch.allclose(x, noise, atol=0.1)
    torch.testing.assert_close(back, noise)
    torch.testing.assert_close(inverse_log_det, -log_det)


@KINDS
def test_log_determinant_equals_autograd(
    kind: str, inputs: tuple[torch.Tensor, torch.Tensor]
) -> None:
    noise, context = inputs
    flow = random_flow(kind)
    for direction in (flow, flow.inverse):
        _, log_det = direction(noise, context)
        for i in range(len(noise)):
            matrix = jacobian(lambda e, c=context[i], f=direction: f(e, c)[0], noise[i])
            torch.testing.assert_close(log_det[i], torch.linalg.slogdet(matrix).logabsdet)


def test_bounded_log_scales_bound_the_scaling() -> None:
    """Each of the two transformations of a half scales by at most e."""
    flow = RealNVP(2, 1, num_layers=2, hidden_size=8, conditioner=BoundedConditioner).double()
    for conditioner in (*flow.lower, *flow.upper):
        conditioner.log_scale[-1].bias.data.fill_(100.0)
    _, log_det = flow(torch.ones(3, 2, dtype=torch.double), torch.zeros(3, 1).double())
    assert log_det.tolist() == [4.0, 4.0, 4.0]


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


@KINDS
def test_samples_fit_the_density(kind: str, inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
    """E[log p(x)] over samples equals the base's negative entropy minus E[log det]."""
    context = inputs[1][:1].expand(20_000, -1)
    flow = random_flow(kind)
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
