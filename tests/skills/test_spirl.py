"""SPiRL models: sizes, objective, isolation of gradients, and control through NumPy."""

from __future__ import annotations

import pickle
from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
import torch

from skillgym.errors import InvalidConfig, ShapeMismatch, UnsupportedSpace
from skillgym.nn.distributions import Gaussian
from skillgym.nn.mlp import count_parameters
from skillgym.skills.base import SkillModule
from skillgym.skills.spirl import ClosedLoopSpirl, FlatPrior, OpenLoopSpirl, SpirlConfig
from skillgym.skills.spirl.losses import best_mse, posterior_kl, prior_nll, reconstruction_loss
from skillgym.wrappers.common import NEEDED
from tests.skills.models import (
    ACTION_SIZE,
    MODELS,
    OBSERVATION_SIZE,
    random_batch,
    random_skills,
    small_model,
    spaces,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def with_gradient(module: torch.nn.Module) -> set[str]:
    """Names of the children that got a non-zero gradient."""
    return {
        name.split(".")[0]
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.count_nonzero() > 0
    }


@pytest.mark.parametrize(
    ("cls", "sizes", "options", "count"),
    [  # counts of the authors' code; its closed-loop models have one frozen scalar more
        (ClosedLoopSpirl, (60, 9), {}, 363_826 - 1),
        (ClosedLoopSpirl, (4, 2), {}, 340_523 - 1),
        (ClosedLoopSpirl, (97, 8), {}, 377_777 - 1),
        (ClosedLoopSpirl, (97, 8), {"encoder_size": 32}, 363_473 - 1),
        (OpenLoopSpirl, (60, 9), {}, 398_778),
    ],
)
def test_parameter_counts(
    cls: type[SkillModule], sizes: tuple[int, int], options: dict[str, int], count: int
) -> None:
    model = cls.create(*spaces(*sizes), SpirlConfig(**options))  # type: ignore[arg-type]
    assert count_parameters(model) == count
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_parameter_counts_of_the_kitchen_parts() -> None:
    model = ClosedLoopSpirl.create(*spaces(60, 9))
    parts = [count_parameters(part) for part in (model.encoder, model.decoder, model.prior)]
    assert parts == [160_148, 93_449, 110_228]
    assert count_parameters(FlatPrior.create(*spaces(60, 9))) == 93_330


@pytest.mark.parametrize("cls", [ClosedLoopSpirl, OpenLoopSpirl])
def test_total_loss_is_the_weighted_sum(
    cls: type[ClosedLoopSpirl], generator: torch.Generator
) -> None:
    model = small_model(cls, beta=0.3)
    assert isinstance(model, cls)
    observations, actions = random_batch(model)
    total, scalars = model.loss((observations, actions), generator)
    posterior = model.encode(observations, actions)
    latents = posterior.sample(torch.Generator().manual_seed(0))
    expected = (
        reconstruction_loss(model.decode(observations[:, :-1], latents), actions)
        + 0.3 * posterior_kl(posterior)
        + prior_nll(model.prior(observations[:, 0]), latents)
    )
    torch.testing.assert_close(total, expected)
    parts = scalars["reconstruction"] + 0.3 * scalars["kl"] + scalars["prior_nll"]
    torch.testing.assert_close(total.detach(), parts)


@pytest.mark.parametrize(("cls", "earlier"), [(ClosedLoopSpirl, 0), (OpenLoopSpirl, 2)])
def test_validation_decodes_the_best_draws_of_unit_gaussian_and_prior(
    cls: type[ClosedLoopSpirl], earlier: int, generator: torch.Generator
) -> None:
    """Actions before the skill are not those that it should decode to."""
    model = small_model(cls).eval()
    assert isinstance(model, cls)
    observations, actions = random_batch(model)
    batch = observations, torch.cat([torch.randn(5, earlier, ACTION_SIZE), actions], dim=1)
    scalars = model.validation(batch, generator)
    generator.manual_seed(0)
    with torch.no_grad():
        model.loss(batch, generator)  # draws first
        prior, states = model.prior(observations[:, 0]), observations[:, :-1]
        unit = Gaussian.standard_like(prior.mean)
        for name, source in (("unit_best_mse", unit), ("prior_best_mse", prior)):
            mse = best_mse(lambda of=source: model.decode(states, of.sample(generator)), actions)
            torch.testing.assert_close(scalars[name], mse)


@pytest.mark.parametrize("prior", ["gaussian", "mixture", "flow"])
@pytest.mark.parametrize("cls", [ClosedLoopSpirl, OpenLoopSpirl])
def test_prior_and_autoencoder_share_no_gradient(
    cls: type[ClosedLoopSpirl], prior: str, generator: torch.Generator
) -> None:
    model = small_model(cls, prior=prior)
    assert isinstance(model, cls)
    observations, actions = random_batch(model)
    latents = model.encode(observations, actions).sample(generator)
    prior_nll(model.prior(observations[:, 0]), latents).backward()
    assert with_gradient(model) == {"prior"}
    model.zero_grad()
    latents = model.encode(observations, actions).sample(generator)
    decoded = model.decode(observations[:, :-1], latents)
    (reconstruction_loss(decoded, actions) + decoded.mean()).backward()
    assert "prior" not in with_gradient(model)
    assert {"encoder", "decoder"} <= with_gradient(model)


def test_with_a_frozen_autoencoder_only_the_prior_learns(generator: torch.Generator) -> None:
    model = small_model(ClosedLoopSpirl)
    assert isinstance(model, ClosedLoopSpirl)
    model.encoder.requires_grad_(False)
    model.decoder.requires_grad_(False)
    model.loss(random_batch(model), generator)[0].backward()
    assert with_gradient(model) == {"prior"}
    trained = {id(p) for group in model.parameter_groups(1e-3) for p in group["params"]}
    assert trained == {id(p) for p in model.prior.parameters()}


def test_only_the_prior_sees_noise_and_only_in_training(generator: torch.Generator) -> None:
    plain = small_model(ClosedLoopSpirl)
    noisy = small_model(ClosedLoopSpirl, prior_noise=(1.0,) * OBSERVATION_SIZE)
    batch = random_batch(plain)
    noisy.load_state_dict(plain.state_dict())
    for training in (False, True):  # in training, BatchNorm's statistics drift apart
        terms = []
        for model in (plain.train(training), noisy.train(training)):
            _, scalars = model.loss(batch, generator.manual_seed(0))
            terms.append({name: value.item() for name, value in scalars.items()})
        assert (terms[0] == terms[1]) is not training
        for name in ("reconstruction", "kl"):
            assert terms[0][name] == terms[1][name]


def test_the_noise_of_an_entry_has_its_own_deviation(generator: torch.Generator) -> None:
    deviations = (1.0, *[1e-3] * (OBSERVATION_SIZE - 1))
    model = small_model(ClosedLoopSpirl, prior_noise=deviations)
    assert isinstance(model, ClosedLoopSpirl)
    states = torch.ones(4000, OBSERVATION_SIZE)
    noise = model._with_noise(states, generator) - states
    torch.testing.assert_close(noise.std(0), torch.tensor(deviations), rtol=0.1, atol=0)


def test_a_prior_with_fourier_features_tells_near_places_apart(
    generator: torch.Generator,
) -> None:
    """Latents that change their sign every 5 cm, 40 m from the origin."""
    losses = []
    for options in ({}, {"prior_positions": 1, "prior_frequencies": (1.0, 10.0)}):
        model = small_model(ClosedLoopSpirl, **options)
        optimizer = torch.optim.Adam(model.prior.parameters(), 1e-2)
        for _ in range(150):
            states = torch.zeros(128, OBSERVATION_SIZE)
            states[:, 0] = 40 + torch.rand(128, generator=generator)
            latents = torch.sin(2 * torch.pi * 10 * states[:, :1]).sign().expand(-1, 2)
            loss = prior_nll(model.prior(states), latents)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0] - 1.0


