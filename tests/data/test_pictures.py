"""Windows with pictures: each episode in its own maze, as its world would have shown it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from minari import MinariDataset

import skillgym_envs  # noqa: F401  registers the environments
from skillgym.data import InvalidTrajectories, PictureWindows, WindowDataset, load_pictures
from skillgym.data.errors import UnreadableDataset
from skillgym.data.minari_reader import read_world_keywords
from skillgym.data.pictures import _followed, _moved
from skillgym_envs.maze import MazeCamera, make_layout, random_layout
from tests.maze_data import EPISODES, collect_random_mazes

PICTURES = slice(4, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("datasets")
    return str(root / collect_random_mazes(root))


@pytest.fixture(scope="module")
def data(folder: str) -> PictureWindows:
    return load_pictures(folder)


def assert_pictures_agree(given: np.ndarray, expected: np.ndarray) -> None:
    """Recorded states are rounded to single precision: seldom a level of 255 differs."""
    levels = np.abs(given[..., PICTURES] - expected[..., PICTURES]) * 127.5
    assert levels.max() <= 1.01
    assert (levels > 0.5).mean() < 1e-3


@pytest.mark.parametrize("episode", [0, 3])
def test_observations_are_those_of_the_world(
    folder: str, data: PictureWindows, episode: int
) -> None:
    """The recorded actions, replayed in the world with pictures."""
    keywords = read_world_keywords(folder)[episode]
    states, actions = data.windows.episode(episode)
    env = gym.make("skillgym/Maze-v0", **keywords, observation="image")
    rows = [env.reset(seed=keywords["layout_seed"])[0]]
    rows += [env.step(action)[0] for action in actions[:60]]
    first = data.windows.episode_starts[episode]
    centres = data.centres[None, first : first + 61]
    drawn = data.observations(states[None, :61], centres, data.mazes[[episode]])[0]
    np.testing.assert_array_equal(drawn[:, :4], np.array(rows)[1:, :4])
    assert_pictures_agree(drawn, np.array(rows)[1:])
    other = data.observations(states[None, :61], centres, data.mazes[[episode - 1]])[0]
    assert np.abs(other - drawn).max() > 0.5  # another maze looks different
    env.close()


def test_open_dataset_keeps_the_maze_of_each_episode(folder: str, data: PictureWindows) -> None:
    dataset = MinariDataset(f"{folder}/data", episode_indices=np.array([2, 0]))
    opened = load_pictures(dataset)
    for seed, (index, episode) in enumerate(((0, 2), (1, 0))):
        drawn = opened.subset([index]).sample(np.random.default_rng(seed), 4, 5)
        expected = data.subset([episode]).sample(np.random.default_rng(seed), 4, 5)
        np.testing.assert_array_equal(drawn[0], expected[0])


def test_windows_show_what_actions_lead_to(data: PictureWindows) -> None:
    observations, actions = data.sample(np.random.default_rng(0), batch_size=8, horizon=5)
    assert observations.shape == (8, 5, 6148) and observations.dtype == np.float32
    assert actions.shape == (8, 5, 2)
    assert np.abs(observations[..., PICTURES]).max() <= 1.0
    older, newer = observations[..., 4:3076], observations[..., 3076:]
    np.testing.assert_array_equal(older[:, 1:], newer[:, :-1])
    states, same = data.windows.sample(np.random.default_rng(0), batch_size=8, horizon=5)
    np.testing.assert_array_equal(actions, same)
    np.testing.assert_array_equal(observations[..., :4], states[:, 1:])
    first, _ = data.sample(np.random.default_rng(0), 8, 5, num_observations=1)
    np.testing.assert_array_equal(first, observations[:, :1])


def test_parts_keep_their_mazes(data: PictureWindows) -> None:
    assert len(set(data.mazes.tolist())) == data.windows.num_episodes == EPISODES
    for part in data.split(0.3, np.random.default_rng(0)):
        for episode in range(part.windows.num_episodes):
            states, _ = part.windows.episode(episode)
            of = [
                index
                for index in range(EPISODES)
                if np.array_equal(data.windows.episode(index)[0], states)
            ]
            assert part.mazes[episode] == data.mazes[of[0]]


def test_episodes_of_one_world_share_its_maze(folder: str, data: PictureWindows) -> None:
    """As in the play data: the keywords are those of the published maze."""
    worlds = [{"variant": "spirl"}] * 3 + [{"layout": ["####", "#OO#", "####"]}] * 3
    shared = PictureWindows.of_worlds(data.windows, worlds)
    assert shared.mazes.tolist() == [0, 0, 0, 1, 1, 1]
    states = np.array([[[10.0, 24.0, 0.0, 0.0]] * 2], np.float32)
    expected = MazeCamera(random_layout()).pictures(np.array([[10.0, 24.0]])).ravel()
    drawn = shared.observations(states, states[..., :2], np.array([0]))
    np.testing.assert_array_equal(drawn[0, 0, 3076:], expected)


def test_cameras_of_many_mazes_and_of_one_agree() -> None:
    layouts = [make_layout(size=20, layout_seed=3), make_layout(size=12), make_layout()]
    positions = np.random.default_rng(0).uniform(-3, 45, (60, 2))
    mazes = np.arange(60) % 3
    together = MazeCamera(layouts).draw(positions, mazes)
    for index, layout in enumerate(layouts):
        own = MazeCamera(layout).draw(positions[mazes == index])
        np.testing.assert_array_equal(together[mazes == index], own)


def test_what_is_no_maze_is_refused(data: PictureWindows) -> None:
    with pytest.raises(InvalidTrajectories, match="a maze for each episode"):
        PictureWindows.of_worlds(data.windows, [{}])
    kitchen = WindowDataset(np.zeros((4, 60)), np.zeros((4, 9)), [4])
    with pytest.raises(InvalidTrajectories, match="size 60"):
        PictureWindows.of_worlds(kitchen, [{}])


def test_a_dataset_that_does_not_tell_its_mazes_is_refused(folder: str, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "tiny-v0")
    file = tmp_path / "tiny-v0" / "data" / "metadata.json"
    content = json.loads(file.read_text())
    del content["env"]
    file.write_text(json.dumps(content))
    with pytest.raises(UnreadableDataset, match="does not name the world"):
        load_pictures(tmp_path / "tiny-v0")


def test_the_first_episodes(folder: str) -> None:
    assert load_pictures(f"{folder}[:2]").windows.num_episodes == 2


def test_noise_shows_a_ball_elsewhere_with_another_velocity(data: PictureWindows) -> None:
    def draw(*noise: float) -> Any:
        return data.sample(np.random.default_rng(0), 8, 5, num_observations=1, noise=noise)

    observations, actions, moved = draw(1e-6, 1e-6)
    assert_pictures_agree(moved, observations[:, 0])
    np.testing.assert_array_equal(actions, data.sample(np.random.default_rng(0), 8, 5)[1])
    far = draw(0.1, 0.7)[2]
    away = far[:, :4] - observations[:, 0, :4]
    assert 0.02 < np.abs(away[:, :2]).mean() < 0.3 and 0.2 < np.abs(away[:, 2:]).mean() < 2.0


def test_the_camera_has_followed_the_other_velocity() -> None:
    """As if the ball had always gone that fast, and were now elsewhere."""
    speed = np.array([1.0, -2.0])

    def steady(velocity: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        path = (end + np.arange(-399, 1)[:, None] * 0.01 * velocity).astype(np.float32)
        states = np.hstack([path, np.tile(velocity, (400, 1))]).astype(np.float32)
        return states[None, -2:], _followed(path)[None, -2:]

    end = np.array([10.0, 20.0])
    states, centres = _moved(*steady(speed, end), (0.1, 0.7), np.random.default_rng(0))
    other = states[0, 1]
    expected = steady(other[2:], other[:2])
    np.testing.assert_allclose(states, expected[0], atol=1e-4)
    np.testing.assert_allclose(centres, expected[1], atol=1e-4)
    assert np.abs(other[:2] - end).max() > 0.005 and np.abs(other[2:] - speed).max() > 0.1
