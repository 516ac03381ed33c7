"""PTGM: codebook, labels, losses, acting towards a code, and the authors' checkpoints."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode

import skillgym
from skillgym.cli.pretrain import PRESETS, make_model
from skillgym.data import WindowDataset
from skillgym.errors import (
    CheckpointMismatch,
    InvalidConfig,
    NotEnoughData,
    ShapeMismatch,
    SkillOutOfRange,
)
from skillgym.evaluation.prior import prior_policy
from skillgym.hub import load_skill, save_skill
from skillgym.hub.checkpoint import tensors_to_bytes
from skillgym.nn.distributions import Categorical, Gaussian
from skillgym.nn.mlp import count_parameters
from skillgym.pretraining import TrainerConfig, pretrain
from skillgym.rl import DiscretePriorSAC
from skillgym.skills.ptgm import KITCHEN_GOAL, Ptgm, PtgmConfig, read_published, register_features
from skillgym.skills.ptgm import features as feature_functions
from skillgym.skills.ptgm.codebook import (
    build_codebook,
    moments,
    nearest_members,
    standardised,
    subsample,
)
from skillgym.skills.ptgm.errors import NoCodebook, UnreadablePublished
from skillgym.skills.ptgm.losses import nearest_codes, policy_nll, prior_nll
from skillgym.wrappers import SkillActions
from skillgym_envs.kitchen import KitchenWorld
from tests.skills.models import (
    OBSERVATION_SIZE,
    random_batch,
    random_walks,
    small_ptgm,
    spaces,
)

WORLD = KitchenWorld()


def clusters(num_clusters: int = 5, size: int = 60) -> np.ndarray:
    """Points around well separated centres, (num_clusters * size, 4)."""
    rng = np.random.default_rng(0)
    centers = 20 * np.eye(num_clusters, 4) * np.arange(1, num_clusters + 1)[:, None]
    points = centers[:, None] + 0.1 * rng.normal(size=(num_clusters, size, 4))
    return points.reshape(-1, 4).astype(np.float32)


@pytest.mark.parametrize("method", ["tsne", "kmeans"])
def test_the_codebook_has_a_real_state_of_every_cluster(method: Any) -> None:
    points = clusters()
    config = PtgmConfig(num_codes=5, codebook=method, codebook_start=0, codebook_stride=2)
    first, second = (build_codebook(points, lambda x: x[:, :3], config, seed=1) for _ in range(2))
    assert first.codes.shape == (5, 3) and first.observations.shape == (5, 4)
    np.testing.assert_array_equal(first.observations, points[first.rows])
    np.testing.assert_array_equal(first.codes, first.observations[:, :3])
    assert sorted(first.rows // 60) == [0, 1, 2, 3, 4]
    assert (first.rows % 2 == 0).all()
    np.testing.assert_array_equal(first.rows, second.rows)


def test_the_nearest_member_is_chosen() -> None:
    points = clusters(3).astype(np.float64)
    for row in nearest_members(points, 3, seed=0):
        members = points[row // 60 * 60 : row // 60 * 60 + 60]
        distances = np.linalg.norm(members - members.mean(0), axis=1)
        assert row % 60 == distances.argmin()


def test_sub_sampling() -> None:
    assert subsample(40, PtgmConfig()).tolist() == [8, 14, 20, 26, 32, 38]
    rows = subsample(100_000, PtgmConfig(codebook_samples=100))
    assert len(rows) == 100 and rows[0] == 8 and rows[-1] > 99_980
    assert set(np.diff(rows) % 6) == {0}


def test_goals_of_one_number_are_embedded_too() -> None:
    config = PtgmConfig(num_codes=3, codebook_start=0, codebook_stride=1)
    points = np.repeat([0.0, 10.0, 50.0], 30)[:, None] + np.linspace(0, 1, 90)[:, None]
    book = build_codebook(points.astype(np.float32), lambda x: x, config, seed=0)
    assert sorted(book.rows // 30) == [0, 1, 2]


def test_constant_entries_of_many_states_are_constant() -> None:
    goals = np.full((130_000, 3), 0.9, np.float32)
    goals[:, 0] = np.linspace(0, 1, len(goals))
    mean, std = moments(goals)
    np.testing.assert_allclose(mean, [0.5, 0.9, 0.9], rtol=1e-6)
    np.testing.assert_allclose(std, [12**-0.5, 1, 1], rtol=1e-4)
    np.testing.assert_allclose(standardised(goals)[:, 1:], 0, atol=1e-6)
    model = small_ptgm(standardise=True)
    states = np.tile(goals, (1, 2))
    model.prepare(WindowDataset(states, np.zeros((len(states), 3)), [len(states)]), seed=0)
    assert model.goal_scale[1] == 1 and model.goal_mean[1] == goals[0, 1]


def test_too_few_states() -> None:
    config = PtgmConfig(num_codes=5, codebook="kmeans")
    with pytest.raises(NotEnoughData, match="1 different sampled states"):
        build_codebook(np.ones((100, 2), np.float32), lambda x: x, config, 0)


def test_labels_are_nearest_by_angle_or_distance() -> None:
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [10.0, 9.0]])
    goals = torch.tensor([[1.0, 0.9], [8.0, 3.0], [0.1, 5.0]])
    assert nearest_codes(goals, codes).tolist() == [2, 0, 1]
    assert nearest_codes(goals, codes, "euclidean").tolist() == [0, 2, 1]


def test_standardised_matching() -> None:
    """Scaling a feature changes matching, unless features are standardised."""
    walks = random_walks()
    scaled = WindowDataset(
        walks.observations * [100, 1, 1, 1, 1, 1], walks.actions, walks.episode_ends
    )
    last = torch.from_numpy(walks.observations[::7])
    labels = []
    for data, factor in ((walks, 1.0), (scaled, 100.0)):
        model = small_ptgm(standardise=True)
        model.prepare(data, seed=0)
        batch = last.clone()
        batch[:, 0] *= factor
        labels.append(model.label(batch))
    assert torch.equal(*labels)
    assert len(labels[0].unique()) > 2


def test_labels_are_nearest_by_angle_around_the_mean_of_the_data() -> None:
    walks = random_walks()
    states = walks.observations + np.float32(3.0)  # all in nearly one direction from the origin
    model = small_ptgm(standardise=True)
    model.prepare(WindowDataset(states, walks.actions, walks.episode_ends), seed=0)
    mean, std = states.mean(0), states.std(0)
    goals, codes = ((x - mean) / std for x in (states[::7], model.codes.numpy()))
    cosines = goals @ (codes / np.linalg.norm(codes, axis=1, keepdims=True)).T
    labels = model.label(torch.from_numpy(states[::7])).numpy()
    assert (labels == cosines.argmax(1)).mean() > 0.99 and len(np.unique(labels)) > 2


def test_losses_in_closed_form() -> None:
    prior = Categorical.from_logits(torch.randn(3, 4, 5))
    labels = torch.tensor([0, 4, 2])
    by_hand = -torch.stack([prior.log_probs[b, :, labels[b]] for b in range(3)]).mean()
    torch.testing.assert_close(prior_nll(prior, labels), by_hand)
    policy = Gaussian(torch.randn(3, 4, 2), torch.randn(3, 4, 2))
    actions = torch.randn(3, 4, 2)
    density = torch.distributions.Normal(policy.mean, policy.std).log_prob(actions)
    torch.testing.assert_close(policy_nll(policy, actions), -density.sum() / 12)


def test_hindsight_goal_is_the_end_of_the_window() -> None:
    model = small_ptgm(goal=(1, 4)).eval()
    batch = random_batch(model)
    observations, actions = batch
    prior, labels, policy, _ = model._fit(batch)
    last = observations[:, -1]
    assert torch.equal(labels, nearest_codes(last[:, [1, 4]], model.codes))
    inputs = torch.cat([observations[2, 1], last[2, [1, 4]]])
    torch.testing.assert_close(policy.mean[2, 1], model.policy(inputs[None]).mean[0])
    torch.testing.assert_close(
        prior.log_probs[2, 1], model.prior(observations[2, 1:2]).log_probs[0]
    )
    total, scalars = model.loss(batch, torch.Generator())
    torch.testing.assert_close(total, prior_nll(prior, labels) + policy_nll(policy, actions))
    assert set(scalars) == {"loss", "prior_nll", "policy_nll"}


@pytest.mark.parametrize("horizon", [2, 4, 7])  # of skills: 4
def test_the_prior_can_look_farther_ahead_than_the_low_level_policy(horizon: int) -> None:
    model = small_ptgm(prior_horizon=horizon)
    data, rng = random_walks(), np.random.default_rng(0)
    batch = tuple(map(torch.from_numpy, model.draw(data, rng, 400)))
    observations, actions, ahead = batch
    assert (observations.shape[1], actions.shape[1]) == (5, 4)
    assert ahead.shape[1] == horizon + 1
    prior, labels, policy, recorded = model._fit(batch)
    assert recorded is actions
    torch.testing.assert_close(labels, model.label(ahead[:, -1]))
    torch.testing.assert_close(prior.log_probs, model.prior(ahead[:, :-1]).log_probs)
    goals = model.goals(observations[:, -1:]).expand(-1, 4, -1)
    seen = torch.cat([observations[:, :-1], goals], dim=-1)
    torch.testing.assert_close(policy.mean, model.policy(seen).mean)
    # Both windows begin anywhere: neither network misses the first states of episodes.
    starts = {tuple(row) for row in data.observations[data.episode_starts].tolist()}
    for windows in (observations, ahead):
        assert starts & {tuple(row) for row in windows[:, 0].tolist()}
    loss, scalars = model.loss(batch, torch.Generator())
    assert loss == prior_nll(prior, labels) + policy_nll(policy, actions)
    assert set(scalars) == {"loss", "prior_nll", "policy_nll"}
    assert "prior_accuracy" in model.validation(batch, torch.Generator())


def test_the_goal_of_a_skill_is_the_code_itself_however_codes_are_matched() -> None:
    model = small_ptgm(standardise=True).eval()
    assert not torch.allclose(model.goal_scale, torch.ones(()))
    goal = model.begin(np.zeros((2, OBSERVATION_SIZE), np.float32), np.array([3, 1]))["goal"]
    np.testing.assert_array_equal(goal, model.codes[[3, 1]])


def test_validation_judges_the_likeliest_code_and_the_mean_action() -> None:
    model = small_ptgm().eval()
    batch = random_batch(model, 32)
    scalars = model.validation(batch, torch.Generator())
    with torch.no_grad():
        prior, labels, policy, actions = model._fit(batch)
    probabilities = prior.log_probs.exp()
    hits = [row.argmax(-1) == label for row, label in zip(probabilities, labels, strict=True)]
    torch.testing.assert_close(scalars["prior_accuracy"], torch.stack(hits).float().mean())
    entropy = -(probabilities * prior.log_probs).sum(-1).mean()
    torch.testing.assert_close(scalars["prior_entropy"], entropy)
    torch.testing.assert_close(scalars["mse"], torch.nn.functional.mse_loss(policy.mean, actions))


def test_the_networks_share_nothing() -> None:
    model = small_ptgm()
    model.loss(random_batch(model), torch.Generator())[0].backward()
    joint = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}  # type: ignore[union-attr]
    model.zero_grad()
    prior, labels, _, _ = model._fit(random_batch(model))
    prior_nll(prior, labels).backward()
    for name, parameter in model.named_parameters():
        if name.startswith("prior"):
            torch.testing.assert_close(parameter.grad, joint[name])
        else:
            assert parameter.grad is None


def test_actions_sample_the_gaussian_and_repeat() -> None:
    model = small_ptgm().eval()
    rng = np.random.default_rng(0)
    obs, code = rng.normal(size=(4000, 6)).astype(np.float32), np.full(4000, 2)
    state = model.begin(obs, code)
    np.testing.assert_array_equal(state["goal"], np.tile(model.codes[2], (4000, 1)))
    with torch.no_grad():
        policy = model.policy(torch.from_numpy(np.concatenate([obs, state["goal"]], 1)))
    model.policy.net.head.bias.data[3:] -= 3  # small deviations, so that little is clipped
    policy = Gaussian(policy.mean, policy.log_std - 3)
    actions = torch.from_numpy(model.act(obs, state, 0))
    noise = ((actions - policy.mean) / policy.std)[policy.mean.abs() < 0.3]
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    assert np.array_equal(actions, model.act(obs, state, 0))
    greedy = small_ptgm(sample_actions=False).eval()
    greedy.load_state_dict(model.state_dict())
    mean = policy.mean.clamp(-1, 1).numpy()
    np.testing.assert_allclose(greedy.act(obs, state, 0), mean, atol=1e-5)


@pytest.mark.parametrize(("raw", "bound"), [(9.0, 2.0), (-30.0, -10.0)])
def test_acting_bounds_deviations_as_the_losses_do(raw: float, bound: float) -> None:
    config = PtgmConfig(num_codes=5, hidden_size=16, num_layers=1)
    wide = gym.spaces.Box(-1e3, 1e3, (3,), np.float32)
    model, actions = Ptgm.create(spaces(6, 3)[0], wide, config).eval(), []
    model.codes.normal_()
    obs = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    for log_std in (raw, bound):
        with torch.no_grad():
            model.policy.net.head.weight.zero_()
            model.policy.net.head.bias.copy_(torch.tensor([0.0] * 3 + [log_std] * 3))
        actions.append(model.act(obs, model.begin(obs, np.zeros(9, int)), 0))
    np.testing.assert_array_equal(*actions)
    assert np.abs(actions[0]).max() > 0.0


def test_inputs_that_are_left_out_have_no_influence() -> None:
    model = small_ptgm(inputs=(0, 1, 2)).eval()
    obs = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    other = obs.copy()
    other[:, 3:] += 1
    state = model.begin(obs, np.arange(5))
    np.testing.assert_array_equal(model.act(obs, state, 0), model.act(other, state, 0))
    assert model.loss(random_batch(model), torch.Generator())[0].isfinite()


def test_any_function_of_an_observation_can_be_the_goal(tmp_path: Path) -> None:
    register_features("test-squares", lambda obs: torch.cat([obs.square(), obs[..., :1]], -1))
    model = small_ptgm(features="test-squares", goal=(0, 6))
    obs = model.code_observations
    torch.testing.assert_close(model.codes, torch.stack([obs[:, 0] ** 2, obs[:, 0]], 1))
    loaded = load_skill(save_skill(model, tmp_path / "model"))
    assert torch.equal(loaded.codes, model.codes)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="'test-squares', or a name of register_features"):
        small_ptgm(features="videos")
    with pytest.raises(InvalidConfig, match="below 6"):
        small_ptgm(goal=(6,))


class Still(gym.Env[Any, Any]):
    """Nothing moves."""

    observation_space, action_space = spaces(6, 3)

    def reset(self, **keywords: Any) -> Any:
        super().reset(seed=keywords.get("seed"))
        return np.zeros(6, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(6, np.float32), 0.0, False, False, {}


def halves(observations: torch.Tensor) -> torch.Tensor:
    return observations[..., ::2]


def test_features_of_an_importable_function_need_no_registration() -> None:
    model = small_ptgm(features=f"{__name__}:halves")
    torch.testing.assert_close(model.codes, model.code_observations[:, ::2])
    for features in (
        "tests.no_such:halves",
        f"{__name__}:no_such",
        f"{__name__}:WORLD",
        ":a",
        "a:",
    ):
        with pytest.raises(InvalidConfig, match=r"or module:function"):
            small_ptgm(features=features)


@pytest.mark.parametrize("goal", [None, (0, 2)])
def test_a_checkpoint_loads_and_acts_where_its_features_are_unknown(
    goal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_features("test-elsewhere-known", halves)
    model = small_ptgm(features="test-elsewhere-known", goal=goal).eval()
    save_skill(model, tmp_path / "model")
    monkeypatch.delitem(feature_functions._FEATURES, "test-elsewhere-known")
    loaded = load_skill(tmp_path / "model")
    assert isinstance(loaded, Ptgm)
    obs, skill = np.zeros((2, 6), np.float32), np.array([0, 4])
    actions = [m.act(obs, m.begin(obs, skill), 0) for m in (model, loaded)]
    np.testing.assert_array_equal(*actions)
    codes = SkillActions(Still(), loaded)
    agent = DiscretePriorSAC("SkillPriorPolicy", codes, learning_starts=2, batch_size=2).learn(4)
    agent.save(tmp_path / "agent")
    DiscretePriorSAC.load(tmp_path / "agent", env=codes)
    with pytest.raises(InvalidConfig, match="'test-elsewhere-known', expected"):
        loaded.label(torch.zeros(1, 6))  # training goes on where the function is known only


def test_loading_imports_no_module_that_a_checkpoint_names(tmp_path: Path) -> None:
    path = save_skill(small_ptgm(features=f"{__name__}:halves"), tmp_path / "model")
    text = (path / "config.json").read_text()
    (path / "config.json").write_text(text.replace(f"{__name__}:halves", "tests.no_such:run"))
    load_skill(path)
    (path / "model.safetensors").write_bytes(tensors_to_bytes({"other": torch.zeros(1)}))
    with pytest.raises(CheckpointMismatch, match="'codes' is missing"):
        load_skill(path)


def test_features_of_another_size_than_the_codes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    register_features("test-size", halves)
    model = small_ptgm(features="test-size")
    register_features("test-size", lambda observations: observations)
    with pytest.raises(ShapeMismatch, match=r"goals of shape .*, expected \(\.\.\., 3\)"):
        model.label(torch.zeros(1, 6))


class Elsewhere(torch.nn.Module):
    """Features of a module on another device, as a GPU would be."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        assert obs.device == self.weight.device
        return torch.arange(3.0).expand(*obs.shape[:-1], 3)


