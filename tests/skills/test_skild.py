"""SkiLD's model: what is frozen, what learns, and that its parts belong together."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from skillgym.data import Demonstrations, WindowDataset
from skillgym.errors import ForeignEmbedding, InvalidConfig, ShapeMismatch, UnusableEmbedding
from skillgym.hub import load_skill, save_skill
from skillgym.nn.mlp import count_parameters
from skillgym.pretraining import TrainerConfig, pretrain
from skillgym.skills.skild import Discriminator, SkildConfig, SkildModel
from skillgym.skills.skild.losses import (
    accuracy,
    discriminator_loss,
    gradient_penalty,
    log_odds_reward,
)
from skillgym.skills.spirl import ClosedLoopSpirl, OpenLoopSpirl
from skillgym.skills.spirl.losses import best_mse, prior_nll
from tests.skills.models import (
    ACTION_SIZE,
    OBSERVATION_SIZE,
    random_batch,
    random_walks,
    small_model,
    spaces,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def embedding(seed: int = 0) -> ClosedLoopSpirl:
    """A small embedding whose running statistics are not those of a fresh one."""
    model = small_model(ClosedLoopSpirl)
    assert isinstance(model, ClosedLoopSpirl)
    for batch in range(3):
        model.loss(random_batch(model, 16, seed + batch), torch.Generator().manual_seed(batch))
    return model.eval()


@pytest.fixture
def model() -> SkildModel:
    return SkildModel.from_embedding(embedding())


def test_sizes() -> None:
    assert count_parameters(Discriminator(60)) == 5_153
    assert count_parameters(Discriminator(97)) == 6_337
    kitchen = SkildModel.create(*spaces(60, 9))
    assert count_parameters(kitchen) == 363_825 + 110_228 + 5_153
    assert count_parameters(kitchen.posterior) == count_parameters(kitchen.prior)
    assert not any(isinstance(m, torch.nn.BatchNorm1d) for m in kitchen.discriminator.modules())


def test_it_has_the_skills_of_its_embedding(model: SkildModel) -> None:
    source = embedding()
    assert model.skill_space == source.skill_space
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(5, OBSERVATION_SIZE))
    skill = rng.normal(size=(5, 2))
    for t in range(source.max_steps):
        actions = [m.act(obs, m.begin(obs, skill), t) for m in (source, model)]
        np.testing.assert_array_equal(actions[0], actions[1])
    states = torch.randn(4, OBSERVATION_SIZE)
    torch.testing.assert_close(model.prior(states).mean, source.prior(states).mean)


def test_the_posterior_is_a_new_network(model: SkildModel) -> None:
    shapes = {name: value.shape for name, value in model.prior.state_dict().items()}
    assert shapes == {name: value.shape for name, value in model.posterior.state_dict().items()}
    weights = model.prior.net.input.weight, model.posterior.net.input.weight
    assert not torch.equal(*weights)


def test_the_posterior_is_fitted_with_the_noise_of_the_prior(generator: torch.Generator) -> None:
    """Only in training, where it makes the likelihood another one."""
    likelihoods = []
    for noise in ((), (1.0,) * OBSERVATION_SIZE):
        model = SkildModel.from_embedding(small_model(ClosedLoopSpirl, prior_noise=noise))
        batch = random_batch(model)
        evaluated = model.eval().loss(batch, generator.manual_seed(0))[1]
        trained = model.train().loss(batch, generator.manual_seed(0))[1]
        likelihoods.append([scalars["posterior_nll"].item() for scalars in (evaluated, trained)])
    (plain, plain_trained), (noisy, noisy_trained) = likelihoods
    assert plain == noisy
    assert plain_trained != noisy_trained


def test_the_posterior_may_start_as_the_prior() -> None:
    source = embedding()
    model = SkildModel.from_embedding(source, posterior="prior").eval()
    states = torch.randn(4, OBSERVATION_SIZE)
    torch.testing.assert_close(model.posterior(states).mean, source.prior(states).mean)
    torch.testing.assert_close(model.posterior(states).log_std, source.prior(states).log_std)
    assert all(p.requires_grad for p in model.posterior.parameters())
    assert not any(p.requires_grad for p in model.prior.parameters())
    model.posterior.net.head.bias.data += 1  # a copy: the prior stays
    torch.testing.assert_close(model.prior(states).mean, source.prior(states).mean)
    with pytest.raises(InvalidConfig, match="posterior='posterior'"):
        SkildModel.from_embedding(source, posterior="posterior")  # type: ignore[arg-type]


def test_only_posterior_and_discriminator_learn(
    model: SkildModel, generator: torch.Generator
) -> None:
    before = deepcopy(model.state_dict())
    groups = model.train().parameter_groups(1e-2)
    optimizer = torch.optim.Adam(groups)
    for seed in range(5):
        optimizer.zero_grad()
        model.loss(random_batch(model, 16, seed), generator)[0].backward()
        optimizer.step()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in with_gradient} == {"posterior", "discriminator"}
    moved = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert {name.split(".")[0] for name in moved} == {"posterior", "discriminator"}
    # Running statistics of the embedding stay, those of the posterior are learned.
    assert any("running_mean" in name for name in moved)
    model.verify()


def test_the_two_losses_share_no_gradient(model: SkildModel, generator: torch.Generator) -> None:
    observations, actions, demonstrated, others = random_batch(model)
    latents = model.encode(observations, actions).sample(generator)
    prior_nll(model.posterior(observations[:, 0]), latents).backward()
    assert all(p.grad is None for p in model.discriminator.parameters())
    model.zero_grad()
    discriminator_loss(model.discriminator(demonstrated), model.discriminator(others)).backward()
    assert all(p.grad is None for p in model.posterior.parameters())


def test_the_loss_is_likelihood_and_cross_entropy(
    model: SkildModel, generator: torch.Generator
) -> None:
    observations, actions, demonstrated, others = batch = random_batch(model)
    total, scalars = model.eval().loss(batch, generator)
    latents = model.encode(observations, actions).sample(torch.Generator().manual_seed(0))
    posterior = model.posterior(observations[:, 0])
    normal = torch.distributions.Normal(posterior.mean, posterior.std)
    nll = -normal.log_prob(latents).sum(-1).mean()
    ones = torch.sigmoid(model.discriminator(demonstrated))
    zeros = torch.sigmoid(model.discriminator(others))
    entropy = -(ones.log().sum() + (1 - zeros).log().sum()) / 10
    torch.testing.assert_close(total, nll + entropy)
    torch.testing.assert_close(scalars["posterior_nll"], nll.detach())
    torch.testing.assert_close(scalars["discriminator_loss"], entropy.detach())


def test_the_fallback_is_a_divergence_weighted_by_where_demonstrations_are_not() -> None:
    """One joint pass; the mean of many single samples is the closed form of two Gaussians."""
    model = SkildModel.from_embedding(embedding(), fallback_weight=0.5).eval()
    with torch.no_grad():
        model.posterior.net.head.bias += 1.0
    batch, others = random_batch(model), random_batch(model)[3]
    generator = torch.Generator().manual_seed(0)
    drawn = [model.loss(batch, generator) for _ in range(500)]
    mean = {name: torch.stack([row[name] for _, row in drawn]).mean() for name in drawn[0][1]}
    divergence = model.posterior(others).kl(model.prior(others)).sum(-1)
    foreign = 1.0 - torch.sigmoid(model.discriminator(others))
    expected = (foreign * divergence).mean()
    torch.testing.assert_close(mean["posterior_fallback"], expected.detach(), rtol=0.1, atol=0.0)
    total = mean["posterior_nll"] + mean["discriminator_loss"] + 0.5 * mean["posterior_fallback"]
    torch.testing.assert_close(mean["loss"], total)
    model.zero_grad()
    (drawn[0][0] - drawn[0][1]["discriminator_loss"]).backward()
    assert all(p.grad is not None for p in model.posterior.parameters())
    entropy = discriminator_loss(*(model.discriminator(states) for states in batch[2:]))
    parameters = list(model.discriminator.parameters())  # no other term moves them
    gradients = torch.autograd.grad(entropy, parameters)
    torch.testing.assert_close([p.grad for p in parameters], list(gradients))


def test_with_the_fallback_the_posterior_stays_the_prior_elsewhere() -> None:
    """Demonstrations around 2, all other states around -2."""
    divergences = []
    for weight in (0.0, 1.0):
        model = SkildModel.from_embedding(embedding(), posterior="prior", fallback_weight=weight)
        optimizer = torch.optim.Adam(model.train().parameter_groups(1e-2))
        generator = torch.Generator().manual_seed(0)
        for seed in range(100):
            observations, actions, demonstrated, others = random_batch(model, 32, seed)
            batch = observations * 0.1 + 2, actions * 0.1, demonstrated * 0.1 + 2, others * 0.1 - 2
            optimizer.zero_grad()
            model.loss(batch, generator)[0].backward()
            optimizer.step()
        model.eval()
        divergences.append(model.posterior(batch[3]).kl(model.prior(batch[3])).sum(-1).mean())
    assert divergences[1] < 0.1 < divergences[0]


def test_validation_decodes_the_best_draws_of_the_posterior(
    model: SkildModel, generator: torch.Generator
) -> None:
    observations, actions, *states = random_batch(model)
    batch = observations, actions, *states
    scalars = model.eval().validation(batch, generator)
    generator.manual_seed(0)
    with torch.no_grad():
        model.loss(batch, generator)  # draws first
        posterior = model.posterior(observations[:, 0])
        mse = best_mse(
            lambda: model.decode(observations[:, :-1], posterior.sample(generator)), actions
        )
    torch.testing.assert_close(scalars["posterior_best_mse"], mse)


def test_closed_forms_of_the_discriminator() -> None:
    nothing = torch.zeros(3)
    assert accuracy(nothing, nothing).item() == 0.5
    assert discriminator_loss(nothing, nothing).item() == pytest.approx(math.log(2))
    assert discriminator_loss(nothing + 100, nothing - 100).item() == pytest.approx(0.0, abs=1e-6)
    right = accuracy(torch.tensor([1.0, -1.0]), torch.tensor([-1.0, 1.0, -2.0, -3.0]))
    assert right.item() == pytest.approx(4 / 6)
    probability = torch.tensor([0.5, 0.9, 0.01], dtype=torch.float64)
    reward = log_odds_reward(torch.logit(probability))
    torch.testing.assert_close(reward, probability.log() - (1 - probability).log())
    assert log_odds_reward(torch.tensor([1e4, -1e4])).tolist() == pytest.approx(
        [46.05, -46.05], 1e-3
    )
    given = torch.tensor([-16.0, 0.0, 3.0, 18.0])
    expected = [-16.0, 0.0, 3.0, 20 * math.log(10)]  # 1 - D is zero
    assert log_odds_reward(given, None).tolist() == pytest.approx(expected, rel=1e-3)


class Linear(torch.nn.Module):
    """Logit 3 x_0 + 4 x_1: the norm of its gradient is 5 everywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.tensor([3.0, 4.0])


