"""PriorSAC in the maze with pictures: policy and prior see pictures, critics the state."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.buffers import NStepReplayBuffer

from skillgym.errors import InvalidConfig
from skillgym.evaluation.checkpoints import buffer_arrays, restore_buffer
from skillgym.nn.mlp import sha256
from skillgym.rl import PictureReplayBuffer
from skillgym.rl.presets import PRESETS, load_agent, make_agent, make_env
from skillgym.skills.spirl import ImageClosedLoopSpirl, ImageOpenLoopSpirl, ImageSpirlConfig
from skillgym_envs.maze import MazeCamera, MazeWorld, random_layout

WORLD = MazeWorld(observation="image")
SMALL = ImageSpirlConfig(hidden_size=16, decoder_layers=1, prior_layers=1, conv_channels=2)
METHODS = {
    "spirl-maze-image": ImageClosedLoopSpirl,
    "spirl-maze-image-open": ImageOpenLoopSpirl,
}
QUICK: dict[str, Any] = {"learning_starts": 4, "batch_size": 4, "buffer_size": 20, "device": "cpu"}


def skills(method: str) -> Any:
    return METHODS[method].create(WORLD.layout.space(), WORLD.action_space, SMALL).eval()


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_saves_and_loads(method: str, tmp_path: Path) -> None:
    model = skills(method)
    env = make_env(method, num_envs=2, num_threads=1, skill_model=model)
    assert env.get_attr("unwrapped")[0].world.goal_radius == 1.0  # the published variant
    agent = make_agent(method, env, seed=1, **QUICK)
    assert isinstance(agent.replay_buffer, PictureReplayBuffer)
    first = [network[0].in_features for network in agent.critic.q_networks]
    assert first == [4 + 10] * 2
    states = torch.randn(3, 6148)
    mean, *_ = agent.actor.get_action_dist_params(states)
    torch.testing.assert_close(3.0 * mean, model.prior(states).mean)
    statistics = {k: v.clone() for k, v in agent.actor.state_dict().items() if "running" in k}
    assert any("conv" in name for name in statistics)
    before, frozen = agent.actor.network.state_dict(), sha256(agent.prior)
    before = {name: value.clone() for name, value in before.items()}
    agent.learn(12)
    assert agent._n_updates == 8 and sha256(agent.prior) == frozen
    after = agent.actor.network.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert any("conv" in name for name in moved) and any("head" in name for name in moved)
    for name, value in statistics.items():
        assert torch.equal(agent.actor.state_dict()[name], value)
    agent.save(tmp_path / "agent")
    loaded = load_agent(method, tmp_path / "agent", env)
    assert loaded.policy.critic_inputs == 4
    observation = env.reset()
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0],
        agent.predict(observation, deterministic=True)[0],
    )
    env.close()


def test_critics_do_not_see_pictures() -> None:
    method = "spirl-maze-image"
    env = make_env(method, num_threads=1, skill_model=skills(method))
    agent = make_agent(method, env, seed=1, **QUICK)
    for parameter in agent.critic.parameters():  # the last layer starts at zero
        parameter.data.normal_()
    observation, skill = torch.randn(3, 6148), torch.zeros(3, 10)
    other = observation.clone()
    other[:, 4:] = 0.0
    torch.testing.assert_close(agent.critic(observation, skill), agent.critic(other, skill))
    other[:, :4] = 0.0
    assert (agent.critic(observation, skill)[0] != agent.critic(other, skill)[0]).any()
    with pytest.raises(InvalidConfig, match="critic_inputs"):
        make_agent(method, env, policy_kwargs={"critic_inputs": 7000}, **QUICK)
    env.close()


def test_numbers_of_the_presets() -> None:
    for method in METHODS:
        agent = PRESETS[method].agent
        assert (agent["alpha"], agent["batch_size"]) == (1.0, 128)
        assert agent["replay_buffer_kwargs"]["n_steps"] == 10
        critics = agent["policy_kwargs"]
        assert critics["critic_arch"] == (256,) * 3 and critics["critic_inputs"] == 4


def observations(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pictures = MazeCamera(random_layout()).pictures(rng.uniform(2, 40, (2 * count, 2)))
    return np.hstack([rng.normal(size=(count, 4)).astype(np.float32), pictures.reshape(count, -1)])


def test_replay_gives_back_exactly_what_was_stored() -> None:
    space, action_space = WORLD.layout.space(), WORLD.action_space
    buffer = PictureReplayBuffer(8, space, action_space, device="cpu", n_envs=2)
    rows = [observations(2, seed) for seed in range(5)]
    for index, (obs, following) in enumerate(pairwise(rows)):
        infos = [{"TimeLimit.truncated": index == 3}] * 2
        action = np.full((2, 2), index, np.float32)
        buffer.add(obs, following, action, np.array([index, -index]), np.ones(2), infos)
    assert buffer.full and buffer.pictures.nbytes == 2 * 8 * 6144
    copy = PictureReplayBuffer(8, space, action_space, device="cpu", n_envs=2)
    restore_buffer(copy, buffer_arrays(buffer))
    for each in (buffer, copy):
        batch = each.sample(64)
        for row in range(64):
            step = int(batch.actions[row, 0])
            env = 0 if batch.rewards[row] >= 0 and step else 1
            candidates = [0, 1] if step == 0 else [env]
            assert any(np.array_equal(batch.observations[row], rows[step][e]) for e in candidates)
            assert any(
                np.array_equal(batch.next_observations[row], rows[step + 1][e]) for e in candidates
            )
            assert float(batch.dones[row]) == (0.0 if step == 3 else 1.0)
    with pytest.raises(InvalidConfig, match="state_size"):
        PictureReplayBuffer(8, space, action_space, state_size=6148)


def test_returns_over_several_steps_are_those_of_sb3() -> None:
    space, action_space = WORLD.layout.space(), WORLD.action_space
    own, reference = (
        kind(16, space, action_space, device="cpu", n_envs=2, n_steps=3, gamma=0.9)
        for kind in (PictureReplayBuffer, NStepReplayBuffer)
    )
    rows = [observations(2, seed) for seed in range(11)]
    for index, (obs, following) in enumerate(pairwise(rows)):
        dones, infos = np.array([index == 4, False]), [{"TimeLimit.truncated": index == 9}] * 2
        step = (obs, following, np.full((2, 2), index, np.float32), np.array([1.0, index]), dones)
        own.add(*step, infos)
        reference.add(*step, infos)
    batches = []
    for buffer in (own, reference):
        np.random.seed(0)  # noqa: NPY002  (SB3's stream)
        batches.append(buffer.sample(200))
    for mine, theirs in zip(*batches, strict=True):
        assert torch.equal(mine, theirs)
    assert len(set(batches[0].discounts.flatten().tolist())) > 1
