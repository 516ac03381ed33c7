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
# name -> id, keywords that make episodes end (and others), steps
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "kitchen": ("skillgym/Kitchen-v0", {"max_episode_steps": 6}, 15),
    "maze": ("skillgym/Maze-v0", {"max_episode_steps": 6}, 15),
    "maze pictures": ("skillgym/Maze-v0", {"max_episode_steps": 6, "observation": "image"}, 15),
    "office": ("skillgym/Office-v0", {"max_episode_steps": 4}, 6),
    "tabletop": ("skillgym/Tabletop-v0", {"max_episode_steps": 6}, 15),
    **{
        task: (f"skillgym/Fetch{task}-v0", {"max_episode_steps": 4}, 10)
        for task in ("Place", "PyramidStack", "CleanUp", "SlipperyPush", "Hook", "ComplexHook")
    },
    "kitchen skills": ("SkillKitchen-v0", {}, 30),
}
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


def factories(case: str) -> list[Any]:
    env_id, keywords, _ = CASES[case]
    return [lambda: gym.make(env_id, **keywords) for _ in range(N)]


def ours(case: str, mode: AutoresetMode) -> gym.vector.VectorEnv:
    env_id, keywords, _ = CASES[case]
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
@pytest.mark.parametrize("case", CASES)
def test_sync_async_and_ours_agree(case, mode):
    """Worlds and skills agree bit for bit."""
    env_id, _, steps = CASES[case]
    sync = transitions(SyncVectorEnv(factories(case), autoreset_mode=mode), steps)
    assert any(row[3].any() for row in sync[1:]), "no episode ended: the test is too short"
    if env_id.startswith("skillgym/"):
        asynchronous = AsyncVectorEnv(factories(case), autoreset_mode=mode)
        assert_transitions(transitions(asynchronous, steps), sync)
    assert_transitions(transitions(ours(case, mode), steps), sync)


@pytest.mark.parametrize("case", CASES)
def test_dummy_vec_env_agrees(case):
    """SB3 resets in the same step and hides the last observation in the info."""
    _, _, steps = CASES[case]
    expected = transitions(ours(case, AutoresetMode.SAME_STEP), steps)
    dummy = DummyVecEnv(factories(case))
    dummy.seed(SEED)
    np.testing.assert_array_equal(dummy.reset(), expected[0][0])
    space = ours(case, AutoresetMode.SAME_STEP).action_space
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
