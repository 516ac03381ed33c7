"""Windows of trajectories, stored in memory and sampled as batches.

Letters: `N` rows of all episodes, `E` episodes, `T` actions of one episode, `B` batch, `H` horizon,
`O` observation size, `A` action size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from skillgym.data.errors import InvalidTrajectories, NoWindows
from skillgym.types import FloatArray
from skillgym_envs.core.checks import check_choice

IntArray: TypeAlias = npt.NDArray[np.int64]
Windows: TypeAlias = tuple[FloatArray, FloatArray]
Weighting: TypeAlias = Literal["episodes", "windows"]


class Recorded(Protocol):
    """An episode as an object, such as Minari's `EpisodeData`."""

    @property
    def observations(self) -> Any:
        """Shape (T+1, O)."""

    @property
    def actions(self) -> Any:
        """Shape (T, A)."""


Episode: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike] | Recorded


class WindowDataset:
    """Episodes concatenated in contiguous float32 arrays, from which windows are sampled.

    Row `i` is an observation and the action taken there. The action of an episode's last row is
    never returned, since its outcome was not recorded; it can have any value.

    Args:
        observations: Observations of all episodes, shape (N, O).
        actions: Actions of all episodes, shape (N, A).
        episode_ends: For each episode, the row after its last one, increasing up to N, shape (E,).

    Raises:
        InvalidTrajectories: If the arrays do not fit together or hold NaN or infinity.
    """

    def __init__(
        self, observations: npt.ArrayLike, actions: npt.ArrayLike, episode_ends: npt.ArrayLike
    ) -> None:
        self.observations: FloatArray = np.ascontiguousarray(observations, dtype=np.float32)
        self.actions: FloatArray = np.ascontiguousarray(actions, dtype=np.float32)
        self.episode_ends: IntArray = np.array(episode_ends, dtype=np.int64)
        _check(self.observations, self.actions, self.episode_ends)
        self.episode_starts: IntArray = np.append(0, self.episode_ends[:-1])
        self._tables: dict[int, tuple[IntArray, IntArray]] = {}

    @classmethod
    def from_episodes(cls, episodes: Iterable[Episode]) -> WindowDataset:
        """Join episodes of observations (T+1, O) and actions (T, A).

        Args:
            episodes: Pairs of them, or objects with both, as in a Minari dataset.

        Raises:
            InvalidTrajectories: If there is no episode, if one does not have exactly one
                observation more than actions, or if two have different sizes.
        """
        observations, actions, lengths = [], [], []
        first: tuple[int, int] | None = None
        for index, episode in enumerate(episodes):
            states, moves = _arrays(index, episode)
            check_continuous(f"episode {index} with actions", moves)
            if states.ndim != 2 or moves.ndim != 2 or len(states) != len(moves) + 1:
                raise InvalidTrajectories(
                    f"episode {index} with observations {states.shape} and actions {moves.shape}",
                    "(T+1, O) and (T, A)",
                )
            size = states.shape[1], moves.shape[1]
            first = first or size
            if size != first:
                raise InvalidTrajectories(
                    f"episode {index} with observations and actions of sizes {size}",
                    f"{first} as in episode 0",
                )
            observations.append(states)
            actions += [moves, np.zeros((1, moves.shape[1]), np.float32)]
            lengths.append(len(states))
        if not lengths:
            raise InvalidTrajectories("no episodes", "at least one")
        return cls(np.concatenate(observations), np.concatenate(actions), np.cumsum(lengths))

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

    def sample(
        self,
        rng: np.random.Generator,
        batch_size: int,
        horizon: int,
        weighting: Weighting = "episodes",
    ) -> Windows:
        """Draw windows with replacement.

        Paper: Pertsch et al. 2020, arXiv:2010.11944, which draws an episode, then a start.
        Deviation: all windows can be drawn; the reference code never draws an episode's last two.

        Args:
            rng: Source of randomness; the same state gives the same batch.
            batch_size: B.
            horizon: H, the number of actions in a window.
            weighting: `"episodes"` draws an episode uniformly, then one of its windows; `"windows"`
                draws uniformly from all windows. Episodes shorter than the horizon are left out.

        Returns:
            Observations (B, H+1, O) and actions (B, H, A), fresh arrays.

        Raises:
            InvalidConfig: If the weighting is unknown.
            NoWindows: If no episode has `horizon` actions.
        """
        return self.gather(self.sample_rows(rng, batch_size, horizon, weighting), horizon)

    def sample_rows(
        self,
        rng: np.random.Generator,
        batch_size: int,
        horizon: int,
        weighting: Weighting = "episodes",
    ) -> IntArray:
        """First rows (B,) of windows, sampled as in `sample`."""
        check_choice("weighting", weighting, get_args(Weighting))
        first_rows, counts = self._table(horizon)
        if weighting == "windows":
            numbers = rng.integers(counts.sum(), size=batch_size)
            return self._rows_of(numbers, horizon)
        chosen = rng.integers(len(counts), size=batch_size)
        offsets = (rng.random(batch_size) * counts[chosen]).astype(np.int64)
        return first_rows[chosen] + offsets

    def gather(self, first_rows: IntArray, horizon: int) -> Windows:
        """Windows (B, H+1, O) and (B, H, A) that start in these rows (B,)."""
        rows = first_rows[:, None] + np.arange(horizon + 1)  # (B, H+1)
        return self.observations.take(rows, axis=0), self.actions.take(rows[:, :-1], axis=0)

    def episodes_of(self, rows: IntArray) -> IntArray:
        """The episode to which each row belongs."""
        return np.searchsorted(self.episode_ends, rows, side="right")

    def subset(self, episodes: npt.ArrayLike) -> WindowDataset:
        """The episodes of these indices, in this order, as an independent dataset.

        Raises:
            InvalidTrajectories: If there are none.
        """
        indices = np.asarray(episodes, dtype=np.int64)
        if len(indices) == 0:
            raise InvalidTrajectories("no episodes", "at least one")
        starts, ends = self.episode_starts[indices], self.episode_ends[indices]
        rows = np.concatenate([np.arange(s, e) for s, e in zip(starts, ends, strict=True)])
        return WindowDataset(self.observations[rows], self.actions[rows], np.cumsum(ends - starts))

    def split(
        self, validation: float = 0.01, rng: np.random.Generator | None = None
    ) -> tuple[WindowDataset, WindowDataset]:
        """Split by episode into training and validation data.

        Args:
            validation: Share of episodes for validation, rounded up to whole episodes.
            rng: If given, episodes are shuffled first. Otherwise the last ones are for validation,
                as in SPiRL (603 episodes give 596 and 7).

        Raises:
            InvalidTrajectories: If one part would be empty.
        """
        train, rest = split_episodes(self.num_episodes, validation, rng)
        return self.subset(train), self.subset(rest)

    def _table(self, horizon: int) -> tuple[IntArray, IntArray]:
        """First row and number of windows of each episode that has windows."""
        if horizon not in self._tables:
            lengths = self.episode_ends - self.episode_starts
            usable = np.flatnonzero(lengths > horizon)
            if len(usable) == 0 or horizon < 1:
                raise NoWindows(horizon, int(lengths.max()) - 1)
            self._tables[horizon] = self.episode_starts[usable], lengths[usable] - horizon
        return self._tables[horizon]

    def _rows_of(self, numbers: IntArray, horizon: int) -> IntArray:
        """First rows of windows, given by their index in the whole dataset."""
        first_rows, counts = self._table(horizon)
        ends = np.cumsum(counts)
        chosen = np.searchsorted(ends, numbers, side="right")
        return first_rows[chosen] + numbers - (ends - counts)[chosen]


