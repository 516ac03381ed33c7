"""States that no robot should get into: every world says so, ends the episode and goes on."""

from __future__ import annotations

import pickle
import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv

from skillgym_envs.core.errors import SimulationDiverged, SkillgymError
from tests.conformance.test_envs import WORLD_IDS

FAMILIES = [
    f"skillgym/{name}-v0"
    for name in ("Kitchen", "Maze", "FetchPyramidStack", "FetchComplexHook", "Office", "Tabletop")
]


def act(env: gym.Env) -> np.ndarray:
    return np.zeros(env.action_space.shape, np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("env_id", WORLD_IDS)
def test_a_diverged_simulation_ends_the_episode_and_says_so(env_id: str, bad: float) -> None:
    env = gym.make(env_id)
    seen, _ = env.reset(seed=0)
    env.unwrapped.data.qpos[0] = bad
    with pytest.warns(SimulationDiverged, match=r"environment \[0\]") as caught:
        observation, reward, terminated, truncated, info = env.step(act(env))
    assert f"with reward {reward:g};" in str(caught[0].message)
    np.testing.assert_array_equal(observation, seen)
    assert (reward, terminated, truncated) == (env.unwrapped.world.failure, True, False)
    assert info["subtasks_completed_step"] == ()
    again, _ = env.reset(seed=0)
    np.testing.assert_array_equal(again, seen)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SimulationDiverged)
        assert not env.step(act(env))[2]
    env.close()


@pytest.mark.parametrize("env_id", FAMILIES)
def test_the_other_environments_of_a_batch_do_not_notice(env_id: str) -> None:
    trails = []
    for broken in (False, True):
        env = gym.make_vec(
            env_id,
            3,
            vectorization_mode="vector_entry_point",
            autoreset_mode=AutoresetMode.DISABLED,
        )
        env.reset(seed=0)
        if broken:
            env.unwrapped._simulator.data[1].qpos[0] = np.nan
        trail = []
        for step in range(3):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                observations, rewards, terminated, *_ = env.step(env.action_space.sample() * 0)
            named = [w for w in caught if w.category is SimulationDiverged]
            assert len(named) == (broken and step == 0), "told once: then it is frozen"
            trail.append((observations[::2], rewards[::2], terminated[::2]))
            assert terminated[1] == broken
            assert np.isfinite(observations).all()
        trails.append(trail)
        env.close()
    for one, other in zip(*trails, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_several_worlds_in_one_process_do_not_mix() -> None:
    alone, together = {}, {}
    for env_id in FAMILIES:
        env = gym.make(env_id)
        env.reset(seed=1)
        alone[env_id] = [env.step(act(env))[0] for _ in range(2)]
        env.close()
    envs = {env_id: gym.make(env_id) for env_id in FAMILIES}
    for env in envs.values():
        env.reset(seed=1)
    for _ in range(2):  # in turns
        for env_id, env in envs.items():
            together.setdefault(env_id, []).append(env.step(act(env))[0])
    for env_id, env in envs.items():
        np.testing.assert_array_equal(alone[env_id], together[env_id])
        env.close()


@pytest.mark.parametrize("far", [-30.0, 30.0])
@pytest.mark.parametrize("env_id", FAMILIES)
def test_joints_far_out_of_their_ranges(env_id: str, far: float) -> None:
    """Finite observations, or an end that is told; then all is as before."""
    env = gym.make(env_id)
    seen, _ = env.reset(seed=0)
    model, data = env.unwrapped.world.model, env.unwrapped.data
    single = model.jnt_type >= int(mujoco.mjtJoint.mjJNT_SLIDE)
    data.qpos[model.jnt_qposadr[single]] += far
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SimulationDiverged)
        for _ in range(5):
            observation, reward, terminated, *_ = env.step(act(env))
            assert np.isfinite(observation).all() and np.isfinite(reward)
            if terminated:
                break
    np.testing.assert_array_equal(env.reset(seed=0)[0], seen)
    env.close()


def make_vec(env_id: str, mode: AutoresetMode) -> VectorEnv:
    return gym.make_vec(
        env_id, 2, vectorization_mode="vector_entry_point", autoreset_mode=mode, num_threads=1
    )


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("env_id", FAMILIES)
def test_a_copy_of_a_vector_environment_goes_on_identically(
    env_id: str, mode: AutoresetMode
) -> None:
    env = make_vec(env_id, mode)
    env.reset(seed=0)
    env.action_space.seed(0)
    env.step(env.action_space.sample())
    copy = pickle.loads(pickle.dumps(env))
    for _ in range(3):
        action = env.action_space.sample()
        for one, other in zip(env.step(action)[:4], copy.step(action)[:4], strict=True):
            np.testing.assert_array_equal(one, other)
    env.close()
    copy.close()


@pytest.mark.parametrize("env_id", FAMILIES)
def test_bad_actions_of_a_batch_are_one_sentence(env_id: str) -> None:
    env, twin = (make_vec(env_id, AutoresetMode.NEXT_STEP) for _ in range(2))
    for each in (env, twin):
        each.reset(seed=0)
    good = np.zeros(env.action_space.shape, np.float32)
    with_nan = good.copy()
    with_nan[1, 0] = np.nan
    for bad in (with_nan, good[:1], good[:, 1:]):
        with pytest.raises(SkillgymError) as caught:
            env.step(bad)
        assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(env.step(good)[0], twin.step(good)[0])
    env.close()
    twin.close()


@pytest.mark.slow
@pytest.mark.parametrize("env_id", WORLD_IDS)
def test_ten_thousand_random_steps_without_reset(env_id: str) -> None:
    env = gym.make(env_id, max_episode_steps=20_000)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(10_000):
        with warnings.catch_warnings():
            warnings.simplefilter("error", SimulationDiverged)
            observation, reward, *_ = env.step(env.action_space.sample())
        assert np.isfinite(observation).all()
        assert np.isfinite(reward)
    env.close()
