"""Replay with semi-Markov discounts, and with a share of successes."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from gymnasium.wrappers import TimeLimit
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from skillgym.errors import InvalidConfig, UnsupportedSpace
from skillgym.evaluation.checkpoints import buffer_arrays, restore_buffer
from skillgym.rl import (
    PictureReplayBuffer,
    PriorSAC,
    ShiftedReplayBuffer,
    SkillReplayBuffer,
    SuccessReplayBuffer,
)
from skillgym.rl.buffers import cut_episodes
from skillgym.wrappers import SkillActions
from tests.skill_stubs import CountingEnv, StubSkills

OBSERVATIONS, ACTIONS = Box(-1, 1, (2,), np.float32), Box(-1, 1, (1,), np.float32)


def fill(buffer: ReplayBuffer, count: int, num_envs: int) -> None:
    for k in range(count):
        row = np.arange(num_envs) + k * num_envs
        observation = np.stack([row, row + 0.5], axis=1).astype(np.float32)
        infos = [
            {"skill_steps": int(r % 10) + 1, "TimeLimit.truncated": bool(r % 4 == 1)} for r in row
        ]
        buffer.add(observation, observation + 1, row[:, None], row, row % 2 == 1, infos)


@pytest.mark.parametrize("compact", [False, True])
def test_samples_are_those_of_sb3_with_the_discount_of_each_skill(compact: bool) -> None:
    settings = {"n_envs": 3, "device": "cpu"}
    if compact:
        settings |= {"optimize_memory_usage": True, "handle_timeout_termination": False}
    ours = SkillReplayBuffer(60, OBSERVATIONS, ACTIONS, gamma=0.9, **settings)
    reference = ReplayBuffer(60, OBSERVATIONS, ACTIONS, **settings)
    for buffer in (ours, reference):
        fill(buffer, 25, 3)
    normalised = VecNormalize(DummyVecEnv([CountingEnv]))
    normalised.obs_rms.mean, normalised.obs_rms.var = np.full(2, 30.0), np.full(2, 99.0)
    normalised.ret_rms.var = np.array(400.0)
    np.random.seed(1)  # noqa: NPY002  (SB3's stream)
    sample = ours.sample(50, normalised)
    np.random.seed(1)  # noqa: NPY002
    expected = reference.sample(50, normalised)
    for name in ("observations", "actions", "next_observations", "dones", "rewards"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(expected, name))
    steps = sample.actions.numpy() % 10 + 1
    np.testing.assert_allclose(sample.discounts, 0.9**steps, rtol=1e-6)


def test_transitions_without_skills_count_as_one_step() -> None:
    buffer = SkillReplayBuffer(10, OBSERVATIONS, ACTIONS, gamma=0.9, device="cpu")
    zero = np.zeros((1, 2), np.float32)
    buffer.add(zero, zero, zero[:, :1], np.zeros(1), np.zeros(1), [{}])
    np.testing.assert_allclose(buffer.sample(3).discounts, 0.9)


def test_sb3_learns_with_it() -> None:
    env = SkillActions(CountingEnv(30), StubSkills(), "discounted", 0.95)
    agent = SAC(
        "MlpPolicy",
        env,
        learning_starts=5,
        batch_size=4,
        policy_kwargs={"net_arch": [8]},
        replay_buffer_class=SkillReplayBuffer,
        replay_buffer_kwargs={"gamma": 0.95},
        buffer_size=100,
    ).learn(10)
    np.testing.assert_allclose(agent.replay_buffer.discounts[:10], 0.95**10, rtol=1e-6)


def run_episodes(buffer: ReplayBuffer, returns: list[float], length: int) -> None:
    """Episodes whose transitions have their number as action, and are paid at the first one."""
    for episode, reward in enumerate(returns):
        for step in range(length):
            number, end = np.full((1, 1), episode / 10), np.array([step == length - 1])
            reward_now = np.array([reward if step == 0 else 0.0])
            observation = np.zeros((1, 2), np.float32)
            buffer.add(observation, observation, number, reward_now, end, [{}])


def drawn(buffer: ReplayBuffer, count: int) -> np.ndarray:
    """Episodes that a batch is of."""
    return np.rint(10 * buffer.sample(count).actions[:, 0].numpy()).astype(int)


def test_a_share_of_each_batch_is_of_episodes_that_earned_something() -> None:
    buffer = SuccessReplayBuffer(100, OBSERVATIONS, ACTIONS, device="cpu", success_share=0.25)
    run_episodes(buffer, [0.0, 0.0, -1.0], 10)
    assert set(drawn(buffer, 400)) == {0, 1, 2}  # no success: all alike
    run_episodes(buffer, [0.0, 0.0, 0.0, 1.0, 0.0, 5.0], 10)
    copy = SuccessReplayBuffer(100, OBSERVATIONS, ACTIONS, device="cpu", success_share=0.25)
    restore_buffer(copy, buffer_arrays(buffer))
    for each in (buffer, copy):
        episodes = drawn(each, 400)
        assert set(episodes[300:]) == {3, 5}
        assert set(episodes[:300]) == set(range(6))
        # Every transition of an episode, not only the one that is paid.
        rows = np.flatnonzero(each.successful[:, 0])
        np.testing.assert_array_equal(rows, [*range(60, 70), *range(80, 90)])


def test_successes_that_were_overwritten_are_forgotten() -> None:
    buffer = SuccessReplayBuffer(30, OBSERVATIONS, ACTIONS, device="cpu", success_share=1.0)
    run_episodes(buffer, [1.0, 0.0, 0.0, 0.0], 8)  # the last one goes on at the beginning
    np.testing.assert_array_equal(np.flatnonzero(buffer.successful[:, 0]), range(2, 8))
    run_episodes(buffer, [0.0, 0.0, 0.0, 1.0], 8)  # begins at row 26 and goes on at row 0
    assert set(drawn(buffer, 200)) == {3}
    np.testing.assert_array_equal(
        np.flatnonzero(buffer.successful[:, 0]), [*range(4), *range(26, 30)]
    )
    run_episodes(buffer, [2.0], 50)  # longer than the buffer
    assert buffer.successful.all()
    run_episodes(buffer, [0.0], 30)
    assert not buffer.successful.any() and set(drawn(buffer, 10)) == {0}


def test_a_success_is_not_drawn_once_it_is_overwritten_by_an_episode_that_goes_on() -> None:
    buffer = SuccessReplayBuffer(10, OBSERVATIONS, ACTIONS, device="cpu", success_share=1.0)
    run_episodes(buffer, [1.0], 10)
    assert set(drawn(buffer, 100)) == {0}
    zero, other = np.zeros((1, 2), np.float32), np.full((1, 1), 0.7)
    for _ in range(3):
        buffer.add(zero, zero, other, np.zeros(1), np.zeros(1), [{}])
    assert set(drawn(buffer, 100)) == {0}


@pytest.mark.parametrize(
    ("earned", "returns", "rows"), [(1.0, [0.0, 1.0], [4, 5, 6]), (0.0, [1.0], [1, 2, 3])]
)
def test_an_episode_that_was_cut_is_no_part_of_the_next_one(
    earned: float, returns: list[float], rows: list[int]
) -> None:
    buffer = SuccessReplayBuffer(20, OBSERVATIONS, ACTIONS, device="cpu", success_share=1.0)
    zero = np.zeros((1, 2), np.float32)
    buffer.add(zero, zero, zero[:, :1], np.full(1, earned), np.zeros(1), [{}])
    cut_episodes(buffer)
    run_episodes(buffer, returns, 3)
    np.testing.assert_array_equal(np.flatnonzero(buffer.successful[:, 0]), rows)


def test_the_discount_after_one_reward_is_the_agents() -> None:
    for n_steps, discount in ((1, None), (2, 0.9**2)):
        buffer = SuccessReplayBuffer(
            9, OBSERVATIONS, ACTIONS, device="cpu", n_steps=n_steps, gamma=0.9
        )
        run_episodes(buffer, [0.0], 2)
        given = buffer.sample(20).discounts
        assert (None if given is None else float(given.min())) == pytest.approx(discount)


def test_successes_of_several_environments() -> None:
    buffer = SuccessReplayBuffer(
        20, OBSERVATIONS, ACTIONS, device="cpu", n_envs=2, success_share=1.0
    )
    zero = np.zeros((2, 2), np.float32)
    for row in range(9):
        ends = np.array([row == 2, row % 4 == 3])
        rewards = np.array([0.0, float(row in {2, 8})])
        buffer.add(zero, zero, np.full((2, 1), row / 10), rewards, ends, [{}, {}])
    np.testing.assert_array_equal(np.argwhere(buffer.successful), [[row, 1] for row in range(4)])
    assert set(drawn(buffer, 200)) == {0, 1, 2, 3}


class Numbered(gym.ActionWrapper):
    """Remembers in which control step each skill started."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self.started: dict[float, int] = {}

    def action(self, skill: np.ndarray) -> np.ndarray:
        self.started[float(np.round(skill[0], 4))] = self.get_wrapper_attr("t")
        return skill


