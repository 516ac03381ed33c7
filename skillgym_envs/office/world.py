"""The office: a WidowX-250 arm puts three objects into a tray, a box and a drawer.

Papers: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors" (SPiRL), arXiv:2010.11944;
Pertsch et al. 2021, "Demonstration-Guided RL with Learned Skills" (SkiLD), arXiv:2107.10253. Their
scene is the fork of Roboverse (Singh et al. 2020) with the ids `Widow250OfficeFixed-v0` and
`Widow250OfficeRand-v0`, in PyBullet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_choice, check_flag, check_integer, check_range
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
from skillgym_envs.office.observation import OBSERVATIONS, ObservationName, readout
from skillgym_envs.office.scene import (
    CLOSED,
    GRIPPER_FACTOR,
    OPEN,
    office_model,
    office_start,
)
from skillgym_envs.office.subtasks import SubtaskTable
from skillgym_envs.office.tasks import (
    OBJECTS,
    PLACEMENTS,
    PLACES,
    SUBTASKS,
    TaskSet,
    draw_task,
    resolve_task,
    subtasks_of,
)

MAX_MOVE = 0.09
"""Displacement of the end effector's target for an action of 1 [m]; as the arm lags, it moves by
about 0.042 m per control step."""

MAX_TURN = np.radians(5.1)
"""Rotation for an action of 1 [rad]."""

MAX_TILT = 2.6
"""Longest rotation vector of the gripper's target, from pointing down [rad]."""

WORKSPACE = np.array([[0.2, -0.3, -0.34], [1.2, 0.5, -0.1]])
"""Lowest and highest target of the end effector [m]."""


