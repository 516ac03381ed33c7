"""The hook tasks: settled poses, observation, reward, and the family of complex scenes."""

from __future__ import annotations

import contextlib
import io
import pickle
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import skillgym_envs  # noqa: F401  registers the environments
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import InvalidConfig, UnknownChoice
from skillgym_envs.core.simulator import SerialSimulator
from skillgym_envs.fetch.expert import FetchExpert
from skillgym_envs.fetch.hook import ComplexHookWorld, HookWorld, euler_angles
from skillgym_envs.fetch.objects import SPLITS, ComplexHookScene, Piece, add_object, complex_scene
from skillgym_envs.fetch.scenes import scene_model


def sweep(env: WorldEnv, seed: int, noise: float = 0.0, **reset: Any) -> tuple[list[float], bool]:
    """Rewards until the controller has finished, and whether it has."""
    env.reset(seed=seed, options=reset)
    expert = FetchExpert(("hook",), np.random.default_rng(seed), noise)
    expert.reset(env.data)
    rewards: list[float] = []
    while not expert.done and len(rewards) < 100:
        rewards.append(env.step(expert.act(env.data))[1])
    return rewards, expert.done


def test_the_hook_settles_where_the_reference_has_it():
    world = HookWorld()
    observation, _ = WorldEnv(world).reset(seed=0)
    hook = observation[world.layout.slices["hook_pos"]]
    np.testing.assert_allclose(hook, [1.1, 0.35, 0.4149], atol=1e-4)
    np.testing.assert_allclose(observation[world.layout.slices["hook_euler"]], 0.0, atol=2e-4)
    np.testing.assert_array_equal(observation[40:], np.float32([1.65, 0.75, 0.42]))
    assert observation.shape == (43,)


@pytest.mark.parametrize(("world", "high"), [(HookWorld(), 0.1), (ComplexHookWorld(), 0.05)])
def test_objects_start_out_of_reach(world, high):
    state, memory = world.begin(
        [np.random.default_rng([3, i]) for i in range(1000)], [world.start] * 1000
    )
    xy = state.qpos[:, 15:17]
    np.testing.assert_allclose(xy.min(axis=0), [1.75, 0.7], atol=2e-3)
    np.testing.assert_allclose(xy.max(axis=0), [1.8 + high, 0.8], atol=2e-3)
    assert np.linalg.norm(xy - [1.65, 0.75], axis=1).min() >= 0.1
    np.testing.assert_array_equal(memory["goal"], np.tile([1.65, 0.75, 0.42], (1000, 1)))
    np.testing.assert_array_equal(state.qpos[:, 22:], np.tile(world.start.qpos[22:], (1000, 1)))


def test_euler_angles_are_those_of_gymnasium_robotics():
    with contextlib.redirect_stderr(io.StringIO()):
        from gymnasium_robotics.utils.rotations import mat2euler, quat2mat
    quats = np.random.default_rng(0).normal(size=(500, 4))
    quats[0] = np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0  # gimbal lock
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    matrices = quat2mat(quats)
    expected = mat2euler(matrices)
    given = euler_angles(matrices.mT)
    np.testing.assert_allclose(given[1:], expected[1:], atol=1e-9)
    np.testing.assert_allclose(given[0, 1], expected[0, 1], atol=1e-7)


def test_the_observation_is_fetchs_own_and_the_hook():
    """Positions, angles and motion of hand, object and hook, from a tumbling state."""
    world, rng = HookWorld(), np.random.default_rng(0)
    state, memory = world.reset([rng])
    for first in (15, 22):
        state.qpos[0, first + 3 : first + 7] = rng.normal(size=4)
    state.qvel[0] = rng.normal(size=27)
    simulator = SerialSimulator(world.model, 1, world.frame_skip)
    simulator.load([0], state)
    data, at = simulator.data[0], world.layout.slices
    observation = world.observe(simulator.physics, memory, None)[0][0]
    moved, turned = np.zeros((2, 3, 27))
    found = {}
    for name, site in (("grip", "robot0:grip"), ("object", "object0"), ("hook", "hook")):
        mujoco.mj_jacSite(world.model, data, moved, turned, world.model.site(site).id)
        motion = (jacobian @ data.qvel * 0.04 for jacobian in (moved, turned))
        found[name] = (data.site(site).xpos, *motion)
    grip = found.pop("grip")
    np.testing.assert_allclose(observation[at["grip_pos"]], grip[0], atol=1e-12)
    np.testing.assert_allclose(observation[at["grip_vel"]], grip[1], atol=1e-12)
    for name, (position, motion, turn) in found.items():
        np.testing.assert_allclose(observation[at[f"{name}_pos"]], position, atol=1e-12)
        np.testing.assert_allclose(observation[at[f"{name}_rel_pos"]], position - grip[0])
        np.testing.assert_allclose(observation[at[f"{name}_rel_vel"]], motion - grip[1], atol=1e-9)
        np.testing.assert_allclose(observation[at[f"{name}_turn"]], turn, atol=1e-9)
        matrix = data.body(name.replace("object", "object0")).xmat.reshape(3, 3)
        np.testing.assert_allclose(observation[at[f"{name}_euler"]], euler_angles(matrix.T))
    starts = [at[block.name].start for block in world.layout.blocks]
    assert starts == [0, 3, 6, 9, 11, 14, 17, 20, 23, 25, 28, 31, 34, 37, 40]