def test_features_of_a_module_are_computed_on_its_device() -> None:
    register_features("test-elsewhere", Elsewhere())
    model = Ptgm.create(*spaces(6, 3), PtgmConfig(features="test-elsewhere"))
    goals = model.goals(torch.zeros(2, 5, 6))
    assert goals.shape == (2, 5, 3) and goals.device.type == "cpu"


def test_what_cannot_work_is_told() -> None:
    with pytest.raises(SkillOutOfRange, match=r"the skill 5, expected an element of Discrete\(5\)"):
        small_ptgm().begin(np.zeros((2, 6)), np.array([0, 5]))
    for code in (2.5, -0.5):  # no other code in its place
        with pytest.raises(SkillOutOfRange, match=f"the skill {code}, "):
            small_ptgm().begin(np.zeros((2, 6)), np.array([0.0, code]))
    empty = Ptgm(*spaces(6, 3), PtgmConfig())
    with pytest.raises(NoCodebook, match=r"model\.prepare"):
        empty.begin(np.zeros((1, 6)), np.array([0]))
    with pytest.raises(NoCodebook):
        empty.loss(random_batch(empty), torch.Generator())
    for field, value in (("codebook", "som"), ("goal", (1, 1)), ("num_codes", 1)):
        with pytest.raises(InvalidConfig, match=field):
            PtgmConfig(**{field: value})  # type: ignore[arg-type]


