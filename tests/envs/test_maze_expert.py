"""The maze's expert and its datasets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import minari
import numpy as np
import pytest

from skillgym.data import load_windows
from skillgym_envs.collect import DatasetSpec, collect, dataset_spec
from skillgym_envs.collect.episodes import Recorder
from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.maze import random_layout
from skillgym_envs.maze.expert import MazeExpert, layout_of
from skillgym_envs.maze.scene import cell_of


def small(name: str, episodes: int = 2) -> DatasetSpec:
    spec = dataset_spec(name)
    return replace(spec, plans=spec.plans[:episodes])


def record(name: str, index: int = 0) -> np.ndarray:
    """Observations (T+1, 4) of an episode of a dataset."""
    recorder = Recorder(dataset_spec(name))
    episode = recorder.record(index)
    recorder.env.close()
    return episode.observations


def in_walls(walls: np.ndarray, observations: np.ndarray) -> np.ndarray:
    return walls[tuple(np.floor(observations[:, :2] + 0.7).astype(int).T)]


def make_started(seed: int, **keywords: object) -> gym.Env:
    env = gym.make("skillgym/Maze-v0", disable_env_checker=True, **keywords)
    env.reset(seed=seed)
    return env


@pytest.mark.parametrize(("size", "seed"), [(40, 0), (20, 7)])
def test_layout_of_a_model(size, seed):
    env = make_started(0, size=size, layout_seed=seed)
    found = layout_of(env.unwrapped.world.model)
    np.testing.assert_array_equal(found.walls, random_layout(size, seed).walls)


@pytest.mark.parametrize("seed", range(3))
def test_expert_does_the_published_task(seed):
    """From (10, 24) to within 0.1 of (18, 8) in fewer than 1600 steps, as the specification says.

    No way is shorter than the 34 cells, at the top speed of 5.24 m/s.
    """
    env = make_started(seed, variant="spirl")
    expert = MazeExpert("goal", np.random.default_rng(seed))
    expert.reset(env.unwrapped.data)
    cells = [cell_of(waypoint) for waypoint in expert.waypoints]
    assert len(cells) == 34 and cells[0] == (18, 8)
    assert sum(abs(a - b) for a, b in zip(cells[-1], (10, 24), strict=True)) == 1
    steps, reward = 0, 0.0
    while not expert.done:
        observation, reward, *_ = env.step(expert.act(env.unwrapped.data))
        assert np.abs(observation[2:]).max() < 5.25
        steps += 1
    assert np.hypot(*(observation[:2] - [18, 8])) < 0.1
    assert reward == 1.0
    assert 550 < steps < 1600


def test_waypoints_are_jittered_within_their_cells_and_the_last_is_exact():
    env = make_started(0, variant="spirl")
    offsets, last = [], []
    for seed in range(30):
        expert = MazeExpert("random cell", np.random.default_rng(seed))
        expert.reset(env.unwrapped.data)
        waypoints = np.array(expert.waypoints)
        offsets.append(np.ceil(waypoints[1:]) - waypoints[1:])
        last.append(tuple(waypoints[0]))
    offsets = np.concatenate(offsets)
    assert offsets.min() >= 0.0 and offsets.max() < 0.2
    assert offsets.mean() == pytest.approx(0.1, abs=0.01)
    assert offsets.std() == pytest.approx(0.2 / 12**0.5, rel=0.1)
    assert len(set(last)) > 25
    assert all(x == int(x) and y == int(y) for x, y in last)


def test_a_random_cell_is_another_one_than_the_start():
    env = make_started(0, layout=["#####", "#OOO#", "#####"], start=(1.0, 2.0), goal=(1.0, 3.0))
    ends = set()
    for seed in range(20):
        expert = MazeExpert("random cell", np.random.default_rng(seed))
        expert.reset(env.unwrapped.data)
        ends.add(expert.waypoints[0])
    assert ends == {(1.0, 1.0), (1.0, 3.0)}


def test_force_is_a_clipped_pd_controller():
    room = ["#######", "#OOOOO#", "#######"]
    env = make_started(0, layout=room, start=(1.0, 1.0), start_noise=0.0, goal=(1.0, 5.0))
    data = env.unwrapped.data
    expert = MazeExpert("goal", np.random.default_rng(0), jitter=0.0)
    expert.reset(data)
    assert expert.waypoints == [(1, 5), (1, 4), (1, 3), (1, 2)]
    data.qpos[:], data.qvel[:] = (1.02, 1.87), (-0.3, 1.1)
    np.testing.assert_allclose(expert.act(data), [-0.2 + 0.3, 1.3 - 1.1])
    assert expert.waypoints[-1] == (1, 2)
    data.qpos[:], data.qvel[:] = (1.02, 1.95), (0.3, 0.1)
    np.testing.assert_allclose(expert.act(data), [-0.5, 1.0])  # near: on to (1, 3), clipped
    assert expert.waypoints[-1] == (1, 3)


def test_noise_on_actions():
    env = make_started(0)
    expert = MazeExpert("goal", np.random.default_rng(0), noise=0.5)
    expert.reset(env.unwrapped.data)
    actions = np.array([expert.act(env.unwrapped.data) for _ in range(500)])
    assert np.abs(actions).max() <= 1.0
    assert actions.std(axis=0).max() > 0.2


def test_unknown_destination():
    with pytest.raises(UnknownTask, match="random cell"):
        MazeExpert("randm cell", np.random.default_rng(0))


def test_play_goes_between_random_cells_of_the_published_maze():
    episodes = [record("maze-play", index) for index in range(3)]
    for observations in episodes:
        assert 50 < len(observations) - 1 < 1600
        assert not in_walls(random_layout().walls, observations).any()
        end = observations[-1, :2]
        assert np.hypot(*(end - np.rint(end))) < 0.1
        assert 0 < np.abs(observations[0, 2:]).max() < 0.5
    assert len({tuple(observations[0, :2]) for observations in episodes}) == 3


def test_random_has_a_new_maze_in_every_episode(tmp_path: Path):
    folder = collect(small("maze-random", 3), tmp_path, workers=1)
    dataset = minari.MinariDataset(folder / "data")
    facts = list(dataset.storage.get_episode_metadata(range(3)))
    layouts = [random_layout(20, int(fact["seed"])) for fact in facts]
    assert len({layout.rows for layout in layouts}) == 3
    for episode, layout, fact in zip(dataset, layouts, facts, strict=True):
        assert not in_walls(layout.walls, episode.observations).any()
        env = gym.make(dataset.env_spec, layout_seed=int(fact["seed"]))  # actions replay
        observation, _ = env.reset(seed=int(fact["seed"]))
        for expected, action in zip(episode.observations, episode.actions, strict=False):
            np.testing.assert_array_equal(observation, expected)
            observation = env.step(action)[0]
        env.close()


def test_rewards_of_random_mazes_are_those_of_the_paper():
    """Not those that a maze of one's own has by default."""
    recorder = Recorder(dataset_spec("maze-random"))
    recorder.record(0)
    world = recorder.env.unwrapped.world
    assert (world.goal_radius, world.start_noise, world.terminate) == (1.0, 0.1, False)
    recorder.env.close()


def test_episodes_of_random_mazes_do_not_depend_on_each_other():
    recorder = Recorder(dataset_spec("maze-random"))
    first = recorder.record(0)
    second = recorder.record(1)
    np.testing.assert_array_equal(record("maze-random", 1), second.observations)
    assert first.facts["env_seed"] != second.facts["env_seed"]


def test_demonstrations_end_with_the_task(tmp_path: Path):
    folder = collect(small("maze-demos"), tmp_path, workers=1)
    dataset = minari.MinariDataset(folder / "data")
    for episode in dataset:
        np.testing.assert_array_equal(episode.observations[0], [10, 24, 0, 0])
        assert episode.terminations.tolist() == [False] * (len(episode.actions) - 1) + [True]
        assert episode.rewards.sum() == episode.rewards[-1] == 100.0
        assert np.hypot(*(episode.observations[-1, :2] - [18, 8])) <= 2.0
    data = load_windows(folder)
    observations, actions = data.sample(np.random.default_rng(0), batch_size=8, horizon=10)
    assert observations.shape == (8, 11, 4) and actions.shape == (8, 10, 2)
