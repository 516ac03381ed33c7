"""GAIL, demonstrations in the replay buffer, and the presets of SkiLD's paper."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from skillgym.data import Transitions
from skillgym.data.errors import DatasetNotFound
from skillgym.errors import (
    InvalidConfig,
    NormalizedObservations,
    ShapeMismatch,
    UnsupportedSpace,
)
from skillgym.rl import GAIL, DemonstrationReplayBuffer, SkillReplayBuffer
from skillgym.rl.buffers import RelabellingReplayBuffer
from skillgym.rl.common.discriminators import DiscriminatorTraining
from skillgym.rl.presets import PRESETS, load_agent, make_agent, make_env
from skillgym.rl.skild import SkiLD
from skillgym.rl.skild.presets import TASKS
from skillgym.skills.base import SkillModule
from skillgym.skills.skild import Discriminator, SkildModel
from skillgym.skills.skild.losses import gradient_penalty
from skillgym.skills.spirl import ClosedLoopSpirl, FlatPrior, FlatPriorConfig, SpirlConfig
from tests.skill_stubs import CountingEnv

SMALL = {
    "learning_starts": 8,
    "batch_size": 16,
    "buffer_size": 200,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"net_arch": [16]},
}


class Bounded(CountingEnv):
    """Observations stay small, so that networks do; forces up to 2."""

    action_space = Box(-2.0, 2.0, (1,), np.float32)

    def _observe(self, action: float) -> np.ndarray:
        return super()._observe(action) * np.float32(0.01)


def make_gail(**keywords: Any) -> GAIL:
    demonstrations = np.full((50, 3), -1.0, np.float32)
    env = keywords.pop("env", None) or TimeLimit(Bounded(), 20)
    return GAIL("MlpPolicy", env, **{"demonstrations": demonstrations, **SMALL, **keywords})


def test_gail_looks_at_its_demonstrations_before_it_trains() -> None:
    with pytest.raises(ShapeMismatch, match=r"demonstrations of shape \(50, 2\)"):
        make_gail(demonstrations=np.zeros((50, 2), np.float32))
    with pytest.raises(DatasetNotFound):
        make_gail(demonstrations="no/such-v0")
    env = VecNormalize(DummyVecEnv([Bounded]))
    with pytest.raises(NormalizedObservations, match="norm_obs=False"):
        GAIL("MlpPolicy", env, demonstrations=np.zeros((50, 3), np.float32))
    goals = gym.make("skillgym/FetchPlace-v0", goals=True)
    with pytest.raises(UnsupportedSpace, match=r"Dict.*FlattenObservation"):
        GAIL("MultiInputPolicy", goals, demonstrations=np.zeros((50, 31), np.float32))


def test_demonstrations_may_be_a_list() -> None:
    agent = make_gail(demonstrations=[[0.0, 1.0, 2.0]] * 50)
    agent.learn(20)
    assert agent._n_updates > 0


def test_a_schedule_of_the_learning_rate_reaches_the_discriminator() -> None:
    agent = make_gail(learning_rate=lambda remaining: 1e-3 * remaining).learn(20)
    (group,) = agent.tuning.optimizer.param_groups
    assert group["lr"] == pytest.approx(1e-3 * agent._current_progress_remaining)
    assert group["lr"] < 1e-4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("discriminator_updates", -1.0),
        ("gradient_penalty", np.nan),
        ("env_reward_weight", "a"),
        ("discriminator_reward_weight", np.inf),
    ],
)
def test_numbers_of_gail_that_cannot_work_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidConfig, match=f"Got {field}="):
        make_gail(**{field: value})


def test_every_state_of_the_demonstrations_is_learned() -> None:
    """Also those behind the first batch, which cannot be told from the policy's here."""
    torch.manual_seed(0)
    policy_states, others = torch.zeros(16, 3), np.ones((84, 3), np.float32)
    states = np.concatenate([policy_states.numpy(), others])
    training = DiscriminatorTraining(Discriminator(3), states, 1.0, learning_rate=1e-2)
    for _ in range(100):
        training.update(policy_states)
    assert training.discriminator.probability(torch.ones(1, 3)).item() > 0.9