def test_it_trains_and_a_resumed_training_keeps_its_codebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"batch_size": 16, "schedule": "constant", "log_every": 10}
    model = small_ptgm(goal=(0, 1))
    pretrain(model, random_walks(), tmp_path, TrainerConfig(steps=20, **settings))
    again = small_ptgm(goal=(0, 1))
    again.codes.zero_()
    monkeypatch.setattr(Ptgm, "prepare", lambda *_: pytest.fail("a resumed run was prepared"))
    pretrain(again, random_walks(), tmp_path, TrainerConfig(steps=30, **settings), resume=True)
    assert torch.equal(again.codes, model.codes) and again.codes.any()


def kitchen_model(num_codes: int = 50) -> Ptgm:
    """An untrained model of the kitchen with random codes."""
    config = PtgmConfig(goal=KITCHEN_GOAL, num_codes=num_codes, hidden_size=16, num_layers=1)
    model = Ptgm.create(WORLD.layout.space(), WORLD.action_space, config).eval()
    model.codes.copy_(torch.randn(model.codes.shape, generator=torch.Generator().manual_seed(0)))
    return model


def test_sizes_are_the_authors() -> None:
    env = gym.make("skillgym/Kitchen-v0")
    model = make_model(PRESETS["ptgm-kitchen"], env)
    assert isinstance(model, Ptgm) and model.max_steps == 10
    assert count_parameters(model.prior) == 64_178 and count_parameters(model.policy) == 62_738
    assert model.codes.shape == (50, 21) and model.code_observations.shape == (50, 60)


