"""ReSkill's model: sizes, objective, what the prior's gradient reaches, noise and latents."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from skillgym.cli.pretrain import PRESETS, make_model
from skillgym.errors import InvalidConfig, ShapeMismatch, UnsupportedSpace
from skillgym.hub import load_skill, save_skill
from skillgym.nn.mlp import count_parameters
from skillgym.pretraining import TrainerConfig, pretrain
from skillgym.skills.reskill import ReskillConfig, ReskillModel
from skillgym.skills.reskill.losses import posterior_kl
from skillgym.skills.spirl.losses import best_mse
from tests.skills.models import (
    ACTION_SIZE,
    OBSERVATION_SIZE,
    random_batch,
    random_walks,
    small_reskill,
    spaces,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def trained(**options: object) -> ReskillModel:
    """A model after a few steps, with running statistics of its own."""
    model, generator = small_reskill(**options), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameter_groups(1e-2))
    for seed in range(20):
        optimizer.zero_grad()
        model.loss(random_batch(model, 32, seed), generator)[0].backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("size", [25, 43])
def test_sizes_are_those_of_the_authors_architecture(size: int) -> None:
    model = ReskillModel.create(*spaces(size, 4))
    lstm = 4 * 128 * (size + 4 + 128) + 2 * 4 * 128
    head = (128 * 64 + 64) + 2 * 64 + (64 * 32 + 32) + 2 * 32 + (32 * 8 + 8)
    decoder = ((size + 4) * 64 + 64) + 2 * 64 + (64 * 32 + 32) + 2 * 32 + (32 * 4 + 4)
    network = ((2 + size) * 512 + 512) + (512 * 512 + 512) + (512 * 2 + 2)
    assert count_parameters(model.encoder) == lstm + head
    assert count_parameters(model.decoder) == decoder
    assert count_parameters(model.latent_prior) == 4 * 2 * network  # four layers, two networks each
    text = f"{count_parameters(model):,}".replace(",", " ")
    assert text in " ".join(str(ReskillModel.__doc__).split())


def test_skills_are_noise_with_a_unit_prior() -> None:
    model = small_reskill()
    assert model.skill_space == Box(-5.0, 5.0, (2,), np.float32)
    prior = model.prior(torch.randn(3, OBSERVATION_SIZE))
    assert torch.equal(prior.mean, torch.zeros(3, 2)) and torch.equal(prior.std, torch.ones(3, 2))


@pytest.mark.parametrize("prior", ["flow", "gaussian", "unit"])
def test_begin_is_the_inverse_of_the_normalising_map(prior: str) -> None:
    """z = f^-1(n; s), and the density of z is that of n times |det dn / dz|."""
    model = trained(prior=prior)
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(5, OBSERVATION_SIZE)).astype(np.float32)
    noise = rng.normal(size=(5, 2)).astype(np.float32)
    z = torch.from_numpy(model.begin(obs, noise)["latent"])
    distribution = model.latent_prior(torch.from_numpy(obs))
    if prior == "flow":
        back, log_det = distribution.flow.inverse(z, torch.from_numpy(obs))
    else:
        back, log_det = (z - distribution.mean) / distribution.std, -distribution.log_std.sum(-1)
    torch.testing.assert_close(back.detach(), torch.from_numpy(noise), atol=1e-5, rtol=1e-5)
    base = -0.5 * (back.square() + math.log(2 * math.pi)).sum(-1)
    torch.testing.assert_close(distribution.log_prob(z), base + log_det)
    if prior == "unit":
        np.testing.assert_array_equal(z, noise)
    else:
        assert not np.allclose(z, noise, atol=0.05)


def test_the_loss_is_that_of_the_authors(generator: torch.Generator) -> None:
    """MSE + 1e-8 * sum over batch and latent of the KL, plus the prior's likelihood."""
    model = small_reskill().train()
    observations, actions = batch = random_batch(model, 128)
    total, scalars = copy.deepcopy(model).loss(batch, generator)
    posterior = model.encode(observations, actions)
    latents = posterior.sample(torch.Generator().manual_seed(0))
    mse = nn.functional.mse_loss(model.decode(observations[:, :-1], latents), actions)
    log_variance = 2 * posterior.log_std
    kl = -0.5 * (1 + log_variance - posterior.mean**2 - log_variance.exp()).sum()
    nll = -model.latent_prior(observations[:, 0]).log_prob(latents).mean()
    torch.testing.assert_close(total, mse + 1e-8 * kl + nll)
    torch.testing.assert_close(scalars["kl"], (kl / 128).detach())
    assert posterior_kl(posterior) > 0.0


