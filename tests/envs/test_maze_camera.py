"""The maze's picture: every pixel against rays traced through the layout, without OpenGL."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

import skillgym_envs  # noqa: F401  registers the environments
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.rendering import FrameRenderer
from skillgym_envs.core.world import Physics
from skillgym_envs.maze import MazeCamera, MazeLayout, MazeWorld, random_layout
from skillgym_envs.maze.scene import BALL_COLOUR, CAMERA_FOLLOWS, FLOOR_COLOURS, WALL_COLOUR
from tests.core.test_rendering import needs_opengl

TOP = tuple(round(255 * c) for c in WALL_COLOUR)
SIDE = tuple(round(127.5 * c) for c in WALL_COLOUR)
FLOOR = [tuple(round(255 * c) for c in colour) for colour in FLOOR_COLOURS]
MIDDLE = slice(14, 18)  # pixels that the ball may be in


def make(**keywords: Any) -> gym.Env:
    return gym.make("skillgym/Maze-v0", disable_env_checker=True, **keywords)


def positions_in(layout: MazeLayout, count: int) -> np.ndarray:
    """Positions all over the maze, and outside of it."""
    return np.random.default_rng(0).uniform(-3, np.array(layout.walls.shape) + 2, (count, 2))


def traced(layout: MazeLayout, position: np.ndarray, fractions: list[float]) -> np.ndarray:
    """Colours that rays from 5 m above the ball meet, by marching through the walls' height.

    Args:
        layout: The maze.
        position: Position of the ball, shape (2,).
        fractions: Where the rays go in each pixel along both axes, 0 to 1.

    Returns:
        Colours, shape (32, F, 32, F, 3).
    """
    place = 1.0 - (np.arange(32)[:, None] + fractions).ravel() / 16  # up or left, 1 to -1
    shape = np.array(layout.walls.shape)
    heights = np.linspace(0.2, -0.1, 61)
    colours = np.zeros((len(place), len(place), 3))
    missed = np.ones((len(place), len(place)), bool)
    for height in heights:
        reach = (5.0 - height) * math.tan(math.pi / 8)  # the field of view is 45 degrees
        row, column = np.floor(position[:, None] + place * reach + 0.7).astype(int)
        row, column = np.broadcast_arrays(row[:, None], column)
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        wall = layout.walls[row.clip(0, shape[0] - 1), column.clip(0, shape[1] - 1)] & inside
        colours[missed & wall] = TOP if height == 0.2 else SIDE
        missed &= ~wall
    colours[missed] = np.array(FLOOR)[((row + column) % 2)[missed]]
    return colours.reshape(32, len(fractions), 32, len(fractions), 3)


@pytest.mark.parametrize("size", [40, 13])
def test_every_pixel_of_one_colour_is_what_rays_meet(size):
    layout = random_layout(size, 0)
    positions = positions_in(layout, 12)
    pictures = MazeCamera(layout).draw(positions)
    assert pictures.shape == (12, 32, 32, 3) and pictures.dtype == np.uint8
    met = dict.fromkeys([TOP, SIDE, *FLOOR], 0)
    for position, picture in zip(positions, pictures, strict=True):
        colours = traced(layout, position, [1e-3, 0.25, 0.5, 0.75, 0.999])
        colours = colours.transpose(0, 2, 1, 3, 4).reshape(32, 32, 25, 3)
        pure = (colours == colours[:, :, :1]).all(axis=(2, 3))
        pure[MIDDLE, MIDDLE] = False
        assert pure.mean() > 0.6
        np.testing.assert_allclose(picture[pure], colours[pure][:, 0], atol=2)
        for colour in met:
            met[colour] += int((colours[pure][:, 0] == colour).all(axis=-1).sum())
    assert min(met[TOP], *(met[colour] for colour in FLOOR)) > 500  # sides are narrow


@needs_opengl
def test_pictures_are_those_of_mujocos_renderer():
    """The camera `agent` sees the same; the goal's marker is not part of our pictures."""
    world = MazeWorld()
    cells = world.maze.free_cells
    places = cells[np.hypot(*(cells - world.goal).T) > 4.0][::60] - 0.2
    data, renderer = mujoco.MjData(world.model), FrameRenderer(world.model, 32, 32, "agent")
    frames = np.empty((len(places), 32, 32, 3))
    for frame, place in zip(frames, places, strict=True):
        data.qpos[:] = place
        mujoco.mj_forward(world.model, data)
        frame[:] = renderer.render(data)
    renderer.close()
    pictures = MazeCamera(world.maze).draw(places)
    difference = np.abs(frames - pictures).mean()
    assert len(places) > 15 and difference < 8.0  # of smooth edges
    for other in (pictures[:, ::-1], pictures[:, :, ::-1], pictures.transpose(0, 2, 1, 3)):
        assert np.abs(frames - other).mean() > 5.0 * difference


