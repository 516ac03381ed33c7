"""The tabletop's scripted expert, and what is collected with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from minari import MinariDataset

from skillgym.data import load_windows
from skillgym_envs.collect import collect, dataset_spec
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.tabletop import TASKS, TabletopWorld, chain
from skillgym_envs.tabletop.datasets import completed_subtasks
from skillgym_envs.tabletop.expert import PLANS, TabletopExpert
from skillgym_envs.tabletop.phases import hand
from skillgym_envs.tabletop.play import PlayExpert
from skillgym_envs.tabletop.protocol import initial_states, is_possible, scene_state
from skillgym_envs.tabletop.rotations import quat_of_euler, rotated


def completed(tasks: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Tasks of a chain that the expert completes, from a random state that allows them."""
    rng = np.random.default_rng(seed)
    states = [state for state in initial_states() if is_possible(state, tasks)]
    env = WorldEnv(TabletopWorld(tasks, since="subtask"))
    state = states[rng.integers(len(states))]
    env.reset(seed=seed, options={"scene_state": scene_state(state)})
    expert = TabletopExpert(tasks, rng)
    expert.reset(env.data)
    for _ in range(240 * len(tasks)):
        *_, terminated, _, info = env.step(expert.act(env.data))
        if terminated or expert.done:
            break
    done: tuple[str, ...] = info["subtasks_completed"]
    return done


@pytest.mark.parametrize(
    "tasks",
    [
        ("open_drawer", "turn_on_lightbulb", "move_slider_left"),
        ("close_drawer", "turn_off_led", "move_slider_right"),
        ("turn_off_lightbulb", "rotate_red_block_right"),
        ("turn_on_led", "push_blue_block_left"),
        ("lift_red_block_table", "stack_block", "unstack_block"),
        ("lift_pink_block_slider", "place_in_slider"),
        ("lift_blue_block_table", "place_in_drawer", "lift_blue_block_drawer"),
        ("push_into_drawer",),
    ],
)
def test_chains(tasks):
    """`python -m benchmarks.tabletop_experts` measures the rates of single tasks."""
    assert [completed(tasks, seed) for seed in range(2)] == [tasks, tasks]


@pytest.mark.parametrize("index", [0, 6])
def test_the_expert_completes_chains_of_the_evaluation(index):
    """All five tasks, with the environment and the state that the protocol asks for."""
    found = chain(index)
    env = gym.make("skillgym/Tabletop-v0", **found.env_kwargs())
    env.reset(seed=0, options=found.reset_options())
    expert = TabletopExpert(found.tasks, np.random.default_rng(0))
    data, over = env.get_wrapper_attr("data"), False
    expert.reset(data)
    while not (over or expert.done):
        _, _, terminated, truncated, info = env.step(expert.act(data))
        over = terminated or truncated
    assert info["subtasks_completed"] == found.tasks
    env.close()


def test_every_task_has_a_plan():
    assert set(PLANS) == set(TASKS)


def test_unknown_task():
    with pytest.raises(UnknownTask, match="open_drawer"):
        TabletopExpert(["open_drawr"], np.random.default_rng(0))


def test_orientation_of_the_hand():
    """At yaw pi / 2 the fingers open along x; a tilt points them away from the robot."""
    axis = rotated(quat_of_euler(hand()), np.array([0.0, 1.0, 0.0]))
    assert abs(axis[0]) > 0.99
    for tilt in (0.0, 0.4, 0.9):
        points = rotated(quat_of_euler(hand(tilt=tilt)), np.array([0.0, 0.0, 1.0]))
        np.testing.assert_allclose(points, (0.0, np.sin(tilt), -np.cos(tilt)), atol=0.07)


def test_the_expert_knows_where_the_environment_aims():
    env = WorldEnv(TabletopWorld())
    env.reset(seed=0)
    expert = TabletopExpert(("open_drawer",), np.random.default_rng(0))
    expert.reset(env.data)
    for _ in range(20):
        env.step(expert.act(env.data))
    target = np.concatenate((expert._target, expert._euler))
    np.testing.assert_allclose(env._batch._memory["target"][0], target, atol=1e-9)


def test_play_never_shows_the_whole_task(tmp_path: Path) -> None:
    spec = dataset_spec("tabletop-play-mini")
    spec = replace(spec, plans=spec.plans[:2])
    folder = collect(spec, tmp_path, workers=1)
    assert all(episode.rewards.sum() < 4 for episode in MinariDataset(folder / "data"))
    data = load_windows(folder)
    for index in range(2):
        observations, actions = data.episode(index)
        assert observations.shape == (361, 21)
        assert actions.shape == (360, 7)
        assert len(completed_subtasks(observations)) < 4
        moved = np.abs(observations[:, 15:] - observations[0, 15:]).max(axis=0)
        assert (moved > 0.005).any()
    assert not np.array_equal(data.episode(0)[1], data.episode(1)[1])


def test_what_is_done_from_the_start_was_not_done():
    """The drawer is open from the start; then it is shut and, after the bulb is on, opened."""
    observations = np.zeros((5, 21))
    observations[:, 16], observations[3:, 19] = (0.2, 0.2, 0.0, 0.0, 0.2), 1.0
    assert completed_subtasks(observations[:3]) == ()
    assert completed_subtasks(observations) == ("turn_on_lightbulb", "open_drawer")


def test_play_begins_in_every_state_of_the_furniture():
    """Without it no window of play presses the button when all else of SkiMo's task is done."""
    spec = dataset_spec("tabletop-play")
    env = gym.make(spec.env_id, **spec.env_kwargs)
    states = {tuple(env.reset(seed=seed)[0][[15, 16, 19, 20]] > 0.1) for seed in range(120)}
    assert len(states) == 16
    env.close()


def test_play_does_several_tasks():
    env = WorldEnv(TabletopWorld())
    env.reset(seed=1)
    expert = PlayExpert(("play",), np.random.default_rng(1))
    expert.reset(env.data)
    for _ in range(360):
        env.step(expert.act(env.data))
    assert len(expert.sequence) >= 4
    assert not expert.done


def test_sizes_of_the_datasets():
    assert len(dataset_spec("tabletop-play").plans) == 1200
    assert len(dataset_spec("tabletop-play-mini").plans) == 12
    assert dataset_spec("tabletop-demos").plans[0][0] == "open_drawer"