def shifted(ends: list[int], limits: list[int], skills: int, **keywords: object) -> list[tuple]:
    """(state, start of the skill, reward, next state, end) as an agent of SB3 stores them."""
    envs = [
        Numbered(SkillActions(TimeLimit(CountingEnv(end), limit), StubSkills()))
        for end, limit in zip(ends, limits, strict=True)
    ]
    agent = SAC(
        "MlpPolicy",
        DummyVecEnv([lambda env=env: env for env in envs]),
        learning_starts=1000,
        buffer_size=100,
        replay_buffer_class=ShiftedReplayBuffer,
        replay_buffer_kwargs=keywords,
        seed=0,
        device="cpu",
    ).learn(skills * len(envs))
    buffer, found = agent.replay_buffer, []
    started = {skill: t for env in envs for skill, t in env.started.items()}
    assert not buffer.timeouts.any()
    for row in range(buffer.pos):
        skill = float(np.round(2.0 * buffer.actions[row, 0, 0], 4))  # the space is [-2, 2]
        states = buffer.observations[row, 0, 0], buffer.next_observations[row, 0, 0]
        end = bool(buffer.dones[row, 0])
        found.append((states[0], started[skill], buffer.rewards[row, 0], states[1], end))
    return found


LIMITED = [(0, 0, 45, 11, False), (11, 10, 145, 21, False), (21, 20, 245, 31, False)]


