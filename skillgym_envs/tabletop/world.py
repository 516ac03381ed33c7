"""The tabletop of CALVIN: a Franka arm, furniture with door, drawer, lever and button, blocks.

Papers: Mees et al. 2022, "CALVIN: A Benchmark for Language-Conditioned Policy Learning for
Long-Horizon Robot Manipulation Tasks", arXiv:2112.03227; Shi et al. 2022, "Skill-based Model-based
RL" (SkiMo), arXiv:2207.07560 (its task). Rebuilt from primitives and the Franka meshes of the
installed gymnasium-robotics package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from skillgym_envs.core.errors import SkillgymError, nearest
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
from skillgym_envs.tabletop.control import MAX_MOVE, MAX_TURN, joint_targets, site_jacobian
from skillgym_envs.tabletop.furniture import HIDDEN, glow_positions
from skillgym_envs.tabletop.model import TIMESTEP, TOUCHABLE, tabletop_model
from skillgym_envs.tabletop.observation import OBSERVATIONS, observation_layout
from skillgym_envs.tabletop.placement import blocks_of, given_state, random_blocks
from skillgym_envs.tabletop.robot import FINGER_OPEN, HOME
from skillgym_envs.tabletop.rotations import euler_of_quat, quat_product
from skillgym_envs.tabletop.scenes import BUTTON_PRESSED, COLOURS, SCENES, SWITCH_ON, UnknownScene
from skillgym_envs.tabletop.tasks import TASKS, Snapshot, TaskSet, resolve_tasks

ARM, FINGERS, FURNITURE, BLOCKS = slice(0, 7), slice(7, 9), slice(9, 13), slice(13, 34)
"""Parts of `qpos`."""
BLOCK_SPEEDS = slice(13, 31)
"""Velocities of the blocks in `qvel`."""
_ANCHORS, _AXES, _TCP_POS, _TCP_QUAT = slice(0, 21), slice(21, 42), slice(42, 45), slice(45, 49)
_CONTACTS = slice(49, 49 + 3 * len(TOUCHABLE))
_ROBOT_CONTACTS = slice(_CONTACTS.stop, _CONTACTS.stop + 1)
_BUTTON, _SWITCH = 2, 3


class UnknownChoice(SkillgymError, ValueError):
    """A keyword of the world has a value that does not exist."""

    def __init__(self, keyword: str, given: object, known: Sequence[str]) -> None:
        super().__init__(f"Got {keyword}={given!r}; {nearest(str(given), known)}")


class TabletopWorld(World):
    """A Franka arm at a table with furniture and blocks; some tasks are to be done in order.

    Reward: 1 for each task, in the control step that completes it. A task counts only when all
    before it are complete, and at most one in a control step. The episode terminates when all are
    complete.

    Control: the first six numbers of an action move a target pose of the hand, by up to 2 cm along
    each axis and 0.05 rad for each Euler angle; the arm follows the target. The last number opens
    (0 and above) or closes the gripper. Nothing bounds the target, and its Euler angles are added
    without wrapping, as in the reference.

    Lights: the bulb is on while the lever is above the middle of its way. The LED changes when the
    button is pressed beyond the middle of its way. Both are looked at after each control step.

    Args:
        tasks: Name of a task set (`skimo`), of a task (see `TASKS`), or names of tasks in order.
        scene: `A`, `B`, `C` or `D`.
        observation: `skimo` (21 numbers: robot, furniture, lights), `robot` (15), `scene` (24) or
            `full` (39: robot and scene).
        since: What a task compares the state with: that at the start of the episode (SkiMo), or
            that in which the task before it was completed (CALVIN's long-horizon protocol).
        patience: Control steps that a task may take; after them the episode terminates. No limit if
            None.

    Options of `reset`: `robot_state` (15,) and `scene_state` (24,), or one row for each
    environment, put robot and scene into a state. Otherwise the arm is at home, the furniture shut,
    the lights off and the blocks are at random.

    Deviation: after a reset the last gripper action is that of the given robot state, else 1, and
    the button counts as pressed before if it is pressed; the reference forgets to reset both. Given
    lights: the reference that SkiMo uses forgets a LED that is on at the first press; here it goes
    off. A bulb is on if and only if its lever is up.
    """

    name = "tabletop"
    frame_skip = 8
    max_episode_steps = 360
    noise_size = 0
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
    ) -> None:
        if scene not in SCENES:
            raise UnknownScene(scene)
        if observation not in OBSERVATIONS:
            raise UnknownChoice("observation", observation, OBSERVATIONS)
        if since not in ("episode", "subtask"):
            raise UnknownChoice("since", since, ("episode", "subtask"))
        self.scene_name, self.scene = scene, SCENES[scene]
        self.model = tabletop_model(scene)
        self.subtasks = resolve_tasks(tasks)
        self.observation = observation
        self.since = since
        self.patience = patience
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
        self.layout = observation_layout(observation, self.scene)
        # Red, blue, pink to the order of the scene state.
        self._order = [COLOURS.index(colour) for colour in self.scene.order]
        self._glows = glow_positions(self.scene)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Put M robots at home and the blocks where each stream says, or all as the options say."""
        options, count = options or {}, len(rngs)
        robot = given_state(options, "robot_state", 15, count)
        scene = given_state(options, "scene_state", 24, count)
        qpos = np.zeros((count, self.model.nq))
        qpos[:, ARM], qpos[:, FINGERS] = HOME, FINGER_OPEN
        command, lights = np.ones((count, 1)), np.zeros((count, 2))
        if robot is not None:
            qpos[:, ARM], qpos[:, FINGERS] = robot[:, 7:14], robot[:, 6:7] / 2.0
            command = np.where(robot[:, 14:] >= 0.0, 1.0, -1.0)
        if scene is None:
            blocks = np.stack([random_blocks(rng, self.scene) for rng in rngs])
        else:
            blocks = blocks_of(scene, self.scene)
            qpos[:, FURNITURE], lights = scene[:, :4], np.where(scene[:, 4:6] > 0.5, 1.0, 0.0)
        qpos[:, BLOCKS] = blocks.reshape(count, 21)
        memory = {
            "command": command,
            "lights": lights,
            "pressed": qpos[:, FURNITURE][:, _BUTTON] > BUTTON_PRESSED,
            "waited": np.zeros(count, np.int64),
            "completed": np.zeros((count, len(self.subtasks)), bool),
        }
        ctrl = np.zeros((count, self.model.nu))
        ctrl[:, :9] = qpos[:, :9]
        glows = self._shown(lights)
        return PhysicsState(qpos, np.zeros((count, self.model.nv)), ctrl, glows, None), memory

    def control(self, action: Array, memory: Memory) -> Control:
        """Move the target pose, and send the arm there."""
        xp = namespace(action)
        action = action.clip(-1.0, 1.0)
        target = memory["target_pos"] + MAX_MOVE * action[:, :3]
        euler = memory["target_euler"] + MAX_TURN * action[:, 3:6]
        command = xp.where(action[:, 6:] >= 0.0, 1.0, -1.0)
        hand = memory["tcp_pos"], memory["tcp_quat"]
        joints = joint_targets(memory["joints"], memory["jacobian"], *hand, target, euler)
        finger = 0.5 * FINGER_OPEN * (command + 1.0)
        ctrl = xp.concat([joints, finger, finger, xp.zeros_like(finger)], axis=1)
        kept = {"target_pos": target, "target_euler": euler, "command": command}
        return Control(ctrl, self._shown(memory["lights"]), memory=kept)

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read robot, furniture, lights and blocks; switch the lights."""
        xp = namespace(physics.qpos)
        kept = self._hand(physics)
        furniture = physics.qpos[:, FURNITURE]
        pressed = furniture[:, _BUTTON] > BUTTON_PRESSED
        toggled = pressed & ~memory["pressed"]
        led = xp.where(toggled, 1.0 - memory["lights"][:, 1], memory["lights"][:, 1])
        bulb = xp.astype(furniture[:, _SWITCH] > SWITCH_ON, xp.float64)
        kept |= {"lights": xp.stack([bulb, led], axis=1), "pressed": pressed}
        kept["snapshot"] = self._snapshot(physics, kept["lights"])
        euler = euler_of_quat(kept["tcp_quat"])
        if "start" not in memory:  # a new episode
            kept |= {"target_pos": kept["tcp_pos"], "target_euler": euler}
            kept["start"] = kept["snapshot"]
        parts = []
        if self.observation != "scene":
            opening = physics.qpos[:, FINGERS].sum(axis=1)[:, None]
            parts += [kept["tcp_pos"], euler, opening, kept["joints"], memory["command"]]
        if self.observation != "robot":
            parts += [furniture, kept["lights"]]
        if self.observation in ("scene", "full"):
            parts.append(self._block_poses(physics))
        return xp.concat(parts, axis=1), memory | kept

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Whether this control step completed the task whose turn it is."""
        xp = namespace(observation)
        start, now = Snapshot.unpack(memory["start"]), Snapshot.unpack(memory["snapshot"])
        done = xp.stack([TASKS[name](start, now) for name in self.subtasks], axis=1)
        before = memory["completed"]
        # The first task that is not complete: all before it are.
        turn = ~before
        turn[:, 1:] &= before[:, :-1]
        completed_step = turn & done
        completed = before | completed_step
        any_step = completed_step.any(axis=1)
        waited = xp.where(any_step, 0, memory["waited"] + 1)
        terminated = completed.all(axis=1)
        if self.patience is not None:
            terminated = terminated | (waited >= self.patience)
        outcome = Outcome(
            reward=xp.astype(any_step, xp.float64),
            terminated=terminated,
            completed_step=completed_step,
            completed=completed,
        )
        kept = {"completed": completed, "waited": waited}
        if self.since == "subtask":
            kept["start"] = xp.where(any_step[:, None], memory["snapshot"], memory["start"])
        return outcome, memory | kept

    def _hand(self, physics: Physics) -> Memory:
        """Arm and hand as they are; the readings of sensors are one physics step older."""
        sensors, count = physics.sensordata, physics.qpos.shape[0]
        anchors, axes = (sensors[:, part].reshape(count, 7, 3) for part in (_ANCHORS, _AXES))
        pos, quat = sensors[:, _TCP_POS], sensors[:, _TCP_QUAT]
        jacobian = site_jacobian(anchors, axes, pos)
        moved = TIMESTEP * (physics.qvel[:, None, ARM] @ jacobian)[:, 0]
        # Half the turn as the vector part of a quaternion; its length is 1 up to the second order.
        turned = namespace(pos).concat([moved[:, :1] * 0.0 + 1.0, 0.5 * moved[:, 3:]], axis=1)
        return {
            "joints": physics.qpos[:, ARM],
            "jacobian": jacobian,
            "tcp_pos": pos + moved[:, :3],
            "tcp_quat": quat_product(turned, quat),
        }

    def _snapshot(self, physics: Physics, lights: Array) -> Array:
        xp, count = namespace(physics.qpos), physics.qpos.shape[0]
        poses = physics.qpos[:, BLOCKS].reshape(count, 3, 7)
        speeds = physics.qvel[:, BLOCK_SPEEDS].reshape(count, 3, 6)
        contact = physics.sensordata[:, _CONTACTS].reshape(count, 3, len(TOUCHABLE))
        with_blocks = contact[:, :, 0].sum(axis=1)
        others = physics.sensordata[:, _ROBOT_CONTACTS.start] > with_blocks
        return Snapshot(
            furniture=physics.qpos[:, FURNITURE],
            lights=lights,
            position=poses[..., :3],
            rotation=poses[..., 3:],
            velocity=speeds,
            contact=contact,
            occupied=xp.astype(others, xp.float64)[:, None],
        ).pack()

    def _block_poses(self, physics: Physics) -> Array:
        """Positions and Euler angles (N, 18) of the blocks, in the order of the scene state."""
        xp, count = namespace(physics.qpos), physics.qpos.shape[0]
        poses = physics.qpos[:, BLOCKS].reshape(count, 3, 7)[:, self._order]
        turned = euler_of_quat(poses[..., 3:])
        return xp.concat([poses[..., :3], turned], axis=-1).reshape(count, 18)

    def _shown(self, lights: Array) -> Array:
        """Where the glows of bulb and LED are, shape (N, 2, 3)."""
        xp = namespace(lights)
        places = like(self._glows, lights), like(np.array(HIDDEN), lights)
        return xp.where(lights[:, :, None] > 0.5, *places)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the compiled model behind; every process has its own."""
        return {key: value for key, value in self.__dict__.items() if key != "model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, model=tabletop_model(state["scene_name"]))
