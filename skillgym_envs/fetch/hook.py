"""The hook tasks: an object out of reach, and an L-shaped tool to fetch it.

Papers: Silver et al. 2018, "Residual Policy Learning", arXiv:1812.06298 (tasks); Rana et al. 2022,
"Residual Skill Policies", arXiv:2211.02231.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_choice, check_integer
from skillgym_envs.core.errors import InvalidConfig
from skillgym_envs.core.observations import ObservationBlock
from skillgym_envs.core.world import Array, Memory, PhysicsState, like, namespace
from skillgym_envs.fetch.objects import (
    NUM_SCENES,
    SPLITS,
    ComplexHookScene,
    Split,
    complex_scene,
)
from skillgym_envs.fetch.scenes import AXES, HookScene, scene_model, scene_start
from skillgym_envs.fetch.world import FetchWorld, Shown, block

Floats = NDArray[np.float64]

GOAL = (1.65, 0.75, 0.42)
SUCCESS_DISTANCE = 0.05
_SPOT, _GOAL_DISTANCE = (1.8, 0.75), 0.1
_GIMBAL = 4.0 * np.finfo(np.float64).eps


class HookWorld(FetchWorld):
    """Sweep a cube to a goal with a hook: the world of the hook data.

    The cube starts out of the arm's reach; the hook lies in front of the robot, in the same pose in
    every episode. Reward: 0 in every step in which the cube is nearer than 5 cm to the goal, else
    -1.

    Deviation: the reference's 40 numbers of `observation` and the 3 of `desired_goal` are one flat
    observation, that of a ReSkill policy.
    """

    subtasks = ("hook",)
    failure = -1.0
    scene: HookScene | ComplexHookScene = HookScene()
    max_episode_steps = 100
    spread_x = (-0.05, 0.1)
    camera: Mapping[str, Any] = {
        "distance": 1.8,
        "azimuth": 140.0,
        "elevation": -32.0,
        "lookat": (1.45, 0.7, 0.46),
    }

    def __init__(self, goals: bool = False) -> None:
        super().__init__(goals)
        sensors = [self._sensors[f"{site}_{axis}"] for site in ("object0", "hook") for axis in AXES]
        self._axes = np.concatenate([np.arange(each.start, each.stop) for each in sensors])

    def observation_blocks(self) -> tuple[ObservationBlock, ...]:
        """Robot, object, hook and goal (43 numbers)."""
        return (*self.full_blocks(), block("desired_goal", "goal", source="constant"))

    def full_blocks(self) -> tuple[ObservationBlock, ...]:
        """The observation of Fetch's pick-and-place task (25), then the hook (15)."""
        turns, moves = ("roll", "pitch", "yaw"), ("dx", "dy", "dz")
        return (
            block("grip_pos", "grip"),
            block("object_pos", "object"),
            block("object_rel_pos", "object - grip"),
            block("fingers", "finger", ("right", "left"), source="qpos"),
            block("object_euler", "object", turns, unit="rad"),
            block("object_rel_vel", "object - grip", moves),
            block("object_turn", "object", moves, unit="rad"),
            block("grip_vel", "grip", moves),
            block("finger_vel", "finger", ("right d", "left d"), source="qvel"),
            block("hook_pos", "hook"),
            block("hook_euler", "hook", turns, unit="rad"),
            block("hook_rel_vel", "hook - grip", moves),
            block("hook_turn", "hook", moves, unit="rad"),
            block("hook_rel_pos", "hook - grip"),
        )

    def goal_blocks(self) -> tuple[ObservationBlock, ObservationBlock]:
        """Position of the object, and where it should be."""
        desired = block("desired_goal", "goal", source="constant")
        return block("achieved_goal", "achieved object"), desired

    def place(self, rng: np.random.Generator, qpos: Floats) -> Floats:
        """Draw the object's position; goal and hook are always the same."""
        first = int(self.model.joint("object0:joint").qposadr[0])
        while True:
            spot = _SPOT + np.array([rng.uniform(*self.spread_x), rng.uniform(-0.05, 0.05)])
            if np.hypot(*(spot - GOAL[:2])) >= _GOAL_DISTANCE:
                break
        qpos[first : first + 2] = spot
        return np.array(GOAL)

    def shown(self) -> dict[str, Shown]:
        """Robot, object, hook and goal."""
        dt, shown = self.control_timestep, super().shown()
        grip, grip_vel, turns = self.sensor("grip_pos"), self.sensor("grip_vel"), self.derived(6)
        for name, site, euler in (("object", "object0", turns[:3]), ("hook", "hook", turns[3:])):
            position, velocity = self.sensor(f"{site}_pos"), self.sensor(f"{site}_vel")
            shown[f"{name}_pos"] = Shown(position)
            shown[f"{name}_rel_pos"] = Shown(position, less=grip)
            shown[f"{name}_euler"] = Shown(euler)
            shown[f"{name}_rel_vel"] = Shown(velocity, less=grip_vel, scale=dt)
            shown[f"{name}_turn"] = Shown(self.sensor(f"{site}_angvel"), scale=dt)
        return shown | {"achieved_goal": shown["object_pos"]}

    def derive(self, sensordata: Array) -> tuple[Array, ...]:
        """Euler angles of object and hook."""
        axes = sensordata[:, like(self._axes, sensordata)].reshape(-1, 2, 3, 3)
        return (euler_angles(axes).reshape(-1, 6),)

    def reward(self, achieved: Array, desired: Array) -> Array:
        """0 if the object is nearer than 5 cm to its goal, else -1."""
        return self._near(achieved, desired) - 1.0

    def _near(self, achieved: Array, desired: Array) -> Array:
        xp = namespace(achieved)
        gap = achieved - desired
        return xp.astype((gap * gap).sum(axis=-1) < SUCCESS_DISTANCE**2, xp.float64)


