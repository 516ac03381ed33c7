"""The maze as a MuJoCo model: a ball on two slide joints among boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.maze.layouts import Cell, MazeLayout

ORIGIN = 1.2
"""World coordinate of the ball at position 0 [m]; the box of wall cell i is centred at i + 1."""

CELL_LOW = -0.7
"""A cell i reaches from position i - 0.7 to i + 0.3 [m]."""

BALL_RADIUS = 0.1  # [m]
CONTACT_MARGIN = 0.002  # [m]
FLOOR_HEIGHT = -0.1  # [m]
WALL_HEIGHT = 0.2  # of a wall's top, relative to the ball's centre [m]

CAMERA_HEIGHT = 5.0  # of the camera `agent` above the ball's centre [m]
FIELD_OF_VIEW = 45.0  # of all cameras [deg]
CAMERA_FOLLOWS = 0.1  # share of its distance to the ball that the camera moves per step

BALL_COLOUR = (0.95, 0.35, 0.15)
WALL_COLOUR = (0.25, 0.33, 0.45)
FLOOR_COLOURS = (0.93, 0.91, 0.86), (0.83, 0.81, 0.75)  # of the cells with even, odd index sum
_GOAL_RGBA = (0.15, 0.65, 0.3, 0.45)
_HALO_RGBA = (*BALL_COLOUR, 0.5)

HEADLIGHT = 0.5
"""Brightness of surfaces that the camera sees at a grazing angle, such as the sides of walls."""

_DENSITY = 1000.0  # [kg/m^3]
_DAMPING = 1.0  # [N s/m]
_GEAR = 100.0  # force of an action of 1 [N]
TIMESTEP = 0.01  # of the physics, and of control [s]
_OUTSIDE = 10  # cells of floor around the maze


def cell_of(position: Sequence[float] | NDArray[np.float64]) -> Cell:
    """Cell (row, column) of a position (2,) [m]."""
    row, column = (math.floor(x - CELL_LOW) for x in position)
    return row, column


@lru_cache(maxsize=16)
def maze_model(layout: MazeLayout, goal: tuple[float, float], goal_radius: float) -> mujoco.MjModel:
    """Compiled maze.

    Args:
        layout: The layout.
        goal: Position of the goal's marker [m].
        goal_radius: Radius of the goal's marker [m].
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = TIMESTEP
    spec.option.gravity = np.zeros(3)
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.visual.headlight.ambient = np.full(3, HEADLIGHT)
    spec.visual.headlight.diffuse = np.full(3, 1.0 - HEADLIGHT)
    spec.visual.headlight.specular = np.zeros(3)
    _add_floor(spec, layout)
    _add_walls(spec, layout)
    _add_ball(spec)
    spec.worldbody.add_site(
        name="goal",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        pos=[goal[0] + ORIGIN, goal[1] + ORIGIN, FLOOR_HEIGHT],
        size=[max(goal_radius, 1e-3), 0.005, 0.0],
        rgba=_GOAL_RGBA,
    )
    return spec.compile()


def _add_floor(spec: mujoco.MjSpec, layout: MazeLayout) -> None:
    # The pattern starts in the middle; with multiples of four cells, cell (0, 0) always has the
    # same colour.
    rows, columns = (length + -length % 4 for length in layout.walls.shape)
    spec.add_texture(
        name="floor",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=FLOOR_COLOURS[1],
        rgb2=FLOOR_COLOURS[0],
        width=64,
        height=64,
    )
    size = [rows + 2 * _OUTSIDE, columns + 2 * _OUTSIDE]
    material = spec.add_material(name="floor", texrepeat=[size[0] / 2, size[1] / 2])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[(rows + 1) / 2, (columns + 1) / 2, FLOOR_HEIGHT],
        size=[size[0] / 2, size[1] / 2, 1.0],
        material="floor",
        contype=0,
        conaffinity=0,
    )


def _add_walls(spec: mujoco.MjSpec, layout: MazeLayout) -> None:
    for row, column in np.argwhere(layout.walls).tolist():
        spec.worldbody.add_geom(
            name=f"wall {row} {column}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[row + 1.0, column + 1.0, 0.0],
            size=[0.5, 0.5, WALL_HEIGHT],
            rgba=[*WALL_COLOUR, 1.0],
            contype=0,
            conaffinity=1,
            condim=1,
        )


def _add_ball(spec: mujoco.MjSpec) -> None:
    ball = spec.worldbody.add_body(name="ball", pos=[ORIGIN, ORIGIN, 0.0])
    ball.add_geom(
        name="ball",
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=[BALL_RADIUS, 0.0, 0.0],
        rgba=[*BALL_COLOUR, 1.0],
        density=_DENSITY,
        contype=1,
        conaffinity=0,
        condim=1,
        margin=CONTACT_MARGIN,
    )
    # In a picture of the whole maze, the ball alone is two pixels wide.
    ball.add_site(
        name="halo",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        pos=[0.0, 0.0, FLOOR_HEIGHT + 0.005],
        size=[0.4, 0.005, 0.0],
        rgba=_HALO_RGBA,
    )
    ball.add_camera(
        name="agent",
        pos=[0.0, 0.0, CAMERA_HEIGHT],
        quat=[0.5**0.5, 0.0, 0.0, -(0.5**0.5)],  # up is +x
        fovy=FIELD_OF_VIEW,
    )
    for name, axis in (("x", [1.0, 0.0, 0.0]), ("y", [0.0, 1.0, 0.0])):
        ball.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, damping=_DAMPING)
        spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gear=[_GEAR, 0.0, 0.0, 0.0, 0.0, 0.0],
            ctrllimited=True,
            ctrlrange=[-1.0, 1.0],
        )
