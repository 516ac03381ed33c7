"""The Franka kitchen.

Papers: Gupta et al. 2019, "Relay Policy Learning", arXiv:1910.11956 (scene and play data); Fu et
al. 2020, "D4RL", arXiv:2004.07219 (tasks and reward); Pertsch et al. 2020, "Accelerating RL with
Learned Skill Priors", arXiv:2010.11944. The MJCF assets are those of the installed
gymnasium-robotics package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.assets import robotics_assets
from skillgym_envs.core.checks import check_flag, check_range
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
from skillgym_envs.kitchen.tasks import (
    COMPLETION_DISTANCE,
    ELEMENTS,
    TaskSet,
    goal_half,
    resolve_tasks,
)

ROBOT = slice(0, 9)
"""Joints of the arm (7) and the two fingers in `qpos` and `qvel`."""

MAX_JOINT_VELOCITY = 2.0
"""Joint velocity for an action of 1 [rad/s; fingers: m/s]."""

# Joint limits of the position targets and half-widths of the read-out noise at `noise=1`, from the
# robot's configuration file in the assets; the object rows are named after other furniture there
# and taken by index.
_JOINT_LOW = (-2.9, -1.8, -2.9, -3.1, -2.9, 0.0, -2.9, 0.0, 0.0)
_JOINT_HIGH = (2.9, 1.8, 2.9, 0.0, 2.9, 3.8, 2.9, 0.04, 0.04)
_QPOS_NOISE = (
    *(*[0.1] * 9, *[5e-3] * 2, *[5e-4] * 6, *[5e-3] * 3),
    *(*[0.1] * 3, *[5e-3] * 3, *[0.1] * 3, 5e-3),
)
_QVEL_NOISE = (*[0.1] * 9, *[5e-3] * 11, *[0.1] * 3, *[5e-3] * 3, *[0.1] * 3)

_START_QPOS = (
    *(0.148388023, -1.76848573, 1.84390296, -2.4768576, 0.260252026, 0.712533105, 1.59515394),
    *(0.0479267505, 0.0371350919),
    *(-2.6627985e-04, -5.18043486e-05, 3.1287722e-05, -4.51199853e-05, -3.90842156e-06),
    *(-4.22629655e-05, 6.28065475e-05, 4.04984708e-05, 4.62730939e-04, -2.26906415e-04),
    *(-4.65501369e-04, -6.44129196e-03, -1.77048263e-03, 1.08009684e-03),
    *(-0.26939744, 0.350383255, 1.61944683),
    *(1.00618764, 0.00406395120, -0.00662095997, -2.68278933e-04),
)


class KitchenWorld(World):
    """A Franka arm in a kitchen; the task is to bring some of its seven elements to their goals.

    Reward: number of subtasks newly completed in this control step; an element is complete when its
    observed (noisy) slots are nearer than 0.3 to its goal. The episode terminates when all subtasks
    are complete.

    Control: the action is a joint velocity in units of 2 rad/s, integrated over 80 ms from the last
    *observed* (noisy) joint position, clipped to the joint limits and sent to position actuators.

    Args:
        tasks: Name of a task set (`mixed`, `complete`, `partial`, `misaligned`, `kbts`) or element
            names.
        ordered: Whether an element only counts once all earlier ones of the list are complete. The
            reference changed this on 2021-01-07: the SPiRL paper's tasks are unordered, those of
            SkiLD ordered.
        goal: Whether the observation ends with the 30-D goal half of D4RL (60-D in all). It is
            constant and the same for every task; models trained on D4RL data expect it.
        velocities: Whether the observation also has the 29 joint velocities (after the positions).
        noise: Read-out noise as a share of the amplitudes in the robot's configuration file; 0.1 in
            D4RL.

    Raises:
        UnknownTask: If a task has an unknown name.
        InvalidTask: If `tasks` is not a list, is empty or names an element twice.
        InvalidConfig: If the noise is negative, or a flag neither True nor False.

    Deviation: no subtask is complete at reset; all start open, as in the references.
    """

    name = "kitchen"
    frame_skip = 40
    max_episode_steps = 280
    camera: Mapping[str, Any] = {
        "distance": 2.2,
        "azimuth": 70.0,
        "elevation": -35.0,
        "lookat": (-0.2, 0.5, 2.0),
    }

    def __init__(
        self,
        tasks: TaskSet | str | Sequence[str] = "mixed",
        ordered: bool = False,
        goal: bool = True,
        velocities: bool = False,
        noise: float = 0.1,
    ) -> None:
        check_range("noise", noise, 0.0)
        check_flag("ordered", ordered)
        check_flag("goal", goal)
        check_flag("velocities", velocities)
        self.subtasks = resolve_tasks(tasks)
        self.ordered = ordered
        self.goal = goal
        self.velocities = velocities
        self.noise = noise
        self.action_space = spaces.Box(-1.0, 1.0, (9,), np.float32)
        self._max_change = MAX_JOINT_VELOCITY * self.control_timestep
        self.layout = _layout(self.model, goal, velocities, noise)
        self.noise_size = 30 + 29 * velocities
        amplitude = (*_QPOS_NOISE, *_QVEL_NOISE) if velocities else _QPOS_NOISE
        # Slots, goals and weights (K, 7): elements with fewer slots are filled up with weight 0.
        width = max(len(ELEMENTS[name].slots) for name in self.subtasks)
        slots, slot_goals, weights = np.zeros((3, len(self.subtasks), width))
        for row, name in enumerate(self.subtasks):
            filled = slice(len(ELEMENTS[name].slots))
            slots[row, filled], slot_goals[row, filled] = ELEMENTS[name].slots, ELEMENTS[name].goal
            weights[row, filled] = 1.0
        self._constants: dict[str, NDArray[Any]] = {
            "low": np.array(_JOINT_LOW),
            "high": np.array(_JOINT_HIGH),
            "noise": noise * np.array(amplitude),
            "goal_half": goal_half()[None],  # as many rows as asked for last
            "slots": slots.astype(np.intp),
            "slot_goals": slot_goals,
            "weights": weights,
        }

    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""
        return kitchen_model()

    def visual_model(self, model: mujoco.MjModel) -> mujoco.MjModel:
        """The kitchen with the half of its geoms that never touch anything."""
        return kitchen_model(visuals=True)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Set M kitchens to the start state; only the read-out noise is random."""
        count = len(rngs)
        state = PhysicsState(
            qpos=np.tile(np.array(_START_QPOS), (count, 1)), qvel=np.zeros((count, self.model.nv))
        )
        memory = {
            "joints": np.zeros((count, 9)),
            "completed": np.zeros((count, len(self.subtasks)), bool),
        }
        return state, memory

    def control(self, action: Array, memory: Memory) -> Control:
        """Integrate joint velocities from the last observed joint positions."""
        # Here and in `score`, methods that both libraries have: the functions of the array API
        # standard are up to 30 times slower on small arrays.
        target = memory["joints"] + self._max_change * action.clip(-1.0, 1.0)
        low, high = self._constant("low", action), self._constant("high", action)
        return Control(ctrl=target.clip(low, high))

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read joints and objects with noise; `control` starts from the joints as read."""
        xp = namespace(physics.qpos)
        state = physics.qpos
        if self.velocities:
            state = xp.concat([physics.qpos, physics.qvel], axis=1)
        observation = state + self._constant("noise", state) * noise
        memory = memory | {"joints": observation[:, ROBOT]}
        if self.goal:
            goals = like(self._goal_rows(state.shape[0]), state)
            observation = xp.concat([observation, goals], axis=1)
        return observation, memory

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Count the subtasks that this control step completed."""
        xp = namespace(observation)
        slots = observation[:, self._constant("slots", observation)]  # (N, K, 7)
        error = slots - self._constant("slot_goals", observation)
        error = error * error * self._constant("weights", observation)
        at_goal = error.sum(axis=2) < COMPLETION_DISTANCE**2
        before = memory["completed"]
        if self.ordered:
            # A subtask counts if it and all earlier ones are complete, now or since earlier in the
            # episode.
            at_goal = xp.cumulative_prod(xp.astype(at_goal | before, xp.int8), axis=1) > 0
        completed = before | at_goal
        completed_step = completed ^ before
        outcome = Outcome(
            reward=completed_step.sum(axis=1, dtype=xp.float64),
            terminated=completed.all(axis=1),
            completed_step=completed_step,
            completed=completed,
        )
        return outcome, memory | {"completed": completed}

    def _constant(self, name: str, array: Array) -> Array:
        return like(self._constants[name], array)

    def _goal_rows(self, count: int) -> NDArray[np.float64]:
        rows = self._constants["goal_half"]
        if len(rows) != count:
            rows = self._constants["goal_half"] = np.repeat(rows[:1], count, axis=0)
        return rows