def test_analytic_prior_loss(generator: torch.Generator) -> None:
    model = small_model(ClosedLoopSpirl, prior_loss="kl")
    model.loss(random_batch(model), generator)[0].backward()
    assert with_gradient(model) >= {"encoder", "decoder", "prior"}
    with pytest.raises(InvalidConfig, match="prior_loss"):
        SpirlConfig(prior="flow", prior_loss="kl")


def test_target_kl_learns_beta_with_its_own_rate(generator: torch.Generator) -> None:
    model = small_model(ClosedLoopSpirl, target_kl=1e3, beta_learning_rate=0.1)
    assert isinstance(model, ClosedLoopSpirl)
    groups = model.parameter_groups(1e-3)
    assert [group["lr"] for group in groups] == [1e-3, 1e-3, 0.1]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    optimizer = torch.optim.Adam(groups)
    _, scalars = model.loss(random_batch(model), generator)
    assert scalars["beta"].item() == 1.0
    for _ in range(3):
        optimizer.zero_grad()
        model.loss(random_batch(model), generator)[0].backward()
        optimizer.step()
    assert model.log_beta.item() == pytest.approx(-0.3, abs=0.01)


def test_a_learned_beta_weighs_the_kl_which_moves_it_only_by_its_target(
    generator: torch.Generator,
) -> None:
    model = small_model(ClosedLoopSpirl, target_kl=0.25)
    assert isinstance(model, ClosedLoopSpirl)
    with torch.no_grad():
        model.log_beta.fill_(np.log(2.0))
    total, scalars = model.loss(random_batch(model), generator)
    parts = scalars["reconstruction"] + 2.0 * scalars["kl"] + scalars["prior_nll"]
    torch.testing.assert_close(scalars["loss"], parts)
    total.backward()
    torch.testing.assert_close(model.log_beta.grad, 2.0 * (0.25 - scalars["kl"]))


