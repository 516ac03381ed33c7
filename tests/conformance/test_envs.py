"""What every registered environment must do, worlds and skill environments alike.

A new world is covered by being registered.
"""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import skillgym  # noqa: F401  registers the environments
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.observations import SOURCES

IDS = [
    spec.id
    for spec in gym.registry.values()
    if spec.namespace == "skillgym" or str(spec.entry_point).startswith("skillgym.")
]
WORLD_IDS = [env_id for env_id in IDS if env_id.startswith("skillgym/")]
STEPS = 4


@pytest.fixture(params=IDS)
def env_id(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def env(env_id: str):
    env = gym.make(env_id)
    yield env
    env.close()


def bare(env: gym.Env) -> gym.Env:
    """The environment without what `gymnasium.make` puts around it."""
    while isinstance(env, gym.wrappers.common.PassiveEnvChecker | gym.wrappers.OrderEnforcing) or (
        isinstance(env, gym.wrappers.TimeLimit)
    ):
        env = env.env
    return env


def actions_of(space: gym.Space, steps: int, seed: int = 0) -> list[Any]:
    space.seed(seed)
    return [space.sample() for _ in range(steps)]


def rollout(env: gym.Env, actions: list[Any], seed: int | None = 0) -> list[Any]:
    """First reset, then all transitions."""
    return [env.reset(seed=seed), *(env.step(action) for action in actions)]


def assert_same(first: Any, second: Any) -> None:
    """Equality bit for bit through tuples, dictionaries and arrays."""
    assert type(first) is type(second)
    if isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert first == second


def test_there_is_an_id_of_each_kind():
    assert "skillgym/Kitchen-v0" in IDS
    assert "SkillKitchen-v0" in IDS


@pytest.mark.parametrize("env_id", WORLD_IDS)
def test_episodes_are_as_long_as_the_specs_say(env_id: str):
    named = {"Kitchen": 280, "Maze": 2000, "Office": 350, "Tabletop": 360}
    expected = named.get(env_id[9:-3], 100 if "Hook" in env_id else 50)
    env = gym.make(env_id)
    assert env.spec.max_episode_steps == env.unwrapped.world.max_episode_steps == expected
    vector = gym.make_vec(env_id, 2, vectorization_mode="vector_entry_point")
    assert vector.max_episode_steps == expected
    env.close()
    vector.close()


def test_gymnasium_check_env(env):
    inner = bare(env)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(inner, skip_render_check=True)
    # Skill environments are wrappers by design, and joint readings have no bounds.
    allowed = ("different from the unwrapped", "is -infinity", "is infinity", "normalized")
    unexpected = [str(w.message) for w in caught if not any(a in str(w.message) for a in allowed)]
    assert not [text for text in unexpected if "WARN" in text or "UserWarning" in text]


def test_sb3_check_env(env):
    sb3_check_env(env, warn=True)
    sb3_check_env(bare(env), warn=True)


@pytest.mark.parametrize("env_id", WORLD_IDS)
def test_layout_tells_where_numbers_come_from(env_id):
    """What is called constant is, within an episode."""
    env = gym.make(env_id)
    sources = np.array([row["source"] for row in env.unwrapped.layout.rows()])
    assert set(sources) <= set(SOURCES)
    steps = rollout(env, actions_of(env.action_space, STEPS))
    assert not np.ptp([step[0][sources == "constant"] for step in steps], axis=0).any()
    env.close()


def test_the_time_limit_is_that_of_the_world(env):
    limit = env.get_wrapper_attr("_max_episode_steps")
    assert limit == env.unwrapped.world.max_episode_steps


def test_two_instances_agree(env_id, env):
    actions = actions_of(env.action_space, STEPS)
    other = gym.make(env_id)
    assert_same(rollout(env, actions), rollout(other, actions))
    other.close()


def test_seeds_differ_and_the_stream_goes_on(env):
    """What differs may be hidden, such as the tabletop's blocks, or be noise of the observation."""
    states = []
    for seed in (0, 1, None):
        observation, _ = env.reset(seed=seed)
        states.append(np.concatenate((observation, env.unwrapped.data.qpos)))
    first, second, third = states
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_reset_leaves_nothing_behind(env_id, env):
    """MuJoCo's integration state after a seeded reset does not depend on the past."""
    states = []
    rollout(env, actions_of(env.action_space, STEPS), seed=5)
    for env in (env, gym.make(env_id)):  # noqa: B020
        env.reset(seed=0)
        model, data = env.unwrapped.world.model, env.unwrapped.data
        kind = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        state = np.zeros(mujoco.mj_stateSize(model, kind))
        mujoco.mj_getState(model, data, state, kind)
        states.append(state)
        after = rollout(env, actions_of(env.action_space, STEPS), seed=None)
        states.append(np.concatenate([step[0] for step in after[1:]]))
    np.testing.assert_array_equal(states[0], states[2])
    np.testing.assert_array_equal(states[1], states[3])


@pytest.mark.parametrize("after", [None, 0, 3], ids=["new", "reset", "mid-episode"])
def test_pickle_continues_identically(env, after):
    actions = actions_of(env.action_space, STEPS + 3)
    if after is not None:
        rollout(env, actions[:after])
    copy = pickle.loads(pickle.dumps(env))
    if after is None:
        assert_same(env.reset(seed=1), copy.reset(seed=1))
    for action in actions[after or 0 :]:
        assert_same(env.step(action), copy.step(action))
    assert_same(env.reset(), copy.reset())  # the random stream goes on too
    copy.close()


def test_spec_json_round_trip(env):
    spec = EnvSpec.from_json(env.spec.to_json())
    copy = gym.make(spec)
    actions = actions_of(env.action_space, STEPS)
    assert_same(rollout(env, actions), rollout(copy, actions))
    assert str(copy) == str(env)
    copy.close()


def test_keywords_survive_the_spec():
    env = gym.make("SkillKitchen-v0", tasks=["kettle", "microwave"], ordered=True, goal=True)
    copy = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert copy.unwrapped.world.subtasks == ("kettle", "microwave")
    assert copy.unwrapped.world.ordered
    env.close()
    copy.close()


def test_returned_values_are_the_callers(env):
    """Later steps do not change what was returned; writing to it does not change the env."""
    actions = actions_of(env.action_space, STEPS)
    undisturbed = rollout(env, actions)
    kept = pickle.loads(pickle.dumps(undisturbed))
    disturbed = [env.reset(seed=0)]
    for action in actions:
        before = action.copy()
        disturbed[-1][0][...] = 1e6
        disturbed[-1][-1].clear()
        disturbed.append(env.step(action))
        np.testing.assert_array_equal(action, before)
    assert_same(kept, undisturbed)
    assert_same(disturbed[-1], undisturbed[-1])
    assert not any(
        np.shares_memory(a[0], b[0])
        for i, a in enumerate(undisturbed)
        for b in undisturbed[i + 1 :]
    )


def test_types_of_a_transition(env):
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert observation.dtype == np.float32
    assert observation in env.observation_space
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
    assert isinstance(info["subtasks_completed"], tuple)
    assert isinstance(info["subtasks_completed_step"], tuple)


def test_bad_actions_are_one_sentence(env):
    """A wrong shape and NaN are refused, and the environment is usable afterwards."""
    env.reset(seed=0)
    good = actions_of(env.action_space, STEPS)
    expected = rollout(gym.make(env.spec), good)
    env.reset(seed=0)
    wrong_shape = np.zeros(env.action_space.shape[0] + 1, np.float32)
    nan = np.full(env.action_space.shape, np.nan, np.float32)
    for bad in (wrong_shape, nan):
        with pytest.raises(SkillgymError) as caught:
            bare(env).step(bad)
        assert "\n" not in str(caught.value)
    for action, transition in zip(good, expected[1:], strict=True):
        assert_same(env.step(action), transition)


def test_step_before_reset_and_after_close(env_id):
    env = bare(gym.make(env_id))
    with pytest.raises(SkillgymError, match="reset"):
        env.step(env.action_space.sample())
    env.close()
    env.close()
    with pytest.raises(SkillgymError, match="closed"):
        env.reset()


def test_an_unknown_keyword_is_an_error(env_id):
    with pytest.raises((SkillgymError, TypeError), match="colour"):
        gym.make(env_id, colour="red")
