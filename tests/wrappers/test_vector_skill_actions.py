"""Skills as actions of a vector environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from skillgym.errors import InvalidConfig
from skillgym.wrappers import SkillActions, VectorSkillActions
from skillgym.wrappers.errors import (
    InvalidSkill,
    UnevenSkills,
    UnusableActions,
    UnusableEnds,
    WrongAutoresetMode,
)
from skillgym.wrappers.vector_infos import merge_rows, object_rows
from skillgym.wrappers.vector_skill_step import VectorSkillStep
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.vector_env import WorldVectorEnv
from tests.skill_stubs import CountingEnv, GivenActions, GivenEnds, StubSkills
from tests.toy_world import ToyWorld

N, LIMIT = 3, 45
DISABLED, SAME_STEP = AutoresetMode.DISABLED, AutoresetMode.SAME_STEP


def world_vector(mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> VectorSkillActions:
    world = ToyWorld(max_episode_steps=LIMIT)
    inner = WorldVectorEnv(world, N, autoreset_mode=DISABLED, max_episode_steps=LIMIT)
    return VectorSkillActions(inner, StubSkills(max_steps=10), autoreset_mode=mode)


def world_single() -> SkillActions:
    env = WorldEnv(ToyWorld(max_episode_steps=LIMIT))
    return SkillActions(TimeLimit(env, LIMIT), StubSkills(max_steps=10))


def counting_vector(
    ends: list[int], mode: AutoresetMode = AutoresetMode.NEXT_STEP, model: Any = None
) -> VectorSkillActions:
    makers: list[Callable[[], gym.Env[Any, Any]]] = [
        lambda end=end: CountingEnv(end) for end in ends
    ]
    inner = SyncVectorEnv(makers, autoreset_mode=DISABLED)
    return VectorSkillActions(inner, model or StubSkills(), autoreset_mode=mode)


def skills(rng: np.random.Generator, fresh: np.ndarray) -> np.ndarray:
    """Random pushes; environment 0 completes its task by going left and then right."""
    chosen = np.stack([rng.choice([-2.0, 2.0], N), rng.uniform(-2, 2, N)], axis=1)
    chosen[0, 0] = -2.0 if fresh[0] else 2.0
    return chosen.astype(np.float32)


def test_environment_i_equals_a_single_one_with_the_same_seed() -> None:
    vector, singles = world_vector(), [world_single() for _ in range(N)]
    observations, _ = vector.reset(seed=5)
    for i, single in enumerate(singles):
        np.testing.assert_array_equal(observations[i], single.reset(seed=5 + i)[0])
    rng, over = np.random.default_rng(0), np.zeros(N, bool)
    fresh = np.ones(N, bool)
    terminations = truncations = 0
    for _ in range(60):
        actions = skills(rng, fresh)
        observations, rewards, terminated, truncated, infos = vector.step(actions)
        for i, single in enumerate(singles):
            if over[i]:
                observation, _ = single.reset()
                reward, flags = 0.0, (False, False)
                assert not infos["_skill_steps"][i]
            else:
                observation, reward, *flags, info = single.step(actions[i])
                for key in ("skill_steps", "skill_rewards", "subtasks_completed_step"):
                    assert infos[key][i] == info[key]
                    assert infos[f"_{key}"][i]
                first = infos["skill_first_observation"][i]
                np.testing.assert_array_equal(first, info["skill_first_observation"])
                assert infos["_skill_first_observation"][i]
                assert infos["subtasks_completed"][i] == info["subtasks_completed"]
            np.testing.assert_array_equal(observations[i], observation)
            assert (rewards[i], terminated[i], truncated[i]) == (reward, *flags)
        fresh, over = over, terminated | truncated
        terminations += terminated.sum()
        truncations += truncated.sum()
    assert terminations > 5 and truncations > 5


def test_same_step_gives_the_transitions_of_next_step_without_the_reset_steps() -> None:
    env = world_vector(SAME_STEP)
    env.reset(seed=5)
    singles = [world_single() for _ in range(N)]
    for i, single in enumerate(singles):
        single.reset(seed=5 + i)
    rng, fresh = np.random.default_rng(0), np.ones(N, bool)
    terminations = truncations = 0
    for _ in range(60):
        actions = skills(rng, fresh)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        for i, single in enumerate(singles):
            observation, reward, *flags, info = single.step(actions[i])
            assert (rewards[i], terminated[i], truncated[i]) == (reward, *flags)
            if any(flags):
                np.testing.assert_array_equal(infos["final_obs"][i], observation)
                assert infos["_final_obs"][i] and infos["_final_info"][i]
                assert infos["final_info"]["skill_rewards"][i] == info["skill_rewards"]
                first = infos["final_info"]["skill_first_observation"][i]
                np.testing.assert_array_equal(first, info["skill_first_observation"])
                assert not infos["_skill_steps"][i]
                observation, _ = single.reset()
            else:
                assert infos["skill_rewards"][i] == info["skill_rewards"]
            np.testing.assert_array_equal(observations[i], observation)
        fresh = terminated | truncated
        terminations += terminated.sum()
        truncations += truncated.sum()
    assert terminations > 5 and truncations > 5


def test_it_equals_gymnasiums_vector_of_single_wrappers() -> None:
    ours, reference = world_vector(), SyncVectorEnv([world_single] * N)
    ours.reset(seed=5), reference.reset(seed=5)
    rng, over = np.random.default_rng(0), np.ones(N, bool)
    for _ in range(20):
        actions = skills(rng, over)
        *results, infos = ours.step(actions)
        *wanted, wanted_infos = reference.step(actions)
        for result, want in zip(results, wanted, strict=True):
            np.testing.assert_array_equal(result, want)
        for key in ("skill_steps", "skill_rewards", "subtasks_completed_step"):
            if f"_{key}" not in wanted_infos:  # every environment was just reset
                continue
            rows = wanted_infos[f"_{key}"]
            np.testing.assert_array_equal(infos[f"_{key}"], rows)
            assert infos[key][rows].tolist() == wanted_infos[key][rows].tolist()
        over = wanted[2] | wanted[3]


def test_other_vector_environments_end_inside_a_skill() -> None:
    env = counting_vector([13, 4, 10_000])
    env.reset(seed=0)
    zeros = np.zeros((N, 2), np.float32)
    observations, rewards, terminated, _, infos = env.step(zeros)
    assert observations[:, 0].tolist() == [10, 4, 10]
    assert rewards.tolist() == [45, 6, 45]
    assert terminated.tolist() == [False, True, False]
    assert infos["skill_steps"].tolist() == [10, 4, 10]
    assert infos["t"].tolist() == [10, 4, 10]
    observations, rewards, terminated, _, infos = env.step(zeros)
    assert observations[:, 0].tolist() == [13, 0, 20]
    assert rewards.tolist() == [10 + 11 + 12, 0, 145]
    assert terminated.tolist() == [True, False, False]
    assert infos["fresh"].tolist() == [False, True, False]
    observations, rewards, *_ = env.step(zeros)
    assert observations[:, 0].tolist() == [0, 4, 30]
    assert rewards.tolist() == [0, 6, 245]


def test_rewards_are_discounted_inside_each_skill() -> None:
    makers = [lambda end=end: CountingEnv(end) for end in (13, 4)]
    inner = SyncVectorEnv(makers, autoreset_mode=DISABLED)
    env = VectorSkillActions(inner, StubSkills(), "discounted", 0.5)
    env.reset(seed=0)
    rewards = env.step(np.zeros((2, 2), np.float32))[1]
    assert rewards.tolist() == [sum(t * 0.5**t for t in range(steps)) for steps in (10, 4)]


def test_all_environments_may_be_over_at_once() -> None:
    env = counting_vector([4, 4, 4])
    env.reset(seed=0)
    zeros = np.zeros((N, 2), np.float32)
    assert env.step(zeros)[2].all()
    observations, rewards, terminated, _, infos = env.step(zeros)
    assert not observations[:, 0].any() and not rewards.any() and not terminated.any()
    assert not infos["_skill_steps"].any()
    assert env.step(zeros)[1].tolist() == [6, 6, 6]


def test_partial_reset() -> None:
    env = counting_vector([4, 4, 10_000])
    env.reset(seed=0)
    zeros = np.zeros((N, 2), np.float32)
    env.step(zeros)
    observations, _ = env.reset(options={"reset_mask": np.array([True, False, False])})
    assert observations[0, 0] == 0
    # Environment 0 is running again, environment 1 is still to be started.
    assert env.step(zeros)[4]["skill_steps"].tolist() == [4, 0, 10]


def test_an_environment_that_was_just_reset_is_not_reset_again() -> None:
    class Counted(CountingEnv):
        resets = 0

        def reset(self, **keywords: Any) -> tuple[Any, dict[str, Any]]:
            self.resets += 1
            return super().reset(**keywords)

    envs = [Counted(10), Counted(10_000)]
    inner = SyncVectorEnv([lambda env=env: env for env in envs], autoreset_mode=DISABLED)
    env = VectorSkillActions(inner, StubSkills())
    env.reset(seed=0)
    zeros = np.zeros((2, 2), np.float32)
    assert env.step(zeros)[2].tolist() == [True, False]  # with the last step of the skill
    env.reset(options={"reset_mask": np.array([True, False])})
    env.step(zeros)
    assert [each.resets for each in envs] == [2, 1]


def test_subtasks_of_an_episode_that_is_discarded_do_not_count() -> None:
    both, first = np.array([True, True]), np.array([True, False])
    flags, result = np.zeros(2, bool), VectorSkillStep(np.zeros((2, 1)), np.ones(2))
    for t, running, names in ((0, both, [(), ("a",)]), (1, first, [("b",), ("c",)])):
        infos = {"subtasks_completed_step": object_rows(names, both)}
        result.add(t, running, np.zeros((2, 1)), np.zeros(2), infos)
        result.stop(~first if t == 0 else first, flags, flags, infos)
    assert result.infos()["subtasks_completed_step"].tolist() == [("b",), ("a",)]


def test_results_are_copies() -> None:
    env = world_vector()
    env.reset(seed=0)
    actions = skills(np.random.default_rng(1), np.ones(N, bool))
    first = env.step(actions)
    kept = first[0].copy()
    first[0][:] = 1e6
    other = world_vector()
    other.reset(seed=0)
    np.testing.assert_array_equal(other.step(actions)[0], kept)
    np.testing.assert_array_equal(other.step(actions)[0], env.step(actions)[0])


def test_frame_callback_sees_every_control_step() -> None:
    makers = [lambda: CountingEnv(render_mode="rgb_array")] * 2
    env = VectorSkillActions(SyncVectorEnv(makers, autoreset_mode=DISABLED), StubSkills())
    frames: list[int] = []
    env.frame_callback = lambda images: frames.append(int(images[1][0, 0, 0]))
    env.reset(seed=0)
    env.step(np.zeros((2, 2), np.float32))
    assert frames == list(range(1, 11))


def test_refuses_environments_that_reset_themselves() -> None:
    inner = SyncVectorEnv([CountingEnv])
    with pytest.raises(WrongAutoresetMode, match=r"autoreset_mode=AutoresetMode\.DISABLED"):
        VectorSkillActions(inner, StubSkills())
    inner = SyncVectorEnv([CountingEnv], autoreset_mode=DISABLED)
    with pytest.raises(InvalidConfig, match=r"DISABLED.*NEXT_STEP, AutoresetMode.SAME_STEP"):
        VectorSkillActions(inner, StubSkills(), autoreset_mode=DISABLED)


def test_the_advice_about_resets_works_for_environments_of_others() -> None:
    """Gymnasium would give the keyword itself to each environment, which does not know it."""
    advice = r'vector_kwargs=\{"autoreset_mode": AutoresetMode\.DISABLED\}'
    with pytest.raises(WrongAutoresetMode, match=advice):
        VectorSkillActions(gym.make_vec("Pendulum-v1", 2), StubSkills(action_size=1))
    inner = gym.make_vec("Pendulum-v1", 2, vector_kwargs={"autoreset_mode": DISABLED})
    VectorSkillActions(inner, StubSkills(action_size=1))


def test_skills_must_be_finite_unless_they_are_ignored() -> None:
    """In NEXT_STEP the skill of an environment that is to be reset does not count."""
    makers = [lambda: CountingEnv(end=3), lambda: CountingEnv()]
    env = VectorSkillActions(SyncVectorEnv(makers, autoreset_mode=DISABLED), StubSkills())
    env.reset(seed=0)
    actions = np.zeros((2, 2), np.float32)
    actions[0] = np.nan
    with pytest.raises(InvalidSkill, match="NaN"):
        env.step(actions)
    assert env.step(np.zeros((2, 2)))[2].tolist() == [True, False]
    observation, *_ = env.step(actions)
    assert observation[:, 0].tolist() == [0.0, 20.0]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (np.zeros(N), r"of shape \(3,\)"),
        (np.zeros((1, 1)), r"of shape \(1, 1\)"),
        (np.zeros((N, 2)), r"of shape \(3, 2\)"),
        (np.array([[0.0], [np.inf], [0.0]]), "with NaN or infinity"),
    ],
)
def test_actions_of_the_skill_model_must_fit(given: Any, problem: str) -> None:
    model = GivenActions()
    model.given = given
    env = counting_vector([10_000] * N, model=model)
    env.reset(seed=0)
    with pytest.raises(UnusableActions, match=rf"{problem} from GivenActions\.act, .* \(3, 1\)"):
        env.step(np.zeros((N, 2), np.float32))


def test_ends_of_a_batch_must_fit() -> None:
    """One flag for all, or a column, would be broadcast to environments that it is not about."""
    for given in (True, np.zeros((N, 1), bool)):
        model = GivenEnds()
        model.given = given
        env = counting_vector([10_000] * N, model=model)
        env.reset(seed=0)
        with pytest.raises(UnusableEnds, match=r"GivenEnds\.finished, .* \(3,\)"):
            env.step(np.zeros((N, 2), np.float32))


def test_refuses_wrong_shapes_and_uneven_skills() -> None:
    env = counting_vector([10_000] * N, model=StubSkills(early_end=4))
    env.reset(seed=0)
    with pytest.raises(InvalidSkill):
        env.step(np.zeros((N + 1, 2), np.float32))
    with pytest.raises(UnevenSkills, match="SyncVectorEnv"):
        env.step(np.array([[0, 1], [0, -1], [0, -1]], np.float32))
    env.reset(seed=0)
    assert env.step(np.ones((N, 2), np.float32))[4]["skill_steps"].tolist() == [4, 4, 4]


def test_infos_that_only_some_environments_have_are_empty_for_the_others() -> None:
    chosen, everyone = np.array([True, False]), np.ones(2, bool)
    other = {"name": object_rows(["a", "b"], everyone), "count": np.array([2, 3])}
    merged = merge_rows({}, other, chosen)
    assert merged["name"].tolist() == ["a", None] and merged["count"].tolist() == [2, 0]
    earlier = {"count": np.array([7, 8])}
    assert merge_rows(earlier, other, chosen)["count"].tolist() == [2, 8]
    assert earlier["count"].tolist() == [7, 8]  # left unchanged