def test_codes_are_the_actions_of_the_kitchen(tmp_path: Path) -> None:
    path = str(save_skill(kitchen_model(), tmp_path / "model", world="kitchen"))
    env = gym.make("SkillKitchen-v0", skill_model=path)
    assert env.action_space == Discrete(50)
    vector = gym.make_vec(
        "SkillKitchen-v0", num_envs=2, skill_model=path, autoreset_mode=AutoresetMode.SAME_STEP
    )
    assert vector.single_action_space == Discrete(50)
    first, _ = env.reset(seed=3)
    batch, _ = vector.reset(seed=3)
    codes = prior_policy(skillgym.load_skill(path), seed=0)(batch)
    assert codes.shape == (2,) and codes.dtype == np.int64
    for code in codes:
        first, reward, *_, info = env.step(int(code))
        batch, rewards, *_ = vector.step(np.array([code, 7]))
        assert info["skill_steps"] == 10 and rewards[0] == reward
        np.testing.assert_allclose(batch[0], first, atol=1e-5)
    with pytest.raises(SkillOutOfRange):
        env.step(50)


def published(folder: Path, model: Ptgm) -> dict[str, Path]:
    """Files in the form in which the authors published theirs, with the weights of a model."""
    files = {}
    for role in ("prior", "policy"):
        names = {}
        for name, tensor in getattr(model, role).net.state_dict().items():
            layer, what = name.split(".")
            for kind, ours in (("linear", "hidden"), ("norm", "norm")):
                if layer.startswith(ours):
                    layer = f"pyramid-{layer.removeprefix(ours)}.{kind}"
            layer = f"{layer}.linear" if layer in ("input", "head") else layer
            names[f"net.{layer}.{what}"] = tensor
        files[role] = folder / f"{role}.pth"
        optimizer = {"state": {}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]}
        content = {"epoch": 140, "global_step": 676_800, "optimizer": optimizer}
        torch.save({**content, "state_dict": names}, files[role])
    files["codebook"] = folder / "codebook_50.pickle"
    files["codebook"].write_bytes(pickle.dumps(model.codes.double().numpy(), protocol=4))
    return files


