"""SPiRL's models that see pictures."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from skillgym.data import PictureWindows, WindowDataset
from skillgym.errors import InvalidConfig, ShapeMismatch, UnusableEmbedding
from skillgym.hub import load_skill, save_skill
from skillgym.nn.conv import ConvEncoder, FoldedConv
from skillgym.nn.mlp import count_parameters
from skillgym.pretraining import TrainerConfig, pretrain
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl import ImageClosedLoopSpirl, ImageOpenLoopSpirl, ImageSpirlConfig
from skillgym.skills.spirl.losses import posterior_kl, prior_nll, reconstruction_loss
from skillgym_envs.maze import MazeWorld

KINDS = [ImageClosedLoopSpirl, ImageOpenLoopSpirl]
SMALL: dict[str, Any] = {
    **{"skill_horizon": 4, "latent_size": 2, "hidden_size": 16, "encoder_size": 8},
    **{"decoder_layers": 1, "prior_layers": 1, "conv_channels": 2, "picture_features": 4},
}
SPACES = MazeWorld(observation="image").layout.space(), MazeWorld().action_space


def small(kind: type[Any], **options: Any) -> Any:
    return kind.create(*SPACES, ImageSpirlConfig(**{**SMALL, **options}))


@pytest.fixture
def data() -> PictureWindows:
    """Episodes that circle in two mazes."""
    rng, episodes = np.random.default_rng(0), []
    for _ in range(8):
        angle = 0.3 * np.arange(30) + rng.uniform(0, 6)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        episodes.append((np.hstack([rng.uniform(3, 8, 2) + circle, circle]), circle[1:]))
    worlds = [{"size": 12, "layout_seed": index % 2} for index in range(8)]
    return PictureWindows.of_worlds(WindowDataset.from_episodes(episodes), worlds)


def batch(model: Any, data: PictureWindows, size: int = 3) -> tuple[torch.Tensor, ...]:
    arrays = model.draw(data, np.random.default_rng(0), size)
    return tuple(torch.from_numpy(array) for array in arrays)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_parameter_counts_of_the_authors() -> None:
    """Theirs has a scalar more in the closed-loop model."""
    closed = ImageClosedLoopSpirl.create(*SPACES)
    assert count_parameters(closed) == 358_747 - 1
    parts = (closed.prior, closed.pictures, closed.encoder, closed.decoder)
    assert [count_parameters(part) for part in parts] == [134_172, 27_528, 141_364, 55_682]
    assert count_parameters(ImageOpenLoopSpirl.create(*SPACES)) == 405_716


def test_convolutions_are_those_of_the_authors() -> None:
    convolutions = [m for m in ConvEncoder(6, 32, 8, 32) if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [
        (6, 8), (8, 16), (16, 32), (32, 32)
    ]  # fmt: skip
    assert [c.bias is not None for c in convolutions] == [True, False, False, True]
    assert ConvEncoder(3, 64, 4, 7)(torch.zeros(2, 5, 3, 64, 64)).shape == (2, 5, 7)


@pytest.mark.parametrize("size", [8, 32])
def test_the_copy_in_numpy_equals_the_network_and_follows_it(size: int) -> None:
    torch.manual_seed(0)
    network = ConvEncoder(3, size, 4, 5)
    x = torch.randn(6, 3, size, size)
    network(2.0 * x + 1.0)  # running statistics
    folded = FoldedConv(network.eval())
    for _ in range(2):
        expected = network(x).detach().numpy()
        together = folded(x.numpy())
        np.testing.assert_allclose(together, expected, atol=1e-5)
        for row in range(6):  # bit for bit, alone or with others
            np.testing.assert_array_equal(folded(x[row : row + 1].numpy())[0], together[row])
        with torch.no_grad():
            network[0].weight.mul_(2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_total_loss_is_the_weighted_sum(kind: type[Any], data: PictureWindows) -> None:
    """The skill begins with the second picture: the first of the H + 1 actions is not decoded."""
    model = small(kind, beta=0.3)
    observations, actions = batch(model, data)
    assert actions.shape == (3, 5, 2)
    assert observations.shape == (3, 5 if kind is ImageClosedLoopSpirl else 1, 6148)
    total, _ = model.loss((observations, actions), generator())
    features = model.features(observations)
    posterior = model.encode(features, actions)
    latents = posterior.sample(generator())
    expected = (
        reconstruction_loss(model.decode(features[:, :-1], latents), actions[:, 1:])
        + 0.3 * posterior_kl(posterior)
        + prior_nll(model.prior(observations[:, 0]), latents)
    )
    torch.testing.assert_close(total, expected)
    model.eval()
    measures = []
    for first in (0.0, 9.0):
        actions[:, 0] = first
        measures.append(model.validation((observations, actions), generator()))
    for name in ("prior_best_mse", "unit_best_mse"):
        assert measures[0][name] == measures[1][name]


@pytest.mark.parametrize("kind", KINDS)
def test_prior_sees_pictures_only_and_shares_no_gradient(
    kind: type[Any], data: PictureWindows
) -> None:
    model = small(kind).eval()
    observations, actions = batch(model, data)
    moved = observations.clone()
    moved[..., :4] += 1.0
    torch.testing.assert_close(model.prior(moved[:, 0]).mean, model.prior(observations[:, 0]).mean)
    for picture in (slice(4, 3076), slice(3076, None)):
        other = observations.clone()
        other[..., picture] *= 0.5
        assert (model.prior(other[:, 0]).mean != model.prior(observations[:, 0]).mean).any()
    features = model.features(observations)
    latents = model.encode(features, actions).sample(generator())
    prior_nll(model.prior(observations[:, 0]), latents).backward()
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None} == {
        "prior"
    }


def test_closed_loop_encoder_sees_what_actions_lead_to(data: PictureWindows) -> None:
    model = small(ImageClosedLoopSpirl).eval()
    observations, actions = batch(model, data)
    features = model.features(observations)
    steps = torch.cat([actions, features], dim=-1)  # [a_t, features of o_(t+1)]
    torch.testing.assert_close(model.encode(features, actions).mean, model.encoder(steps).mean)
    torch.testing.assert_close(
        features, model.pictures.conv(observations[..., 4:].reshape(3, 5, 6, 32, 32))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_skills_run_and_a_row_does_not_depend_on_the_others(
    kind: type[Any], data: PictureWindows
) -> None:
    model = small(kind)
    observations, actions = batch(model, data)
    model.loss((observations, actions), generator())
    model.eval()
    obs = observations[:, 0].numpy()
    skills = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    state = model.begin(obs, skills)
    acted = model.act(obs, state, 0)
    decoded = model.decode(
        model.features(observations[:, :1]), torch.from_numpy(skills)
    )[:, 0].clamp(-1, 1)  # fmt: skip
    np.testing.assert_allclose(acted, decoded.detach().numpy(), atol=1e-5)
    one = model.act(obs[:1], model.begin(obs[:1], skills[:1]), 0)
    np.testing.assert_allclose(one[0], acted[0], atol=1e-6)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.act(obs, state, 0), acted)


@pytest.mark.parametrize("kind", KINDS)
def test_training_learns_resumes_and_loads(
    kind: type[Any], data: PictureWindows, tmp_path: Path
) -> None:
    def train(folder: str, steps: int, resume: bool = False) -> Any:
        model = small(kind)
        config = TrainerConfig(
            steps=steps, batch_size=8, validation_share=0.2, log_every=4, schedule="constant"
        )
        result = pretrain(model, data, tmp_path / folder, config, resume=resume, world="maze")
        return model, result

    whole, result = train("whole", 8)
    train("parts", 4)
    parts, again = train("parts", 8, resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name
    assert result.metrics == again.metrics
    loaded = load_skill(str(tmp_path / "whole"))
    assert type(loaded) is kind and loaded.world == "maze"
    assert loaded.config == whole.config
    obs = data.sample(np.random.default_rng(1), 2, 1)[0][:, 0]
    expected = whole.prior(torch.from_numpy(obs)).mean
    torch.testing.assert_close(loaded.prior(torch.from_numpy(obs)).mean, expected)
    path = save_skill(ImageClosedLoopSpirl.create(*SPACES), tmp_path / "full", world="maze")
    assert sum(file.stat().st_size for file in path.rglob("*")) < 3e6


def test_what_does_not_fit_is_refused() -> None:
    state_space = MazeWorld().layout.space()
    with pytest.raises(ShapeMismatch, match="6148"):
        ImageClosedLoopSpirl(state_space, SPACES[1])
    with pytest.raises(InvalidConfig, match="image_size"):
        ImageSpirlConfig(image_size=24)
    with pytest.raises(UnusableEmbedding):
        SkildModel.from_embedding(small(ImageClosedLoopSpirl))


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_is_fitted_to_pictures_with_noise(kind: type[Any], data: PictureWindows) -> None:
    model = small(kind, prior_noise=(0.1, 0.7))
    observations, actions, noisy = batch(model, data)
    assert noisy.shape == observations[:, 0].shape
    assert (noisy != observations[:, 0]).any()

    def nll(*parts: torch.Tensor, train: bool) -> float:
        model.train(train)
        for layer in model.modules():  # only the pictures are to make a difference
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.eval()
        _, scalars = model.loss(parts, generator())
        return float(scalars["prior_nll"])

    plain = nll(observations, actions, train=True)
    assert nll(observations, actions, noisy, train=True) != plain
    assert nll(observations, actions, noisy, train=False) == plain
    with pytest.raises(InvalidConfig, match="two numbers"):
        ImageSpirlConfig(prior_noise=(0.1,))
