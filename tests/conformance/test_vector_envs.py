"""Sync, Async, SB3's DummyVecEnv and our own vector environments give the same transitions."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv

import skillgym  # noqa: F401  registers the environments

N = 2
SEED = 11
# id -> keywords that make episodes end, steps
CASES = {
    "skillgym/Kitchen-v0": (6, 15),
    "skillgym/Maze-v0": (6, 15),
    "skillgym/Office-v0": (4, 6),
    "skillgym/Tabletop-v0": (6, 15),
    "SkillKitchen-v0": (None, 30),
}
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


def factories(env_id: str) -> list[Any]:
    limit, _ = CASES[env_id]
    keywords = {} if limit is None else {"max_episode_steps": limit}
    return [lambda: gym.make(env_id, **keywords) for _ in range(N)]


def ours(env_id: str, mode: AutoresetMode) -> gym.vector.VectorEnv:
    limit, _ = CASES[env_id]
    keywords = {} if limit is None else {"max_episode_steps": limit}
    return gym.make_vec(
        env_id, N, vectorization_mode="vector_entry_point", autoreset_mode=mode, **keywords
    )


def transitions(env: gym.vector.VectorEnv, steps: int) -> list[Any]:
    env.action_space.seed(3)
    observation, _ = env.reset(seed=SEED)
    rows = [(observation,)]
    for _ in range(steps):
        *row, infos = env.step(env.action_space.sample())
        final = infos.get("final_obs")
        finals = [] if final is None else [f for f in final if f is not None]
        subtasks = [tuple(names or ()) for names in infos["subtasks_completed"]]
        rows.append((*row, subtasks, finals))
    env.close()
    return rows


def assert_transitions(given: list[Any], expected: list[Any]) -> None:
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        for a, b in zip(one[1:4], other[1:4], strict=True):
            np.testing.assert_array_equal(a, b)
        assert one[4:5] == other[4:5]
        for a, b in zip(one[5:], other[5:], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize("env_id", CASES)
def test_sync_async_and_ours_agree(env_id, mode):
    """Worlds and skills agree bit for bit."""
    _, steps = CASES[env_id]
    sync = transitions(SyncVectorEnv(factories(env_id), autoreset_mode=mode), steps)
    assert any(row[3].any() for row in sync[1:]), "no episode ended: the test is too short"
    if env_id.startswith("skillgym/"):
        asynchronous = AsyncVectorEnv(factories(env_id), autoreset_mode=mode)
        assert_transitions(transitions(asynchronous, steps), sync)
    assert_transitions(transitions(ours(env_id, mode), steps), sync)


@pytest.mark.parametrize("env_id", CASES)
def test_dummy_vec_env_agrees(env_id):
    """SB3 resets in the same step and hides the last observation in the info."""
    _, steps = CASES[env_id]
    expected = transitions(ours(env_id, AutoresetMode.SAME_STEP), steps)
    dummy = DummyVecEnv(factories(env_id))
    dummy.seed(SEED)
    np.testing.assert_array_equal(dummy.reset(), expected[0][0])
    space = ours(env_id, AutoresetMode.SAME_STEP).action_space
    space.seed(3)
    for row in expected[1:]:
        observation, reward, done, infos = dummy.step(space.sample())
        np.testing.assert_array_equal(observation, row[0])
        np.testing.assert_array_equal(reward, row[1].astype(np.float32))
        np.testing.assert_array_equal(done, row[2] | row[3])
        finals = [i["terminal_observation"] for i in infos if "terminal_observation" in i]
        for final, expected_final in zip(finals, row[5], strict=True):
            np.testing.assert_array_equal(final, expected_final)
        assert [i["TimeLimit.truncated"] for i in infos] == (row[3] & ~row[2]).tolist()
    dummy.close()
