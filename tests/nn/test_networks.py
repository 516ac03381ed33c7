"""Parameter counts, initialisation and folding of the networks."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from skillgym.evaluation.checkpoints import generator_states
from skillgym.nn.devices import device_of, seeded
from skillgym.nn.fourier import FourierFeatures
from skillgym.nn.lstm import EmbeddedLSTM
from skillgym.nn.mlp import MLP, FoldedMLP, count_parameters
from skillgym.nn.priors import FlowMLP, GaussianMLP, MixtureMLP, TanhPrior, UnitGaussian
from skillgym.rl.prior_sac.policies import check_prior


def trained(mlp: MLP) -> MLP:
    """The network after a few steps on shifted data, so that its running statistics matter."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(mlp.parameters(), 1e-2)
    for _ in range(20):
        x = 3 + 2 * torch.randn(64, mlp.input.in_features, generator=generator)
        optimizer.zero_grad()
        mlp(x).square().mean().backward()
        optimizer.step()
    return mlp


def test_mlp_has_two_more_linear_layers_than_hidden_ones() -> None:
    layers = [layer for layer in MLP(3, 8, 2, 4) if isinstance(layer, nn.Linear)]
    assert len(layers) == 6
    assert [layer.bias is None for layer in layers] == [False, True, True, True, True, False]
    assert all(
        layer.bias is not None
        for layer in MLP(3, 8, 2, 4, batch_norm=False).children()
        if isinstance(layer, nn.Linear)
    )


def test_weights_start_xavier_normal_and_biases_zero() -> None:
    mlp = MLP(64, 256, 128, 1)
    for layer in (mlp.input, mlp.hidden0, mlp.head):
        std = (2.0 / (layer.in_features + layer.out_features)) ** 0.5
        assert layer.weight.std().item() == pytest.approx(std, rel=0.05)
        assert layer.bias is None or not layer.bias.any()


def test_no_component_of_a_mixture_dies_out() -> None:
    prior = MixtureMLP(3, 2, 8, 1).eval()
    with torch.no_grad():
        prior.weights.bias[0] = 100.0
    weights = prior(torch.zeros(1, 3)).log_weights.exp()
    torch.testing.assert_close(weights.sum(), torch.ones(()))
    torch.testing.assert_close(weights[0, 1:], torch.full((4,), 1e-6), rtol=1e-3, atol=0.0)


def test_mlp_treats_all_leading_axes_as_batch() -> None:
    mlp = MLP(3, 8, 2, 2)
    x = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mlp(x), deepcopy(mlp)(x.reshape(20, 3)).reshape(4, 5, 2))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_folding_equals_evaluation_mode(batch_norm: bool) -> None:
    mlp = trained(MLP(7, 16, 3, 4, batch_norm))
    x = np.random.default_rng(0).normal(size=(32, 7)).astype(np.float32)
    folded = FoldedMLP(mlp)
    expected = mlp.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(folded(x), expected, atol=1e-5)


def test_a_folded_row_does_not_depend_on_the_batch() -> None:
    folded = FoldedMLP(trained(MLP(70, 128, 9, 5)))
    x = np.random.default_rng(0).normal(size=(64, 70)).astype(np.float32)
    together = folded(x)
    for size in (1, 3, 16):
        np.testing.assert_array_equal(folded(x[:size]), together[:size])


def test_folding_follows_the_weights() -> None:
    mlp = MLP(7, 16, 3, 2)
    folded = FoldedMLP(mlp)
    x = np.ones((2, 7), np.float32)
    before = folded(x)
    trained(mlp)
    assert not np.allclose(before, folded(x))
    mlp.load_state_dict(MLP(7, 16, 3, 2).state_dict())
    expected = mlp.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(folded(x), expected, atol=1e-5)


def test_lstm_steps_equal_the_fused_sequence() -> None:
    lstm = EmbeddedLSTM(5, 16, 3)
    x = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    state = (torch.zeros(4, 16), torch.zeros(4, 16))
    for t in range(6):
        output, state = lstm.step(x[:, t], state)
    torch.testing.assert_close(output, lstm.last(x))


def test_forget_bias_is_two() -> None:
    lstm = EmbeddedLSTM(5, 16, 3).lstm
    total = lstm.bias_ih_l0 + lstm.bias_hh_l0
    assert torch.all(total[16:32] == 2)
    assert torch.equal(lstm.bias_ih_l0[16:32], lstm.bias_hh_l0[16:32])


def test_parameter_counts_of_the_parts() -> None:
    assert count_parameters(MLP(60, 128, 20, 6)) == 110_228
    assert count_parameters(MLP(70, 128, 9, 5)) == 93_449
    assert count_parameters(EmbeddedLSTM(69, 128, 128)) == 157_568


