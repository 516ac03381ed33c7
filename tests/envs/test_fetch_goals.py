"""Dictionary observations and `compute_reward` of the Fetch worlds; HER trains on them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import skillgym_envs  # noqa: F401  registers the environments
from skillgym.rl.vec_env import GymnasiumVecEnv
from skillgym_envs.core.errors import SimulationDiverged, SkillgymError
from skillgym_envs.core.goals import GoalObservation
from skillgym_envs.fetch import TASKS

SIZES = {  # observation, goal
    **{"Place": (19, 6), "SlipperyPush": (19, 6), "CleanUp": (19, 7), "PyramidStack": (28, 10)},
    **{"Hook": (40, 3), "ComplexHook": (40, 3)},
}


def make(task: str, **keywords: Any) -> gym.Env:
    return gym.make(f"skillgym/Fetch{task}-v0", goals=True, **keywords)


def goal_observation(env: gym.Env) -> GoalObservation:
    """The wrapper that cuts observations into dictionaries."""
    while not isinstance(env, GoalObservation):
        env = env.env
    return env


@pytest.mark.parametrize("task", TASKS)
def test_goals_of_another_size_are_refused(task):
    """Transposed ones, whole observations, and more of one than of the other."""
    env, size = make(task), SIZES[task][1]
    compute = env.get_wrapper_attr("compute_reward")
    for achieved, desired in (
        (np.zeros((size, 4)), np.zeros((size, 4))),
        (np.zeros(25), np.zeros(size)),
        (np.zeros((4, size)), np.zeros((5, size))),
        (0.0, 0.0),
    ):
        with pytest.raises(SkillgymError, match=rf"expected \({size},\) or \(B, {size}\) of both"):
            compute(achieved, desired, {})


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.parametrize("task", TASKS)
def test_both_checkers_accept_the_dictionary(task):
    env = make(task)
    sb3_check_env(env)
    check_env(goal_observation(env), skip_render_check=True)
    sizes = {name: space.shape[0] for name, space in env.observation_space.items()}
    observation, goal = SIZES[task]
    assert sizes == {"observation": observation, "achieved_goal": goal, "desired_goal": goal}
    copy = gym.make(EnvSpec.from_json(env.spec.to_json()))
    np.testing.assert_equal(copy.reset(seed=3)[0], env.reset(seed=3)[0])


@pytest.mark.parametrize("task", TASKS)
def test_reward_can_be_recomputed(task):
    """Step rewards come out again exactly, for one goal and for many; the function is pure."""
    env = make(task)
    env.reset(seed=0)
    rewards, infos, pairs = [], [], []
    for action in np.random.default_rng(0).uniform(-1, 1, (6, 4)):
        observation, reward, _, _, info = env.step(action)
        pairs.append((observation["achieved_goal"], observation["desired_goal"]))
        rewards.append(reward)
        infos.append(info)
    compute = env.get_wrapper_attr("compute_reward")
    achieved, desired = (np.array(goals) for goals in zip(*pairs, strict=True))
    before = achieved.copy()
    np.testing.assert_array_equal(compute(achieved, desired, infos), rewards)
    np.testing.assert_array_equal(achieved, before)
    single = compute(achieved[0], desired[0], infos[0])
    assert type(single) is float and single == rewards[0]
    assert [info["is_success"] for info in infos] == [
        reward > env.unwrapped.world.failure for reward in rewards
    ]


def test_a_reward_that_is_no_flag_can_be_recomputed_to_the_last_bit():
    """The hand goes down above a block in the tray: goals have the precision of observations."""
    env = make("CleanUp")
    env.reset(seed=0)
    block = env.unwrapped.data.joint("object0:joint")
    block.qpos[:3], block.qvel[:] = (1.4, 1.06, 0.46), 0.0
    compute, rewards = env.get_wrapper_attr("compute_reward"), []
    for _ in range(12):
        observation, reward, *_, info = env.step(np.array([0.0, 0.0, -0.5, 0.0]))
        achieved, desired = observation["achieved_goal"], observation["desired_goal"]
        assert compute(achieved, desired, info) == reward
        rewards.append(reward)
    assert len({reward for reward in rewards if 0.0 < reward < 1.0}) > 2


@pytest.mark.parametrize("task", ["Place", "SlipperyPush", "Hook", "ComplexHook"])
def test_a_goal_that_was_reached_pays(task):
    """What hindsight relabelling rests on: the achieved goal as the desired one is a success."""
    env = make(task)
    observation, _ = env.reset(seed=0)
    achieved, desired = observation["achieved_goal"], observation["desired_goal"]
    compute, failure = env.get_wrapper_attr("compute_reward"), env.unwrapped.world.failure
    assert compute(achieved, achieved, {}) == failure + 1.0
    assert compute(achieved, desired, {}) == failure


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_vector_twin_equals_single_environments(mode):
    env_id, keywords = "skillgym/FetchPlace-v0", {"goals": True, "max_episode_steps": 3}
    sync = SyncVectorEnv([lambda: gym.make(env_id, **keywords)] * 2, autoreset_mode=mode)
    ours = gym.make_vec(
        env_id, 2, vectorization_mode="vector_entry_point", autoreset_mode=mode, **keywords
    )
    np.testing.assert_equal(ours.reset(seed=4)[0], sync.reset(seed=4)[0])
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 2, 4)):
        given, expected = ours.step(action), sync.step(action)
        np.testing.assert_equal(given[:4], expected[:4])
        assert given[0] in ours.observation_space
        if "final_obs" in expected[4]:
            for one, other in zip(given[4]["final_obs"], expected[4]["final_obs"], strict=True):
                np.testing.assert_equal(one, other)
            np.testing.assert_array_equal(
                given[4]["final_info"]["is_success"], expected[4]["final_info"]["is_success"]
            )


def test_success_in_the_last_step_is_that_of_the_episode_that_ended():
    """Not that of the one that has begun in its place."""
    env = gym.make_vec(
        "skillgym/FetchSlipperyPush-v0",
        2,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.SAME_STEP,
        goals=True,
        max_episode_steps=1,
    )
    env.reset(seed=0)
    block = env.unwrapped._simulator.data[1].joint("object0:joint")
    block.qpos[:3], block.qvel[:] = (1.316193226, 0.7074910037, 0.425), 0.0
    observation, rewards, _, truncated, infos = env.step(np.zeros((2, 4)))
    assert truncated.all() and rewards.tolist() == [0.0, 1.0]
    for given in (infos["is_success"], infos["final_info"]["is_success"]):
        assert given.tolist() == [False, True]
    for row, reached in enumerate((False, True)):
        last = infos["final_obs"][row]
        gap = last["achieved_goal"][:2] - last["desired_goal"][:2]
        assert (np.linalg.norm(gap) < 0.03) == reached
    assert np.linalg.norm(observation["achieved_goal"][1, :2] - gap) > 0.03


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_neither_waiting_nor_diverging_is_success(mode):
    """A reward of 0, the best of this world, is also that of a step in which nothing is run."""
    env = gym.make_vec(
        "skillgym/FetchHook-v0",
        2,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        goals=True,
        max_episode_steps=3,
    )
    env.reset(seed=0)
    env.unwrapped._simulator.data[1].qpos[0] = np.nan
    with pytest.warns(SimulationDiverged):
        _, rewards, terminated, _, infos = env.step(np.zeros((2, 4)))
    np.testing.assert_array_equal(rewards, [-1.0, -1.0])
    np.testing.assert_array_equal(terminated, [False, True])
    assert not infos["is_success"].any()
    for _ in range(5):
        infos = env.step(np.zeros((2, 4)))[4]
        assert not infos["is_success"].any()


@pytest.mark.parametrize("vector", [False, True])
def test_her_trains(vector):
    """SAC with hindsight replay runs and its relabelled goals earn rewards."""
    if vector:
        env: Any = GymnasiumVecEnv(
            gym.make_vec(
                "skillgym/FetchPlace-v0",
                2,
                vectorization_mode="vector_entry_point",
                autoreset_mode=AutoresetMode.SAME_STEP,
                goals=True,
                max_episode_steps=20,
            )
        )
    else:
        env = make("Place", max_episode_steps=20)
    model = SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4},
        learning_starts=60,
        batch_size=32,
        policy_kwargs={"net_arch": [16]},
        train_freq=4,
        seed=0,
    )
    before = [parameter.clone() for parameter in model.actor.parameters()]
    model.learn(120)
    assert any((a != b).any() for a, b in zip(before, model.actor.parameters(), strict=True))
    batch = model.replay_buffer.sample(200)
    assert 0.3 < float(batch.rewards.mean()) <= 1.0
