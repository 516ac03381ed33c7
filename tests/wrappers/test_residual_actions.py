"""Skills and residuals as actions: when skills begin, what is seen, what is executed."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from skillgym.errors import InvalidConfig, UnsupportedSpace
from skillgym.skills.reskill import ReskillModel
from skillgym.wrappers import ResidualActions, SkillActions, VectorResidualActions
from skillgym.wrappers.errors import InvalidSkill, UnusableActions, WrongAutoresetMode
from skillgym.wrappers.running_skills import RunningSkills
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import ResetNeeded
from skillgym_envs.core.vector_env import WorldVectorEnv
from tests.skill_stubs import CountingEnv, StubCodes, StubSkills
from tests.skills.models import small_reskill
from tests.toy_world import ToyWorld

N, LIMIT = 3, 25


def counting(end: int = 10_000, **options: Any) -> ResidualActions:
    return ResidualActions(CountingEnv(end), StubSkills(max_steps=4, **options))


def test_a_skill_begins_when_it_is_due_and_is_ignored_while_it_runs() -> None:
    env = counting()
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation[[0, 1, 3, 4, 5, 6]], [0, 0, 0, 0, 0, 1])
    for t in range(10):
        chosen = np.array([1.0 + t, -1.0, 0.0], np.float32)
        observation, reward, *_ = env.step(chosen)
        first = t - t % 4
        played = 0.1 * (1 + first) + 0.01 * (t % 4) + 0.001 * (t - first)
        assert (observation[0], reward) == (t + 1, t)
        assert observation[1] == pytest.approx(min(played, 1.0))
        np.testing.assert_allclose(observation[3:5], [1.0 + first, -1.0])
        time = min(t % 4 + 1, 3)  # an over skill is shown as if its last step went on
        expected = 0.1 * (1 + first) + 0.01 * time + 0.001 * (t + 1 - first)
        assert observation[5] == pytest.approx(min(expected, 1.0))
        assert observation[6] == (t % 4 == 3)


def test_the_residual_is_added_to_the_decoded_action_and_the_sum_is_clipped() -> None:
    env = counting()
    observation, _ = env.reset(seed=0)
    observation, *_ = env.step(np.array([2.0, 0.0, 0.3], np.float32))
    assert observation[1] == pytest.approx(0.5)
    decoded = observation[5]
    observation, *_ = env.step(np.array([9.0, 9.0, -0.7], np.float32))
    assert observation[1] == pytest.approx(decoded - 0.7)
    observation, *_ = env.step(np.array([0.0, 0.0, -2.0], np.float32))
    assert observation[1] == -1.0


class Narrow(CountingEnv):
    action_space = gym.spaces.Box(-0.5, 0.3, (1,), np.float32)


def test_a_residual_reaches_every_action_of_the_world_and_no_other() -> None:
    env = ResidualActions(Narrow(), StubSkills(max_steps=4))
    bounds = env.action_space.low[2], env.action_space.high[2]
    assert bounds == pytest.approx((-0.8, 0.8))
    env.reset(seed=0)
    for residual, executed in zip(bounds, (-0.5, 0.3), strict=True):
        observation, *_ = env.step(np.array([0.0, 0.0, residual], np.float32))
        assert observation[1] == pytest.approx(executed)


def test_residuals_come_slowly_if_asked_to() -> None:
    """The weight follows the control steps of all environments together, over episodes."""
    curve = {"weight_midpoint": 6.0, "weight_steepness": 0.5}
    single = ResidualActions(CountingEnv(5), StubSkills(max_steps=4), **curve)
    single.reset(seed=0)
    world = WorldVectorEnv(ToyWorld(), N, autoreset_mode=AutoresetMode.SAME_STEP)
    vector = VectorResidualActions(world, StubSkills(max_steps=4), **curve)
    vector.reset(seed=0)
    for t in range(10):
        weight = 1.0 / (1.0 + np.exp(-0.5 * (t - 6.0)))
        observation, _, terminated, *_ = single.step(np.array([0.0, 0.0, -0.5], np.float32))
        decoded = 0.01 * (t % 5 % 4) + 0.001 * (t % 5 - t % 5 // 4 * 4)
        assert observation[1] == pytest.approx(decoded - 0.5 * weight, abs=1e-6)
        if terminated:
            single.reset()
        assert vector._control._weight() == pytest.approx(1 / (1 + np.exp(-0.5 * (N * t - 6.0))))
        vector.step(np.zeros((N, 3), np.float32))
    for name in ("weight_midpoint", "weight_steepness"):
        with pytest.raises(InvalidConfig, match=f"{name}=nan"):
            ResidualActions(CountingEnv(), StubSkills(), **{name: np.nan})


def test_a_step_that_only_resets_is_no_control_step_of_the_weight() -> None:
    makers = [lambda: CountingEnv(end=3), lambda: CountingEnv()]
    inner = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.NEXT_STEP)
    curve = {"weight_midpoint": 0.0, "weight_steepness": 0.1}
    env = VectorResidualActions(inner, StubSkills(), **curve)
    env.reset(seed=0)
    for _ in range(4):  # the fourth starts the first environment again
        env.step(np.zeros((2, 3), np.float32))
    observation, *_ = env.step(np.tile(np.float32([0.0, 0.0, 0.5]), (2, 1)))
    assert observation[0, 1] == pytest.approx(0.5 / (1.0 + np.exp(-0.1 * (3 + 4))))


def test_spaces_and_layout() -> None:
    env = counting()
    np.testing.assert_array_equal(env.action_space.low, [-2.0, -2.0, -2.0])
    assert env.observation_space.shape == (3 + 2 + 1 + 1,)
    layout = env.residual_layout
    assert (layout.state, layout.latent, layout.decoded) == (slice(0, 3), slice(3, 5), slice(5, 6))
    assert (layout.inputs, layout.due) == (slice(0, 6), 6)
    assert (layout.skill, layout.residual) == (slice(0, 2), slice(2, 3))
    assert env.spec is None


def test_without_a_residual_it_is_skill_actions() -> None:
    """The same actions in the same states, one step at a time; also with a flow."""
    world = WorldEnv(ToyWorld(max_episode_steps=LIMIT))
    size, width = world.observation_space.shape[0], world.action_space.shape[0]
    config = small_reskill().config
    model = ReskillModel.create(world.observation_space, world.action_space, config).eval()
    skills = SkillActions(TimeLimit(WorldEnv(ToyWorld(max_episode_steps=LIMIT)), LIMIT), model)
    both = ResidualActions(TimeLimit(world, LIMIT), model)
    start, seen = skills.reset(seed=3)[0], both.reset(seed=3)[0]
    rng, ended = np.random.default_rng(0), False
    while not ended:
        np.testing.assert_array_equal(seen[:size], start)
        assert seen[-1] == 1.0
        noise = rng.normal(size=2).astype(np.float32)
        start, reward, terminated, truncated, info = skills.step(noise)
        total = 0.0
        for _ in range(info["skill_steps"]):
            action = np.concatenate([noise, np.zeros(width, np.float32)])
            seen, part, *flags, _ = both.step(action)
            total += part
        assert (total, flags) == (reward, [terminated, truncated])
        ended = terminated or truncated


def test_the_latent_of_the_model_is_seen_not_the_noise() -> None:
    model = small_reskill().eval()
    env = ResidualActions(SixDimensions(), model)
    start = env.reset(seed=0)[0][:6]
    noise = np.array([1.0, -2.0], np.float32)
    seen = env.step(np.concatenate([noise, np.zeros(3, np.float32)]))[0]
    latent = model.begin(start[None], noise[None])["latent"]
    np.testing.assert_allclose(seen[6:8], latent[0], rtol=1e-6)
    assert np.abs(seen[6:8] - noise).max() > 1e-3
    decoded = model.act(seen[None, :6], {"latent": latent}, 0)
    np.testing.assert_allclose(seen[8:11], decoded[0], rtol=1e-5)


class SixDimensions(CountingEnv):
    observation_space = gym.spaces.Box(-np.inf, np.inf, (6,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)

    def _observe(self, action: float) -> np.ndarray:
        return np.tile(super()._observe(action), 2) * np.float32(0.1)


def test_the_end_of_an_episode_ends_the_skill() -> None:
    env = counting(end=6)
    env.reset(seed=0)
    for _ in range(6):
        observation, _, terminated, *_ = env.step(np.array([1.0, 0.0, 0.0], np.float32))
    assert terminated and observation[6] == 1.0 and observation[3] == 1.0
    observation, _ = env.reset()
    np.testing.assert_array_equal(observation[[0, 3, 4, 5, 6]], [0, 0, 0, 0, 1])
    observation, *_ = env.step(np.array([2.0, 0.0, 0.0], np.float32))
    assert observation[3] == 2.0 and observation[1] == pytest.approx(0.2)


def test_skills_that_end_at_different_times_run_side_by_side() -> None:
    running, both = RunningSkills(StubSkills(early_end=2), 2, action_size=1), np.ones(2, bool)
    observation = np.zeros((2, 3), np.float32)
    running.begin(observation, np.array([[1.0, 1.0], [2.0, -1.0]], np.float32))
    for t in range(2):
        np.testing.assert_allclose(
            running.actions(observation, both)[:, 0], [0.1 + 0.01 * t, 0.2 + 0.01 * t]
        )
        running.advance(observation, np.zeros(2, bool))
    assert running.due.tolist() == [True, False]
    running.begin(observation, np.array([[5.0, 1.0], [9.0, 9.0]], np.float32))
    np.testing.assert_allclose(running.actions(observation, both)[:, 0], [0.5, 0.22])
    np.testing.assert_array_equal(running.latents, [[5.0, 1.0], [2.0, -1.0]])


def vector(mode: AutoresetMode) -> VectorResidualActions:
    world = ToyWorld(max_episode_steps=LIMIT)
    inner = WorldVectorEnv(world, N, autoreset_mode=mode, max_episode_steps=LIMIT)
    return VectorResidualActions(inner, StubSkills(max_steps=10))


def single() -> ResidualActions:
    env = WorldEnv(ToyWorld(max_episode_steps=LIMIT))
    return ResidualActions(TimeLimit(env, LIMIT), StubSkills(max_steps=10))


def test_actions_must_be_finite_unless_they_are_ignored() -> None:
    """In NEXT_STEP the action of an environment that is to be reset does not count."""
    env = counting()
    env.reset(seed=0)
    with pytest.raises(InvalidSkill, match="NaN"):
        env.step(np.full(3, np.nan, np.float32))
    with pytest.raises(InvalidSkill, match="not numeric"):
        env.step("left")
    makers = [lambda: CountingEnv(end=3), lambda: CountingEnv()]
    actions = np.zeros((2, 3), np.float32)
    actions[0] = np.nan
    inner = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    env = VectorResidualActions(inner, StubSkills())
    env.reset(seed=0)
    while not env.step(np.zeros((2, 3), np.float32))[2].any():
        pass
    with pytest.raises(InvalidSkill, match="NaN"):  # it has already been reset
        env.step(actions)
    inner = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.NEXT_STEP)
    env = VectorResidualActions(inner, StubSkills())
    env.reset(seed=0)
    with pytest.raises(InvalidSkill, match="NaN"):
        env.step(actions)
    while not (terminated := env.step(np.zeros((2, 3), np.float32))[2]).any():
        pass
    assert terminated.tolist() == [True, False]
    observation, *_ = env.step(actions)
    assert observation[0, 0] == 0.0 and np.isfinite(observation).all()


class Blind(StubSkills):
    """Its actions are NaN where an observation says that the time is 3; or they are all given."""

    given: Any = None

    def act(self, obs: Any, state: Any, t: int) -> Any:
        wave = np.where(obs[:, :1] == 3, np.nan, super().act(obs, state, t))
        return wave if self.given is None else self.given


@pytest.mark.parametrize("given", [np.zeros(3), np.zeros((3, 2)), np.full((3, 1), np.inf)])
def test_actions_of_the_skill_model_must_fit(given: Any) -> None:
    model = Blind()
    model.given = given
    env = VectorResidualActions(SyncVectorEnv([CountingEnv] * 3), model)
    env.reset(seed=0)
    with pytest.raises(UnusableActions, match=r"from Blind\.act, expected .* shape \(3, 1\)"):
        env.step(np.zeros((3, 3), np.float32))


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_actions_of_the_skill_model_are_free_where_none_is_executed(mode: AutoresetMode) -> None:
    """An episode that ends at time 3 is no error, one that goes on is."""
    makers = [lambda: CountingEnv(end=3), lambda: CountingEnv(end=3)]
    env = VectorResidualActions(SyncVectorEnv(makers, autoreset_mode=mode), Blind())
    env.reset(seed=0)
    for _ in range(8):
        env.step(np.zeros((2, 3), np.float32))
    env = ResidualActions(CountingEnv(), Blind())
    env.reset(seed=0)
    env.step(np.zeros(3, np.float32))
    env.step(np.zeros(3, np.float32))
    with pytest.raises(UnusableActions, match="NaN"):
        env.step(np.zeros(3, np.float32))


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_environment_i_equals_a_single_one_with_the_same_seed(mode: AutoresetMode) -> None:
    env, singles = vector(mode), [single() for _ in range(N)]
    observations, _ = env.reset(seed=5)
    for i, one in enumerate(singles):
        np.testing.assert_array_equal(observations[i], one.reset(seed=5 + i)[0])
    rng, over, ends = np.random.default_rng(0), np.zeros(N, bool), 0
    for _ in range(80):
        actions = rng.uniform(-2, 2, (N, 3)).astype(np.float32)
        actions[0] = [0.0, 0.0, 2.0 if observations[0, 0] < -0.15 else -2.0]  # ends by itself
        observations, rewards, terminated, truncated, infos = env.step(actions)
        for i, one in enumerate(singles):
            if over[i]:
                np.testing.assert_array_equal(observations[i], one.reset()[0])
                continue
            expected, reward, *flags, _ = one.step(actions[i])
            assert (rewards[i], terminated[i], truncated[i]) == (reward, *flags)
            if any(flags) and mode is AutoresetMode.SAME_STEP:
                np.testing.assert_array_equal(infos["final_obs"][i], expected)
                expected, _ = one.reset()
            np.testing.assert_array_equal(observations[i], expected)
        ended = terminated | truncated
        ends += ended.sum()
        over = ended if mode is AutoresetMode.NEXT_STEP else over
    assert ends > 8


def test_a_reset_mask_restarts_only_its_environments() -> None:
    env = vector(AutoresetMode.SAME_STEP)
    env.reset(seed=0)
    returned, *_ = env.step(np.ones((N, 3), np.float32))
    before = returned.copy()
    returned[...] = 9.0  # the caller's copy
    after, _ = env.reset(options={"reset_mask": np.array([True, False, False])})
    assert after[0, -1] == 1.0 and after[0, 3] == 0.0
    np.testing.assert_array_equal(after[1:], before[1:])
    after[...] = 9.0
    again, *_ = env.step(np.ones((N, 3), np.float32))
    assert np.abs(again).max() < 9.0


def test_an_episode_that_ends_leaves_a_skill_due_that_is_over_elsewhere() -> None:
    makers = [lambda: CountingEnv(end=4), lambda: CountingEnv()]
    inner = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    env = VectorResidualActions(inner, StubSkills(max_steps=4))
    env.reset(seed=0)
    for _ in range(4):
        observation, *_ = env.step(np.zeros((2, 3), np.float32))
    assert observation[:, 6].tolist() == [1.0, 1.0]
    observation, *_ = env.step(np.tile(np.float32([1.0, 0.5, 0.0]), (2, 1)))
    np.testing.assert_array_equal(observation[:, 3:5], [[1.0, 0.5]] * 2)


def test_the_step_after_a_reset_of_ones_own_is_run() -> None:
    """In NEXT_STEP the environment would have been reset by the next step."""
    makers = [lambda: CountingEnv(end=3)]
    inner = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.NEXT_STEP)
    env = VectorResidualActions(inner, StubSkills(max_steps=4))
    for _ in range(2):
        env.reset(seed=0)
        for step in range(3):
            observation, _, terminated, *_ = env.step(np.float32([[1.0, 0.0, 0.0]]))
            assert observation[0, 0] == step + 1
            np.testing.assert_array_equal(observation[0, 3:5], [1.0, 0.0])
            assert terminated[0] == (step == 2)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(WrongAutoresetMode, match="SAME_STEP"):
        vector(AutoresetMode.DISABLED)
    with pytest.raises(UnsupportedSpace, match="use SkillActions"):
        ResidualActions(CountingEnv(), StubCodes())
    env = counting()
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(3, np.float32))
    env.reset()
    with pytest.raises(InvalidSkill):
        env.step(np.zeros(4, np.float32))
    with pytest.raises(ResetNeeded):
        VectorResidualActions(
            SyncVectorEnv([CountingEnv], autoreset_mode=AutoresetMode.SAME_STEP), StubSkills()
        ).step(np.zeros((1, 3), np.float32))
