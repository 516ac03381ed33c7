"""Replay with semi-Markov discounts."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from skillgym.errors import UnsupportedSpace
from skillgym.rl import PictureReplayBuffer, SkillReplayBuffer
from skillgym.wrappers import SkillActions
from tests.skill_stubs import CountingEnv, StubSkills

OBSERVATIONS, ACTIONS = Box(-1, 1, (2,), np.float32), Box(-1, 1, (1,), np.float32)


def fill(buffer: ReplayBuffer, count: int, num_envs: int) -> None:
    for k in range(count):
        row = np.arange(num_envs) + k * num_envs
        observation = np.stack([row, row + 0.5], axis=1).astype(np.float32)
        infos = [
            {"skill_steps": int(r % 10) + 1, "TimeLimit.truncated": bool(r % 4 == 1)} for r in row
        ]
        buffer.add(observation, observation + 1, row[:, None], row, row % 2 == 1, infos)


@pytest.mark.parametrize("compact", [False, True])
def test_samples_are_those_of_sb3_with_the_discount_of_each_skill(compact: bool) -> None:
    settings = {"n_envs": 3, "device": "cpu"}
    if compact:
        settings |= {"optimize_memory_usage": True, "handle_timeout_termination": False}
    ours = SkillReplayBuffer(60, OBSERVATIONS, ACTIONS, gamma=0.9, **settings)
    reference = ReplayBuffer(60, OBSERVATIONS, ACTIONS, **settings)
    for buffer in (ours, reference):
        fill(buffer, 25, 3)
    normalised = VecNormalize(DummyVecEnv([CountingEnv]))
    normalised.obs_rms.mean, normalised.obs_rms.var = np.full(2, 30.0), np.full(2, 99.0)
    normalised.ret_rms.var = np.array(400.0)
    np.random.seed(1)  # noqa: NPY002  (SB3's stream)
    sample = ours.sample(50, normalised)
    np.random.seed(1)  # noqa: NPY002
    expected = reference.sample(50, normalised)
    for name in ("observations", "actions", "next_observations", "dones", "rewards"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(expected, name))
    steps = sample.actions.numpy() % 10 + 1
    np.testing.assert_allclose(sample.discounts, 0.9**steps, rtol=1e-6)


def test_transitions_without_skills_count_as_one_step() -> None:
    buffer = SkillReplayBuffer(10, OBSERVATIONS, ACTIONS, gamma=0.9, device="cpu")
    zero = np.zeros((1, 2), np.float32)
    buffer.add(zero, zero, zero[:, :1], np.zeros(1), np.zeros(1), [{}])
    np.testing.assert_allclose(buffer.sample(3).discounts, 0.9)


def test_sb3_learns_with_it() -> None:
    env = SkillActions(CountingEnv(30), StubSkills(), "discounted", 0.95)
    agent = SAC(
        "MlpPolicy",
        env,
        learning_starts=5,
        batch_size=4,
        policy_kwargs={"net_arch": [8]},
        replay_buffer_class=SkillReplayBuffer,
        replay_buffer_kwargs={"gamma": 0.95},
        buffer_size=100,
    ).learn(10)
    np.testing.assert_allclose(agent.replay_buffer.discounts[:10], 0.95**10, rtol=1e-6)


@pytest.mark.parametrize("kind", [SkillReplayBuffer, PictureReplayBuffer])
def test_dictionaries_are_refused(kind: type[ReplayBuffer]) -> None:
    with pytest.raises(UnsupportedSpace, match=r"Dict.*FlattenObservation"):
        kind(10, Dict(state=OBSERVATIONS), ACTIONS, device="cpu")