def test_the_published_format_is_read_and_runs_in_the_kitchen(tmp_path: Path) -> None:
    original = kitchen_model()
    for network in (original.prior, original.policy):
        for norm in network.modules():
            if isinstance(norm, torch.nn.BatchNorm1d):
                norm.running_mean.normal_(generator=torch.Generator().manual_seed(1))  # type: ignore[union-attr]
    files = published(tmp_path, original)
    full = tmp_path / "codebook_full50.npy"
    np.save(full, np.zeros((50, 60)))
    model = read_published(**files, code_observations=full)
    obs = np.random.default_rng(0).normal(size=(3, 60)).astype(np.float32)
    ours, theirs = (m.act(obs, m.begin(obs, np.arange(3)), 0) for m in (original, model))
    np.testing.assert_array_equal(ours, theirs)
    with torch.no_grad():
        inputs = torch.from_numpy(obs)
        torch.testing.assert_close(original.prior(inputs).probs, model.prior(inputs).probs)
    assert not model.training and not model.code_observations.any()
    env = gym.make("SkillKitchen-v0", skill_model=model)
    env.reset(seed=0)
    assert env.action_space == Discrete(50)
    assert env.step(4)[-1]["skill_steps"] == 10
    saved = load_skill(save_skill(model, tmp_path / "model"))
    assert isinstance(saved, Ptgm) and saved.world == "kitchen"


