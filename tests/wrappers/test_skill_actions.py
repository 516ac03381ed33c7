"""Skills as actions of a single environment."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.wrappers import TimeLimit
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from skillgym.errors import InvalidConfig
from skillgym.hub import save_skill
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import ResidualActions, SkillActions, VectorSkillActions
from skillgym.wrappers.common import checked_actions
from skillgym.wrappers.errors import (
    InvalidSkill,
    UnusableActions,
    UnusableEnds,
    UnusableSkillModel,
)
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import ResetNeeded, UnknownChoice
from tests.skill_stubs import CountingEnv, GivenActions, GivenEnds, StubSkills
from tests.toy_world import ToyWorld

SKILL = np.array([0.5, 0.0], np.float32)


def test_transitions_are_aligned_and_keep_the_last_reward_of_a_time_limit() -> None:
    env = SkillActions(TimeLimit(CountingEnv(), 35), StubSkills())
    observation, _ = env.reset(seed=0)
    transitions = []
    truncated = False
    while not truncated:
        start = observation[0]
        observation, reward, terminated, truncated, info = env.step(SKILL)
        assert not terminated
        transitions.append((start, reward, observation[0], info["skill_steps"]))
        assert info["skill_first_observation"][0] == start + 1
    assert transitions == [(0, 45, 10, 10), (10, 145, 20, 10), (20, 245, 30, 10), (30, 160, 35, 5)]
    assert info["skill_rewards"] == (30.0, 31.0, 32.0, 33.0, 34.0)


def test_termination_inside_a_skill_stops_it() -> None:
    env = SkillActions(CountingEnv(end=13), StubSkills())
    env.reset(seed=0)
    env.step(SKILL)
    observation, reward, terminated, truncated, info = env.step(SKILL)
    assert (observation[0], reward, terminated, truncated) == (13, 10 + 11 + 12, True, False)
    assert info["skill_steps"] == 3
    observation, _ = env.reset()
    assert observation[0] == 0
    assert env.step(SKILL)[1] == 45.0


def test_termination_and_time_limit_in_the_same_step_both_pass_through() -> None:
    env = SkillActions(TimeLimit(CountingEnv(end=13), 13), StubSkills())
    env.reset(seed=0)
    env.step(SKILL)
    assert env.step(SKILL)[2:4] == (True, True)


def test_a_skill_may_end_by_itself() -> None:
    env = SkillActions(CountingEnv(), StubSkills(early_end=4))
    env.reset(seed=0)
    assert env.step(np.array([0.0, 1.0], np.float32))[4]["skill_steps"] == 4
    assert env.step(np.array([0.0, -1.0], np.float32))[4]["skill_steps"] == 10


def test_discounted_reward() -> None:
    env = SkillActions(CountingEnv(), StubSkills(), reward="discounted", gamma=0.5)
    env.reset(seed=0)
    assert env.step(SKILL)[1] == pytest.approx(sum(t * 0.5**t for t in range(10)))


def test_info_is_of_the_last_control_step_and_subtasks_of_the_whole_skill() -> None:
    env = SkillActions(CountingEnv(), StubSkills(max_steps=16))
    env.reset(seed=0)
    info = env.step(SKILL)[4]
    assert info["t"] == 16
    assert info["subtasks_completed_step"] == ("step 7", "step 14")


def test_subtasks_of_a_world() -> None:
    model = StubSkills(max_steps=6)
    env = SkillActions(WorldEnv(ToyWorld(noise=0.0, max_episode_steps=200)), model)
    env.reset(seed=0)
    seen: list[str] = []
    terminated = False
    while not terminated:
        # Push left until the left mark is reached, then right.
        push = np.array([-2.0 if not seen else 2.0, 0.0], np.float32)
        _, reward, terminated, _, info = env.step(push)
        assert reward == len(info["subtasks_completed_step"])
        seen += info["subtasks_completed_step"]
        assert info["subtasks_completed"] == tuple(seen)
    assert seen == ["left", "right"]


def test_the_plan_starts_from_the_last_observation_even_if_the_caller_changed_it() -> None:
    env = SkillActions(CountingEnv(), StubSkills())
    observation, _ = env.reset(seed=0)
    observation[:] = 1e6
    observation, *_ = env.step(SKILL)
    # 0.1 * skill + 0.01 * 9 + 0.001 * (t - start) with t - start = 9
    assert observation[1] == pytest.approx(0.05 + 0.09 + 0.009)


def test_frame_callback_sees_every_control_step() -> None:
    env = SkillActions(CountingEnv(render_mode="rgb_array"), StubSkills())
    frames: list[int] = []
    env.frame_callback = lambda frame: frames.append(int(frame[0, 0, 0]))
    env.reset(seed=0)
    env.step(SKILL)
    assert frames == list(range(1, 11))


@pytest.mark.filterwarnings("ignore")
def test_both_checkers_accept_it() -> None:
    env = SkillActions(TimeLimit(WorldEnv(ToyWorld()), 12), StubSkills(max_steps=5))
    gymnasium_check_env(env, skip_render_check=True)
    sb3_check_env(env)


def test_wrong_skills_and_options() -> None:
    env = SkillActions(CountingEnv(), StubSkills())
    with pytest.raises(ResetNeeded):
        env.step(SKILL)
    env.reset(seed=0)
    with pytest.raises(InvalidSkill, match=r"of shape \(3,\), expected .* shape \(2,\)"):
        env.step(np.zeros(3, np.float32))
    with pytest.raises(UnknownChoice, match="'mean'"):
        SkillActions(CountingEnv(), StubSkills(), reward="mean")  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="gamma=2, expected a number from 0 to 1"):
        SkillActions(CountingEnv(), StubSkills(), "discounted", gamma=2)


@pytest.mark.parametrize("skill", [[np.nan, 0.0], [0.0, np.inf], "ab", None, [[1.0], [1.0, 2.0]]])
def test_skills_that_are_no_finite_numbers_are_refused(skill: object) -> None:
    """Before they become actions of an environment that would not notice."""
    env = SkillActions(CountingEnv(), StubSkills())
    observation, _ = env.reset(seed=0)
    with pytest.raises(InvalidSkill, match="expected finite numbers"):
        env.step(skill)
    assert env.step(SKILL)[0][0] == observation[0] + 10  # nothing was stepped before


def test_a_path_is_as_good_as_its_name(tmp_path: Path) -> None:
    inner = gym.make("Pendulum-v1")
    config = SpirlConfig(hidden_size=16, encoder_size=16, decoder_layers=1, prior_layers=1)
    model = ClosedLoopSpirl.create(inner.observation_space, inner.action_space, config)
    env = SkillActions(inner, save_skill(model, tmp_path / "skills"))
    assert env.skill_name == str(tmp_path / "skills")
    assert EnvSpec.from_json(env.spec.to_json()) == env.spec


@pytest.mark.parametrize("wrong", [None, 3, torch.nn.Linear(2, 2)])
def test_what_is_no_skill_model_is_refused(wrong: object) -> None:
    with pytest.raises(UnusableSkillModel, match=f"Got an? {type(wrong).__name__} as skill model"):
        SkillActions(CountingEnv(), wrong)  # type: ignore[arg-type]


class Endless:
    """A skill model that was forgotten to tell when skills end."""

    skill_space, max_steps = StubSkills.skill_space, 3
    begin, act = StubSkills.begin, StubSkills.act


def test_what_a_skill_model_lacks_is_named() -> None:
    with pytest.raises(UnusableSkillModel, match="Got an Endless as skill model without finished,"):
        SkillActions(CountingEnv(), Endless())  # type: ignore[arg-type]
    with pytest.raises(UnusableSkillModel, match="without skill_space, max_steps, begin, act, fin"):
        SkillActions(CountingEnv(), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (np.zeros(2), r"of shape \(2,\)"),
        (np.zeros((1, 1)), r"of shape \(1, 1\)"),
        (np.zeros((2, 1)), r"of shape \(2, 1\)"),
        (0.5, r"of shape \(\)"),
        ([[0.0, np.nan]], "with NaN or infinity"),
        (np.array([[np.inf, 0.0]], np.float32), "with NaN or infinity"),
        (None, r"that are not numeric \(.+\)"),
        ("left", r"that are not numeric \(.+\)"),
        ([[1.0], [1.0, 2.0]], r"that are not numeric \(.+\)"),
        (torch.zeros(1, 2, requires_grad=True), r"that are not numeric \(.+\)"),
    ],
)
def test_actions_of_the_skill_model_must_fit(given: Any, problem: str) -> None:
    """Before the environment broadcasts them, or takes the first number for all."""
    model = GivenActions()
    model.given = given
    inner = CountingEnv()
    inner.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    env = SkillActions(inner, model)
    env.reset(seed=0)
    with pytest.raises(UnusableActions, match=rf"{problem} from GivenActions\.act, .* \(1, 2\)"):
        env.step(SKILL)
    assert inner.t == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_large_actions_are_finite(dtype: type) -> None:
    largest = np.iinfo(dtype).max if dtype is np.int8 else np.finfo(dtype).max  # type: ignore[type-var]
    actions = np.full((4, 3), largest, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked = checked_actions(StubSkills(), actions, (4, 3))
    np.testing.assert_array_equal(checked, actions)


def test_actions_that_are_no_arrays_are_not_looked_at() -> None:
    actions = [{"arm": np.zeros(2), "grip": 1}]
    assert checked_actions(StubSkills(), actions, None) is actions


def test_a_live_model_has_no_spec() -> None:
    env = SkillActions(gym.make("Pendulum-v1"), StubSkills())
    assert env.unwrapped.spec is not None
    assert env.spec is None


def test_every_argument_is_recorded() -> None:
    env = SkillActions(CountingEnv(), StubSkills())
    arguments = set(inspect.signature(SkillActions.__init__).parameters) - {"self", "env"}
    assert set(env._saved_kwargs) == arguments
    twin = set(inspect.signature(VectorSkillActions.__init__).parameters)
    assert arguments <= twin


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (True, r"bool of shape \(\)"),
        (np.zeros((1, 1), bool), r"bool of shape \(1, 1\)"),
        (np.zeros(2, bool), r"bool of shape \(2,\)"),
        (np.ones(1), r"float64 of shape \(1,\)"),
        (None, r"object of shape \(\)"),
    ],
)
@pytest.mark.parametrize("wrapper", [SkillActions, ResidualActions])
def test_ends_of_the_skill_model_must_fit(wrapper: Any, given: Any, problem: str) -> None:
    model = GivenEnds()
    model.given = given
    env = wrapper(CountingEnv(), model)
    env.reset(seed=0)
    with pytest.raises(UnusableEnds, match=rf"^Got {problem} from GivenEnds\.finished, .* \(1,\)"):
        env.step(np.zeros(env.action_space.shape, np.float32))
