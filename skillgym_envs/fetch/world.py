"""The Fetch robot at a table: its control, sensors and goals, for all Fetch tasks.

Papers: Plappert et al. 2018, "Multi-Goal Reinforcement Learning", arXiv:1802.09464 (robot and
control); Rana et al. 2022, "Residual Skill Policies", arXiv:2211.02231 (tasks). The MJCF assets are
those of the installed gymnasium-robotics package.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_flag
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
"""Displacement of the gripper's target for an action of 1 [m]."""

_REST = np.array([GRIPPER_ROTATION])


class Shown(NamedTuple):
    """Content of a block: `scale * state[columns] - scale * state[less]`.

    Attributes:
        columns: Columns of the state (positions, velocities, sensors, goal, derived).
        less: Columns to subtract, if any.
        scale: Factor.
    """

    columns: Sequence[int]
    less: Sequence[int] | None = None
    scale: float = 1.0


class Readout:
    """Reads all blocks from the state at once, in a few operations for any number of blocks.

    Args:
        shown: Content of each block.
    """

    def __init__(self, shown: Sequence[Shown]) -> None:
        sizes = [len(each.columns) for each in shown]
        # If nothing is subtracted, 0 times some column is.
        less = [each.columns if each.less is None else each.less for each in shown]
        scales = np.array([each.scale for each in shown])
        used = np.array([each.less is not None for each in shown])
        self.plus = np.concatenate([np.array(each.columns, np.intp) for each in shown])
        self.minus = np.concatenate([np.array(columns, np.intp) for columns in less])
        self.scale = np.repeat(scales, sizes)
        self.less_scale = np.repeat(scales * used, sizes)
        self.size = int(sum(sizes))

    def __call__(self, state: Array) -> Array:
        """Blocks side by side, (N, size), of states (N, S)."""
        plus = state[:, like(self.plus, state)] * like(self.scale, state)
        return plus - state[:, like(self.minus, state)] * like(self.less_scale, state)


