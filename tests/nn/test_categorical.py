"""Distributions over indices, and noise that is a function of its input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import kl_divergence

from skillgym.errors import ShapeMismatch
from skillgym.nn.distributions import Categorical
from skillgym.nn.mlp import count_parameters
from skillgym.nn.noise import hashed_normal
from skillgym.nn.priors import CategoricalMLP, UniformPrior


def random(*shape: int, seed: int = 0) -> tuple[Categorical, TorchCategorical]:
    logits = 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return Categorical.from_logits(logits), TorchCategorical(logits=logits)


def test_it_is_that_of_torch() -> None:
    (p, p_torch), (q, q_torch) = random(4, 3, 7), random(4, 3, 7, seed=1)
    x = p_torch.sample()
    torch.testing.assert_close(p.log_prob(x), p_torch.log_prob(x))
    torch.testing.assert_close(p.entropy(), p_torch.entropy())
    torch.testing.assert_close(p.kl(q), kl_divergence(p_torch, q_torch))
    assert torch.equal(p.mode(), p_torch.probs.argmax(-1))
    assert p.kl(p).abs().max() == 0
    with pytest.raises(ShapeMismatch, match="last axis of 6"):
        p.kl(random(4, 3, 6)[0])


def test_samples_have_the_right_frequencies_and_come_from_the_generator() -> None:
    p, _ = random(1, 5)
    many = Categorical(p.log_probs.expand(20_000, 2, 5))
    draws = [many.sample(torch.Generator().manual_seed(1)) for _ in range(2)]
    assert draws[0].shape == (20_000, 2) and torch.equal(*draws)
    frequencies = torch.bincount(draws[0].flatten(), minlength=5) / 40_000
    torch.testing.assert_close(frequencies, p.probs[0], atol=0.01, rtol=0)


def test_a_very_unlikely_index_gives_finite_divergences_and_gradients() -> None:
    logits = torch.tensor([[0.0, -300.0]], requires_grad=True)
    p, q = Categorical.from_logits(logits), Categorical.from_logits(torch.tensor([[-300.0, 0.0]]))
    assert p.kl(q).item() == pytest.approx(300.0)
    assert q.kl(p).item() == pytest.approx(300.0)
    (p.kl(q) + q.kl(p)).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def excluding(*logits: float, requires_grad: bool = False) -> tuple[Categorical, torch.Tensor]:
    tensor = torch.tensor([logits], requires_grad=requires_grad)
    return Categorical.from_logits(tensor), tensor


def test_an_index_without_probability_adds_nothing() -> None:
    none = -torch.inf
    p, logits = excluding(0.3, -0.4, none, requires_grad=True)
    for other in ((0.1, 0.7, -0.2), (0.1, 0.7, none)):
        q, q_logits = excluding(*other, requires_grad=True)
        p_torch, q_torch = (TorchCategorical(logits=x.detach()) for x in (logits, q_logits))
        torch.testing.assert_close(p.entropy(), p_torch.entropy())
        torch.testing.assert_close(p.kl(q), kl_divergence(p_torch, q_torch))
        (p.kl(q) + p.entropy()).sum().backward(retain_graph=True)
        assert q_logits.grad is not None and q_logits.grad.isfinite().all()
    assert logits.grad is not None and logits.grad.isfinite().all() and logits.grad.any()


def test_a_divergence_from_what_excludes_an_index_is_infinite() -> None:
    p, q = excluding(0.0, 0.0)[0], excluding(0.0, -torch.inf)[0]
    assert p.kl(q).item() == torch.inf
    both = Categorical(torch.cat([p.log_probs, q.log_probs]))
    torch.testing.assert_close(both.kl(p), torch.tensor([0.0, 2.0]).log().nan_to_num(neginf=0))
    assert Categorical(torch.tensor([[torch.nan, 0.0]])).kl(p).isnan().all()  # is not hidden


def test_networks() -> None:
    assert count_parameters(CategoricalMLP(60, 50, 128, 3)) == 64_178  # the authors' goal prior
    narrow = CategoricalMLP(6, 5, 8, 1, inputs=(0, 2)).eval()
    obs = torch.randn(3, 4, 6)
    changed = obs.clone()
    changed[..., [1, 3, 4, 5]] += 1
    torch.testing.assert_close(narrow(obs).log_probs, narrow(changed).log_probs)
    assert "inputs" not in narrow.state_dict()
    uniform = UniformPrior(5)(obs)
    torch.testing.assert_close(uniform.probs, torch.full((3, 4, 5), 0.2))


def test_hashed_noise_is_normal_and_a_function_of_its_row() -> None:
    rows = np.random.default_rng(0).normal(size=(20_000, 7)).astype(np.float32)
    noise = hashed_normal(rows, 3)
    assert noise.shape == (20_000, 3) and noise.dtype == np.float32
    np.testing.assert_array_equal(noise[5:9], hashed_normal(rows[5:9], 3))
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(noise.T), np.eye(3), atol=0.04)
    assert abs((noise**4).mean() - 3) < 0.15
    # The smallest possible change of one entry gives independent numbers.
    near = rows.copy()
    near[:, 4] = np.nextafter(near[:, 4], np.float32(9))
    assert abs(np.corrcoef(noise[:, 0], hashed_normal(near, 3)[:, 0])[0, 1]) < 0.03
    assert not np.allclose(noise, hashed_normal(rows[:, ::-1], 3))  # order matters