def test_mixed_pixels_have_the_mean_colour():
    """Smooth edges: on average within half a grey level, and seldom off by 8 %.

    Where three colours meet in a pixel, the share of the floor's two is that of the whole pixel.
    """
    layout = random_layout(20, 3)
    positions = positions_in(layout, 6)
    pictures = MazeCamera(layout).draw(positions)
    fractions = ((np.arange(12) + 0.5) / 12).tolist()
    means = np.stack([traced(layout, at, fractions).mean(axis=(1, 3)) for at in positions])
    errors = np.abs(pictures - means).max(axis=-1)
    errors[:, MIDDLE, MIDDLE] = 0.0
    assert errors.mean() < 0.7
    assert (errors > 20).mean() < 0.01


def test_small_motions_are_seen():
    """1 cm, a twelfth of a pixel, and even 1 mm change the edges in proportion."""
    camera = MazeCamera(MazeLayout.from_text(["#####"] + ["#OOO#"] * 3 + ["#####"]))
    pictures = camera.draw(np.array([[2.0, 1.5], [2.001, 1.5], [2.01, 1.5]])).astype(int)
    small, large = np.abs(pictures[1:] - pictures[0]).max(axis=(1, 2, 3))
    assert 1 <= small <= 3
    assert 8 <= large <= 25


def test_the_ball_is_in_the_middle():
    camera = MazeCamera(MazeLayout.from_text(["#####"] + ["#OOO#"] * 3 + ["#####"]), size=320)
    picture = camera.draw(np.array([[2.0, 2.0]]))[0].astype(float)
    radius = 160 * 0.1 / (5 * math.tan(math.pi / 8))
    rows, columns = np.indices((320, 320)) + 0.5
    away = np.hypot(rows - 160, columns - 160)
    ball = picture[away < radius - 1]
    np.testing.assert_allclose(ball, np.tile(255 * np.array(BALL_COLOUR) * 5 / 6, (len(ball), 1)),
                               atol=1)  # fmt: skip
    around = picture[(away > radius + 1) & (away < 2 * radius)]
    assert set(map(tuple, around)) <= {tuple(map(float, colour)) for colour in FLOOR}


def ball_in(picture: np.ndarray) -> np.ndarray:
    """Middle of the ball [pixel from the middle of the picture], from planes (3, S, S)."""
    share = picture[0] - picture[2]  # walls and floor are more blue than red
    share = np.where(share > 30, share, 0.0)
    places = np.arange(len(share)) + 0.5 - len(share) / 2
    return np.array([share.sum(1) @ places, share.sum(0) @ places]) / share.sum()


def test_the_camera_may_look_beside_the_ball():
    layout = random_layout(20, 3)
    camera = MazeCamera(layout)
    centres = positions_in(layout, 40)
    away = np.random.default_rng(1).uniform(-0.5, 0.5, (40, 2))
    planes = camera.planes(centres + away, centres=centres)
    per_pixel = 5 * math.tan(math.pi / 8) / 16
    for plane, (x, y) in zip(planes, away, strict=True):  # +x is up, +y is left
        np.testing.assert_allclose(ball_in(plane), [-x / per_pixel, -y / per_pixel], atol=0.25)
    same = camera.planes(centres)
    far = np.abs(same - planes).max(axis=(1, 2, 3)) > 0
    assert far.all()
    rest = np.ones((32, 32), bool)
    rest[10:22, 10:22] = False
    np.testing.assert_array_equal(planes[..., rest], same[..., rest])


def test_each_picture_shows_its_own_maze():
    layouts = [random_layout(20, 1), random_layout(13, 2)]
    positions = positions_in(layouts[1], 4)
    which = np.array([1, 0, 0, 1])
    together = MazeCamera(layouts).draw(positions, which)
    for picture, position, maze in zip(together, positions, which, strict=True):
        alone = MazeCamera(layouts[maze]).draw(position[None])[0]
        np.testing.assert_array_equal(picture, alone)


def test_batches_torch_and_planes_agree():
    layout = random_layout(20, 1)
    camera = MazeCamera(layout)
    positions = positions_in(layout, 40)
    together = camera.draw(positions)
    for position, picture in zip(positions, together, strict=True):
        np.testing.assert_array_equal(camera.draw(position[None])[0], picture)
    planes = camera.planes(positions)
    np.testing.assert_array_equal(planes.transpose(0, 2, 3, 1), together)
    tensor = camera.draw(torch.asarray(positions))
    assert tensor.dtype == torch.uint8
    assert np.abs(tensor.numpy().astype(int) - together).max() <= 1  # products are rounded freely


