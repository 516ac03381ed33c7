"""Layouts of mazes: grids of wall and free cells, random ones or given as text."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_integer
from skillgym_envs.maze.errors import InvalidLayout

WALL, FREE, GOAL = "#", "O", "G"

Cell = tuple[int, int]

MOVES: tuple[Cell, ...] = ((1, 0), (-1, 0), (0, 1), (0, -1))

# The generator of the SPiRL data (see `random_layout`).
_FILL = 0.25  # share of wall cells at which it stops
_LENGTHS = (0.3, 0.5)  # length of a wall as a share of the maze's
_BREADTH = 5  # of the window in which wall cells repel a new wall [cells]
_REPULSION = 20.0


@dataclass(frozen=True)
class MazeLayout:
    """A grid of cells; row index first, as x, and column index second, as y.

    Attributes:
        rows: One string per row: `#` wall, `O` free, `G` free and the default goal.
    """

    rows: tuple[str, ...]

    @classmethod
    def from_text(cls, text: str | Sequence[str]) -> MazeLayout:
        r"""Read a layout.

        Args:
            text: Rows of equal length, as a list or as one string with newlines or backslashes
                between them.

        Raises:
            InvalidLayout: If it is not text or not a rectangle, has characters other than `#`, `O`
                and `G`, an open border, no free cell, or more than one `G`.
        """
        if isinstance(text, str):
            text = text.replace("\\", "\n").split()
        try:
            layout = cls(tuple(text))
        except TypeError:
            raise InvalidLayout(f"is {text!r}") from None
        layout._check()
        return layout

    @cached_property
    def walls(self) -> NDArray[np.bool_]:
        """Which cells are walls, shape (rows, columns)."""
        return np.array([[char == WALL for char in row] for row in self.rows])

    @cached_property
    def free_cells(self) -> NDArray[np.intp]:
        """Indices (row, column) of the free cells, shape (F, 2), row by row."""
        return np.argwhere(~self.walls)

    @property
    def goal(self) -> Cell:
        """The cell marked `G`, or else the first cell of the largest connected region.

        Deviation: the generator of the SPiRL data marks the first free cell, which in one of a
        hundred mazes is in an enclosed region of a few cells.
        """
        for row, text in enumerate(self.rows):
            if GOAL in text:
                return row, text.index(GOAL)
        left = {(row, column) for row, column in self.free_cells.tolist()}
        largest: set[Cell] = set()
        while left:
            region = set(self.paths_from(min(left)))
            largest = max(largest, region, key=len)
            left -= region
        return min(largest)

    def paths_from(self, start: Cell, moves: Sequence[Cell] = MOVES) -> dict[Cell, Cell]:
        """Shortest paths to all reachable cells, in steps to one of four neighbours.

        Args:
            start: A free cell.
            moves: The four steps; among paths of equal length the earlier moves are preferred.

        Returns:
            For each reachable cell, nearest first, the one before it on the path; `start` for
            itself.
        """
        before = {start: start}
        open_cells = deque([start])
        while open_cells:
            row, column = open_cells.popleft()
            for down, right in moves:
                cell = row + down, column + right
                if cell not in before and self.rows[cell[0]][cell[1]] != WALL:
                    before[cell] = row, column
                    open_cells.append(cell)
        return before

    def _check(self) -> None:
        if not all(isinstance(row, str) for row in self.rows):
            raise InvalidLayout("has rows that are not strings")
        widths = {len(row) for row in self.rows}
        if len(widths) != 1:
            raise InvalidLayout(f"has rows of the lengths {sorted(widths)}")
        if unknown := set("".join(self.rows)) - {WALL, FREE, GOAL}:
            raise InvalidLayout(f"has the characters {sorted(unknown)}")
        if "".join(self.rows).count(GOAL) > 1:
            raise InvalidLayout("has several goals")
        walls = self.walls
        if walls.all():
            raise InvalidLayout("has no free cell")
        if not (walls[[0, -1]].all() and walls[:, [0, -1]].all()):
            raise InvalidLayout("has an open border")


def make_layout(
    layout: MazeLayout | Sequence[str] | str | None = None, size: int = 40, layout_seed: int = 0
) -> MazeLayout:
    """The maze for these keywords of a world.

    Args:
        layout: A layout, or rows of `#`, `O` and `G`; a random layout if None.
        size: Rows and columns of a random layout, without its border.
        layout_seed: Seed of a random layout.

    Raises:
        InvalidLayout: If the layout is not a valid maze.
        InvalidConfig: If `size` is not a positive integer, or the seed not an integer of at least
            0.
    """
    if isinstance(layout, MazeLayout):
        layout = layout.rows
    return random_layout(size, layout_seed) if layout is None else MazeLayout.from_text(layout)


def random_layout(size: int = 40, seed: int = 0) -> MazeLayout:
    """Random maze of walls with one door each; the same for the same size and seed.

    Walls are added until a quarter of the cells is wall. Orientation, length and door are uniform;
    positions with few walls around are preferred.

    Paper: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors", arXiv:2010.11944, the
    authors' generator. Size 40 and seed 0 give the maze of the published experiments.

    Args:
        size: Rows and columns without the border, 5 or more.
        seed: Seed of the layout.

    Raises:
        InvalidLayout: If `size` is less than 5.
        InvalidConfig: If `size` is not a positive integer, or the seed not an integer of at least
            0.
    """
    check_integer("size", size, 1)
    check_integer("layout_seed", seed, 0)
    if size < _BREADTH:
        raise InvalidLayout(f"has the size {size}, which is less than {_BREADTH}")
    return _random_layout(size, seed)


@lru_cache(maxsize=16)
def _random_layout(size: int, seed: int) -> MazeLayout:
    rng = np.random.default_rng(seed)
    walls = np.zeros((size, size), bool)
    while walls.mean() < _FILL:
        _add_wall(walls, 0 if rng.random() < 0.5 else 1, rng)
    walls = np.pad(walls, 1, constant_values=True)
    rows = ["".join(WALL if wall else FREE for wall in row) for row in walls.tolist()]
    row, column = MazeLayout(tuple(rows)).goal
    rows[row] = rows[row][:column] + GOAL + rows[row][column + 1 :]
    return MazeLayout(tuple(rows))


def _add_wall(walls: NDArray[np.bool_], axis: int, rng: np.random.Generator) -> None:
    """Add a wall along an axis, with a door and the four cells diagonal to it."""
    shortest, longest = _LENGTHS
    length = int(max((longest - shortest) * len(walls) * rng.random() + shortest * len(walls), 3))
    door = int(rng.choice(np.arange(1, length - 1)))
    window = (length, _BREADTH) if axis == 0 else (_BREADTH, length)
    weight = np.exp(-_REPULSION * _window_sums(walls, *window) / (length * _BREADTH))
    place = rng.choice(weight.size, p=(weight / weight.sum()).ravel())
    corner = np.unravel_index(place, weight.shape)
    # From here on, the wall is a column.
    grid = walls if axis == 0 else walls.T
    row, column = int(corner[axis]), int(corner[1 - axis]) + _BREADTH // 2
    grid[row : row + length, column] = True
    grid[row + door, column] = False
    for side in (-1, 1):
        grid[row + door + side, [column - 1, column + 1]] = True


def _window_sums(walls: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.intp]:
    """Number of wall cells in each window of a given size, by its upper left corner."""
    sums = np.pad(walls.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    below = sums[rows:] - sums[:-rows]
    inside: NDArray[np.intp] = below[:, columns:] - below[:, :-columns]
    return inside
