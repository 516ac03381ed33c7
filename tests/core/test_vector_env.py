"""Environment i of a batch equals a single one with the same seed, bit for bit."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import (
    EnvironmentClosed,
    InvalidAction,
    InvalidResetMask,
    ResetNeeded,
    SimulationDiverged,
    SkillgymError,
    UnknownResetOption,
    WrongSeedCount,
)
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.core.world import Outcome, World
from skillgym_envs.kitchen import KitchenWorld
from tests.toy_world import ToyWorld

SEED = 40
WORLDS = {"toy": (ToyWorld, 12, 60), "kitchen": (KitchenWorld, 4, 10)}  # episode length, steps


@cache
def world_of(name: str) -> World:
    return WORLDS[name][0]()


def actions_of(row: int, steps: int, size: int) -> np.ndarray:
    """Smooth random actions: the toy's puck reaches its marks and some episodes terminate."""
    rng = np.random.default_rng(row)
    return np.clip(np.repeat(rng.normal(0, 1.5, (steps // 3 + 1, size)), 3, axis=0), -1, 1)[:steps]


@cache
def single_rollout(name: str, row: int) -> list[tuple[Any, ...]]:
    """Transitions of one environment; after the last one of an episode stands the next reset."""
    _, limit, steps = WORLDS[name]
    env = gym.wrappers.TimeLimit(WorldEnv(world_of(name)), limit)
    observation, _ = env.reset(seed=SEED + row)
    rows = [(observation, None)]
    for action in actions_of(row, steps, env.action_space.shape[0]):
        rows.append(env.step(action))
        if rows[-1][2] or rows[-1][3]:
            rows.append(env.reset())
    return rows


def check_step(expected: tuple[Any, ...], got: Any, row: int) -> None:
    observation, reward, terminated, truncated, infos = got
    np.testing.assert_array_equal(observation[row], expected[0])
    assert (reward[row], terminated[row], truncated[row]) == expected[1:4]
    for key in ("subtasks_completed", "subtasks_completed_step"):
        assert infos[key][row] == expected[4][key]


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
@pytest.mark.parametrize("num_threads", [1, 2, 4])
@pytest.mark.parametrize("num_envs", [1, 3, 16])
@pytest.mark.parametrize("name", WORLDS)
def test_env_i_equals_a_single_env(name, num_envs, num_threads, mode):
    _, limit, steps = WORLDS[name]
    if name == "kitchen" and (num_envs, num_threads) == (16, 1):
        steps = 6
    env = WorldVectorEnv(world_of(name), num_envs, num_threads, mode, limit)
    expected = [iter(single_rollout(name, row)) for row in range(num_envs)]
    size = env.single_action_space.shape[0]
    plans = [iter(actions_of(row, WORLDS[name][2], size)) for row in range(num_envs)]
    observation, _ = env.reset(seed=SEED)
    for row in range(num_envs):
        np.testing.assert_array_equal(observation[row], next(expected[row])[0])
    over = np.zeros(num_envs, bool)
    for _ in range(steps):
        # In NEXT_STEP the action after the end is ignored, so the plan waits.
        waiting = over & (mode is AutoresetMode.NEXT_STEP)
        actions = np.array(
            [np.full(size, 0.3) if waiting[i] else next(plans[i]) for i in range(num_envs)]
        )
        got = env.step(actions)
        for row in range(num_envs):
            if waiting[row]:
                np.testing.assert_array_equal(got[0][row], next(expected[row])[0])
                assert (got[1][row], got[2][row], got[3][row]) == (0.0, False, False)
                assert got[4]["subtasks_completed"][row] == ()
                continue
            transition = next(expected[row])
            ended = got[2][row] or got[3][row]
            if mode is AutoresetMode.SAME_STEP and ended:
                first = next(expected[row])[0]
                np.testing.assert_array_equal(got[0][row], first)
                np.testing.assert_array_equal(got[4]["final_obs"][row], transition[0])
                final = got[4]["final_info"]
                assert final["subtasks_completed"][row] == transition[4]["subtasks_completed"]
                assert (got[1][row], got[2][row], got[3][row]) == transition[1:4]
            else:
                check_step(transition, got, row)
        over = got[2] | got[3]
        if mode is AutoresetMode.DISABLED and over.any():
            observation, _ = env.reset(options={"reset_mask": over})
            for row in np.flatnonzero(over):
                np.testing.assert_array_equal(observation[row], next(expected[row])[0])
    env.close()


def test_the_rollouts_above_contain_both_ends():
    ends = [row[2:4] for i in range(16) for row in single_rollout("toy", i) if len(row) == 5]
    assert any(terminated for terminated, _ in ends)
    assert any(truncated and not terminated for terminated, truncated in ends)


def test_disabled_freezes_until_the_mask():
    env = WorldVectorEnv(ToyWorld(), 3, 2, AutoresetMode.DISABLED, 4)
    env.reset(seed=0)
    env.reset(options={"reset_mask": np.array([True, False, False])})
    action = np.full((3, 1), 0.5)
    for _ in range(4):
        last = env.step(action)
    assert last[3].all()
    qpos = [data.qpos.copy() for data in env._simulator.data]
    frozen = env.step(action)
    np.testing.assert_array_equal(frozen[0], last[0])
    np.testing.assert_array_equal(frozen[1], np.zeros(3))
    assert frozen[3].all()
    assert not frozen[2].any()
    assert [tuple(names) for names in frozen[4]["subtasks_completed_step"]] == [(), (), ()]
    np.testing.assert_array_equal([data.qpos for data in env._simulator.data], qpos)
    observation, _ = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert observation[1, 2] == 0
    np.testing.assert_array_equal(observation[[0, 2]], last[0][[0, 2]])
    moved = env.step(action)
    assert moved[3].tolist() == [True, False, True]
    assert moved[0][:, 2].tolist() == [4, 1, 4]


def test_final_infos_are_those_of_ended_episodes_only():
    env = WorldVectorEnv(ToyWorld(), 2, 1, AutoresetMode.SAME_STEP, 2)
    env.reset(seed=0)
    env.step(np.zeros((2, 1)))
    env.reset(options={"reset_mask": np.array([True, False])})
    *_, truncated, infos = env.step(np.zeros((2, 1)))
    assert truncated.tolist() == [False, True]
    for name in ("subtasks_completed", "subtasks_completed_step"):
        assert infos["final_info"][name].tolist() == [None, ()]
        assert infos["final_info"][f"_{name}"].tolist() == [False, True]
        assert infos[f"_{name}"].all()
    assert infos["final_obs"][0] is None


class PatientWorld(ToyWorld):
    """From its third control step on everything is done, in every step anew, for a reward of 2."""

    failure = -1.0

    def score(self, observation, physics, memory):
        late = memory["steps"] > 3
        both = np.stack([late, late], axis=1)
        return Outcome(2.0 * late, late, both, both), memory


@pytest.mark.parametrize(
    ("limit", "flags", "subtasks"), [(2, (False, True), ()), (5, (True, False), ("left", "right"))]
)
def test_nothing_happens_to_a_frozen_environment(limit, flags, subtasks):
    """Whatever its task would say: no reward, no subtask, and the flags that its episode had."""
    env = WorldVectorEnv(PatientWorld(), 2, 1, AutoresetMode.DISABLED, limit)
    env.reset(seed=0)
    for _ in range(min(limit, 3)):
        _, reward, terminated, truncated, infos = env.step(np.zeros((2, 1)))
    assert (terminated[1], truncated[1]) == flags and reward[1] == 2.0 * flags[0]
    env.reset(options={"reset_mask": np.array([True, False])})
    for _ in range(4):
        _, reward, terminated, truncated, infos = env.step(np.zeros((2, 1)))
        assert (reward[1], terminated[1], truncated[1]) == (0.0, *flags)
        assert infos["subtasks_completed_step"][1] == ()
        assert infos["subtasks_completed"][1] == subtasks


def test_a_diverged_environment_has_completed_nothing():
    """Not even what the state that MuJoCo puts it into would complete."""
    env = WorldVectorEnv(PatientWorld(), 2, 1, AutoresetMode.DISABLED)
    env.reset(seed=0)
    for _ in range(2):
        env.step(np.zeros((2, 1)))
    env._simulator.data[0].qpos[:] = np.nan
    with pytest.warns(SimulationDiverged):
        _, reward, terminated, _, infos = env.step(np.zeros((2, 1)))
    assert reward.tolist() == [-1.0, 2.0] and terminated.all()
    for name in ("subtasks_completed", "subtasks_completed_step"):
        assert infos[name].tolist() == [(), ("left", "right")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it was told once
        env.step(np.zeros((2, 1)))
    env.reset(options={"reset_mask": np.array([True, False])})
    assert not env.step(np.zeros((2, 1)))[2][0]  # it runs again


@pytest.mark.parametrize("seed", [99, [99, 100, 101]])
def test_a_masked_reset_leaves_other_random_streams_alone(seed):
    """As Gymnasium's `SyncVectorEnv`: environments 0 and 2 draw what they would have drawn."""
    observations = []
    for given in (seed, [None, 100, None]):
        env = WorldVectorEnv(ToyWorld(noise=0.5), 3, 2, AutoresetMode.DISABLED, 4)
        env.reset(seed=0)
        mask = np.array([False, True, False])
        masked, _ = env.reset(seed=given, options={"reset_mask": mask})
        observations.append((masked, env.reset()[0]))
    np.testing.assert_array_equal(*observations)


def test_a_frozen_environment_ignores_nan():
    env = WorldVectorEnv(ToyWorld(), 2, 1, AutoresetMode.DISABLED, 2)
    env.reset(seed=0)
    env.step(np.zeros((2, 1)))
    env.step(np.zeros((2, 1)))
    env.reset(options={"reset_mask": np.array([True, False])})
    env.step(np.array([[0.0], [np.nan]]))
    with pytest.raises(InvalidAction, match=r"environment \[0\]"):
        env.step(np.array([[np.nan], [0.0]]))


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
def test_returned_arrays_are_the_callers(mode):
    """Overwriting everything that was returned changes nothing later."""
    runs = []
    for spoil in (False, True):
        env = WorldVectorEnv(ToyWorld(), 3, 2, mode, 5)
        observation, infos = env.reset(seed=0)
        rows = []
        for t in range(12):
            if spoil:
                observation[:] = 99.0
                for value in infos.values():
                    if isinstance(value, np.ndarray):
                        value[...] = False
            observation, reward, terminated, truncated, infos = env.step(actions_of(t, 3, 1))
            rows.append([x.copy() for x in (observation, reward, terminated, truncated)])
            if spoil:
                reward[:], terminated[:], truncated[:] = -1.0, True, True
        runs.append(rows)
    for one, other in zip(*runs, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_seeds_one_per_env_and_going_on():
    env = WorldVectorEnv(ToyWorld(), 3)
    one, _ = env.reset(seed=5)
    other, _ = env.reset(seed=[5, 6, 7])
    np.testing.assert_array_equal(one, other)
    mixed, _ = env.reset(seed=[5, None, 7])
    np.testing.assert_array_equal(mixed[[0, 2]], one[[0, 2]])
    assert mixed[1, 0] != one[1, 0]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda env: env.step(np.zeros((2, 1))), ResetNeeded),
        (lambda env: (env.reset(seed=0), env.step(np.zeros((2, 2)))), InvalidAction),
        (lambda env: (env.reset(seed=0), env.step(np.full((2, 1), np.inf))), InvalidAction),
        (lambda env: (env.reset(seed=0), env.step(["a", "b"])), InvalidAction),
        (lambda env: env.reset(seed=[1, 2, 3]), WrongSeedCount),
        (lambda env: env.reset(seed=1.5), WrongSeedCount),
        (
            lambda env: (env.reset(seed=0), env.reset(options={"reset_mask": np.ones(3, bool)})),
            InvalidResetMask,
        ),
        (
            lambda env: (env.reset(seed=0), env.reset(options={"reset_mask": np.zeros(2)})),
            InvalidResetMask,
        ),
        (lambda env: (env.close(), env.reset()), EnvironmentClosed),
        (lambda env: (env.reset(), env.close(), env.step(np.zeros((2, 1)))), EnvironmentClosed),
    ],
)
def test_mistakes_are_one_sentence(call, error):
    with pytest.raises(error) as caught:
        call(WorldVectorEnv(ToyWorld(), 2))
    assert "\n" not in str(caught.value)


def test_no_time_limit_draws_new_noise():
    """An episode longer than a block of random numbers goes on with fresh ones."""
    env = WorldVectorEnv(ToyWorld(noise=0.5, max_episode_steps=3), 2)
    env.reset(seed=0)
    readings = []
    for _ in range(10):
        observation, *_ = env.step(np.zeros((2, 1)))
        readings.append(observation[:, 0] - [data.qpos[0] for data in env._simulator.data])
    assert len(np.unique(np.round(readings, 9))) == 20


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"num_envs": 0}, "num_envs=0, expected an integer of at least 1"),
        ({"num_envs": -1}, "num_envs=-1, expected an integer"),
        ({"num_envs": 1.5}, "num_envs=1.5, expected an integer"),
        ({"num_envs": "2"}, "num_envs='2', expected an integer"),
        ({"num_threads": 0}, "num_threads=0"),
        ({"max_episode_steps": -1}, "max_episode_steps=-1"),
        ({"autoreset_mode": "next_step"}, r"'next_step', expected one of AutoresetMode.NEXT_STEP,"),
        ({"render_mode": "human"}, "'human', expected None or 'rgb_array'"),
        ({"width": 0}, "width=0, expected an integer of at least 1"),
        ({"height": "a"}, "height='a'"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(keywords, sentence):
    with pytest.raises(SkillgymError, match=sentence):
        WorldVectorEnv(ToyWorld(), **{"num_envs": 2, **keywords})


def test_settings_may_be_numpy_integers_and_names():
    env = WorldVectorEnv(ToyWorld(), np.int64(2), autoreset_mode="SameStep")
    assert env.reset(seed=0)[0].shape[0] == 2
    assert env.autoreset_mode is AutoresetMode.SAME_STEP


def test_a_reset_option_without_effect_is_told():
    with pytest.warns(UnknownResetOption, match=r"'sead' of reset.*known: none"):
        WorldVectorEnv(ToyWorld(), 2).reset(options={"sead": 1})
