"""What every wrapper must do; a new one is covered by being exported from `skillgym.wrappers`."""

from __future__ import annotations

import inspect

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils import RecordConstructorArgs
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector import VectorEnv, VectorWrapper
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import skillgym.wrappers
from skillgym_envs.core.env import WorldEnv
from tests.skill_stubs import CountingEnv, StubSkills
from tests.toy_world import ToyWorld

EXPORTED = [getattr(skillgym.wrappers, name) for name in skillgym.wrappers.__all__]
SINGLE = [kind for kind in EXPORTED if inspect.isclass(kind) and issubclass(kind, gym.Wrapper)]
VECTOR = [kind for kind in EXPORTED if inspect.isclass(kind) and issubclass(kind, VectorWrapper)]
STUBS = {
    "counting": lambda: gym.wrappers.TimeLimit(CountingEnv(), 35),
    "toy world": lambda: gym.wrappers.TimeLimit(WorldEnv(ToyWorld()), 35),
}


def wrap(kind: type[gym.Wrapper], stub: str) -> gym.Env:
    env = STUBS[stub]()
    return kind(env, StubSkills(action_size=env.action_space.shape[0]))


def arguments(kind: type) -> list[str]:
    return [name for name in inspect.signature(kind.__init__).parameters if name != "self"][1:]


def test_there_are_wrappers_of_both_kinds():
    assert SINGLE
    assert VECTOR


@pytest.mark.parametrize("kind", SINGLE)
def test_all_arguments_are_recorded(kind):
    """Each argument but the environment: one that is not is lost when a specification rebuilds."""
    assert issubclass(kind, RecordConstructorArgs)
    assert set(wrap(kind, "counting")._saved_kwargs) == set(arguments(kind))


@pytest.mark.parametrize("kind", SINGLE)
def test_every_wrapper_has_a_twin_with_the_same_arguments(kind):
    twins = [twin for twin in VECTOR if twin.__name__ == f"Vector{kind.__name__}"]
    assert len(twins) == 1
    own, others = arguments(kind), arguments(twins[0])
    assert others[: len(own)] == own


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("kind", SINGLE)
def test_both_checkers_accept_it(kind, stub):
    gymnasium_check_env(wrap(kind, stub), skip_render_check=True)
    sb3_check_env(wrap(kind, stub))


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("kind", SINGLE)
def test_returned_arrays_are_the_callers(kind, stub):
    env, spoiled = wrap(kind, stub), wrap(kind, stub)
    expected, _ = env.reset(seed=0)
    observation, info = spoiled.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(6):
        np.testing.assert_array_equal(observation, expected)
        observation[...] = 99.0
        info.clear()
        skill = env.action_space.sample()
        expected, *ends, _ = env.step(skill)
        observation, *spoiled_ends, info = spoiled.step(skill)
        assert ends == spoiled_ends
        if ends[1] or ends[2]:
            break


@pytest.mark.parametrize("kind", VECTOR)
def test_vector_wrappers_are_vector_environments(kind):
    """One whose steps are those of the wrapped environment leaves resetting to it."""
    assert issubclass(kind, VectorEnv)
    same_steps = kind is skillgym.wrappers.VectorResidualActions
    assert ("autoreset_mode" in arguments(kind)) != same_steps