class SceneModels(Sequence[mujoco.MjModel]):
    """Compiled scenes of a split, each compiled when it is first needed.

    Args:
        split: `train` or `test`.
        count: Number of scenes, from the first on.
    """

    def __init__(self, split: str, count: int) -> None:
        self._split, self._length = split, count

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        """Model of a scene."""
        return scene_model(complex_scene(self._split, index))


class ComplexHookWorld(HookWorld):
    """Sweep objects of unknown shape over a bumpy table, with a random scene in each episode.

    Reward: 1 in every step in which the object is nearer than 5 cm to the goal, else 0. Shape,
    weight and drag of the object, and the bumps, are not observed. Light objects are still falling
    slowly when an episode starts, as in the reference.

    Deviation: the objects are a procedural family (`objects.py`), as the reference's meshes cannot
    be redistributed. Scenes are drawn from each environment's own stream (every worker of the
    reference draws the same sequence). An action with NaN is an error (the reference acts on 0).

    Args:
        goals: Whether the observation ends with achieved and desired goal.
        split: `train` or `test`, the held-out scenes.
        num_scenes: How many scenes to draw from, the first of the split; 1 to 100.

    Option of `reset`: `scene`, the index of a scene, or one for each environment that is reset.

    Raises:
        UnknownChoice: If there is no such split.
        InvalidConfig: If `num_scenes` is out of range, or `goals` is not a flag.
    """

    failure = 0.0
    spread_x = (-0.05, 0.05)
    reset_options = ("scene",)

    def __init__(
        self, goals: bool = False, split: Split | str = "train", num_scenes: int = NUM_SCENES
    ) -> None:
        check_choice("split", split, SPLITS)
        check_integer("num_scenes", num_scenes, 1, NUM_SCENES)
        self.split = split
        self.variants = SceneModels(split, num_scenes)
        self.scene = complex_scene(split, 0)
        super().__init__(goals)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Draw a scene for each of M episodes, or take those of `options["scene"]`."""
        chosen = (options or {}).get("scene")
        given = None if chosen is None else self._given_scenes(chosen, len(rngs))
        drawn = [int(rng.integers(len(self.variants))) for rng in rngs]  # the stream goes on anyway
        scenes = given or drawn
        starts = [scene_start(complex_scene(self.split, i), self.frame_skip) for i in scenes]
        return self.begin(rngs, starts, np.array(scenes))

    def _given_scenes(self, given: Any, count: int) -> list[int]:
        """The scenes of the option of `reset`, one for each of M episodes."""
        known = range(len(self.variants))
        try:
            scenes = np.broadcast_to(np.asarray(given), count)
            chosen: list[int] = scenes.tolist()
            if scenes.dtype.kind in "iu" and set(chosen) <= set(known):
                return chosen
        except ValueError:
            pass
        each = f"or a list with one for each environment that is reset ({count})"
        raise InvalidConfig("scene", given, f"a scene from 0 to {known[-1]}, {each}")

    def reward(self, achieved: Array, desired: Array) -> Array:
        """1 if the object is nearer than 5 cm to its goal, else 0."""
        return self._near(achieved, desired)


def euler_angles(axes: Array) -> Array:
    """Euler angles (..., 3) [rad] of frames, in gymnasium-robotics' convention.

    Rotations about the fixed axes z, then y, then x; where y is upright, x is 0.

    Args:
        axes: The axes x, y and z of each frame, shape (..., 3, 3).
    """
    xp = namespace(axes)
    x, y, z = (axes[..., index, :] for index in range(3))
    flat = xp.hypot(z[..., 1], z[..., 2])
    about_x = -xp.atan2(z[..., 1], z[..., 2])
    about_y = xp.atan2(z[..., 0], flat)
    about_z = -xp.atan2(y[..., 0], x[..., 0])
    locked = flat <= _GIMBAL
    if locked.any():
        about_x = xp.where(locked, 0.0, about_x)
        about_z = xp.where(locked, xp.atan2(x[..., 1], y[..., 1]), about_z)
    return xp.stack([about_x, about_y, about_z], axis=-1)
