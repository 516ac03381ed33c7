"""The maze: layouts, physics, variants and starts of the specification."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

import skillgym_envs  # noqa: F401  registers the environments
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.world import Physics
from skillgym_envs.maze import MazeLayout, MazeWorld, random_layout
from skillgym_envs.maze import layouts as layouts_module

# Rows of the published maze as hexadecimal numbers; the most significant bit is column 0, 1 = wall.
PUBLISHED = """
3ffffffffff 20004000201 24004680221 24405effa21 24404680271 24e04400201
24004404271 2ee04684221 2043fef4221 2e404684221 24484404221 244844042a1
2448e4ffee1 24480e042a1 2448e004229 24484e04709 24480544009 241fff74709
2008054e209 20080400009 201d000e009 2005ffc401d 221d0000401 2208000041d
22080000409 36088000409 37fffc00409 3717fffc409 20148000409 27009400409
2203f7ff409 22009400401 22008500401 2203fdfce01 2201c500001 22000000e01
2201c00a401 20289ffbc01 2feffe0a401 20288000401 20000000401 3ffffffffff
"""

ROOM = ("#####", "#OOO#", "#OOO#", "#OOO#", "#####")


def make(**keywords: Any) -> gym.Env:
    return gym.make("skillgym/Maze-v0", disable_env_checker=True, **keywords)


def hash_of(layout: MazeLayout) -> str:
    return hashlib.sha256("\\".join(layout.rows).encode()).hexdigest()[:16]


# Layouts.


def test_the_published_maze():
    layout = random_layout(40, 0)
    assert hash_of(layout) == "6c5a16662d75aec8"
    expected = [[int(bit) for bit in f"{int(row, 16):042b}"] for row in PUBLISHED.split()]
    np.testing.assert_array_equal(layout.walls, expected)
    text = "\n".join("".join(map(str, row)) for row in layout.walls.astype(int))
    digest = "454d20931f97e24e7fa4f03fdbf44edeba15546ae8295b678f3830d1e438ea49"
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert layout.walls[1:-1, 1:-1].sum() == 418
    assert layout.goal == (1, 1)


def test_another_published_maze():
    layout = random_layout(20, 20)
    assert hash_of(layout) == "5510be5944ec4c56"
    assert layout.walls[1:-1, 1:-1].sum() == 106


@pytest.mark.parametrize("size", [5, 7, 10, 13, 20, 57])
def test_random_layouts_are_mazes_of_their_size_and_seed(size):
    layouts = [random_layout(size, seed) for seed in range(5)]
    assert len({layout.rows for layout in layouts}) == 5
    for layout in layouts:
        assert layout.walls.shape == (size + 2, size + 2)
        assert MazeLayout.from_text(layout.rows) == layout  # has a border, one goal
        assert 0.25 <= layout.walls[1:-1, 1:-1].mean() < 0.5
    layouts_module._random_layout.cache_clear()
    assert random_layout(size, 4) == layouts[4]


def test_shortest_paths():
    layout = random_layout()
    before = layout.paths_from((10, 24))
    cell, moves = (18, 8), 0
    while cell != (10, 24):
        assert sum(abs(a - b) for a, b in zip(cell, before[cell], strict=True)) == 1
        assert not layout.walls[cell]
        cell, moves = before[cell], moves + 1
    assert moves == 34  # the specification's
    assert len(before) == len(layout.free_cells) - 1  # one cell is closed in on all sides


def test_earlier_moves_are_preferred():
    layout = MazeLayout.from_text(ROOM)
    down, right = (1, 0), (0, 1)
    rest = [(-1, 0), (0, -1)]
    assert layout.paths_from((1, 1), [down, right, *rest])[2, 2] == (2, 1)
    assert layout.paths_from((1, 1), [right, down, *rest])[2, 2] == (1, 2)


def test_text_in_all_its_forms():
    layout = MazeLayout.from_text(ROOM)
    assert MazeLayout.from_text("\n".join(ROOM)) == layout
    assert MazeLayout.from_text("\\".join(ROOM)) == layout
    assert layout.goal == (1, 1)
    assert MazeLayout.from_text(["####", "#OO#", "#GO#", "####"]).goal == (2, 1)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"layout": ["###", "#O##", "###"]}, "lengths"),
        ({"layout": ["###", "#x#", "###"]}, "'x'"),
        ({"layout": ["###", "###", "###"]}, "no free cell"),
        ({"layout": ["###", "#OO", "###"]}, "open border"),
        ({"layout": ["####", "#GG#", "####"]}, "several goals"),
        ({"layout": ""}, "lengths"),
        ({"size": 4}, "size 4"),
        ({"variant": "skilld"}, "did you mean 'skild'"),
        ({"start": (0, 0)}, "start"),
        ({"start": (-5, 90)}, "start"),
        ({"start": "left"}, "start"),
        ({"start": (1, 2, 3)}, "start"),
        ({"goal": "there"}, "goal"),
        ({"layout": [[1, 1, 1], [1, 0, 1], [1, 1, 1]]}, "strings"),
        ({"goal": (10.0, 10.3)}, "goal"),  # touches the wall of column 11
        ({"layout": ["#####", "#O#O#", "#####"], "start": (1, 3)}, "no path"),
        ({"start_noise": 43.0}, "start_noise=43.0, expected a number from 0 to 42"),
        ({"size": 20.0}, "size=20.0"),
        ({"size": "20"}, "size='20'"),
        ({"layout_seed": -1}, "layout_seed=-1"),
        ({"layout_seed": 1.5}, "layout_seed=1.5, expected an integer of at least 0"),
        ({"layout_seed": [1]}, "layout_seed="),
        ({"size": [20]}, "size="),
        ({"size": None}, "size=None"),
        ({"layout": 5}, "a layout that is 5"),
        ({"goal_reward": "a"}, "goal_reward='a', expected a finite number; change"),
        ({"goal_reward": np.inf}, "goal_reward=inf, expected a finite number; change"),
        (
            {"start_speed": np.inf},
            "start_speed=inf, expected a finite number of at least 0; change",
        ),
        ({"goal_radius": np.ones(2)}, "goal_radius"),
        ({"terminate": "no"}, "terminate='no', expected True or False"),
        ({"start_in_walls": "no"}, "start_in_walls"),
        ({"variant": ["skild"]}, "did you mean 'skild'"),
        ({"observation": ["image"]}, "did you mean 'image'"),
        ({"start": np.zeros(2)}, "start"),
    ],
)
def test_errors_are_one_sentence(keywords, message):
    with pytest.raises(SkillgymError, match=message) as caught:
        make(**keywords)
    assert "\n" not in str(caught.value)


# Physics.


def test_full_throttle():
    """Mass 4.18879 kg; a step at full throttle adds 0.238 m/s, the damping being implicit."""
    env = make(variant="spirl")
    assert env.unwrapped.world.model.body("ball").mass[0] == pytest.approx(4.18879, abs=1e-5)
    env.reset(seed=0)
    observation, *_ = env.step(np.array([0.0, 1.0]))
    speed = 0.01 * 100.0 / (4.18879 + 0.01 * 1.0)
    assert speed == pytest.approx(0.238, abs=5e-4)
    np.testing.assert_allclose(observation, [10, 24 + 0.01 * speed, 0, speed], rtol=1e-6)
    again, *_ = env.step(np.array([0.0, 7.0]))  # clipped to 1
    second = speed + 0.01 * (100.0 - speed) / (4.18879 + 0.01)
    np.testing.assert_allclose(again[3], second, rtol=1e-5)


def test_velocity_is_clipped_before_the_step():
    """Top speed is 5 m/s plus one step of acceleration; the observation shows it unclipped."""
    env = make(layout=["#" * 40, "#" + "O" * 38 + "#", "#" * 40], start=(1, 1), start_noise=0)
    env.reset(seed=0)
    speeds = [env.step(np.array([0.0, 1.0]))[0][3] for _ in range(60)]
    expected = 5.0 + 0.01 * (100.0 - 5.0) / (4.18879 + 0.01)
    assert speeds[-1] == pytest.approx(expected, rel=1e-6)
    assert speeds[10] < 5.0
    # Without motors too: a ball that is faster than 5 is braked to 5 at once.
    observation, *_ = env.step(np.zeros(2))
    assert observation[3] == pytest.approx(5.0 * 4.18879 / (4.18879 + 0.01), rel=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_cells_reach_from_minus_0_7_to_plus_0_3(axis, sign):
    """A ball pushed against a wall stops where its surface meets the wall's."""
    env = make(layout=ROOM, start=(2, 2), start_noise=0, goal=(1, 1), variant="spirl")
    env.reset(seed=0)
    action = np.zeros(2)
    action[axis] = sign
    for _ in range(300):
        observation, *_ = env.step(action)
    edge = 3.3 - 0.1 if sign > 0 else 0.3 + 0.1
    assert observation[axis] == pytest.approx(edge, abs=5e-3)
    assert observation[1 - axis] == 2.0
    np.testing.assert_allclose(observation[2:], 0.0, atol=1e-3)