def test_gail_rewards_what_its_buffer_holds() -> None:
    """With another buffer it would learn from the rewards of the environment."""
    with pytest.raises(InvalidConfig, match="'SkillReplayBuffer', expected a RelabellingReplay"):
        make_gail(replay_buffer_class=SkillReplayBuffer)

    class Own(RelabellingReplayBuffer):
        pass

    assert isinstance(make_gail(replay_buffer_class=Own).replay_buffer, Own)


def test_a_saved_agent_acts_without_demonstrations(tmp_path: Path) -> None:
    agent = make_gail()
    agent.demonstrations = "no/such-v0"
    agent.save(tmp_path / "agent")
    loaded = GAIL.load(tmp_path / "agent", env=TimeLimit(Bounded(), 20), device="cpu")
    assert loaded.predict(np.zeros(3, np.float32))[0].shape == (1,)


def test_gail_tells_itself_from_the_demonstrations_and_is_rewarded_for_their_likes() -> None:
    agent = make_gail(learning_rate=3e-3, discriminator_updates=3).learn(60)
    visited = torch.as_tensor(agent.replay_buffer.observations[:60, 0])
    assert agent.discriminator.probability(visited).max() < 0.4
    assert agent.discriminator.probability(torch.full((1, 3), -1.0)).item() > 0.6
    batch = agent.replay_buffer.sample(5)
    expected = agent.discriminator(batch.observations)[:, None]
    torch.testing.assert_close(batch.rewards, expected.detach())
    assert agent.logger.name_to_value["train/discriminator_accuracy"] == 1.0


def test_every_update_of_gail_has_its_updates_of_the_discriminator() -> None:
    agent = make_gail(discriminator_updates=3).learn(20)
    seen, update = [], agent.tuning.update
    agent.tuning.update = lambda states: seen.append(states) or update(states)
    agent.train(4, 16)
    assert len(seen) == 3 * 4
    times = 100.0 * torch.cat(seen)[:, 0]  # of states in which it acted: not of the last one
    assert (times.min().round(), times.max().round()) == (0.0, 19.0)


def test_gail_learns_once_for_each_step_of_each_environment() -> None:
    agent = make_gail(env=DummyVecEnv([lambda: TimeLimit(Bounded(), 20)] * 2)).learn(28)
    assert agent._n_updates == 20  # after 8 steps
    env = agent.env
    with pytest.raises(NormalizedObservations, match="norm_obs=False"):
        agent.set_env(VecNormalize(DummyVecEnv([Bounded] * 2)))
    assert agent.env is env and agent._last_obs is not None  # it can go on


def test_gail_with_rewards_mixes_them() -> None:
    agent = make_gail(env_reward_weight=0.9, discriminator_reward_weight=0.0).learn(20)
    torch.manual_seed(0)
    rows = np.arange(4)
    mixed = agent.replay_buffer._get_samples(rows).rewards[:, 0]
    torch.testing.assert_close(mixed, 0.9 * torch.as_tensor(agent.replay_buffer.rewards[rows, 0]))


def test_gail_values_ends_as_states_that_last() -> None:
    """Else an agent that is rewarded at every step gains by never arriving."""
    keywords = {"absorbing_ends": True, "max_log_odds": 0.012, "env_reward_weight": 0.5}
    agent = make_gail(**keywords, gamma=0.9).learn(30)
    buffer, rows = agent.replay_buffer, np.arange(4)
    buffer.dones[rows], buffer.timeouts[rows] = [[1.0], [0.0], [1.0], [0.0]], 0.0
    batch = buffer._get_samples(rows)
    with torch.no_grad():
        here, there = (
            agent.discriminator(states).clamp(-0.012, 0.012)
            for states in (batch.observations, batch.next_observations)
        )
    assert here.abs().max().item() == pytest.approx(0.012) != here[0].abs()  # the bound of some
    ends = torch.tensor([1.0, 0.0, 1.0, 0.0])
    earned = 0.5 * torch.as_tensor(buffer.rewards[rows, 0])  # once
    expected = earned + here + ends * 0.9 * there / (1.0 - 0.9)
    torch.testing.assert_close(batch.rewards[:, 0], expected)
    with pytest.raises(InvalidConfig, match=r"Got gamma=1\.0, .*absorbing_ends=False"):
        make_gail(absorbing_ends=True, gamma=1.0)  # the sum would be infinite