def test_the_encoder_gives_logarithms_of_variances() -> None:
    model = small_reskill().eval()
    with torch.no_grad():
        model.encoder.head[-1].weight.zero_()
        model.encoder.head[-1].bias.copy_(torch.tensor([0.5, 0.0, 2.0, -4.0]))
    posterior = model.encode(*random_batch(model))
    torch.testing.assert_close(posterior.mean, torch.tensor([[0.5, 0.0]]).expand(5, 2))
    torch.testing.assert_close(posterior.std.square().log(), torch.tensor([[2.0, -4.0]] * 5))


def test_the_priors_gradient_stops_at_the_latents(generator: torch.Generator) -> None:
    model = small_reskill().train()
    observations, actions = random_batch(model, 16)
    alone = copy.deepcopy(model)
    model.loss((observations, actions), generator)[0].backward()
    unit = copy.deepcopy(alone)
    unit.latent_prior = small_reskill(prior="unit").latent_prior
    unit.loss((observations, actions), torch.Generator().manual_seed(0))[0].backward()
    for name, parameter in unit.named_parameters():
        torch.testing.assert_close(parameter.grad, model.get_parameter(name).grad)
    gradients = [p.grad.abs().sum() for p in model.latent_prior.parameters()]
    assert min(gradients) > 0.0


def test_models_that_differ_in_the_prior_have_the_same_skills() -> None:
    models = [trained(prior=prior) for prior in ("flow", "gaussian", "unit")]
    for part in ("encoder", "decoder"):
        first, *others = (getattr(model, part).state_dict() for model in models)
        for other in others:
            assert all(torch.equal(first[name], other[name]) for name in first)


def test_control_equals_the_decoder() -> None:
    model = trained()
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(5, OBSERVATION_SIZE)).astype(np.float32)
    state = model.begin(obs, rng.normal(size=(5, 2)))
    actions = model.act(obs, state, 0)
    states, latents = torch.from_numpy(obs)[:, None], torch.from_numpy(state["latent"])
    expected = model.decode(states, latents)[:, 0].detach().numpy()
    np.testing.assert_allclose(actions, expected, atol=1e-6)
    assert actions.shape == (5, ACTION_SIZE) and np.abs(actions).max() < 1.0
    np.testing.assert_array_equal(actions, model.act(obs, state, 7))  # no memory, no clock
    assert model.finished(obs, state, 2).tolist() == [False] * 5
    assert model.finished(obs, state, 3).all()
    with pytest.raises(ShapeMismatch):
        model.begin(obs, np.zeros((5, 3)))


def test_the_whole_action_space_can_be_reached(generator: torch.Generator) -> None:
    observation_space, _ = spaces(OBSERVATION_SIZE, 2)
    low, high = np.array([-2.0, 0.0]), np.array([2.0, 10.0])
    model = ReskillModel.create(observation_space, Box(low, high, dtype=np.float64)).eval()
    obs = np.zeros((1, OBSERVATION_SIZE), np.float32)
    state = model.begin(obs, np.zeros((1, 4)))
    for sign, bound in ((-50.0, low), (50.0, high)):
        with torch.no_grad():
            model.decoder[-1].bias.fill_(sign)
        actions = model.act(obs, state, 0)
        assert actions.dtype == np.float32
        np.testing.assert_allclose(actions[0], bound, rtol=1e-6)
        decoded = model.decode(torch.from_numpy(obs)[:, None], torch.from_numpy(state["latent"]))
        np.testing.assert_allclose(decoded[0, 0].detach().numpy(), bound, rtol=1e-6)
    with pytest.raises(UnsupportedSpace, match=r"expected bounds, .* actions are bounded"):
        ReskillModel.create(observation_space, Box(-np.inf, 1.0, (2,)))