def test_contacts_are_frictionless():
    """Along a wall the ball moves as in the open."""
    env = make(layout=ROOM, start=(2, 0.5), start_noise=0, goal=(1, 3), variant="spirl")
    env.reset(seed=0)
    for _ in range(100):
        env.step(np.array([0.0, -0.2]))
    free = make(layout=ROOM, start=(2, 2), start_noise=0, goal=(1, 3), variant="spirl")
    free.reset(seed=0)
    for _ in range(20):
        along = env.step(np.array([0.1, -0.2]))[0]
        assert env.unwrapped.data.ncon > 0
        np.testing.assert_allclose(along[2], free.step(np.array([0.1, 0.0]))[0][2], rtol=1e-6)
    assert all(contact.includemargin == 0.002 for contact in env.unwrapped.data.contact)
    assert all(contact.dim == 1 for contact in env.unwrapped.data.contact)


# Starts.


def starts(count: int, **keywords: Any) -> tuple[MazeWorld, np.ndarray]:
    world = MazeWorld(**keywords)
    state, _ = world.reset([np.random.default_rng(seed) for seed in range(count)])
    return world, state.qpos


def in_contact(world: MazeWorld, positions: np.ndarray) -> np.ndarray:
    """Whether MuJoCo finds a contact at each position (P, 2)."""
    data, found = mujoco.MjData(world.model), []
    for position in positions:
        data.qpos[:] = position
        mujoco.mj_forward(world.model, data)
        found.append(data.ncon > 0)
    return np.array(found)