def test_gradient_penalty_of_a_linear_discriminator() -> None:
    states = torch.randn(6, 2), torch.randn(6, 2)
    assert gradient_penalty(Linear(), *states).item() == pytest.approx(16.0)


class Quadratic(torch.nn.Module):
    """Logit x^2 / 2: its gradient is x."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 * x.square().sum(-1)


def test_gradient_penalty_is_taken_at_points_all_the_way_between_the_states() -> None:
    torch.manual_seed(0)
    states = torch.zeros(20_000, 1), torch.ones(20_000, 1)
    # The mean of (u - 1)^2 over u from 0 to 1.
    assert gradient_penalty(Quadratic(), *states).item() == pytest.approx(1 / 3, abs=0.01)


def shifted_walks(num_episodes: int, offset: float) -> WindowDataset:
    walks = random_walks(num_episodes)
    walks.observations += np.float32(offset)
    return walks


def test_it_learns_to_tell_demonstrations_and_to_imitate_them(tmp_path: Path) -> None:
    skills = embedding()
    with torch.no_grad():
        skills.encoder.head.bias[:2] += 2.0  # far from where a fresh posterior is
    model = SkildModel.from_embedding(skills)
    data = Demonstrations(shifted_walks(6, 1.0), shifted_walks(12, -1.0))
    config = TrainerConfig(
        steps=120, batch_size=32, learning_rate=1e-2, validate_every=120, validation_batches=1
    )
    batch = tuple(torch.from_numpy(a) for a in model.draw(data, np.random.default_rng(0), 64))
    first = model.eval().validation(batch, torch.Generator().manual_seed(0))
    metrics = pretrain(model, data, tmp_path, config, world="toy", dataset="d").metrics
    assert metrics["validation/discriminator_accuracy"] > 0.95
    assert metrics["validation/discriminator_loss"] < 0.25
    last = model.validation(batch, torch.Generator().manual_seed(0))
    assert last["posterior_nll"] < first["posterior_nll"] - 1.0
    loaded = load_skill(tmp_path)
    assert isinstance(loaded, SkildModel) and loaded.config.embedding == model.config.embedding


def test_draw(model: SkildModel) -> None:
    data = Demonstrations(shifted_walks(3, 100.0), random_walks(4))
    first, second = (model.draw(data, np.random.default_rng(0), 7) for _ in range(2))
    assert [array.shape for array in first] == [
        (7, 5, OBSERVATION_SIZE),
        (7, 4, ACTION_SIZE),
        (7, OBSERVATION_SIZE),
        (7, OBSERVATION_SIZE),
    ]
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert first[0].min() > 50 and first[2].min() > 50 and first[3].max() < 50
    assert not np.isin(first[2], first[0][:, 0]).all()  # all states, also where no window begins


@pytest.mark.parametrize(
    ("foreign", "what"), [("demonstrations", "data"), ("task_agnostic", "task-agnostic data")]
)
@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ((OBSERVATION_SIZE + 1, ACTION_SIZE), "observations"),
        ((OBSERVATION_SIZE, ACTION_SIZE + 1), "actions"),
    ],
)
def test_data_of_another_world_are_refused_before_there_is_a_run(
    foreign: str, what: str, sizes: tuple[int, int], name: str, model: SkildModel, tmp_path: Path
) -> None:
    data = Demonstrations(random_walks(6), random_walks(6))
    episodes = [(np.zeros((21, sizes[0])), np.zeros((20, sizes[1])))] * 6
    data = replace(data, **{foreign: WindowDataset.from_episodes(episodes)})
    with pytest.raises(ShapeMismatch, match=f"Got {what} with {name} of shape"):
        pretrain(model, data, tmp_path / "run", TrainerConfig(steps=1, validation_share=0.3))
    assert not (tmp_path / "run").exists()


def test_both_parts_of_the_data_are_split() -> None:
    train, validation = Demonstrations(random_walks(6), random_walks(20)).split(
        0.1, np.random.default_rng(0)
    )
    assert (train.demonstrations.num_episodes, validation.demonstrations.num_episodes) == (5, 1)
    assert (train.task_agnostic.num_episodes, validation.task_agnostic.num_episodes) == (18, 2)


def test_a_checkpoint_with_a_foreign_embedding_is_refused(
    model: SkildModel, tmp_path: Path
) -> None:
    directory = save_skill(model, tmp_path / "model")
    load_skill(directory)
    path = directory / "model.safetensors"
    tensors, other = load_file(path), SkildModel.from_embedding(embedding(seed=50))
    foreign = {name: value for name, value in other.state_dict().items() if "decoder" in name}
    save_file({**tensors, **foreign}, path)
    with pytest.raises(ForeignEmbedding, match=r"Got a skill embedding with sha256 .* expected"):
        load_skill(directory)


def test_one_changed_number_of_the_embedding_is_enough(model: SkildModel) -> None:
    model.verify()
    with torch.no_grad():
        model.posterior.net.head.bias += 1.0
    model.verify()
    with torch.no_grad():
        model.prior.net.head.bias[0] += 1e-6
    with pytest.raises(ForeignEmbedding):
        model.verify()


def test_other_skills_are_no_embedding() -> None:
    with pytest.raises(UnusableEmbedding, match=r"Got a OpenLoopSpirl .* ClosedLoopSpirl"):
        SkildModel.from_embedding(small_model(OpenLoopSpirl))


def test_an_embedding_with_a_learned_beta_and_one_of_another_task(model: SkildModel) -> None:
    learned = SkildModel.from_embedding(small_model(ClosedLoopSpirl, target_kl=0.5))
    assert "log_beta" not in learned.state_dict()
    again = SkildModel.from_embedding(model, seed=1, discriminator_size=8)
    assert again.config.embedding == model.config.embedding
    assert again.discriminator.net.input.out_features == 8
    weights = again.posterior.net.input.weight, model.posterior.net.input.weight
    assert not torch.equal(*weights)


def test_config(model: SkildModel, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="discriminator_size=0"):
        SkildConfig(discriminator_size=0)
    content = json.loads((save_skill(model, tmp_path / "m") / "config.json").read_text())
    assert content["type"] == "skild" and len(content["config"]["embedding"]) == 64
    assert model.behaviour is model.posterior
    assert embedding().behaviour is not None