@pytest.mark.parametrize(("gap", "near"), [(0.0, 1), (0.049, 1), (0.051, 0)])
def test_reward_counts_height_too(gap, near):
    goal = np.array([1.65, 0.75, 0.42])
    achieved = goal + gap * np.array([0.48, 0.6, 0.64])
    assert HookWorld().reward(achieved, goal) == near - 1
    assert ComplexHookWorld().reward(achieved, goal) == near


def test_the_controller_always_brings_the_cube():
    """Noise-free the reference's finishes in all episodes, after 44 steps or more."""
    env = WorldEnv(HookWorld())
    for seed in range(4):
        rewards, finished = sweep(env, seed)
        assert finished and 40 <= len(rewards) <= 75
        assert rewards[0] == -1.0 and rewards[-1] == 0.0


def test_scenes_have_the_published_variety():
    scenes = [complex_scene(split, index) for split in SPLITS for index in range(100)]
    assert len(set(scenes)) == 200
    assert scenes[5] == complex_scene("train", 5)
    longest = np.array([scene.extent.max() for scene in scenes])
    masses = np.array([scene.mass for scene in scenes])
    assert 0.04 <= longest.min() < 0.05 and 0.09 < longest.max() <= 0.1
    assert 0.05 <= masses.min() < 0.06 and 0.4 < masses.max() <= 0.5
    assert all(1.0 <= scene.damping <= 4.5 for scene in scenes)
    assert {len(scene.bumps) for scene in scenes} == set(range(7, 13))
    assert {len(scene.pieces) for scene in scenes} == {1, 2, 3, 4}
    assert {piece.shape for scene in scenes for piece in scene.pieces} == {
        *("box", "cylinder", "capsule", "ellipsoid")
    }


@pytest.mark.parametrize("shape", ["box", "cylinder", "capsule", "ellipsoid"])
def test_pieces_have_the_extents_and_the_volume_that_mujoco_gives_them(shape):
    half = (0.02, 0.02, 0.035) if shape in ("cylinder", "capsule") else (0.02, 0.03, 0.035)
    pieces = Piece(shape, half, (0.0, 0.0, 0.0)), Piece("box", (0.01, 0.02, 0.03), (0.0, 0.05, 0.0))
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body()
    add_object(body, ComplexHookScene(pieces, 0.3, 1.0, ()))
    model = spec.compile()
    np.testing.assert_allclose(model.geom_aabb[:, 3:], [piece.half for piece in pieces])
    for geom in body.geoms:
        geom.mass, geom.density = np.nan, 1000.0
    volumes = [piece.volume for piece in pieces]
    assert spec.compile().body_mass[1] == pytest.approx(1000.0 * sum(volumes))
    # The mass is shared by volume, so that the object is of one material.
    middle = volumes[1] * 0.05 / sum(volumes)
    np.testing.assert_allclose(model.body_ipos[1], [0.0, middle, 0.0], atol=1e-12)


def test_models_of_scenes_are_what_the_scenes_say():
    for index in range(3):
        scene = complex_scene("test", index)
        model = scene_model(scene)
        body = model.body("object0").id
        assert model.body_mass[body] == pytest.approx(scene.mass)
        np.testing.assert_allclose(model.dof_damping[15:21], scene.damping)
        assert (model.geom_bodyid == body).sum() == len(scene.pieces)
        assert (model.geom_contype[model.geom_bodyid == body] == 1).all()
        # The table's own geom and the floor stand beside the bumps; nothing else is so flat.
        boxes = model.geom_size[(model.geom_bodyid == 0) & (model.geom_type == 6)]
        assert len(boxes) == len(scene.bumps) and boxes[:, 2].max() <= 0.005


