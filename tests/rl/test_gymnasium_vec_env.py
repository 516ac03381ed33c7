"""Gymnasium's vector environments as those of SB3."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import skillgym  # noqa: F401  (registers)
from skillgym.errors import InvalidConfig
from skillgym.rl import GymnasiumVecEnv, PriorSAC
from skillgym.wrappers import SkillActions, VectorSkillActions
from skillgym.wrappers.errors import WrongAutoresetMode
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.vector_env import WorldVectorEnv
from tests.skill_stubs import CountingEnv, StubSkills
from tests.toy_world import ToyWorld

N, LIMIT = 3, 45


def single() -> gym.Env:
    world = WorldEnv(ToyWorld(max_episode_steps=LIMIT), render_mode=None)
    return SkillActions(TimeLimit(world, LIMIT), StubSkills(max_steps=10))


def batched() -> GymnasiumVecEnv:
    world = ToyWorld(max_episode_steps=LIMIT)
    inner = WorldVectorEnv(world, N, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=LIMIT)
    skills = VectorSkillActions(inner, StubSkills(max_steps=10), autoreset_mode="SameStep")
    return GymnasiumVecEnv(skills)


def test_it_equals_a_dummy_vec_env_of_the_single_wrapper() -> None:
    ours, reference = VecMonitor(batched()), VecMonitor(DummyVecEnv([single] * N))
    rng = np.random.default_rng(0)
    for env in (ours, reference):
        env.seed(11)
    first = ours.reset()
    np.testing.assert_array_equal(first, reference.reset())
    ends = timeouts = 0
    dones = np.ones(N, bool)
    for _ in range(60):
        # Left first and then right completes the task; the others may run into the time limit.
        skills = np.where(dones, -2.0, 2.0).repeat(2).reshape(N, 2).astype(np.float32)
        skills[1:] = rng.choice([-2.0, 2.0], (N - 1, 2))
        observations, rewards, dones, infos = ours.step(skills)
        expected = reference.step(skills)
        np.testing.assert_array_equal(observations, expected[0])
        np.testing.assert_array_equal(rewards, expected[1])
        np.testing.assert_array_equal(dones, expected[2])
        for i, info in enumerate(infos):
            wanted = expected[3][i]
            assert set(info) == set(wanted)
            arrays = {"terminal_observation", "skill_first_observation"} & set(wanted)
            for key in set(wanted) - arrays - {"episode"}:
                assert info[key] == wanted[key], key
            for key in arrays:
                np.testing.assert_array_equal(info[key], wanted[key])
            if dones[i]:
                ends += 1
                timeouts += info["TimeLimit.truncated"]
                assert arrays == {"terminal_observation", "skill_first_observation"}
                assert info["episode"]["r"] == wanted["episode"]["r"]
                assert info["episode"]["l"] == wanted["episode"]["l"]
    assert ends > timeouts > 0
    again = ours.reset()  # the seed was for the first time alone
    np.testing.assert_array_equal(again, reference.reset())
    assert not np.array_equal(again, first)


class Numbered(CountingEnv):
    """Says at its start which episode begins."""

    episode = 0

    def reset(self, **keywords: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.episode += 1
        return super().reset(**keywords)[0], {"episode_number": self.episode}


def test_infos_of_a_start_are_those_of_the_last_one() -> None:
    makers = [lambda end=end: Numbered(end) for end in (2, 3)]
    env = GymnasiumVecEnv(SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP))
    env.reset()
    for expected in ([1, 1], [2, 1], [2, 2]):
        env.step(np.zeros((2, 1), np.float32))
        assert [info["episode_number"] for info in env.reset_infos] == expected


def test_attributes_methods_and_wrappers() -> None:
    env = batched()
    assert env.get_attr("skill_model", [0, 2]) == [env.env.skill_model] * 2
    assert env.get_attr("max_episode_steps") == [LIMIT] * N
    assert not env.has_attr("something else")
    env.set_attr("max_episode_steps", 30)
    assert env.env.env.max_episode_steps == 30
    assert env.env_method("__repr__", indices=[1]) == [repr(env.env)]
    calls: list[int] = []
    env.env.call_me = calls.append  # type: ignore[attr-defined]
    assert env.env_method("call_me", 1) == [None] * N
    assert calls == [1]  # once for all of them
    assert env.env_is_wrapped(Monitor) == [False] * N
    env.close()
    assert env.env.closed


def test_attributes_and_methods_of_single_environments() -> None:
    """Those of a SyncVectorEnv are found, each in its own environment."""
    env = GymnasiumVecEnv(SyncVectorEnv([single] * N, autoreset_mode=AutoresetMode.SAME_STEP))
    models = [each.skill_model for each in env.env.envs]
    assert env.get_attr("skill_model", [2, 0]) == [models[2], models[0]]
    assert env.has_attr("skill_name")
    assert not env.has_attr("something else")
    env.set_attr("frame_callback", print, [1])
    assert env.get_attr("frame_callback") == [None, print, None]
    kinds = env.env_method("class_name", indices=[0, 1])
    assert kinds == ["SkillActions"] * 2
    agent = PriorSAC("SkillPriorPolicy", env, learning_starts=4, batch_size=4)
    assert agent.learn(8).prior is not None
    env.close()


def test_hindsight_replay_finds_the_reward_of_single_environments() -> None:
    def goals() -> gym.Env:
        return gym.make("skillgym/FetchPlace-v0", goals=True, max_episode_steps=5)

    env = GymnasiumVecEnv(SyncVectorEnv([goals] * 2, autoreset_mode=AutoresetMode.SAME_STEP))
    keywords = {"learning_starts": 12, "batch_size": 8, "buffer_size": 100}
    SAC("MultiInputPolicy", env, replay_buffer_class=HerReplayBuffer, **keywords).learn(20)
    env.close()


def test_statistics_of_gymnasiums_vector_wrapper_belong_to_the_episode_that_is_over() -> None:
    inner = SyncVectorEnv([single] * N, autoreset_mode=AutoresetMode.SAME_STEP)
    env = GymnasiumVecEnv(RecordEpisodeStatistics(inner))
    env.seed(0)
    env.reset()
    for _ in range(LIMIT // 10 + 1):
        _, _, dones, infos = env.step(np.zeros((N, 2), np.float32))
    assert dones.all()
    assert [info["episode"]["l"] for info in infos] == [5] * N
    assert not any("episode" in info for info in env.reset_infos)
    agent = PriorSAC("SkillPriorPolicy", env, learning_starts=100)
    assert len(agent.learn(6 * N).ep_info_buffer) == N


def test_options_are_the_same_for_all() -> None:
    env = batched()
    env.set_options({})
    env.reset()
    env.set_options([{"reset_mask": None}, {}, {}])
    with pytest.raises(InvalidConfig, match="the same for all environments"):
        env.reset()


def test_images() -> None:
    makers = [partial(CountingEnv, render_mode="rgb_array")] * 2
    env = GymnasiumVecEnv(SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP))
    env.reset()
    assert env.render_mode == "rgb_array"
    assert [image.shape for image in env.get_images()] == [(2, 2, 3)] * 2


def test_only_same_step() -> None:
    with pytest.raises(WrongAutoresetMode, match=r"AutoresetMode\.SAME_STEP"):
        GymnasiumVecEnv(SyncVectorEnv([CountingEnv]))