def test_learning_rates(tmp_path) -> None:
    """Trainer's for the autoencoder; 1e-3 for the prior, times 0.999 every 309 steps."""
    config = ReskillConfig()
    assert config.prior_learning_rate * config.prior_decay**309 == pytest.approx(0.999e-3)
    assert config.prior_learning_rate * config.prior_decay ** (200 * 309) == pytest.approx(
        8.2e-4, rel=3e-3
    )
    model = small_reskill(prior_decay=0.9)
    groups = model.parameter_groups(1e-4)
    assert [group["lr"] for group in groups] == [1e-4, 1e-3]
    parameters = [p for group in groups for p in group["params"]]
    assert {id(p) for p in parameters} == {id(p) for p in model.parameters()}
    settings = {"learning_rate": 0.02, "schedule": "constant", "batch_size": 8, "log_every": 1}
    before = copy.deepcopy(model.state_dict())
    pretrain(model, random_walks(), tmp_path, TrainerConfig(steps=6, **settings))
    moved = {
        part: max(
            (value - before[name]).abs().max().item()
            for name, value in getattr(model, part).state_dict(prefix=f"{part}.").items()
            if "running" not in name and "batches" not in name
        )
        for part in ("decoder", "latent_prior")
    }
    assert moved["decoder"] > 5 * moved["latent_prior"] > 0.0


def test_the_encoder_sees_every_observation_but_the_last() -> None:
    model = trained()
    observations, actions = random_batch(model)
    for index, seen in ((0, True), (-1, False)):
        changed = observations.clone()
        changed[:, index] += 1.0
        means = [model.encode(given, actions).mean for given in (observations, changed)]
        assert torch.equal(*means) != seen


def test_validation_judges_the_prior(generator: torch.Generator) -> None:
    model = trained()
    observations, actions = random_batch(model)
    scalars = model.validation((observations, actions), generator)
    assert set(scalars) == {"loss", "reconstruction", "kl", "prior_nll", "prior_best_mse"}
    generator.manual_seed(0)
    with torch.no_grad():
        model.loss((observations, actions), generator)  # draws first
        prior = model.latent_prior(observations[:, 0])
        mse = best_mse(lambda: model.decode(observations[:, :-1], prior.sample(generator)), actions)
    torch.testing.assert_close(scalars["prior_best_mse"], mse)


def test_presets_build_the_papers_models() -> None:
    import gymnasium as gym

    kinds = {"": "flow", "-gaussian": "gaussian", "-unit": "unit"}
    for source, size in (("block", 25), ("hook", 43)):
        for end, prior in kinds.items():
            preset = PRESETS[f"reskill-fetch-{source}{end}"]
            assert preset.model.prior == prior
        preset = PRESETS[f"reskill-fetch-{source}"]
        env = gym.make(preset.world)
        model = make_model(preset, env)
        env.close()
        assert isinstance(model, ReskillModel) and model.world == "fetch"
        assert model.observation_space.shape == (size,)


def test_a_checkpoint_keeps_noise_and_latents(tmp_path) -> None:
    model = trained()
    loaded = load_skill(save_skill(model, tmp_path / "model"))
    assert isinstance(loaded, ReskillModel) and loaded.config == model.config
    obs, noise = np.ones((2, OBSERVATION_SIZE)), np.array([[0.0, 1.0], [2.0, -3.0]])
    np.testing.assert_array_equal(
        loaded.begin(obs, noise)["latent"], model.begin(obs, noise)["latent"]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"prior": "vae"}, "known: 'flow', 'gaussian', 'unit'"),
        ({"latent_size": 3}, "an even number for a flow"),
        ({"flow_layers": 3}, "an even number"),
        ({"noise_bound": 0.0}, "a positive number"),
        ({"prior_decay": 1.1}, "from 0 to 1"),
        ({"layer_sizes": (8, 0)}, "an integer of at least 1"),
    ],
)
def test_what_cannot_work_is_refused(options, sentence) -> None:
    with pytest.raises(InvalidConfig, match=sentence):
        ReskillConfig(**options)