class Evil:
    def __reduce__(self) -> Any:
        return print, ("this must never run",)


def test_published_files_run_no_code_and_must_fit(tmp_path: Path, capsys: Any) -> None:
    files = published(tmp_path, kitchen_model())
    evil = tmp_path / "evil"
    evil.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UnreadablePublished, match=r"builtins\.print"):
        read_published(**{**files, "codebook": evil})
    torch.save({"state_dict": Evil()}, evil)
    with pytest.raises(UnreadablePublished, match="evil"):
        read_published(**{**files, "prior": evil})
    assert "never" not in capsys.readouterr().out
    with pytest.raises(UnreadablePublished, match="size mismatch"):
        read_published(**{**files, "policy": files["prior"]})
    other = published(tmp_path, kitchen_model(20))
    evil.write_bytes(pickle.dumps(np.ones((50, 21))))
    with pytest.raises(UnreadablePublished, match="size mismatch"):
        read_published(**{**other, "codebook": evil})
    evil.write_bytes(pickle.dumps(np.ones((20, 12))))
    with pytest.raises(UnreadablePublished, match=r"shape \(20, 12\)"):
        read_published(**{**other, "codebook": evil})
    content = torch.load(other["prior"], weights_only=True)
    del content["state_dict"]["net.pyramid-0.norm.running_var"]
    torch.save(content, evil)
    with pytest.raises(UnreadablePublished, match="running_var"):
        read_published(**{**other, "prior": evil})
    content["state_dict"]["net.encoder.weight"] = torch.zeros(1)
    torch.save(content, evil)
    with pytest.raises(UnreadablePublished, match=r"'net\.encoder\.weight'"):
        read_published(**{**other, "prior": evil})
    with pytest.raises(UnreadablePublished, match="No such file"):
        read_published(**{**files, "prior": tmp_path / "absent"})