class FetchWorld(World):
    """Base of the Fetch tasks; a subclass defines objects, observation and reward.

    Control: the first three numbers of an action displace the gripper's mocap target by up to 5 cm
    from the gripper's position; the fourth moves the fingers (+1 opens, -1 closes). Episodes never
    terminate. The reward is a function of only achieved and desired goal (`reward`).

    Deviation: the velocities in the observation are those of the same physics step as the
    positions; in the references they are one physics step (2 ms) newer.

    Args:
        goals: Whether the observation ends with the achieved and the desired goal, which
            `GoalObservation` splits into a dictionary.

    Raises:
        InvalidConfig: If a flag is neither True nor False.

    Attributes:
        scene: The scene on the table.
        start: Initial state of episodes, apart from the objects.
    """

    name = "fetch"
    frame_skip = 20
    noise_size = 0
    max_episode_steps = 50
    blocked_gripper = False
    scene: Scene
    camera: Mapping[str, Any] = {
        "distance": 1.4,
        "azimuth": 140.0,
        "elevation": -28.0,
        "lookat": (1.28, 0.78, 0.5),
    }

    def __init__(self, goals: bool = False) -> None:
        check_flag("goals", goals)
        self.goals = goals
        self.start = self._settle()
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._sensors = sensor_slices(self.model)
        self._fingers = [int(self.model.joint(name).qposadr[0]) for name in FINGERS]
        blocks, goal_blocks = self.observation_blocks(), self.goal_blocks()
        self.goal_size = len(goal_blocks[1].labels)
        self.layout = ObservationLayout((*self.full_blocks(), *goal_blocks) if goals else blocks)
        shown = self.shown()
        held = ("gripper_pos", "gripper_quat", "actuated_fingers")
        names = [block.name for block in (*(self.full_blocks() if goals else blocks), *goal_blocks)]
        self._readout = Readout([shown[name] for name in (*names, *held)])

    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""
        return scene_model(self.scene)

    def _settle(self) -> Start:
        return scene_start(self.scene, self.frame_skip)

    @abstractmethod
    def observation_blocks(self) -> tuple[ObservationBlock, ...]:
        """Blocks of the flat observation; each is named after an entry of `shown`."""

    @abstractmethod
    def full_blocks(self) -> tuple[ObservationBlock, ...]:
        """Blocks of the observation beside goals; each is named after an entry of `shown`."""

    @abstractmethod
    def goal_blocks(self) -> tuple[ObservationBlock, ObservationBlock]:
        """The blocks `achieved_goal` and `desired_goal`."""

    @abstractmethod
    def place(self, rng: np.random.Generator, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Draw the goal of one episode and set its objects in `qpos`.

        Args:
            rng: Random stream of the environment.
            qpos: Generalised positions after the set-up, shape (nq,); changed in place.

        Returns:
            The desired goal, shape (G,).
        """

    def shown(self) -> dict[str, Shown]:
        """Content of each block, by its name."""
        dt = self.control_timestep
        dofs = [int(self.model.joint(name).dofadr[0]) for name in FINGERS]
        return {
            "grip_pos": Shown(self.sensor("grip_pos")),
            "grip_vel": Shown(self.sensor("grip_vel"), scale=dt),
            "fingers": Shown(self._fingers),
            "actuated_fingers": Shown(self._fingers[::-1]),  # the order of the actuators
            "finger_vel": Shown([self.model.nq + dof for dof in dofs], scale=dt),
            "gripper_pos": Shown(self.sensor("gripper_pos")),
            "gripper_quat": Shown(self.sensor("gripper_quat")),
            "desired_goal": Shown(self.goal()),
        }

    def sensor(self, name: str) -> range:
        """Columns of a sensor in the state."""
        first, where = self.model.nq + self.model.nv, self._sensors[name]
        return range(first + where.start, first + where.stop)

    def goal(self, first: int = 0, stop: int | None = None) -> range:
        """Columns of the desired goal in the state, all or some."""
        begin = self.model.nq + self.model.nv + self.model.nsensordata
        return range(begin, begin + self.goal_size)[first:stop]

    def derived(self, size: int) -> range:
        """Columns of the output of `derive` in the state."""
        begin = self.goal().stop
        return range(begin, begin + size)

    def derive(self, sensordata: Array) -> tuple[Array, ...]:
        """Columns that are computed, each (N, size), from sensors (N, nsensordata)."""
        return ()

    @abstractmethod
    def reward(self, achieved: Array, desired: Array) -> Array:
        """Reward (...,) of achieved goals (..., G) and desired goals (..., G); a pure function."""

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Set M robots to the start state, and draw objects and goals from each stream."""
        return self.begin(rngs, [self.start] * len(rngs))

    def begin(
        self,
        rngs: Sequence[np.random.Generator],
        starts: Sequence[Start],
        variant: NDArray[np.intp] | None = None,
    ) -> tuple[PhysicsState, Memory]:
        """Start M episodes from given states, with given variants of the model."""
        count = len(rngs)
        qpos, qvel = (np.stack([getattr(s, n) for s in starts]) for n in ("qpos", "qvel"))
        goal = np.stack([self.place(rng, row) for rng, row in zip(rngs, qpos, strict=True)])
        memory = {
            "goal": goal,
            "gripper_pos": np.stack([start.gripper_pos for start in starts]),
            "gripper_quat": np.stack([start.gripper_quat for start in starts]),
            "actuated_fingers": qpos[:, self._fingers[::-1]],
            "completed": np.zeros((count, 1), bool),
        }
        control = self.control(np.zeros((count, 4)), memory)
        mocap = control.mocap_pos, control.mocap_quat
        return PhysicsState(qpos, qvel, None, *mocap, variant), memory

    def control(self, action: Array, memory: Memory) -> Control:
        """Displace the targets of gripper and fingers from their current positions."""
        # Joined and reshaped: `stack` takes 3 times as long.
        join = namespace(action).concat
        action = action.clip(-1.0, 1.0)
        target = memory["gripper_pos"] + MAX_MOVE * action[:, :3]
        # As in the references, quaternions that nearly agree are added, and normalised by MuJoCo.
        turn = memory["gripper_quat"] + like(_REST, action)
        fingers = memory["actuated_fingers"]
        if not self.blocked_gripper:
            fingers = fingers + action[:, 3:]
        marker = memory["goal"][:, :3]  # for pictures
        return Control(
            ctrl=fingers,
            mocap_pos=join([target, marker], axis=1).reshape(-1, 2, 3),
            mocap_quat=join([turn, turn], axis=1).reshape(-1, 2, 4),
        )

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read the sensors; `control` starts from the current gripper and fingers."""
        xp = namespace(physics.qpos)
        readings = (physics.qpos, physics.qvel, physics.sensordata, memory["goal"])
        state = xp.concat([*readings, *self.derive(physics.sensordata)], axis=1)
        read = self._readout(state)
        # In the precision of observations, so that `compute_reward` returns exactly the same.
        goals = xp.astype(read[:, -9 - 2 * self.goal_size : -9], xp.float32)
        kept = {"gripper_pos": read[:, -9:-6], "gripper_quat": read[:, -6:-2]}
        kept |= {"actuated_fingers": read[:, -2:], "goals": goals}
        return read[:, : self.layout.size], memory | kept

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Reward from achieved and desired goal; it also tells if the only subtask is complete."""
        goals = memory["goals"]
        reward = self.reward(goals[:, : self.goal_size], goals[:, self.goal_size :])
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


def block(
    name: str, what: str, axes: Sequence[str] = "xyz", unit: str = "m", source: str = "sensor"
) -> ObservationBlock:
    """An observation block with one label per axis, in the world frame."""
    frame = "joint" if source in ("qpos", "qvel") else "world"
    labels = (f"{what} {axis}" for axis in axes)
    return ObservationBlock.exact(name, labels, unit, frame, source)


def sensor_slices(model: mujoco.MjModel) -> dict[str, slice]:
    """Slice of each sensor in `sensordata`, by name."""
    slices = {}
    for index in range(model.nsensor):
        first = int(model.sensor_adr[index])
        slices[model.sensor(index).name] = slice(first, first + int(model.sensor_dim[index]))
    return slices