def test_the_default_goal_is_in_the_largest_region():
    """Size 40, seed 65: from the first free cell 84 of 1185 cells can be reached."""
    for size, seed in ((40, 65), (12, 130), (10, 56)):
        layout = random_layout(size, seed)
        assert layout.goal != tuple(layout.free_cells[0])
        assert len(layout.paths_from(layout.goal)) > 0.8 * len(layout.free_cells)
    pocket = ["######", "#O#OO#", "######"]
    assert MazeLayout.from_text(pocket).goal == (1, 3)


def test_a_layout_is_taken_as_it_is():
    assert MazeWorld(layout=random_layout(12, 3)).maze == random_layout(12, 3)


def test_starts_in_walls_are_not_outside():
    world, positions = starts(300, size=10, start=(1, 1), start_noise=3.0, start_in_walls=True)
    assert not world.clear_of_walls(positions).all()
    assert positions.min() > 0.3 and positions.max() < 10.3


def test_starts_never_touch_a_wall():
    small = {"size": 10, "layout_seed": 3, "start_noise": 2.0}
    for keywords in ({}, {"start": "random", "start_noise": 0.5}, small):
        world, positions = starts(300, **keywords)
        assert not in_contact(world, positions).any()


def test_noise_of_the_published_start():
    """Uniform in the box around (10, 24), without the parts near walls."""
    world, positions = starts(1500)
    offsets = positions - [10, 24]
    assert np.abs(offsets).max() <= 2.0
    assert offsets.min(axis=0).max() < -1.9  # a wall is in the way of larger rows
    rng = np.random.default_rng(0)
    box = rng.uniform([8, 22], [12, 26], (20_000, 2))
    allowed = box[world.clear_of_walls(box)]
    counts, *_ = np.histogram2d(*positions.T, bins=4, range=[[8, 12], [22, 26]])
    expected, *_ = np.histogram2d(*allowed.T, bins=4, range=[[8, 12], [22, 26]])
    shares = expected / expected.sum()
    error = (counts / counts.sum() - shares) / np.sqrt(shares.clip(1e-3) / 1500)
    assert np.abs(error).max() < 4.5