def test_light_objects_are_still_falling_when_the_episode_starts():
    env = WorldEnv(ComplexHookWorld())
    heights = []
    scenes = [complex_scene("train", index) for index in range(100)]
    light = min(range(100), key=lambda i: scenes[i].mass / scenes[i].damping)
    heavy = max(range(100), key=lambda i: scenes[i].mass / scenes[i].damping)
    for index in (light, heavy):
        observation, _ = env.reset(seed=0, options={"scene": index})
        heights.append(observation[5] - 0.4 - scenes[index].extent[2] / 2)
    assert heights[0] > 0.05
    assert abs(heights[1]) < 0.03


def test_scenes_are_drawn_from_the_seed_and_can_be_chosen():
    env = WorldEnv(ComplexHookWorld(num_scenes=3))
    drawn = []
    for seed in range(8):
        env.reset(seed=seed)
        drawn.append(env.data.model)
        first = env.data.model
        env.reset(seed=seed)
        assert env.data.model is first
    assert len({id(model) for model in drawn}) > 1
    spots = []
    for scene in range(3):  # the choice takes nothing from the random stream
        env.reset(seed=0, options={"scene": scene})
        assert env.data.model is scene_model(complex_scene("train", scene))
        spots.append(env.data.qpos[15:17].copy())
    env.reset(seed=0)
    np.testing.assert_array_equal(spots, [env.data.qpos[15:17]] * 3)
    with pytest.raises(InvalidConfig, match="0 to 2"):
        env.reset(options={"scene": 3})


def test_pickled_environments_keep_their_scene():
    env = WorldEnv(ComplexHookWorld(num_scenes=2))
    env.reset(seed=0, options={"scene": 1})
    env.step(np.full(4, 0.3))
    copy = pickle.loads(pickle.dumps(env))
    assert copy.data.model is env.data.model
    for action in np.random.default_rng(0).uniform(-1, 1, (3, 4)):
        np.testing.assert_array_equal(env.step(action)[0], copy.step(action)[0])


def test_each_environment_may_get_its_own_scene():
    envs = gym.make_vec(
        "skillgym/FetchComplexHook-v0", 2, vectorization_mode="vector_entry_point", num_scenes=3
    )
    env = WorldEnv(ComplexHookWorld(num_scenes=3))
    scenes = np.array([1, 2])
    together, _ = envs.reset(seed=[5, 6], options={"scene": scenes})
    for row, seed, scene in zip(together, (5, 6), scenes, strict=True):
        np.testing.assert_array_equal(row, env.reset(seed=seed, options={"scene": scene})[0])
    mask = np.array([False, True])  # a row for each environment that is reset
    again, _ = envs.reset(seed=[5, 6], options={"scene": [1], "reset_mask": mask})
    np.testing.assert_array_equal(again[1], env.reset(seed=6, options={"scene": 1})[0])
    envs.reset(seed=[5, 6], options={"scene": 0})
    envs.close()


@pytest.mark.parametrize(
    "given", [3, -1, 1.5, "1", True, [0, 1], [[0, 1, 2]], [[0], [1, 2]], np.array([0, 1, 3]), {}]
)
def test_bad_scenes_are_one_sentence(given):
    world = ComplexHookWorld(num_scenes=3)
    rngs = [np.random.default_rng(seed) for seed in range(3)]
    with pytest.raises(
        InvalidConfig, match=r"scene=.* 0 to 2, or .* that is reset \(3\)"
    ) as caught:
        world.reset(rngs, {"scene": given})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("split", ["trian", ["train"]])
def test_splits_that_do_not_exist(split):
    with pytest.raises(UnknownChoice, match="did you mean 'train'"):
        gym.make("skillgym/FetchComplexHook-v0", split=split)


@pytest.mark.parametrize("number", [0, 101, 2.5, "3", None, True])
def test_numbers_of_scenes_that_do_not_exist(number):
    with pytest.raises(InvalidConfig, match=r"num_scenes=.* an integer from 1 to 100"):
        gym.make("skillgym/FetchComplexHook-v0", num_scenes=number)


def test_frames_show_the_scene_of_the_episode():
    env = gym.make(
        "skillgym/FetchComplexHook-v0", render_mode="rgb_array", width=64, height=48, num_scenes=2
    )
    frames = []
    for scene in (0, 1, 0):
        env.reset(seed=0, options={"scene": scene})
        frames.append(env.render())
    env.close()
    np.testing.assert_array_equal(frames[0], frames[2])
    assert (frames[0] != frames[1]).any()