class OfficeWorld(World):
    """A WidowX-250 arm at a desk with seven objects, three of which have to be put away.

    A task is a list of placements. Its subtasks form a queue: `pick` and `place` for each
    placement, and for the drawer `open drawer` before and `close drawer` after. Only the first
    open subtask is checked, so at most one subtask is completed per control step, and it stays
    complete. Reward: 1 for each. The episode terminates when all are complete. The task is not
    part of the observation by default.

    * pick: the object is above z = -0.3 m and nearer than 0.25 m to the end effector.
    * place: it is below z = -0.3 m and nearer than 0.1 m to the place, seen from above.
    * open drawer: more than 75 % open. close drawer: less than 40 %.

    Control: numbers 0 to 2 of the action displace the end effector's target from its current
    position, 3 to 5 rotate the target's orientation (rotation vector from pointing down, axes of
    the world). Number 6 opens the gripper above 0.5 and closes it below -0.5; a control step in
    which it does so lasts 0.3125 s instead of 1/24 s. Number 7 does nothing.

    Args:
        tasks: `"fixed"` (eraser in tray, shed in box, pepsi_bottle in drawer), `"rand"` (random
            objects for the three places, in random order; new in every episode), name of a
            placement, or names of several, for example `("gatorade in drawer", "eraser in tray")`.
        observation: `full`, the references' 97 numbers, or `compact`, without the 37 constants.
        goal: Whether the observation ends with the task (one-hot object and place of each
            placement) and the number of completed subtasks.
        jitter: Half-width of the uniform noise on the objects' initial x and y [m].
        substeps: Physics steps per control step of 1/24 s (more if the gripper moves).

    Raises:
        UnknownTask: If a task has an unknown name.
        InvalidTask: If it has no placement, or an object or the drawer twice.
        UnknownChoice: If there is no such observation.
        InvalidConfig: If `goal` is not a flag, `jitter` is out of range, or `substeps` is not a
            positive integer.

    Deviation: the references command joint angles from an inverse kinematics that stops early;
    here springs pull the end effector to an equivalent target, with the same gain (0.042 m and
    5.1 deg per control step for an action of 1), but without sinking under gravity. The references
    add Euler angles to the measured orientation, which drifts; here the commanded orientation is
    kept. Objects start at rest instead of 5 cm above the desk. Shapes are primitives.
    """

    name = "office"
    max_episode_steps = 350
    noise_size = 0
    camera: Mapping[str, Any] = {
        "distance": 1.05,
        "azimuth": -62.0,
        "elevation": -38.0,
        "lookat": (0.48, -0.05, -0.33),
    }

    def __init__(
        self,
        tasks: TaskSet | str | Sequence[str] = "fixed",
        observation: ObservationName = "full",
        goal: bool = False,
        jitter: float = 0.01,
        substeps: int = 10,
    ) -> None:
        check_choice("observation", observation, OBSERVATIONS)
        check_flag("goal", goal)
        check_range("jitter", jitter, 0.0, 0.1)  # farther away they leave the desk
        check_integer("substeps", substeps, 1)
        self.task = resolve_task(tasks)
        self.goal = goal
        self.jitter = jitter
        self.frame_skip = substeps
        self._gripper_steps = round(GRIPPER_FACTOR * substeps)
        self.action_space = spaces.Box(-1.0, 1.0, (8,), np.float32)
        self.subtasks = SUBTASKS if self.task is None else subtasks_of(self.task)
        placements = len(PLACES) if self.task is None else len(self.task)
        self._readout = readout(self.model, observation, placements if goal else None)
        self.layout = self._readout.layout
        self._subtasks = SubtaskTable(self.model, self.subtasks)
        sensor = self.model.sensor("end_effector_pos")
        first = int(sensor.adr[0])
        self._end_effector = slice(first, first + 3)

    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""
        return office_model(self.frame_skip)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Set M arms to rest; draw object positions and tasks from each stream."""
        count, start = len(rngs), office_start(self.frame_skip)
        qpos = np.repeat(start.qpos[None], count, axis=0)
        for row, rng in zip(qpos, rngs, strict=True):
            row[start.objects] += rng.uniform(-self.jitter, self.jitter, start.objects.shape)
        tasks = [self.task or draw_task(rng) for rng in rngs]
        memory = {
            "end_effector": np.repeat(start.end_effector[None], count, axis=0),
            "turn": np.zeros((count, 3)),
            "open": np.ones((count, 1)),
            "queue": np.array(
                [[SUBTASKS.index(name) for name in subtasks_of(task)] for task in tasks]
            ),
            "progress": np.zeros(count, np.int64),
            "completed": np.zeros((count, len(self.subtasks)), bool),
        }
        if self.goal:
            memory["goal"] = np.stack([_one_hot(task) for task in tasks])
        rest = Control(self._controls(memory["end_effector"], memory["turn"], memory["open"]))
        return PhysicsState(qpos, np.zeros((count, self.model.nv)), rest.ctrl), memory

    def control(self, action: Array, memory: Memory) -> Control:
        """Move the targets of the end effector; open or close the gripper."""
        xp = namespace(action)
        action = action.clip(-1.0, 1.0)
        target = memory["end_effector"] + MAX_MOVE * action[:, :3]
        low, high = like(WORKSPACE, action)
        turn = memory["turn"] + MAX_TURN * action[:, 3:6]
        length = (turn * turn).sum(axis=1, keepdims=True) ** 0.5
        turn = turn * (MAX_TILT / length.clip(MAX_TILT, None))
        trigger, before = action[:, 6:7], memory["open"]
        opened = xp.where(trigger > 0.5, 1.0, xp.where(trigger < -0.5, 0.0, before))
        return Control(
            ctrl=self._controls(target.clip(low, high), turn, opened),
            steps=xp.where(opened == before, self.frame_skip, self._gripper_steps)[:, 0],
            memory={"turn": turn, "open": opened},
        )

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read poses; `control` starts from the current end effector."""
        xp = namespace(physics.qpos)
        end_effector = physics.sensordata[:, self._end_effector]
        state = [physics.qpos, physics.sensordata, memory["open"]]
        if self.goal:
            done, _ = self._completes(physics.qpos, end_effector, memory)  # counted by `score`
            progress = xp.astype(memory["progress"] + done, physics.qpos.dtype)
            state += [memory["goal"], progress[:, None]]
        read, table = xp.concat(state, axis=1), self._readout
        observation = read[:, like(table.index, read)] * like(table.scale, read)
        observation = observation + like(table.offset, read)
        return observation, memory | {"end_effector": xp.asarray(end_effector, copy=True)}

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Check the first open subtask."""
        xp = namespace(physics.qpos)
        done, completed_step = self._completes(physics.qpos, memory["end_effector"], memory)
        progress = memory["progress"] + done
        completed = memory["completed"] | completed_step
        outcome = Outcome(
            reward=xp.astype(done, xp.float64),
            terminated=progress == memory["queue"].shape[1],
            completed_step=completed_step,
            completed=completed,
        )
        return outcome, memory | {"progress": progress, "completed": completed}

    def _completes(self, qpos: Array, end_effector: Array, memory: Memory) -> tuple[Array, Array]:
        """Whether the first open subtask is complete, (N,), and which one it is, (N, K)."""
        queue, progress = memory["queue"], memory["progress"]
        length = queue.shape[1]
        rows = like(np.arange(queue.shape[0]), queue)
        head = queue[rows, progress.clip(None, length - 1)]
        holds, flags = self._subtasks.check(head, qpos, end_effector)
        done = holds & (progress < length)
        return done, flags & done[:, None]

    def _controls(self, target: Array, turn: Array, opened: Array) -> Array:
        """Inputs of the actuators, shape (N, 7)."""
        gripper = CLOSED + (OPEN - CLOSED) * opened
        controls: Array = namespace(target).concat([target, turn, gripper], axis=1)
        return controls


def _one_hot(task: Sequence[str]) -> NDArray[np.float64]:
    """Objects and places of a task, shape (10 * placements,)."""
    flags = np.zeros((len(task), len(OBJECTS) + len(PLACES)))
    for row, name in zip(flags, task, strict=True):
        row[[PLACEMENTS[name].item, len(OBJECTS) + PLACEMENTS[name].place]] = 1.0
    return flags.ravel()