# The image observation.


def pictures_of(observation: np.ndarray) -> np.ndarray:
    return observation[4:].reshape(2, 3, 32, 32)


def test_observation_has_the_state_and_the_last_two_pictures():
    env = make(observation="image", variant="spirl")
    plain = make(variant="spirl")
    observation, _ = env.reset(seed=0)
    expected, _ = plain.reset(seed=0)
    assert observation.shape == env.observation_space.shape == (6148,)
    camera = MazeCamera(env.unwrapped.world.maze)
    before = None
    looks_at = observation[None, :2].astype(float)
    for _ in range(30):
        np.testing.assert_array_equal(observation[:4], expected)
        older, newer = pictures_of(observation)
        position = env.unwrapped.data.qpos[None].copy()
        looks_at += CAMERA_FOLLOWS * (position - looks_at)
        planes = camera.planes(position, centres=looks_at)[0]
        np.testing.assert_allclose(newer, planes / 127.5 - 1.0, atol=1e-6)
        np.testing.assert_array_equal(older, newer if before is None else before)
        before = newer
        observation, *_ = env.step(np.array([0.3, 1.0]))
        expected, *_ = plain.step(np.array([0.3, 1.0]))
    assert np.abs(older - newer).max() > 0.05
    assert observation in env.observation_space


def test_the_picture_shows_the_velocity():
    """At a steady speed the ball is ahead of the camera by 9 control steps."""
    env = make(observation="image", layout=["#" * 60, "#" + "O" * 58 + "#", "#" * 60],
               start=(1, 3), goal=(1, 57))  # fmt: skip
    observation, _ = env.reset(seed=0)
    seen = []
    for step in range(120):
        observation, *_ = env.step(np.array([0.0, np.clip(4.0 - observation[3], -1, 1)]))
        if step > 90:
            seen.append(ball_in(127.5 * (pictures_of(observation)[1] + 1)))
    ahead = 9 * 0.01 * observation[3] / (5 * math.tan(math.pi / 8) / 16)
    np.testing.assert_allclose(np.mean(seen, axis=0), [0.0, -ahead], atol=0.15)
    assert ahead > 2.5


def test_layout_names_every_pixel():
    layout = MazeWorld(observation="image").layout
    assert layout.size == 6148
    assert layout.slices["picture"] == slice(4 + 3072, 6148)
    assert layout.rows()[4 + 3072 + 1024 + 33]["label"] == "green 1 1"


def test_vector_environment_equals_single_ones():
    kwargs = {"observation": "image", "size": 12, "start": "random"}
    batch = gym.make_vec(
        "skillgym/Maze-v0", 3, vectorization_mode="vector_entry_point", max_episode_steps=8,
        **kwargs,
    )  # fmt: skip
    actions = np.random.default_rng(0).uniform(-1, 1, (12, 3, 2)).astype(np.float32)
    together = [batch.reset(seed=5)[0]] + [batch.step(action)[0] for action in actions]
    batch.close()
    for i in range(3):
        env = make(**kwargs)
        rows = [env.reset(seed=5 + i)[0]]
        for step in range(12):  # the ninth step resets
            rows.append(env.reset()[0] if step == 8 else env.step(actions[step, i])[0])
        for step, row in enumerate(rows):
            np.testing.assert_array_equal(row, together[step][i])
        older, newer = pictures_of(rows[9])
        np.testing.assert_array_equal(older, newer)


def test_observe_on_torch():
    world = MazeWorld(observation="image")
    state, memory = world.reset([np.random.default_rng(i) for i in range(4)])
    qvel = np.ones((4, 2))

    def observe(convert: Any) -> Any:
        kept = {name: convert(value) for name, value in memory.items()}
        physics = Physics(convert(state.qpos + 0.05), convert(qvel), convert(qvel[:, :0]))
        return world.observe(physics, kept, None)

    (expected, kept), (got, tensors) = observe(np.asarray), observe(torch.asarray)
    assert got.numpy().dtype == expected.dtype == np.float32
    np.testing.assert_allclose(got.numpy(), expected, atol=1.01 / 127.5)
    np.testing.assert_array_equal(tensors["velocity"].numpy(), kept["velocity"])
    assert kept["velocity"].dtype == np.float64


def test_unknown_observation():
    with pytest.raises(SkillgymError, match="did you mean 'image'"):
        make(observation="images")
