"""The Fetch robot above a table: its control, sensors and goals, for every Fetch task.

Papers: Plappert et al. 2018, "Multi-Goal Reinforcement Learning", arXiv:1802.09464 (robot and
control); Rana et al. 2022, "Residual Skill Policies", arXiv:2211.02231 (tasks). The MJCF assets are
those of the installed gymnasium-robotics package.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.observations import ObservationBlock, ObservationLayout
from skillgym_envs.core.world import (
    Array,
    Control,
    Memory,
    Outcome,
    Physics,
    PhysicsState,
    World,
    like,
    namespace,
)
from skillgym_envs.fetch.scenes import (
    FINGERS,
    GRIPPER_ROTATION,
    Scene,
    Start,
    scene_model,
    scene_start,
)

MAX_MOVE = 0.05
"""Displacement of the gripper's target that an action of 1 asks for [m]."""

Readings = dict[str, Array]
_REST = np.array([GRIPPER_ROTATION])


class FetchWorld(World):
    """Base of the Fetch tasks; a subclass places objects, names its observation and scores.

    Control: the first three numbers of an action displace the gripper's mocap target by up to 5 cm
    from where the gripper is; the fourth moves the fingers (+1 opens, -1 closes). Episodes never
    terminate. The reward is a function of achieved and desired goal alone (`reward`).

    Deviation: the velocities in the observation are those of the same physics step as the
    positions; in the references they are one physics step (2 ms) newer.

    Args:
        goals: Whether the observation ends with the achieved and the desired goal, which
            `GoalObservation` makes a dictionary of.

    Attributes:
        scene: What stands on the table.
        start: State that episodes start from, apart from the objects.
        failure: Reward of a step in which the task is not done.
    """

    name = "fetch"
    frame_skip = 20
    noise_size = 0
    max_episode_steps = 50
    blocked_gripper = False
    failure = 0.0
    scene: Scene
    camera: Mapping[str, Any] = {
        "distance": 1.4,
        "azimuth": 140.0,
        "elevation": -28.0,
        "lookat": (1.28, 0.78, 0.5),
    }

    def __init__(self, goals: bool = False) -> None:
        self.goals = goals
        self.model = self._compile()
        self.start = self._settle()
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._sensors = sensor_slices(self.model)
        self._fingers = [int(self.model.joint(name).qposadr[0]) for name in FINGERS]
        self._finger_dofs = [int(self.model.joint(name).dofadr[0]) for name in FINGERS]
        blocks = self.observation_blocks()
        if goals:
            blocks = (*self.full_blocks(), *self.goal_blocks())
        self.layout = ObservationLayout(blocks)

    def _compile(self) -> mujoco.MjModel:
        return scene_model(self.scene)

    def _settle(self) -> Start:
        return scene_start(self.scene, self.frame_skip)

    @abstractmethod
    def observation_blocks(self) -> tuple[ObservationBlock, ...]:
        """Blocks of the flat observation; each is named after a reading."""

    @abstractmethod
    def full_blocks(self) -> tuple[ObservationBlock, ...]:
        """Blocks of the observation beside goals; each is named after a reading."""

    @abstractmethod
    def goal_blocks(self) -> tuple[ObservationBlock, ObservationBlock]:
        """The blocks `achieved_goal` and `desired_goal`."""

    @abstractmethod
    def place(self, rng: np.random.Generator, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Draw the goal of one episode and put its objects into `qpos`.

        Args:
            rng: Random stream of the environment.
            qpos: Generalised positions after the set-up, shape (nq,); changed in place.

        Returns:
            What the memory keeps as `goal`, shape (G,).
        """

    @abstractmethod
    def readings(self, physics: Physics, memory: Memory) -> Readings:
        """Everything that blocks may show, by name, each (N, size)."""

    @abstractmethod
    def reward(self, achieved: Array, desired: Array) -> Array:
        """Reward (...,) of achieved goals (..., G) and desired goals (..., G); a pure function."""

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Put M robots into the one start state, and objects and goals where each stream says."""
        return self.begin(rngs, [self.start] * len(rngs))

    def begin(
        self,
        rngs: Sequence[np.random.Generator],
        starts: Sequence[Start],
        variant: NDArray[np.intp] | None = None,
    ) -> tuple[PhysicsState, Memory]:
        """Start M episodes from given states, in given variants of the model."""
        count = len(rngs)
        qpos, qvel = (np.stack([getattr(s, n) for s in starts]) for n in ("qpos", "qvel"))
        goal = np.stack([self.place(rng, row) for rng, row in zip(rngs, qpos, strict=True)])
        memory = {
            "goal": goal,
            "gripper_pos": np.stack([start.gripper_pos for start in starts]),
            "gripper_quat": np.stack([start.gripper_quat for start in starts]),
            "fingers": qpos[:, self._fingers],
            "completed": np.zeros((count, 1), bool),
        }
        control = self.control(np.zeros((count, 4)), memory)
        mocap = control.mocap_pos, control.mocap_quat
        return PhysicsState(qpos, qvel, None, *mocap, variant), memory

    def control(self, action: Array, memory: Memory) -> Control:
        """Displace the gripper's target from where the gripper is, and the fingers' from theirs."""
        xp = namespace(action)
        action = action.clip(-1.0, 1.0)
        target = memory["gripper_pos"] + MAX_MOVE * action[:, :3]
        # Quaternions that nearly agree are added, and normalised by MuJoCo: so do the references.
        turn = memory["gripper_quat"] + like(_REST, action)
        fingers = memory["fingers"]
        if not self.blocked_gripper:
            fingers = fingers + action[:, 3:]
        marker = memory["goal"][:, :3]  # to be seen in pictures
        return Control(
            ctrl=xp.flip(fingers, axis=1),  # the actuators are in the opposite order
            mocap_pos=xp.stack([target, marker], axis=1),
            mocap_quat=xp.stack([turn, turn], axis=1),
        )

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read the sensors; `control` starts from the gripper and the fingers as they are."""
        xp = namespace(physics.qpos)
        readings = self.readings(physics, memory)
        observation = xp.concat([readings[block.name] for block in self.layout.blocks], axis=1)
        kept = {name: readings[name] for name in ("gripper_pos", "gripper_quat", "fingers")}
        return observation, memory | kept

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Reward by achieved and desired goal; the one subtask is complete when there is any."""
        xp = namespace(physics.qpos)
        readings = self.readings(physics, memory)
        # In the precision of observations, so that `compute_reward` gives exactly the same.
        goals = (readings[f"{name}_goal"] for name in ("achieved", "desired"))
        reward = self.reward(*(xp.astype(goal, xp.float32) for goal in goals))
        succeeded = (reward > self.failure)[:, None]
        before = memory["completed"]
        completed = before | succeeded
        outcome = Outcome(
            reward=reward,
            terminated=before[:, 0] & False,
            completed_step=completed ^ before,
            completed=completed,
        )
        return outcome, memory | {"completed": completed}

    def robot_readings(self, physics: Physics) -> Readings:
        """The robot's part of the readings."""
        dt = self.control_timestep
        return {
            "grip_pos": self.sensor(physics, "grip_pos"),
            "grip_vel": self.sensor(physics, "grip_vel") * dt,
            "fingers": physics.qpos[:, self._fingers],
            "finger_vel": physics.qvel[:, self._finger_dofs] * dt,
            "gripper_pos": self.sensor(physics, "gripper_pos"),
            "gripper_quat": self.sensor(physics, "gripper_quat"),
        }

    def sensor(self, physics: Physics, name: str) -> Array:
        """Reading of a sensor of the model, shape (N, size)."""
        return physics.sensordata[:, self._sensors[name]]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the compiled model behind; every process has its own."""
        return {key: value for key, value in self.__dict__.items() if key != "model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.model = self._compile()


def block(
    name: str, what: str, axes: Sequence[str] = "xyz", unit: str = "m", source: str = "sensor"
) -> ObservationBlock:
    """An observation block with one label per axis, in the world frame."""
    labels = tuple(f"{what} {axis}" for axis in axes)
    frame = "joint" if source in ("qpos", "qvel") else "world"
    return ObservationBlock(
        name=name,
        labels=labels,
        units=(unit,) * len(labels),
        frame=frame,
        source=source,
        noise=(0.0,) * len(labels),
    )


def sensor_slices(model: mujoco.MjModel) -> dict[str, slice]:
    """Slice of each sensor in `sensordata`, by name."""
    slices = {}
    for index in range(model.nsensor):
        first = int(model.sensor_adr[index])
        slices[model.sensor(index).name] = slice(first, first + int(model.sensor_dim[index]))
    return slices