def test_gail_goes_on_where_it_stopped(tmp_path: Path) -> None:
    agent = make_gail(gradient_penalty=1.0).learn(30)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    loaded = GAIL.load(tmp_path / "agent", env=TimeLimit(Bounded(), 20), device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer")
    for one in (agent, loaded):
        one.set_random_seed(0)
        one.set_logger(configure(None, []))
        one.train(5, 16)
    for module in ("policy", "discriminator"):
        states = [getattr(one, module).state_dict() for one in (agent, loaded)]
        for name, value in states[0].items():
            assert torch.equal(value, states[1][name]), name


def test_the_gradient_penalty_holds_the_slope_of_the_discriminator_at_one() -> None:
    """Between two near points, which it would otherwise tell apart ever more steeply."""
    states, distances = torch.tensor([[0.1, 0.1], [-0.1, -0.1]]), []
    for penalty in (0.0, 10.0):
        torch.manual_seed(0)
        training = DiscriminatorTraining(Discriminator(2), states[:1].numpy(), 1.0, 1e-2, penalty)
        for _ in range(100):
            training.update(states[1:].expand(16, 2))
        distances.append(gradient_penalty(training.discriminator, *states[:, None]).item())
    assert distances[1] < 0.05 and distances[0] > 1.0


def test_gail_needs_demonstrations() -> None:
    with pytest.raises(InvalidConfig, match="demonstrations=None"):
        make_gail(demonstrations=None)


def test_a_relabelling_buffer_is_stored_without_its_function() -> None:
    space = Box(-1.0, 1.0, (2,), np.float32)
    buffer = RelabellingReplayBuffer(10, space, space)
    one = np.ones((1, 2), np.float32)
    buffer.add(one, one, one, np.ones(1), np.zeros(1), [{}])
    buffer.relabel = lambda batch: batch.rewards + batch.observations[:, :1]
    assert buffer.sample(3).rewards.flatten().tolist() == [2.0] * 3
    assert pickle.loads(pickle.dumps(buffer)).sample(3).rewards.flatten().tolist() == [1.0] * 3


def demonstrations(observation_size: int = 3, action_size: int = 1, count: int = 7) -> Transitions:
    numbers = np.arange(count, dtype=np.float32)
    return Transitions(
        np.full((count, observation_size), 5.0, np.float32),
        np.full((count, action_size), 1.0, np.float32),
        numbers,
        np.full((count, observation_size), 6.0, np.float32),
        numbers == count - 1,
    )


def test_batches_hold_a_share_of_demonstrations() -> None:
    agent = SAC(
        "MlpPolicy",
        TimeLimit(Bounded(), 20),
        replay_buffer_class=DemonstrationReplayBuffer,
        replay_buffer_kwargs={"demonstrations": demonstrations(), "share": 0.25},
        **SMALL,  # type: ignore[arg-type]
    ).learn(30)
    batch = agent.replay_buffer.sample(40)
    shown = batch.observations.eq(5.0).all(dim=1)
    assert shown.tolist() == [False] * 30 + [True] * 10
    assert batch.next_observations[30:].eq(6.0).all() and batch.observations[:30].max() < 1.0
    assert batch.actions[30:].eq(0.5).all()  # 1 of [-2, 2]
    assert batch.rewards[30:].max() <= 6.0 and batch.rewards.shape == (40, 1)
    assert torch.equal(batch.dones[30:], (batch.rewards[30:] == 6.0).float())
    assert len(set(batch.rewards[30:, 0].tolist())) > 2


def test_demonstrations_are_scaled_and_normalised_as_what_the_agent_has_stored() -> None:
    actions, normalised = Box(0.0, 4.0, (1,), np.float32), VecNormalize(DummyVecEnv([Bounded]))
    normalised.obs_rms.mean, normalised.obs_rms.var = np.full(3, 4.0), np.full(3, 4.0)
    normalised.ret_rms.var = np.array(9.0)
    data = demonstrations()
    keywords = {"demonstrations": data, "device": "cpu"}
    buffer = DemonstrationReplayBuffer(9, Bounded.observation_space, actions, **keywords)
    own = data.observations[:1], data.next_observations[:1], np.full((1, 1), -0.5, np.float32)
    buffer.add(*own, np.array([3.0]), np.zeros(1), [{}])
    batch = buffer.sample(20, normalised)
    torch.testing.assert_close(batch.observations, torch.full((20, 3), 0.5))
    torch.testing.assert_close(batch.next_observations, torch.full((20, 3), 1.0))
    torch.testing.assert_close(batch.actions, torch.full((20, 1), -0.5))  # 1 of [0, 4]
    torch.testing.assert_close(batch.rewards[:10], torch.ones(10, 1))
    thirds = 3.0 * batch.rewards[10:]
    torch.testing.assert_close(thirds, thirds.round())
    assert 1.0 < thirds.max() <= 6.0


def test_demonstrations_of_another_world_are_refused() -> None:
    space = Box(-1.0, 1.0, (2,), np.float32)
    with pytest.raises(ShapeMismatch, match="demonstrated observations"):
        DemonstrationReplayBuffer(10, space, space, demonstrations=demonstrations())
    with pytest.raises(ShapeMismatch, match="demonstrated actions"):
        DemonstrationReplayBuffer(10, space, space, demonstrations=demonstrations(2, 1))
    with pytest.raises(InvalidConfig, match="share=1"):
        DemonstrationReplayBuffer(10, space, space, demonstrations=demonstrations(2, 2), share=1.0)


def untrained(name: str, env: gym.Env[Any, Any]) -> SkillModule:
    """A tiny model of the kind that a preset asks for."""
    spaces = env.observation_space, env.action_space
    if name.startswith("bc"):
        return FlatPrior(*spaces, FlatPriorConfig(hidden_size=16, num_layers=1)).eval()
    config = SpirlConfig(hidden_size=16, encoder_size=16, decoder_layers=1, prior_layers=1)
    embedding = ClosedLoopSpirl(*spaces, config)
    return SkildModel.from_embedding(embedding).eval() if "skild" in name else embedding.eval()


@pytest.fixture(scope="module")
def maze() -> Iterator[gym.Env[Any, Any]]:
    with gym.make("skillgym/Maze-v0") as env:
        yield env


METHODS = [name.removesuffix("-maze") for name in PRESETS if name.endswith("-maze")]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_saves_and_loads(
    method: str, maze: gym.Env[Any, Any], tmp_path: Path
) -> None:
    name = f"{method}-maze"
    preset = PRESETS[name]
    skills = None if preset.skill_model is None else untrained(preset.skill_model, maze)
    env = make_env(name, num_envs=2, num_threads=1, skill_model=skills)
    overrides: dict[str, Any] = {"batch_size": 8, "buffer_size": 100, "learning_starts": 4}
    if "demonstrations" in preset.agent:
        overrides["demonstrations"] = np.zeros((5, 4), np.float32)
    if "demonstrations" in preset.agent.get("replay_buffer_kwargs", {}):
        overrides["replay_buffer_kwargs"] = {"demonstrations": demonstrations(4, 2)}
    agent = make_agent(name, env, seed=1, device="cpu", **overrides)
    assert type(agent) is preset.algorithm
    start = {key: value.clone() for key, value in agent.actor.state_dict().items()}
    agent.learn(8)
    assert agent._n_updates == 4
    assert any(not value.equal(start[key]) for key, value in agent.actor.state_dict().items())
    agent.save(tmp_path / "agent")
    loaded = load_agent(name, tmp_path / "agent", env)
    observation = env.reset()
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0],
        agent.predict(observation, deterministic=True)[0],
    )
    env.close()