def test_starts_of_the_reference_are_in_walls_as_often_as_it_says():
    """25 % with the centre in a wall, 31 % touching one."""
    world, positions = starts(6000, start_in_walls=True)
    cells = np.floor(positions + 0.7).astype(int)
    assert world.maze.walls[tuple(cells.T)].mean() == pytest.approx(0.25, abs=0.02)
    assert 1 - world.clear_of_walls(positions).mean() == pytest.approx(0.31, abs=0.02)


def test_clear_of_walls_is_what_mujoco_says():
    world = MazeWorld(size=10, layout_seed=1)
    positions = np.random.default_rng(0).uniform(0.31, 10.29, (400, 2))
    clear = world.clear_of_walls(positions)
    assert 50 < clear.sum() < 350
    np.testing.assert_array_equal(in_contact(world, positions), ~clear)


def test_random_starts_are_cells_with_a_way_to_the_goal():
    layout = ["######", "#OO#O#", "#OG###", "######"]
    world, positions = starts(100, layout=layout, start_noise=0.0, start_speed=0.5)
    cells = {(round(x + 0.2), round(y + 0.2)) for x, y in positions}
    assert cells == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert world.goal == (2.0, 2.0)
    state, memory = world.reset([np.random.default_rng(0)] * 200)
    assert state.qvel.std() == pytest.approx(0.5, rel=0.15)
    np.testing.assert_array_equal(memory["velocity"], state.qvel)


# Tasks.


@pytest.mark.parametrize(
    ("variant", "radius", "reward", "terminates", "noise"),
    [("spirl", 1.0, 1.0, False, 0.0), ("skild", 2.0, 100.0, True, 2.0)],
)
def test_variants(variant, radius, reward, terminates, noise):
    env = make(variant=variant)
    first, info = env.reset(seed=1)
    assert info["subtasks_completed"] == ()
    assert (np.abs(first[:2] - [10, 24]).max() > 0) == (noise > 0)
    assert np.abs(first[:2] - [10, 24]).max() <= noise
    data = env.unwrapped.data
    data.qpos[:] = 18, 8 + radius + 1e-6
    _, got, terminated, _, info = env.step(np.zeros(2))
    assert (got, terminated, info["subtasks_completed"]) == (0.0, False, ())
    data.qpos[:] = 18, 8 + radius - 1e-6
    _, got, terminated, _, info = env.step(np.zeros(2))
    assert (got, terminated) == (reward, terminates)
    assert info["subtasks_completed"] == info["subtasks_completed_step"] == ("goal",)
    if not terminates:  # the reward is paid in every step, the subtask is completed once
        *_, info = env.step(np.zeros(2))
        assert info["subtasks_completed_step"] == ()
        data.qpos[:] = 18, 12
        _, got, *_, info = env.step(np.zeros(2))
        assert got == 0.0 and info["subtasks_completed"] == ("goal",)


def test_skimo_is_skild():
    one, other = (MazeWorld(variant=variant) for variant in ("skild", "skimo"))
    for name in ("start_noise", "goal_radius", "goal_reward", "terminate"):
        assert getattr(one, name) == getattr(other, name)


def test_keywords_override_the_variant():
    world = MazeWorld(
        variant="skild", start_noise=0.0, goal_radius=1.5, goal_reward=2.0, terminate=False
    )
    assert (world.start_noise, world.goal_radius) == (0.0, 1.5)
    assert (world.goal_reward, world.terminate) == (2.0, False)


@pytest.mark.parametrize("variant", ["spirl", "skild", "skimo"])
def test_other_mazes_have_no_noise_and_a_goal_of_a_cell(variant):
    """The example of docs/worlds/maze.md: 2 m of noise and radius would put starts at the goal."""
    layout = ["######", "#OOOO#", "#O##G#", "######"]
    for own in ({"layout": layout}, {"size": 10}, {"size": 40, "layout_seed": 1}):
        world = MazeWorld(variant=variant, **own)
        assert (world.start_noise, world.goal_radius) == (0.0, 0.5)
        assert world.terminate == (variant != "spirl")
        chosen = MazeWorld(variant=variant, start_noise=0.3, goal_radius=0.7, **own)
        assert (chosen.start_noise, chosen.goal_radius) == (0.3, 0.7)
    published = MazeWorld(variant=variant, layout=random_layout().rows)
    assert published.goal_radius == (1.0 if variant == "spirl" else 2.0)
    env = make(variant=variant, layout=layout, start=(2, 1))
    for seed in range(20):
        np.testing.assert_array_equal(env.reset(seed=seed)[0], [2, 1, 0, 0])
        _, reward, terminated, *_ = env.step(np.zeros(2))
        assert (reward, terminated) == (0.0, False)