def test_fourier_features_tell_the_place_within_a_period() -> None:
    features = FourierFeatures(3, 2, (0.5, 2.0))
    obs = torch.tensor([[0.5, 0.25, 7.0]])
    assert features(obs).shape == (1, features.output_size) == (1, 3 + 2 * 2 * 2)
    expected = [0.5, 0.25, 7.0, 1.0, 0.0, np.sqrt(0.5), 0.0, 0.0, 1.0, np.sqrt(0.5), -1.0]
    torch.testing.assert_close(features(obs), torch.tensor([expected]).float(), atol=1e-6, rtol=0)
    a_period_on = features(obs + torch.tensor([2.0, 2.0, 1.0]))
    torch.testing.assert_close(a_period_on[:, 3:], features(obs)[:, 3:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("prior", [GaussianMLP, MixtureMLP, FlowMLP])
def test_priors_fit_two_modes(prior: type[nn.Module]) -> None:
    """Density of samples at x = +-2: a Gaussian reaches its own optimum, the others beat it."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = prior(1, 2, 16, 1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(300):
        signs = torch.randint(0, 2, (128, 1), generator=generator) * 4.0 - 2.0
        x = signs + 0.3 * torch.randn(128, 2, generator=generator)
        loss = -net(torch.zeros(128, 1)).log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    samples = net.eval()(torch.zeros(512, 1)).sample(generator)
    assert samples.shape == (512, 2)
    best_gaussian = 2 * 0.5 * np.log(2 * np.pi * np.e * (4 + 0.09))
    if prior is GaussianMLP:
        assert loss.item() == pytest.approx(best_gaussian, abs=0.3)
    else:
        assert loss.item() < best_gaussian - 1.0


BOX = Box(np.float32([-3, 0]), np.float32([3, 2]))


@pytest.mark.parametrize("prior", [GaussianMLP, MixtureMLP, FlowMLP])
def test_the_unsquashed_prior_is_the_same_distribution(prior: type[nn.Module]) -> None:
    """Density of v = (u - center) / half_range, and divergences, which no affine map changes."""
    torch.manual_seed(0)
    net = prior(4, 2, 16, 1).eval()
    tanh_prior = TanhPrior(net, BOX)
    obs, generator = torch.randn(64, 4), torch.Generator().manual_seed(0)
    u = net(obs).sample(generator)
    v = tanh_prior(obs).sample(generator.manual_seed(0))
    center, half_range = torch.tensor([0.0, 1.0]), torch.tensor([3.0, 1.0])
    torch.testing.assert_close(v, (u - center) / half_range)
    jacobian = half_range.log().sum()
    torch.testing.assert_close(tanh_prior(obs).log_prob(v), net(obs).log_prob(u) + jacobian)
    torch.testing.assert_close(tanh_prior(obs).mode(), (net(obs).mode() - center) / half_range)
    if prior is GaussianMLP:
        other = prior(4, 2, 16, 1).eval()
        divergence = tanh_prior(obs).kl(TanhPrior(other, BOX)(obs))
        torch.testing.assert_close(divergence, net(obs).kl(other(obs)))


def test_skills_are_nearly_the_latents_or_twice_them() -> None:
    """The default keeps what the decoder knows; `scale=1` is the authors' 2 tanh(u)."""
    box, u = Box(-2.0, 2.0, (1,)), torch.tensor([[-1.0], [0.1], [0.5]])
    ours, authors = TanhPrior(nn.Identity(), box), TanhPrior(nn.Identity(), box, scale=1.0)
    nearly = ours.skill((u - ours.center) / ours.half_range)
    torch.testing.assert_close(nearly, u, atol=0.08, rtol=0)
    torch.testing.assert_close(authors.half_range, torch.ones(1))
    torch.testing.assert_close(authors.skill(u), 2.0 * torch.tanh(u))


@pytest.mark.parametrize("prior", [UnitGaussian(2), GaussianMLP(3, 2, 8, 1)])
def test_a_prior_over_squashed_skills_is_on_one_device(prior: nn.Module) -> None:
    """Also one without parameters; the meta device stands for a GPU."""
    space = Box(-2.0, 2.0, (2,), np.float32)
    moved = TanhPrior(prior, space).to("meta")
    assert device_of(moved).type == "meta"
    distribution = moved(torch.zeros(5, 3, device="meta"))
    assert moved.skill(distribution.mean).device.type == "meta"
    check_prior(moved.eval(), Box(-1.0, 1.0, (3,), np.float32), space)


def test_seeding_starts_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_rng_state", pytest.fail)
    with seeded(0):
        pass
    generator_states()


def test_seeded_generators_are_put_back() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with seeded(3):
        first = torch.rand(4)
    with seeded(3):
        assert torch.equal(torch.rand(4), first)
    assert torch.equal(torch.get_rng_state(), before)
