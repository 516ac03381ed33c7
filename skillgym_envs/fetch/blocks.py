"""The block tasks: place (the data world), slippery push, clean up and pyramid stack.

Paper: Rana et al. 2022, "Residual Skill Policies", arXiv:2211.02231.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_flag
from skillgym_envs.core.observations import ObservationBlock
from skillgym_envs.core.world import Array, namespace
from skillgym_envs.fetch.scenes import PLATE_MASS, BlockScene, Start
from skillgym_envs.fetch.world import FetchWorld, Shown, block

Floats = NDArray[np.float64]

BLOCK_START_HEIGHT = 0.425
_SPAWN_SHIFT, _GOAL_SPREAD_Y = -0.05, 0.35  # x and y from the gripper; goals along y [m]
_FREE_RADIUS, _SPACING, _GOAL_SPACING = 0.1, 0.05, 0.06  # around gripper, blocks and goals [m]
_FIXED_HEIGHT = 0.4245288  # of the fixed goals [m]


class BlockWorld(FetchWorld):
    """Base of the tasks with blocks.

    The flat observation is that of a ReSkill policy: 25 numbers with the same meaning in every
    task, so that skills learned in one task work in all. With `goals=True` it is the reference's
    dictionary.

    Attributes:
        num_blocks: Number of blocks B.
        spawn_range: Half-width of the square in which blocks start [m].
        goal_range: The same for goals [m].
    """

    num_blocks = 1
    spawn_range = 0.15
    goal_range = 0.15

    def _settle(self) -> Start:
        start = super()._settle()
        qvel = start.qvel.copy()
        qvel[int(self.model.joint("object0:joint").dofadr[0]) :] = 0.0
        return replace(start, qvel=qvel)

    def observation_blocks(self) -> tuple[ObservationBlock, ...]:
        """Observation of a policy: robot, small block, goal (25 numbers)."""
        return (*_robot_blocks(), *_block_blocks(0), _GOAL, _PADDING)

    def full_blocks(self) -> tuple[ObservationBlock, ...]:
        """Robot and all blocks (10 + 9 B numbers)."""
        blocks = (part for index in range(self.num_blocks) for part in _block_blocks(index))
        return (*_robot_blocks(), *blocks)

    def goal_blocks(self) -> tuple[ObservationBlock, ObservationBlock]:
        """Positions of blocks and gripper, and where they should be (3 B + 3 numbers each)."""
        axes = _goal_axes(self.num_blocks)
        achieved = block("achieved_goal", "achieved", axes)
        return achieved, block("desired_goal", "goal", axes, source="constant")

    def place(self, rng: np.random.Generator, qpos: Floats) -> Floats:
        """Draw goals first, then block positions away from gripper, goal and other blocks."""
        goals = self.draw_goals(rng)
        taken = [goals[0, :2]]
        for index in range(self.num_blocks):
            while True:
                offset = rng.uniform(-self.spawn_range, self.spawn_range, 2) + _SPAWN_SHIFT
                spot = self.start.grip[:2] + offset
                far = all(np.hypot(*(spot - other)) >= _SPACING for other in taken)
                if far and np.hypot(*offset) >= _FREE_RADIUS:
                    break
            taken.append(spot)
            first = int(self.model.joint(f"object{index}:joint").qposadr[0])
            qpos[first : first + 7] = *spot, BLOCK_START_HEIGHT, 1.0, 0.0, 0.0, 0.0
        desired = np.zeros(self.goal_size)  # the gripper has none
        desired[: goals.size] = goals.ravel()
        return desired

    def draw_goals(self, rng: np.random.Generator) -> Floats:
        """Goals of the blocks, shape (B, 3); here on the table, up to half a metre to the side."""
        grip, height = self.start.grip[:2], self.start.object_height
        goals = np.full((self.num_blocks, 3), height)
        goals[0, :2] = grip + rng.uniform(-self.goal_range, self.goal_range, 2)
        goals[0, 1] += rng.uniform(-_GOAL_SPREAD_Y, _GOAL_SPREAD_Y)
        for index in range(1, self.num_blocks):
            while True:
                spot = grip + rng.uniform(-self.goal_range, self.goal_range, 2)
                gaps = np.linalg.norm(goals[:index, :2] - spot, axis=1)
                if (gaps >= _GOAL_SPACING).all():
                    break
            goals[index, :2] = spot
        return goals

    def shown(self) -> dict[str, Shown]:
        """Robot, blocks and goals."""
        shown, grip, grip_vel = super().shown(), self.sensor("grip_pos"), self.sensor("grip_vel")
        positions: list[int] = []
        for index in range(self.num_blocks):
            name, position = f"block{index}", self.sensor(f"object{index}_pos")
            velocity = self.sensor(f"object{index}_vel")
            shown[f"{name}_pos"] = Shown(position)
            shown[f"{name}_rel_pos"] = Shown(position, less=grip)
            shown[f"{name}_rel_vel"] = Shown(velocity, less=grip_vel, scale=self.control_timestep)
            positions += position
        shown["goal"] = Shown(self.goal(0, 3))
        nothing = 3 * self.num_blocks
        shown["padding"] = Shown(self.goal(nothing, nothing + 3))
        shown["achieved_goal"] = Shown([*positions, *grip])
        return shown

    def _with_derived(self, shown: dict[str, Shown]) -> dict[str, Shown]:
        """The achieved goal ends with the derived number, the desired goal with 0."""
        columns = [*shown["achieved_goal"].columns, *self.derived(1)]
        return shown | {"achieved_goal": Shown(columns)}

    def reward(self, achieved: Array, desired: Array) -> Array:
        """1 if the block is nearer than 3 cm to its goal, seen from above, else 0."""
        xp = namespace(achieved)
        gap = achieved[..., :2] - desired[..., :2]
        return xp.astype((gap * gap).sum(axis=-1) < 0.03**2, xp.float64)


class PlaceWorld(BlockWorld):
    """Bring a block to a random goal on the table: the world of the block data.

    Reward: 1 in every step in which the block is nearer than 3 cm to the goal, seen from above.
    """

    subtasks = ("place",)
    scene = BlockScene()


class SlipperyPushWorld(BlockWorld):
    """Push a block to a fixed goal on a slippery table with fingers that stay closed.

    All friction is 0.25 (1 in the data), so a block that is pushed as in the data slides past the
    goal. Reward: 1 in every step in which the block is nearer than 3 cm to the goal, seen from
    above.

    Deviation: the reference registers 100 steps and trains with 50; here an episode has 50. It
    resets the fingers to 0 after each control step, in which a block may have moved them; here
    nothing moves them.
    """

    subtasks = ("push",)
    scene = BlockScene(friction=0.25, blocked_gripper=True)
    blocked_gripper = True

    def draw_goals(self, rng: np.random.Generator) -> Floats:
        """The fixed goal."""
        return np.array([[1.316193226, 0.7074910037, _FIXED_HEIGHT]])


class CleanUpWorld(BlockWorld):
    """Put a block into a tray, which is not in the data, and raise the arm.

    Reward: in every step in which the block is above the tray's base plate and loads it with 5 N or
    more, clip(exp(10 z - 5), 0, 1) for the gripper's height z [m], which is 1 from 0.5 m on; else
    0. The reward does not depend on the desired goal; the plate's load is the last number of the
    achieved goal.
    """

    subtasks = ("clean up",)
    scene = BlockScene(tray=True)

    def draw_goals(self, rng: np.random.Generator) -> Floats:
        """The fixed goal, in the tray."""
        return np.array([[1.416193226, 1.074910037, _FIXED_HEIGHT]])

    def goal_blocks(self) -> tuple[ObservationBlock, ObservationBlock]:
        """Also the load on the plate [N], 0 in the desired goal."""
        return _with_extra(super().goal_blocks(), "load on the plate", "N")

    def shown(self) -> dict[str, Shown]:
        """Also the load on the base plate."""
        return self._with_derived(super().shown())

    def derive(self, sensordata: Array) -> tuple[Array, ...]:
        """The load on the base plate."""
        # The sensor of a static body includes the body's own weight.
        weight = -float(self.model.opt.gravity[2]) * PLATE_MASS
        return (sensordata[:, self._sensors["tray_force"]][:, 2:] - weight,)

    def reward(self, achieved: Array, desired: Array) -> Array:
        """Height factor of the gripper if the block is in the tray."""
        xp = namespace(achieved)
        x, y, gripper_z, load = (
            achieved[..., 0],
            achieved[..., 1],
            achieved[..., 5],
            achieved[..., 6],
        )
        inside = (x > 1.3) & (x < 1.5) & (y > 0.96) & (y < 1.16) & (load > 5.0)
        raised = xp.exp(10.0 * gripper_z - 5.0).clip(0.0, 1.0)
        return xp.where(inside, xp.astype(raised, xp.float64), 0.0)


class PyramidStackWorld(BlockWorld):
    """Put the small block onto a bigger one, with control steps of 0.1 s (0.04 s in the data).

    The flat observation has the big block's position where the data have the goal's. Reward, in
    every step in which the block centres are nearer than 8 cm, seen from above, and the small one
    is at a height between 0.492 and 0.498 m: 1 if they are nearer than 4 cm and the small block
    touches the big one and no finger, else 0.75. The reward does not depend on the desired goal;
    the condition on contacts is the last number of the achieved goal.

    Deviation: for the full reward the reference requires a non-zero reading of a force sensor on
    the big block, which actually measures the block's damping force: "it is not perfectly still".
    `literal_force=True` restores that. As in the reference, the blocks interpenetrate in a seventh
    of the initial states, and the big one starts 1 cm inside the table.

    Args:
        goals: Whether the observation ends with achieved and desired goal.
        literal_force: Whether to use the reference's force condition.
    """

    subtasks = ("stack",)
    scene = BlockScene(stack=True)
    frame_skip = 50
    num_blocks = 2
    spawn_range = 0.1
    goal_range = 0.1

    def __init__(self, goals: bool = False, literal_force: bool = False) -> None:
        check_flag("literal_force", literal_force)
        self.literal_force = literal_force
        super().__init__(goals)

    def observation_blocks(self) -> tuple[ObservationBlock, ...]:
        """As in the data, with the position of the big block instead of the goal's."""
        return (*_robot_blocks(), *_block_blocks(0), block("block1_pos", "block1"), _PADDING)

    def goal_blocks(self) -> tuple[ObservationBlock, ObservationBlock]:
        """Also whether the small block rests on the big one, 0 in the desired goal."""
        return _with_extra(super().goal_blocks(), "rests on the big block", "1")

    def shown(self) -> dict[str, Shown]:
        """Also whether the small block rests on the big one."""
        return self._with_derived(super().shown())

    def derive(self, sensordata: Array) -> tuple[Array, ...]:
        """Whether the small block rests on the big one."""
        xp, read = namespace(sensordata), self._sensors
        if self.literal_force:
            force = sensordata[:, read["object1_force"]].sum(axis=1, keepdims=True) / 3.0
            resting = (force > 1e-7) | (force < -1e-7)
        else:
            fingers = sensordata[:, read["in_right"]] + sensordata[:, read["in_left"]]
            resting = (sensordata[:, read["on_block"]] > 0.0) & (fingers == 0.0)
        return (xp.astype(resting, xp.float64),)

    def reward(self, achieved: Array, desired: Array) -> Array:
        """Full or partial reward of a stack, else 0."""
        xp = namespace(achieved)
        gap = achieved[..., 0:2] - achieved[..., 3:5]
        squared, height = (gap * gap).sum(axis=-1), achieved[..., 2]
        stacked = (squared < 0.08**2) & (height > 0.492) & (height < 0.498)
        full = stacked & (squared < 0.04**2) & (achieved[..., 9] > 0.5)
        return 0.75 * xp.astype(stacked, xp.float64) + 0.25 * xp.astype(full, xp.float64)