@cache
def kitchen_model(visuals: bool = False) -> mujoco.MjModel:
    """Compiled kitchen, loaded once per process from the assets of gymnasium-robotics.

    Args:
        visuals: Whether to include the 116 of 240 geoms that are only for pictures. The physics is
            the same bit for bit, but takes 1.1 times as long.
    """
    assets = robotics_assets() / "kitchen_franka" / "kitchen_assets"
    spec = mujoco.MjSpec.from_file(str(assets / "kitchen_env_model.xml"))
    spec.compiler.discardvisual = not visuals
    return spec.compile()


def _layout(model: mujoco.MjModel, goal: bool, velocities: bool, noise: float) -> ObservationLayout:
    positions, speeds = _joint_rows(model)
    kettle = model.body(int(model.joint("kettle").bodyid[0])).name
    blocks = [
        _block("robot_qpos", positions[:9], "joint", "qpos", noise, _QPOS_NOISE[:9]),
        _block("fixture_qpos", positions[9:23], "joint", "qpos", noise, _QPOS_NOISE[9:23]),
        _block("kettle_pose", positions[23:], "world", "qpos", noise, _QPOS_NOISE[23:]),
    ]
    if velocities:
        blocks += [
            _block("robot_qvel", speeds[:9], "joint", "qvel", noise, _QVEL_NOISE[:9]),
            _block("fixture_qvel", speeds[9:23], "joint", "qvel", noise, _QVEL_NOISE[9:23]),
            _block("kettle_velocity", speeds[23:26], "world", "qvel", noise, _QVEL_NOISE[23:26]),
            # MuJoCo gives the angular velocities of free bodies in their own frames.
            _block("kettle_turn", speeds[26:], kettle, "qvel", noise, _QVEL_NOISE[26:]),
        ]
    if goal:
        none = (0.0,) * len(positions)
        goals = [(f"goal of {label}", unit) for label, unit in positions]
        blocks += [
            _block("goal", goals[:23], "joint", "constant", noise, none[:23]),
            _block("kettle_goal", goals[23:], "world", "constant", noise, none[23:]),
        ]
    return ObservationLayout(tuple(blocks))


