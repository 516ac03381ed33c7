"""A skill model refuses environments that it was not made for."""

from __future__ import annotations

from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from skillgym.errors import ForeignWorld, NormalizedObservations, UnsupportedSpace
from skillgym.hub import check_world
from skillgym.skills.base import SkillModule
from skillgym.skills.spirl import ClosedLoopSpirl
from tests.skills.models import ACTION_SIZE, OBSERVATION_SIZE, small_model, spaces


class Env(gym.Env[np.ndarray, np.ndarray]):
    """An environment that only has spaces and, perhaps, a world."""

    def __init__(self, observation: Box, action: Box, world: str | None = None) -> None:
        self.observation_space, self.action_space = observation, action
        if world is not None:
            self.world = SimpleNamespace(name=world)


@pytest.fixture
def model() -> SkillModule:
    model = small_model(ClosedLoopSpirl)
    model.world = "kitchen"
    return model


def test_fitting_environments_pass(model: SkillModule) -> None:
    observation, action = spaces(OBSERVATION_SIZE, ACTION_SIZE)
    check_world(model, Env(observation, action, "kitchen"))
    check_world(model, Env(observation, action))
    check_world(model, gym.wrappers.TimeLimit(Env(observation, action, "kitchen"), 5))
    check_world(model, gym.vector.SyncVectorEnv([lambda: Env(observation, action)] * 2))


def test_normalised_observations_are_refused(model: SkillModule) -> None:
    """They have the same space, and are other numbers than the model was trained on."""
    env = Env(*spaces(OBSERVATION_SIZE, ACTION_SIZE))
    normalised = gym.wrappers.TimeLimit(gym.wrappers.NormalizeObservation(env), 5)
    vector = gym.vector.SyncVectorEnv([lambda: env] * 2)
    for given in (normalised, gym.wrappers.vector.NormalizeObservation(vector)):
        with pytest.raises(NormalizedObservations, match="normalise outside of the skills"):
            check_world(model, given)
        check_world(SimpleNamespace(skill_space=None), given)  # who knows what it was made for


def test_other_spaces_and_worlds_are_refused(model: SkillModule) -> None:
    observation, action = spaces(OBSERVATION_SIZE, ACTION_SIZE)
    more = spaces(7, ACTION_SIZE)[0]
    with pytest.raises(ForeignWorld, match=r"observation shape is \(7,\), expected \(6,\)"):
        check_world(model, Env(more, action))
    with pytest.raises(ForeignWorld, match=r"action shape is \(4,\)"):
        check_world(model, Env(observation, spaces(1, 4)[1]))
    for bounds in ((-2.0, 1.0), (-1.0, 2.0), (-2.0, 2.0)):
        wider = Box(*bounds, (ACTION_SIZE,))
        with pytest.raises(ForeignWorld, match="action space is"):
            check_world(model, Env(observation, wider))
    with pytest.raises(ForeignWorld, match="world is 'maze', expected 'kitchen'"):
        check_world(model, Env(observation, action, "maze"))
    vector = gym.vector.SyncVectorEnv([lambda: Env(more, action)] * 2)
    with pytest.raises(ForeignWorld, match="observation shape"):
        check_world(model, vector)


def test_dictionaries_are_to_be_flattened(model: SkillModule) -> None:
    observation, action = spaces(OBSERVATION_SIZE, ACTION_SIZE)
    with pytest.raises(UnsupportedSpace, match=r"Dict.*expected Box.*FlattenObservation"):
        check_world(model, Env(gym.spaces.Dict({"state": observation}), action))  # type: ignore[arg-type]
    both = gym.spaces.Dict({"state": observation, "goal": observation})  # flattening would not do
    with pytest.raises(UnsupportedSpace, match=r"keywords that the model was trained for\.$"):
        check_world(model, Env(both, action))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedSpace, match=r"Dict.*expected an array.*FlattenObservation"):
        check_world(object(), Env(both, action))  # type: ignore[arg-type]


def test_flattening_is_no_advice_for_discrete_actions() -> None:
    observation, _ = spaces(OBSERVATION_SIZE, ACTION_SIZE)
    with pytest.raises(UnsupportedSpace, match=r"action space Discrete\(2\).*that has one\.$"):
        ClosedLoopSpirl.create(observation, gym.spaces.Discrete(2))


def test_models_that_tell_nothing_are_not_compared() -> None:
    observation, action = spaces(OBSERVATION_SIZE, ACTION_SIZE)
    check_world(SimpleNamespace(), Env(observation, action, "kitchen"))