def _robot_blocks() -> tuple[ObservationBlock, ...]:
    return (
        block("grip_pos", "grip"),
        block("fingers", "finger", ("right", "left"), source="qpos"),
        block("grip_vel", "grip", ("dx", "dy", "dz")),
        block("finger_vel", "finger", ("right d", "left d"), source="qvel"),
    )


def _block_blocks(index: int) -> tuple[ObservationBlock, ...]:
    name = f"block{index}"
    return (
        block(f"{name}_pos", name),
        block(f"{name}_rel_pos", f"{name} - grip"),
        block(f"{name}_rel_vel", f"{name} - grip", ("dx", "dy", "dz")),
    )


_GOAL = block("goal", "goal", source="constant")
_PADDING = block("padding", "nothing", source="constant")  # the gripper has no goal


def _goal_axes(num_blocks: int) -> tuple[str, ...]:
    names = (*(f"block{index}" for index in range(num_blocks)), "grip")
    return tuple(f"{name} {axis}" for name in names for axis in "xyz")


def _with_extra(
    blocks: tuple[ObservationBlock, ObservationBlock], label: str, unit: str
) -> tuple[ObservationBlock, ObservationBlock]:
    achieved, desired = (
        replace(
            given,
            labels=(*given.labels, f"{prefix} {label}"),
            units=(*given.units, unit),
            noise=(*given.noise, 0.0),
        )
        for given, prefix in zip(blocks, ("achieved", "goal"), strict=True)
    )
    return achieved, desired