def test_shifted_transitions_are_those_of_the_authors() -> None:
    """Examples of the sampler of SPiRL: an episode of 35 steps, whose last reward is lost."""
    once = [*LIMITED, (31, 30, 126, 35, True)]
    assert shifted([999], [35], 4) == once
    assert shifted([999], [35], 8) == 2 * once
    assert shifted([999], [35], 7) == once + LIMITED[:2]  # the third waits for its next state


def test_a_shifted_end_in_the_first_step_of_a_skill_belongs_to_the_skill_before() -> None:
    assert shifted([31], [999], 4) == [*LIMITED[:2], (21, 20, 275, 31, True)]
    assert shifted([999], [31], 4) == [*LIMITED[:2], (21, 20, 245, 31, True)]
    assert shifted([1], [999], 4) == []


def test_a_terminal_state_inside_a_skill_keeps_its_reward() -> None:
    assert shifted([13], [999], 2) == [LIMITED[0], (11, 10, 33, 13, True)]


def test_shifted_transitions_of_several_environments_do_not_mix() -> None:
    both = [*LIMITED, (31, 30, 126, 35, True)], [LIMITED[0], (11, 10, 33, 13, True)]
    assert sorted(shifted([999, 13], [35, 99], 4)) == sorted(both[0] + 2 * both[1])


def test_shifted_transitions_may_hold_the_skill_that_was_chosen_after_them() -> None:
    chosen = [(0, 10, 45, 11, False), (11, 20, 145, 21, False), (21, 30, 245, 31, False)]
    assert shifted([999], [35], 4, chosen_after=True) == [*chosen, (31, 30, 126, 35, True)]
    assert shifted([31], [999], 4, chosen_after=True)[2] == (21, 30, 275, 31, True)


def test_a_cut_episode_completes_no_shifted_transition() -> None:
    env = SkillActions(TimeLimit(CountingEnv(), 35), StubSkills())
    keywords = {"replay_buffer_class": ShiftedReplayBuffer, "learning_starts": 1000}
    agent = PriorSAC("SkillPriorPolicy", env, buffer_size=100, device="cpu", **keywords)
    agent.learn(2)
    agent.learn(2)  # a new episode
    buffer = agent.replay_buffer
    assert buffer.observations[: buffer.pos, 0, 0].tolist() == [0, 0]
    assert buffer.next_observations[: buffer.pos, 0, 0].tolist() == [11, 11]


def test_shifted_transitions_need_their_next_states() -> None:
    with pytest.raises(InvalidConfig, match="optimize_memory_usage"):
        ShiftedReplayBuffer(
            10,
            OBSERVATIONS,
            ACTIONS,
            device="cpu",
            optimize_memory_usage=True,
            handle_timeout_termination=False,
        )


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_shares_that_are_none(share: float) -> None:
    with pytest.raises(InvalidConfig, match=r"success_share.*number from 0 to 1"):
        SuccessReplayBuffer(10, OBSERVATIONS, ACTIONS, device="cpu", success_share=share)


@pytest.mark.parametrize(
    "kind", [SkillReplayBuffer, ShiftedReplayBuffer, SuccessReplayBuffer, PictureReplayBuffer]
)
def test_dictionaries_are_refused(kind: type[ReplayBuffer]) -> None:
    with pytest.raises(UnsupportedSpace, match=r"Dict.*FlattenObservation"):
        kind(10, Dict(state=OBSERVATIONS), ACTIONS, device="cpu")