def _joint_rows(model: mujoco.MjModel) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(label, unit) of each entry of qpos and qvel."""
    positions: list[tuple[str, str]] = []
    speeds: list[tuple[str, str]] = []
    for index in range(model.njnt):
        name, kind = model.joint(index).name, int(model.jnt_type[index])
        if kind == int(mujoco.mjtJoint.mjJNT_FREE):
            positions += [(f"{name} {axis}", "m") for axis in "xyz"]
            positions += [(f"{name} q{axis}", "1") for axis in "wxyz"]
            speeds += [(f"{name} v{axis}", "m/s") for axis in "xyz"]
            speeds += [(f"{name} w{axis}", "rad/s") for axis in "xyz"]
        else:
            unit = "m" if kind == int(mujoco.mjtJoint.mjJNT_SLIDE) else "rad"
            positions.append((name, unit))
            speeds.append((name, f"{unit}/s"))
    return positions, speeds


def _block(
    name: str,
    rows: Sequence[tuple[str, str]],
    frame: str,
    source: str,
    noise: float,
    amplitude: Sequence[float],
) -> ObservationBlock:
    return ObservationBlock(
        name=name,
        labels=tuple(label for label, _ in rows),
        units=tuple(unit for _, unit in rows),
        frame=frame,
        source=source,
        noise=tuple(noise * a for a in amplitude),
    )