def split_episodes(
    count: int, validation: float, rng: np.random.Generator | None
) -> tuple[IntArray, IntArray]:
    """Indices of episodes for training and for validation (see `WindowDataset.split`)."""
    order = np.arange(count) if rng is None else rng.permutation(count)
    num_train = int(count * (1.0 - validation))
    if not 0 < num_train < count:
        raise InvalidTrajectories(
            f"{count} episodes to split with a validation share of {validation}",
            "at least one episode in each part",
        )
    return order[:num_train], order[num_train:]


def check_continuous(what: str, actions: npt.NDArray[Any]) -> None:
    """Check that actions are not discrete, with a single number each.

    Raises:
        InvalidTrajectories: If they are discrete.
    """
    if actions.ndim == 1:
        raise not_continuous(f"{what} of shape {actions.shape}")


def not_continuous(given: str) -> InvalidTrajectories:
    """The error about actions that are not vectors of continuous numbers."""
    return InvalidTrajectories(
        given,
        "continuous actions (T, A), as skills need a Box action space",
        "record them in an environment that has one",
    )


def _arrays(index: int, episode: Any) -> tuple[FloatArray, FloatArray]:
    """Observations and actions of an episode."""
    is_object = hasattr(episode, "observations") and hasattr(episode, "actions")
    pair = (episode.observations, episode.actions) if is_object else episode
    try:
        observations, actions = (np.asarray(array, np.float32) for array in pair)
    except (TypeError, ValueError) as error:
        raise InvalidTrajectories(
            f"episode {index} as {type(episode).__name__} without two arrays of numbers",
            "a pair of observations (T+1, O) and actions (T, A), or an object with both",
            "extract these arrays first",
        ) from error
    return observations, actions


def _check(observations: FloatArray, actions: FloatArray, ends: IntArray) -> None:
    check_continuous("actions", actions)
    shapes = f"observations {observations.shape} and actions {actions.shape}"
    if observations.ndim != 2 or actions.ndim != 2 or len(observations) != len(actions):
        raise InvalidTrajectories(shapes, "(N, O) and (N, A)")
    if ends.ndim != 1 or len(ends) == 0 or ends[-1] != len(actions) or ends[0] <= 0:
        raise InvalidTrajectories(f"the episode ends {ends}", f"rows up to {len(actions)}")
    if np.any(np.diff(ends) <= 0):
        raise InvalidTrajectories("episode ends that do not increase", "no empty episode")
    for name, array in (("observations", observations), ("actions", actions)):
        finite = np.isfinite(array).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise InvalidTrajectories(f"NaN or infinity in the {name} at row {row}", "numbers")