@pytest.mark.parametrize("cls", MODELS)
def test_protocol(cls: type[SkillModule]) -> None:
    model = small_model(cls)
    assert all(hasattr(model, name) for name in (*NEEDED, "prior"))
    before = deepcopy(model.state_dict())
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(7, OBSERVATION_SIZE))
    skill = random_skills(model, rng, 7)
    state = model.begin(obs, skill)
    for t in range(model.max_steps):
        action = model.act(obs, state, t)
        assert action.dtype == np.float32 and action.shape == (7, ACTION_SIZE)
        assert all(model.action_space.contains(row) for row in action)
        assert np.array_equal(model.finished(obs, state, t), np.full(7, t + 1 == model.max_steps))
        action[:] = np.nan  # must not reach the state
    assert all(len(array) == 7 and np.isfinite(array).all() for array in state.values())
    assert model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("cls", MODELS)
def test_rows_do_not_depend_on_each_other(cls: type[SkillModule]) -> None:
    model = small_model(cls)
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(5, OBSERVATION_SIZE))
    skill = random_skills(model, rng, 5)
    together = model.act(obs, model.begin(obs, skill), 0)
    alone = model.act(obs[2:3], model.begin(obs[2:3], skill[2:3]), 0)
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)


@pytest.mark.parametrize("cls", [ClosedLoopSpirl, OpenLoopSpirl])
def test_control_equals_the_decoder_in_evaluation_mode(
    cls: type[ClosedLoopSpirl], generator: torch.Generator
) -> None:
    model = small_model(cls)
    assert isinstance(model, cls)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        model.loss(random_batch(model), generator)[0].backward()
        optimizer.step()
    observations, _ = random_batch(model, seed=1)
    latents = torch.randn(5, 2, generator=generator)
    expected = model.eval().decode(observations[:, :-1], latents).clamp(-1, 1).detach().numpy()
    state = model.begin(observations[:, 0].numpy(), latents.numpy())
    for t in range(model.max_steps):
        actions = model.act(observations[:, t].numpy(), state, t)
        np.testing.assert_allclose(actions, expected[:, t], atol=1e-5)
    copies = (deepcopy(model), pickle.loads(pickle.dumps(model)))
    for copy in copies:
        again = copy.act(observations[:, 0].numpy(), state, 0)
        np.testing.assert_allclose(again, expected[:, 0], atol=1e-5)


def test_squashing_replaces_clipping() -> None:
    clipped, squashed = (
        small_model(ClosedLoopSpirl, squash_actions=squash) for squash in (False, True)
    )
    obs = 10 * np.random.default_rng(0).normal(size=(50, OBSERVATION_SIZE))
    skill = np.zeros((50, 2))
    assert isinstance(clipped, ClosedLoopSpirl)
    steps = torch.from_numpy(np.concatenate([obs, skill], axis=1).astype(np.float32))
    raw = clipped.decoder.eval()(steps).detach().numpy()
    assert np.abs(raw).max() > 1.0
    actions = [model.act(obs, model.begin(obs, skill), 0) for model in (clipped, squashed)]
    np.testing.assert_allclose(actions[0], raw.clip(-1, 1), atol=1e-4)
    np.testing.assert_allclose(actions[1], np.tanh(raw), atol=1e-4)