def test_every_task_has_every_method() -> None:
    for task in TASKS:
        for method in METHODS:
            preset = PRESETS[f"{method}-{task.name}"]
            assert preset.world == task.world and task.name in preset.title
    kitchen = PRESETS["skild-kitchen-misaligned"]
    assert kitchen.options == {"tasks": "misaligned", "ordered": True}
    assert kitchen.skill_model == "skild-kitchen-misaligned"
    # Beyond the authors: what is fine-tuned has one-step returns in the office, too.
    office = [PRESETS[f"skild-imitation{end}-office"].agent["n_steps"] for end in ("", "-tuned")]
    assert office == [5, 1]


def linear_layers(network: nn.Module) -> list[tuple[int, int]]:
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return [(layer.in_features, layer.out_features) for layer in layers]


def test_sizes_and_weights_are_those_of_the_authors(maze: gym.Env[Any, Any]) -> None:
    spaces = maze.observation_space, maze.action_space
    model = SkildModel(*spaces).eval()
    env = make_env("skild-maze", skill_model=model)
    agent = make_agent("skild-maze", env, device="cpu")
    assert linear_layers(agent.critic.qf0) == [(14, 256), (256, 256), (256, 256), (256, 1)]
    assert len(linear_layers(agent.actor)) == 8
    assert (agent.gamma, agent.tau, agent.learning_rate) == (0.99, 0.005, 3e-4)
    assert (agent.batch_size, agent.learning_starts) == (128, 2000)
    assert agent.start == "posterior"  # a deviation; the authors start as the prior
    assert (agent.target_divergence, agent.posterior_target_divergence) == (10.0, 1.0)
    assert agent.ent_coef == "auto" and agent.posterior_temperature.optimizer is not None
    assert (agent.env_reward_weight, agent.discriminator_reward_weight) == (0.9, 0.1)
    tuned = PRESETS["skild-imitation-tuned-kitchen-kbts"].agent
    assert (tuned["env_reward_weight"], tuned["discriminator_updates"]) == (0.0, 5e-4)
    assert tuned["discriminator_reward_weight"] == 0.1  # a deviation; authors: 1
    assert tuned["absorbing_ends"] and not agent.absorbing_ends
    # Deviations of kitchen and office: the authors' weights are fixed, their bound is 46.
    assert (tuned["alpha"], tuned["posterior_alpha"]) == ("auto_0.1", "auto_0.1")
    assert (tuned["target_divergence"], tuned["posterior_target_divergence"]) == (2.5, 2.5)
    kitchen = PRESETS["skild-kitchen-kbts"].agent
    assert PRESETS["skild-office"].agent == {**kitchen, "n_steps": 5}
    # Another: of the two rewards only the environment's, but in the presets `skild-mixed`.
    assert (kitchen["env_reward_weight"], kitchen["discriminator_reward_weight"]) == (1.0, 0.0)
    rewards = {"env_reward_weight": 0.9, "discriminator_reward_weight": 0.1}
    for task in ("kitchen-kbts", "kitchen-misaligned", "office"):
        mixed, own = PRESETS[f"skild-mixed-{task}"], PRESETS[f"skild-{task}"]
        assert mixed.agent == {**own.agent, **rewards} and mixed.algorithm is SkiLD
        assert (mixed.world, mixed.options) == (own.world, own.options)
        assert mixed.skill_model == own.skill_model == f"skild-{task}"
    assert "skild-mixed-maze" not in PRESETS  # it is `skild-maze`
    # Another: the authors learn this weight.
    assert PRESETS["skild-imitation-maze"].agent["posterior_alpha"] == 1.0
    assert tuned["max_log_odds"] == agent.max_log_odds == 5.0
    assert pytest.approx(46.05, abs=0.01) == signature(SkiLD).parameters["max_log_odds"].default
    for name, preset in PRESETS.items():
        skills = preset.skill_model and not preset.skill_model.startswith(("bc", "flat", "reskill"))
        starts = preset.agent["policy"] == "SkillPriorPolicy" and name != "ptgm-ppo"
        normalised = preset.agent.get("policy_kwargs", {}).get("critic_layer_norm", False)
        assert normalised == bool(skills and starts), name
    spirl = PRESETS["spirl-office"].agent  # more: the authors have 1 nat and one-step returns
    assert (spirl["target_divergence"], spirl["n_steps"]) == (4.0, 5)
    agent = make_agent("skill-bc-rl-maze", env, device="cpu")
    assert agent.kl is None and agent.target_entropy == -10.0
    states = torch.randn(3, 4)
    mean, *_ = agent.actor.get_action_dist_params(states)
    torch.testing.assert_close(3.0 * mean, model.posterior(states).mean)
    env.close()
