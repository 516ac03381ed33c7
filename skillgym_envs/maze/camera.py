"""Top-down pictures of the ball and its surroundings, drawn for a whole batch at once.

Paper: Pertsch et al. 2020, SPiRL, arXiv:2010.11944 (the image observation of the maze, 32 x 32
pixels, 5 m above the ball).

Everything in view consists of squares of one metre at two heights, the tops of the walls and the
floor, seen from straight above. So the share of a pixel that a cell covers is a product of two
one-dimensional overlaps, and a picture takes two small matrix products: exact, with smooth edges,
and without OpenGL.

The caller determines the centre of the view. In the world it follows the ball with a lag, as the
reference's camera does, so that the ball's position in the picture shows its velocity. Deviation:
the lag is ours (the reference's is that of its renderer); the marker of the goal is not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.world import Array, like, namespace
from skillgym_envs.maze.layouts import MazeLayout
from skillgym_envs.maze.scene import (
    BALL_COLOUR,
    BALL_RADIUS,
    CAMERA_HEIGHT,
    CELL_LOW,
    FIELD_OF_VIEW,
    FLOOR_COLOURS,
    FLOOR_HEIGHT,
    HEADLIGHT,
    WALL_COLOUR,
    WALL_HEIGHT,
)

_SPAN = math.tan(math.radians(FIELD_OF_VIEW) / 2)  # half the width seen from 1 m above [m]


class MazeCamera:
    """Draws pictures of a maze, or of many mazes in one batch.

    Up in a picture is +x (larger row index), left is +y (larger column index), as in MuJoCo's
    pictures with the camera `agent`.

    Args:
        layouts: The maze, or several of any sizes.
        size: Rows and columns of a picture [pixel].
    """

    def __init__(self, layouts: MazeLayout | Sequence[MazeLayout], size: int = 32) -> None:
        layouts = [layouts] if isinstance(layouts, MazeLayout) else layouts
        self.size = size
        self._half = [(CAMERA_HEIGHT - z) * _SPAN for z in (WALL_HEIGHT, FLOOR_HEIGHT)]
        self._window = math.ceil(2 * max(self._half)) + 1  # cells in view, at most
        colours = 255.0 * np.array(
            [WALL_COLOUR, [HEADLIGHT * c for c in WALL_COLOUR], *FLOOR_COLOURS]
        )
        # A sphere is darker than a disc: its surface has a slope of 2/3 to the light on average.
        ball = 255.0 * (HEADLIGHT + (1.0 - HEADLIGHT) * 2 / 3) * np.array(BALL_COLOUR)
        self._constants: dict[str, NDArray[Any]] = {
            "walls": _stacked([layout.walls for layout in layouts], self._window),
            "cells": np.arange(self._window),
            "edges": np.linspace(1.0, -1.0, size + 1),
            "colours": colours.T.astype(np.float32),
            "places": 1.0 - (2.0 * np.arange(size) + 1.0) / size,  # of pixels, up or left
            "ball": ball[:, None, None].astype(np.float32),
        }

    def draw(
        self, positions: Array, mazes: Array | None = None, centres: Array | None = None
    ) -> Array:
        """Pictures of the ball at some positions.

        Args:
            positions: Positions [m], shape (N, 2), as in the observation.
            mazes: Which of the layouts each picture shows, shape (N,); the first one if None.
            centres: Centres of the view, shape (N, 2), within about a metre of the ball; at the
                ball if None.

        Returns:
            Pictures, shape (N, size, size, 3), uint8.
        """
        xp = namespace(positions)
        planes = self.planes(positions, mazes, centres)
        return xp.astype(xp.permute_dims(planes, (0, 2, 3, 1)), xp.uint8)

    def pictures(
        self, positions: Array, mazes: Array | None = None, centres: Array | None = None
    ) -> Array:
        """Pictures as in the world's observation: shape (N, 3, size, size), float32, -1 to 1."""
        return self.planes(positions, mazes, centres) / 127.5 - 1.0

    def planes(
        self, positions: Array, mazes: Array | None = None, centres: Array | None = None
    ) -> Array:
        """Pictures with colours first, as float32: shape (N, 3, size, size), 0 to 255."""
        xp = namespace(positions)
        count, size = positions.shape[0], self.size
        centres = positions if centres is None else centres
        at = centres - CELL_LOW  # cell i reaches from i to i + 1
        first = xp.floor(at - max(self._half))
        index = xp.astype(first, xp.int64)[:, :, None] + self._constant("cells", positions)
        rows, columns = index[:, 0], index[:, 1]
        # Far outside there is floor, too.
        last_row, last_column = (length - 1 for length in self._constants["walls"].shape[1:])
        walls = self._constant("walls", positions)[
            0 if mazes is None else mazes[:, None, None],
            (rows + self._window).clip(0, last_row)[:, :, None],
            (columns + self._window).clip(0, last_column)[:, None, :],
        ]
        walls = xp.astype(walls, xp.float32)
        top = self._overlaps(at - first, self._half[0])
        base = self._overlaps(at - first, self._half[1])
        tops = top[:, 0] @ walls @ xp.matrix_transpose(top[:, 1])
        hidden = xp.maximum(tops, base[:, 0] @ walls @ xp.matrix_transpose(base[:, 1]))
        # Balance of even and odd rows and columns in each pixel, 1 to -1, gives that of the cells.
        signs = xp.astype(1 - 2 * (index % 2), base.dtype)
        balance = (base @ signs[..., None])[..., 0]  # (N, 2, size)
        even = 0.5 + 0.5 * (balance[:, 0, :, None] * balance[:, 1, None, :])
        free = 1.0 - hidden
        shares = xp.stack([tops, hidden - tops, free * even, free * (1.0 - even)], axis=1)
        ball = self._ball(positions - centres)[:, None]
        shares = shares * (1.0 - ball)
        picture = self._constant("colours", positions) @ shares.reshape((count, 4, size * size))
        picture = picture.reshape((count, 3, size, size)) + ball * self._constant("ball", positions)
        return xp.round(picture)

    def _ball(self, away: Array) -> Array:
        """Share of the ball in each pixel, (N, size, size), at distances (N, 2) from the middle.

        About half if the outline crosses the middle of the pixel.
        """
        xp = namespace(away)
        scale = self.size / (2.0 * CAMERA_HEIGHT * _SPAN)  # pixels per metre
        places = self._constant("places", away) * (0.5 * self.size)
        rows, columns = (places - scale * away[:, axis, None] for axis in (0, 1))  # (N, size)
        distances = xp.sqrt((rows * rows)[:, :, None] + (columns * columns)[:, None, :])
        return xp.astype((scale * BALL_RADIUS + 0.5 - distances).clip(0.0, 1.0), xp.float32)

    def _overlaps(self, at: Array, half: float) -> Array:
        """Share of each cell of the window in each pixel along both axes, (N, 2, size, window)."""
        xp = namespace(at)
        edges = at[:, :, None] + half * self._constant("edges", at)  # (N, 2, size + 1), falling
        below = (edges[..., None] - self._constant("cells", at)).clip(0.0, 1.0)
        shares = (below[:, :, :-1] - below[:, :, 1:]) * (self.size / (2.0 * half))
        return xp.astype(shares, xp.float32)

    def _constant(self, name: str, array: Array) -> Array:
        return like(self._constants[name], array)


def _stacked(walls: Sequence[NDArray[np.bool_]], margin: int) -> NDArray[np.bool_]:
    """Grids (L, rows, columns) of one size. Outside of a maze there is floor."""
    rows, columns = np.max([grid.shape for grid in walls], axis=0) + 2 * margin
    stacked = np.zeros((len(walls), rows, columns), bool)
    for index, grid in enumerate(walls):
        stacked[index, margin : margin + len(grid), margin : margin + grid.shape[1]] = grid
    return stacked
