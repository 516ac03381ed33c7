"""Windows of trajectories, held in memory and drawn as batches.

Letters: `N` rows of all episodes, `E` episodes, `T` actions of one episode, `B` batch, `H` horizon, `O` observation
size, `A` action size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from skillgym.data.errors import InvalidTrajectories, NoWindows

FloatArray: TypeAlias = npt.NDArray[np.float32]
IntArray: TypeAlias = npt.NDArray[np.int64]
Windows: TypeAlias = tuple[FloatArray, FloatArray]  # observations (B, H+1, O), actions (B, H, A)
Weighting: TypeAlias = Literal["episodes", "windows"]


class WindowDataset:
    """Episodes laid end to end in contiguous float32 arrays, from which windows are drawn.

    Row `i` is an observation and the action taken there. The action of an episode's last row is never returned, since
    its outcome was not recorded; it may hold anything.

    Args:
        observations: Observations of all episodes, shape (N, O).
        actions: Actions of all episodes, shape (N, A).
        episode_ends: For each episode the row after its last one, strictly increasing up to N, shape (E,).

    Raises:
        InvalidTrajectories: If the arrays do not fit together or hold NaN or infinity.
    """

    def __init__(
        self, observations: npt.ArrayLike, actions: npt.ArrayLike, episode_ends: npt.ArrayLike
    ) -> None:
        """See the class."""
        self.observations: FloatArray = np.ascontiguousarray(observations, dtype=np.float32)
        self.actions: FloatArray = np.ascontiguousarray(actions, dtype=np.float32)
        self.episode_ends: IntArray = np.asarray(episode_ends, dtype=np.int64)
        self._check()
        self.episode_starts: IntArray = np.concatenate(([0], self.episode_ends[:-1]))
        self._tables: dict[tuple[int, Weighting], tuple[IntArray, IntArray]] = {}

    @classmethod
    def from_episodes(
        cls, episodes: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]
    ) -> WindowDataset:
        """Join episodes given as pairs of observations (T+1, O) and actions (T, A).

        Raises:
            InvalidTrajectories: If there is no episode, or an episode does not have one more observation than actions.
        """
        pairs = [(np.asarray(o, np.float32), np.asarray(a, np.float32)) for o, a in episodes]
        if not pairs:
            raise InvalidTrajectories("there are no episodes", "at least one")
        for index, (observations, actions) in enumerate(pairs):
            if observations.ndim != 2 or actions.ndim != 2 or len(observations) != len(actions) + 1:
                raise InvalidTrajectories(
                    f"episode {index} has observations {observations.shape}, actions {actions.shape}",
                    "(T+1, O) and (T, A)",
                )
        filler = np.zeros_like(pairs[0][1], shape=(1, pairs[0][1].shape[1]))
        return cls(
            np.concatenate([observations for observations, _ in pairs]),
            np.concatenate([part for _, actions in pairs for part in (actions, filler)]),
            np.cumsum([len(observations) for observations, _ in pairs]),
        )

    @property
    def num_episodes(self) -> int:
        """Number of episodes, E."""
        return len(self.episode_ends)

    @property
    def num_transitions(self) -> int:
        """Number of actions whose outcome is recorded, N - E."""
        return len(self.actions) - self.num_episodes

    def episode(self, index: int) -> Windows:
        """Observations (T+1, O) and actions (T, A) of one episode, as views."""
        start, end = self.episode_starts[index], self.episode_ends[index]
        return self.observations[start:end], self.actions[start : end - 1]

    def num_windows(self, horizon: int) -> int:
        """Number of different windows of `horizon` actions."""
        return int(self._windows_per_episode(horizon).sum())

    def sample(
        self,
        rng: np.random.Generator,
        batch_size: int,
        horizon: int,
        weighting: Weighting = "episodes",
    ) -> Windows:
        """Draw windows with replacement.

        Paper: Pertsch et al. 2020, arXiv:2010.11944; the reference code draws an episode uniformly, then a start.
        Deviation: every window of an episode can be drawn; the reference code never draws the last two.

        Args:
            rng: Source of randomness; the same state gives the same batch.
            batch_size: B.
            horizon: H, the number of actions in a window.
            weighting: `"episodes"` draws an episode uniformly, then one of its windows; `"windows"` draws uniformly
                from all windows. Episodes shorter than the horizon are never drawn.

        Returns:
            Observations (B, H+1, O) and actions (B, H, A), fresh arrays.

        Raises:
            NoWindows: If no episode has `horizon` actions.
        """
        first_rows, counts = self._table(horizon, weighting)
        if weighting == "windows":
            ends = counts  # cumulative number of windows
            draws = rng.integers(ends[-1], size=batch_size)
            chosen = np.searchsorted(ends, draws, side="right")
            return self._gather(first_rows[chosen] + draws, horizon)
        chosen = rng.integers(len(counts), size=batch_size)
        offsets = (rng.random(batch_size) * counts[chosen]).astype(np.int64)
        return self._gather(first_rows[chosen] + offsets, horizon)

    def batches(self, batch_size: int, horizon: int) -> Iterator[Windows]:
        """All windows once, in order, the last batch being possibly smaller.

        Raises:
            NoWindows: If no episode has `horizon` actions.
        """
        first_rows, ends = self._table(horizon, "windows")
        for begin in range(0, int(ends[-1]), batch_size):
            draws = np.arange(begin, min(begin + batch_size, int(ends[-1])))
            chosen = np.searchsorted(ends, draws, side="right")
            yield self._gather(first_rows[chosen] + draws, horizon)

    def subset(self, episodes: npt.ArrayLike) -> WindowDataset:
        """The given episodes (indices), in the given order, as an independent dataset."""
        indices = np.asarray(episodes, dtype=np.int64)
        starts, ends = self.episode_starts[indices], self.episode_ends[indices]
        rows = np.concatenate([np.arange(s, e) for s, e in zip(starts, ends, strict=True)] or [[]])
        rows = rows.astype(np.int64)
        return WindowDataset(self.observations[rows], self.actions[rows], np.cumsum(ends - starts))

    def split(
        self, validation: float = 0.01, rng: np.random.Generator | None = None
    ) -> tuple[WindowDataset, WindowDataset]:
        """Split by episode into training and validation data.

        Args:
            validation: Share of episodes for validation, rounded up to at least one episode.
            rng: If given, episodes are shuffled first. Otherwise the last ones are for validation, as in SPiRL
                (603 episodes give 596 and 7).

        Raises:
            InvalidTrajectories: If one part would be empty.
        """
        order = np.arange(self.num_episodes) if rng is None else rng.permutation(self.num_episodes)
        num_train = int(self.num_episodes * (1.0 - validation))
        if not 0 < num_train < self.num_episodes:
            raise InvalidTrajectories(
                f"{self.num_episodes} episodes cannot be split with a validation share of {validation}",
                "at least one episode in each part",
            )
        return self.subset(order[:num_train]), self.subset(order[num_train:])

    def _windows_per_episode(self, horizon: int) -> IntArray:
        if horizon < 1:
            raise NoWindows(horizon, int(self._lengths().max()) - 1)
        return np.maximum(self._lengths() - horizon, 0)

    def _lengths(self) -> IntArray:
        return self.episode_ends - self.episode_starts

    def _table(self, horizon: int, weighting: Weighting) -> tuple[IntArray, IntArray]:
        """First row and number of windows of every episode that has windows.

        For `"windows"` the numbers are cumulative, and the rows are shifted so that row + number of the window in the
        whole dataset is the window's first row.
        """
        key = (horizon, weighting)
        if key not in self._tables:
            counts = self._windows_per_episode(horizon)
            usable = np.flatnonzero(counts)
            if len(usable) == 0:
                raise NoWindows(horizon, int(self._lengths().max()) - 1)
            first_rows, counts = self.episode_starts[usable], counts[usable]
            if weighting == "windows":
                ends = np.cumsum(counts)
                first_rows, counts = first_rows - (ends - counts), ends
            self._tables[key] = first_rows, counts
        return self._tables[key]

    def _gather(self, first_rows: IntArray, horizon: int) -> Windows:
        rows = first_rows[:, None] + np.arange(horizon + 1)  # (B, H+1)
        return self.observations.take(rows, axis=0), self.actions.take(rows[:, :-1], axis=0)

    def _check(self) -> None:
        shapes = f"observations {self.observations.shape}, actions {self.actions.shape}"
        if self.observations.ndim != 2 or self.actions.ndim != 2:
            raise InvalidTrajectories(shapes, "two dimensions, (N, O) and (N, A)")
        if len(self.observations) != len(self.actions):
            raise InvalidTrajectories(shapes, "one action for each observation")
        ends = self.episode_ends
        if ends.ndim != 1 or len(ends) == 0 or ends[-1] != len(self.actions):
            raise InvalidTrajectories(f"episode ends {ends}", f"a list that ends in {len(self.actions)}")
        if np.any(np.diff(ends, prepend=0) <= 0):
            raise InvalidTrajectories("episode ends that do not increase", "no empty episode")
        for name, array in (("observations", self.observations), ("actions", self.actions)):
            if not np.isfinite(array).all():
                row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
                raise InvalidTrajectories(f"NaN or infinity in the {name} at row {row}", "numbers")