def test_closed_loop_reacts_and_open_loop_does_not() -> None:
    for cls, reacts in ((ClosedLoopSpirl, True), (OpenLoopSpirl, False)):
        model = small_model(cls)
        obs = np.zeros((1, OBSERVATION_SIZE))
        state = model.begin(obs, np.ones((1, 2)))
        same = np.array_equal(model.act(obs, state, 1), model.act(obs + 1, state, 1))
        assert same != reacts


def test_flat_prior_is_an_action_model() -> None:
    model = small_model(FlatPrior)
    obs = np.zeros((2, OBSERVATION_SIZE))
    skill = np.array([[0.5, -0.5, 3.0], [0.1, 0.2, -0.3]])
    action = model.act(obs, model.begin(obs, skill), 0)
    np.testing.assert_allclose(action, skill.clip(-1, 1), rtol=1e-6)
    assert model.skill_space == model.action_space and model.max_steps == 1
    observations = torch.zeros(2, OBSERVATION_SIZE)
    assert model.eval().prior(observations).log_prob(torch.zeros(2, ACTION_SIZE)).shape == (2,)


def test_encoder_ignores_the_last_observation() -> None:
    model = small_model(ClosedLoopSpirl)
    assert isinstance(model, ClosedLoopSpirl)
    observations, actions = random_batch(model)
    before = model.encode(observations, actions).mean
    observations[:, -1] += 1
    assert torch.equal(before, model.encode(observations, actions).mean)
    observations[:, -2] += 1
    assert not torch.equal(before, model.encode(observations, actions).mean)


@pytest.mark.parametrize("cls", [ClosedLoopSpirl, OpenLoopSpirl])
def test_overfits_four_windows(cls: type[SkillModule], generator: torch.Generator) -> None:
    model = small_model(cls, beta=1e-5)
    batch = random_batch(model, size=4)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    first = model.validation(batch, torch.Generator().manual_seed(0))
    for _ in range(300):
        optimizer.zero_grad()
        model.loss(batch, generator)[0].backward()
        optimizer.step()
    last = model.validation(batch, torch.Generator().manual_seed(0))
    offset = 0.5 * np.log(2 * np.pi)
    assert last["reconstruction"] - offset < 0.1 * (first["reconstruction"] - offset)
    assert last["prior_best_mse"] < 0.3 * first["prior_best_mse"]


def test_create_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    models = [ClosedLoopSpirl.create(*spaces(4, 2), seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(before, torch.random.get_rng_state())
    weights = [model.encoder.head.weight for model in models]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_wrong_shapes_are_refused() -> None:
    model = small_model(ClosedLoopSpirl)
    with pytest.raises(ShapeMismatch, match=r"observations of shape \(6,\), expected \(B, 6\)"):
        model.begin(np.zeros(6), np.zeros((1, 2)))
    with pytest.raises(ShapeMismatch, match=r"skills of shape \(1, 2\), expected \(3, 2\)"):
        model.begin(np.zeros((3, 6)), np.zeros((1, 2)))


def test_other_spaces_are_refused() -> None:
    box, action = spaces(4, 2)
    with pytest.raises(UnsupportedSpace, match="action space Discrete"):
        ClosedLoopSpirl(box, gym.spaces.Discrete(3))
    with pytest.raises(UnsupportedSpace, match="flatten"):
        ClosedLoopSpirl(gym.spaces.Dict(observation=box), action)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("skill_horizon", 0),
        ("latent_bound", 0.0),
        ("beta", -1.0),
        ("prior_positions", 2),
        ("prior_positions", -1),
        ("prior_noise", (-0.1,)),
    ],
)
def test_impossible_configurations_are_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidConfig, match=f"Got {field}="):
        SpirlConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"prior_noise": (0.1,)}, {"prior_positions": 7, "prior_frequencies": (1.0,)}],
)
def test_a_prior_that_does_not_fit_the_observation_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidConfig, match=f"Got {next(iter(options))}="):
        small_model(ClosedLoopSpirl, **options)