def test_a_goal_may_be_a_point():
    world = MazeWorld(goal_radius=0.0, goal_reward=3.0)
    positions = np.array([[18.0, 8.0], [18.0, 8.0 + 1e-9]])
    memory = {"completed": np.zeros((2, 1), bool)}
    outcome, _ = world.score(None, Physics(positions, positions, positions), memory)
    np.testing.assert_array_equal(outcome.reward, [3.0, 0.0])
    assert world.model.site("goal").size[0] == 1e-3  # of the marker


def test_time_limit():
    env = make(variant="spirl")
    env.reset(seed=0)
    flags = [env.step(np.zeros(2))[2:4] for _ in range(2000)]
    assert flags == [(False, False)] * 1999 + [(False, True)]


def test_layouts_survive_the_spec():
    env = make(layout=list(ROOM), goal=(3, 3))
    copy = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert copy.unwrapped.world.maze == MazeLayout.from_text(ROOM)
    assert copy.unwrapped.world.goal == (3.0, 3.0)


# The contract of worlds.


@pytest.mark.parametrize("variant", ["spirl", "skild"])
def test_task_logic_is_the_same_on_numpy_and_torch(variant):
    """`control`, `observe` and `score` on torch tensors: the bits of NumPy, types kept."""
    world = MazeWorld(variant=variant)
    rng = np.random.default_rng(0)
    n = 32
    inputs = {
        "action": rng.normal(size=(n, 2)),
        "qpos": rng.normal(size=(n, 2)) * 2 + [18, 8],
        "qvel": rng.normal(size=(n, 2)) * 5,
        "noise": np.zeros((n, 0)),
    }
    memory = {"velocity": rng.normal(size=(n, 2)) * 5, "completed": rng.random((n, 1)) < 0.3}

    def run(convert: Any) -> dict[str, Any]:
        at = {name: convert(value) for name, value in inputs.items()}
        kept = {name: convert(value) for name, value in memory.items()}
        control = world.control(at["action"], kept)
        physics = Physics(at["qpos"], at["qvel"], at["qvel"][:, :0])
        observation, kept = world.observe(physics, kept, at["noise"])
        outcome, kept = world.score(observation, physics, kept)
        got = {"ctrl": control.ctrl, "qvel": control.qvel, "observation": observation}
        return got | outcome._asdict() | kept

    expected, got = run(np.asarray), run(torch.asarray)
    assert expected["completed_step"].any() and not expected["completed"].all()
    for name, value in expected.items():
        assert isinstance(got[name], torch.Tensor), name
        assert got[name].numpy().dtype == value.dtype, name
        np.testing.assert_array_equal(got[name].numpy(), value, err_msg=name)


def test_environment_i_equals_a_single_one_through_walls_and_goals():
    """Bit for bit over 150 steps of full throttle, which reach top speed and hit walls."""
    n = 5
    kwargs = {"size": 10, "layout_seed": 2, "variant": "spirl", "start": "random"}
    batch = gym.make_vec(
        "skillgym/Maze-v0", n, vectorization_mode="vector_entry_point", num_threads=2, **kwargs
    )
    directions = np.random.default_rng(0).uniform(-1, 1, (6, n, 2)).astype(np.float32)
    together = [batch.reset(seed=3)[0]]
    rewards = []
    for step in range(150):
        observations, reward, *_ = batch.step(np.sign(directions[step // 25]))
        together.append(observations)
        rewards.append(reward)
    batch.close()
    for i in range(n):
        env = make(**kwargs)
        np.testing.assert_array_equal(env.reset(seed=3 + i)[0], together[0][i])
        for step in range(150):
            observation, reward, *_ = env.step(np.sign(directions[step // 25][i]))
            np.testing.assert_array_equal(observation, together[step + 1][i])
            assert reward == rewards[step][i]
    assert np.abs(np.array(together)[..., 2:]).max() > 4.0


def test_a_pickled_environment_is_small():
    env = make()
    env.reset(seed=0)
    assert len(pickle.dumps(env)) < 100_000
