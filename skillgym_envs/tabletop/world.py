"""The tabletop of CALVIN: a Franka arm, furniture with door, drawer, lever and button, blocks.

Papers: Mees et al. 2022, "CALVIN: A Benchmark for Language-Conditioned Policy Learning for
Long-Horizon Robot Manipulation Tasks", arXiv:2112.03227; Shi et al. 2022, "Skill-based Model-based
RL" (SkiMo), arXiv:2207.07560 (its task). Rebuilt from primitives and the Franka meshes of the
installed gymnasium-robotics package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_choice, check_count
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
from skillgym_envs.tabletop.control import MAX_MOVE, MAX_TURN, joint_targets, tcp_jacobian
from skillgym_envs.tabletop.furniture import HIDDEN, glow_positions
from skillgym_envs.tabletop.model import TOUCHABLE, tabletop_model
from skillgym_envs.tabletop.observation import OBSERVATIONS, observation_layout
from skillgym_envs.tabletop.placement import blocks_of, given_state, random_blocks, random_furniture
from skillgym_envs.tabletop.robot import FINGER_OPEN, HOME
from skillgym_envs.tabletop.rotations import euler_of_axes, euler_of_quat
from skillgym_envs.tabletop.scenes import BUTTON_PRESSED, COLOURS, SCENES, SWITCH_ON
from skillgym_envs.tabletop.tasks import (
    CHANGES,
    TASKS,
    Changes,
    Snapshot,
    TaskSet,
    resolve_tasks,
)

ARM, FINGERS, FURNITURE, BLOCKS = slice(0, 7), slice(7, 9), slice(9, 13), slice(13, 34)
_LEFT, _RIGHT, BUTTON, SWITCH = slice(7, 8), slice(8, 9), slice(11, 12), slice(12, 13)
"""Parts of `qpos`."""
BLOCK_SPEEDS = slice(13, 31)
"""Velocities of the blocks in `qvel`."""
_LINKS, _TCP_POS, _TCP_QUAT = slice(0, 84), slice(84, 87), slice(87, 91)
_ARM_SENSORS = slice(0, 91)
_TCP_AXES = slice(91, 94), slice(94, 97), slice(97, 100)
CONTACTS = slice(100, 100 + 3 * len(TOUCHABLE))
"""Contacts of the blocks in `sensordata`: for each block, a number per `TOUCHABLE`."""
_ROBOT_CONTACTS = slice(CONTACTS.stop, CONTACTS.stop + 1)
_REACH = 2.0  # of a given block position [m]
_SLACK, _ARM_SLACK = 0.01, 0.05  # of given states, beyond the limits [m], [rad]
_SCALE = np.array([MAX_MOVE] * 3 + [MAX_TURN] * 3)
# Control of the two fingers and of the button, which needs none; the gripper action as observed.
_OPEN, _CLOSE = np.array([FINGER_OPEN, FINGER_OPEN, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, -1.0])


class TabletopWorld(World):
    """A Franka arm at a table with furniture and blocks, and a list of tasks to complete in order.

    Reward: 1 for each task, in the control step that completes it. A task only counts when all
    earlier ones are complete, and at most one per control step. The episode terminates when all are
    complete.

    Control: the first six numbers of an action move a target pose of the hand, by up to 2 cm along
    each axis and 0.05 rad for each Euler angle; the arm follows the target. The last number opens
    (0 and above) or closes the gripper. The target is not bounded, and its Euler angles are added
    without wrapping, as in the reference.

    Lights: the bulb is on while the lever is above the middle of its range. The LED toggles when
    the button is pressed beyond the middle of its range. Both are checked after each control step.

    Args:
        tasks: Name of a task set (`skimo`), of a task (see `TASKS`), or names of tasks in order.
        scene: `A`, `B`, `C` or `D`.
        observation: `skimo` (21 numbers: robot, furniture, lights), `robot` (15), `scene` (24) or
            `full` (39: robot and scene).
        since: State with which a task compares the current one: that at the start of the episode
            (SkiMo), or that in which the previous task was completed (CALVIN's long-horizon
            protocol).
        patience: Control steps per task, after which the episode terminates. No limit if None.
        furniture: Initial state of an episode: `shut`, with the lights off, or `random`, with door,
            drawer, lever and LED in either of their two states. `random` is meant for play data: a
            task compares with the start, and 96 of 100 such episodes start with a part in the state
            that one of the default tasks requires, so that they cannot be completed.

    Raises:
        UnknownTask: If a task has an unknown name.
        InvalidTask: If `tasks` is not a list, is empty or names a task twice.
        UnknownChoice: If there is no such scene, observation, `since` or furniture.
        InvalidConfig: If `patience` is not a positive integer.

    Options of `reset`: `robot_state` (15,) and `scene_state` (24,), or one row for each
    environment that is reset, set robot and scene to a state; the arm's joints determine the pose
    of the hand, regardless of that in `robot_state`. Otherwise the arm is at home, furniture and
    lights are as given by `furniture`, and the blocks are placed at random.

    Deviation: after a reset the last gripper action is that of the given robot state, else 1, and a
    button that is pressed counts as already pressed; the reference does not reset either. Given
    lights: in the reference that SkiMo uses, a LED that is on is forgotten at the first press; here
    it goes off. A bulb is on if and only if its lever is up.
    """

    name = "tabletop"
    frame_skip = 8
    max_episode_steps = 360
    noise_size = 0
    fresh_sensors = True
    reset_options = ("robot_state", "scene_state")
    camera: Mapping[str, Any] = {
        "distance": 1.55,
        "azimuth": 125.0,
        "elevation": -25.0,
        "lookat": (-0.02, -0.12, 0.5),
    }

    def __init__(
        self,
        tasks: TaskSet | str | Sequence[str] = "skimo",
        scene: Literal["A", "B", "C", "D"] = "D",
        observation: Literal["skimo", "robot", "scene", "full"] = "skimo",
        since: Literal["episode", "subtask"] = "episode",
        patience: int | None = None,
        furniture: Literal["shut", "random"] = "shut",
    ) -> None:
        check_choice("scene", scene, SCENES)
        check_choice("observation", observation, OBSERVATIONS)
        check_choice("since", since, ("episode", "subtask"))
        check_choice("furniture", furniture, ("shut", "random"))
        check_count("patience", patience)
        self.scene_name, self.scene = scene, SCENES[scene]
        self.subtasks = resolve_tasks(tasks)
        self.observation = observation
        self.since = since
        self.patience = patience
        self.furniture = furniture
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
        self.layout = observation_layout(observation, self.scene)
        # Red, blue, pink to the order of the scene state.
        self._colours = [COLOURS.index(colour) for colour in self.scene.order]
        self._order = np.arange(float(len(self.subtasks)))
        # Tasks of furniture and lights do without snapshots of the blocks.
        self._parts_alone = set(self.subtasks) <= set(CHANGES)
        self._robot_bounds, self._scene_bounds = self._bounds_of_states()
        self._changes = Changes([name for name in self.subtasks if name in CHANGES])

    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""
        return tabletop_model(self.scene_name)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Set M robots to home and draw the blocks from each stream, or use the given states."""
        options, count = options or {}, len(rngs)
        robot = given_state(options, "robot_state", self._robot_bounds, count)
        scene = given_state(options, "scene_state", self._scene_bounds, count)
        qpos = np.zeros((count, self.model.nq))
        qpos[:, ARM], qpos[:, FINGERS] = HOME, FINGER_OPEN
        grip, parts = np.tile(_OPEN, (count, 1)), np.zeros((count, 6))
        if robot is not None:
            qpos[:, ARM], qpos[:, FINGERS] = robot[:, 7:14], robot[:, 6:7] / 2.0
            grip = np.where(robot[:, 14:] < 0.0, _CLOSE, _OPEN)
        if scene is None:
            blocks = np.stack([random_blocks(rng, self.scene) for rng in rngs])
            if self.furniture == "random":
                parts = np.stack([random_furniture(rng, self.scene) for rng in rngs])
        else:
            blocks, parts = blocks_of(scene, self.scene), scene[:, :6]
        qpos[:, FURNITURE], qpos[:, BLOCKS] = parts[:, :4], blocks.reshape(count, 21)
        memory = {
            "grip": grip,
            "led": parts[:, 5:] > 0.5,
            "pressed": qpos[:, BUTTON] > BUTTON_PRESSED,
            "waited": np.zeros(count, np.int64),
            "count": np.zeros((count, 1)),
        }
        ctrl = np.zeros((count, self.model.nu))
        ctrl[:, :9] = qpos[:, :9]
        return PhysicsState(qpos, np.zeros((count, self.model.nv)), ctrl), memory

    def _bounds_of_states(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Minimum and maximum of each number of the two options of `reset`, (15, 2), (24, 2).

        Bullet's furniture slightly overshoots its limits. Numbers without effect have no bounds:
        the hand's pose follows from the arm's joints, and angles may have any value.
        """
        ranges = self.model.jnt_range
        free, far = [-np.inf, np.inf], [-_REACH, _REACH]
        lights = [[0.0, 1.0]] * 2
        arm = ranges[ARM] + [-_ARM_SLACK, _ARM_SLACK]
        opening = [[-_SLACK, 2.0 * FINGER_OPEN + _SLACK]]
        robot = np.concatenate(([free] * 6, opening, arm, [[-1.0, 1.0]]))
        furniture = ranges[FURNITURE] + [-_SLACK, _SLACK]
        return robot, np.concatenate((furniture, lights, ([far] * 3 + [free] * 3) * 3))

    def control(self, action: Array, memory: Memory) -> Control:
        """Move the target pose, and send the arm to it."""
        xp = namespace(action)
        action = action.clip(-1.0, 1.0)
        target = memory["target"] + like(_SCALE, action) * action[:, :6]
        sensors = memory["arm"]
        jacobian = tcp_jacobian(sensors[:, _LINKS].reshape(-1, 7, 12))
        pos, quat = sensors[:, _TCP_POS], sensors[:, _TCP_QUAT]
        joints = joint_targets(memory["joints"], jacobian, pos, quat, target)
        grip = xp.where(action[:, 6:] < 0.0, like(_CLOSE, action), like(_OPEN, action))
        ctrl = xp.concat([joints, grip[:, :3]], axis=1)
        return Control(ctrl, memory={"target": target, "grip": grip})

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read robot, furniture, lights and blocks; switch the lights."""
        qpos, sensors = physics.qpos, physics.sensordata
        xp = namespace(qpos)
        pressed = qpos[:, BUTTON] > BUTTON_PRESSED
        bulb = qpos[:, SWITCH] > SWITCH_ON
        led = memory["led"] ^ (pressed > memory["pressed"])
        joints, parts = qpos[:, ARM], xp.concat([qpos[:, FURNITURE], bulb, led], axis=1)
        pose = [sensors[:, _TCP_POS], *euler_of_axes(*(sensors[:, axis] for axis in _TCP_AXES))]
        kept = {"pressed": pressed, "led": led, "parts": parts, "joints": joints}
        kept["arm"] = sensors[:, _ARM_SENSORS]
        if not self._parts_alone:
            kept["snapshot"] = self._snapshot(physics, parts)
        if "start" not in memory:  # a new episode
            kept["start"] = parts if self._parts_alone else kept["snapshot"]
            kept["target"] = xp.concat(pose, axis=1)
        shown = []
        if self.observation != "scene":
            opening = qpos[:, _LEFT] + qpos[:, _RIGHT]
            shown += [*pose, opening, joints, memory["grip"][:, 3:]]
        if self.observation != "robot":
            shown.append(parts)
        if self.observation in ("scene", "full"):
            shown.append(self._block_poses(physics))
        return xp.concat(shown, axis=1), memory | kept

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Check whether this control step completed the current task."""
        xp = namespace(observation)
        order, count = like(self._order, observation), memory["count"]
        completed_step = self._done(memory) & (order == count)
        hits = completed_step.sum(axis=1, dtype=xp.float64)
        count = count + hits[:, None]
        completed = order < count
        terminated, kept = completed[:, -1], {"count": count}
        if self.patience is not None:
            kept["waited"] = xp.where(hits > 0.0, 0, memory["waited"] + 1)
            terminated = terminated | (kept["waited"] >= self.patience)
        if self.since == "subtask":
            now = memory["parts"] if self._parts_alone else memory["snapshot"]
            kept["start"] = xp.where(hits[:, None] > 0.0, now, memory["start"])
        return Outcome(hits, terminated, completed_step, completed), memory | kept

    def dress(self, data: mujoco.MjData, memory: Memory) -> None:
        """Show the glows of the bulb and the LED that are on, and hide the others."""
        on = memory["parts"][4:, None] > 0.5
        data.mocap_pos[:] = np.where(on, glow_positions(self.scene), HIDDEN)
        mujoco.mj_kinematics(data.model, data)

    def _done(self, memory: Memory) -> Array:
        """Which tasks are done, regardless of their order, shape (N, K)."""
        if self._parts_alone:
            return self._changes(memory["start"], memory["parts"])
        start, now = Snapshot.unpack(memory["start"]), Snapshot.unpack(memory["snapshot"])
        done = [TASKS[name](start, now) for name in self.subtasks]
        return namespace(done[0]).stack(done, axis=1)

    def _snapshot(self, physics: Physics, parts: Array) -> Array:
        xp, count = namespace(parts), parts.shape[0]
        poses = physics.qpos[:, BLOCKS].reshape(count, 3, 7)
        contact = physics.sensordata[:, CONTACTS].reshape(count, 3, len(TOUCHABLE))
        with_blocks = contact[:, :, 0].sum(axis=1)
        others = physics.sensordata[:, _ROBOT_CONTACTS.start] > with_blocks
        return Snapshot(
            furniture=parts[:, :4],
            lights=parts[:, 4:],
            position=poses[..., :3],
            rotation=poses[..., 3:],
            velocity=physics.qvel[:, BLOCK_SPEEDS].reshape(count, 3, 6),
            contact=contact,
            occupied=xp.astype(others, xp.float64)[:, None],
        ).pack()

    def _block_poses(self, physics: Physics) -> Array:
        """Positions and Euler angles (N, 18) of the blocks, in the order of the scene state."""
        xp, count = namespace(physics.qpos), physics.qpos.shape[0]
        poses = physics.qpos[:, BLOCKS].reshape(count, 3, 7)[:, self._colours]
        turned = euler_of_quat(poses[..., 3:])
        return xp.concat([poses[..., :3], turned], axis=-1).reshape(count, 18)
