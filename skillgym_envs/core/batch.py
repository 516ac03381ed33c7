"""The engine of both environment classes: a world, a simulator, and the memory of environments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.errors import InvalidAction, SimulationDiverged, UnknownResetOption
from skillgym_envs.core.noise import NoiseBlocks
from skillgym_envs.core.simulator import SerialSimulator
from skillgym_envs.core.world import Memory, Outcome, Physics, World


class WorldBatch:
    """N environments of one world, without time limits or autoreset.

    Its arrays are replaced, never written to, so they can be returned without copies.

    Args:
        world: The world.
        simulator: Simulator of N copies of the world's model.

    Attributes:
        observation: Last observations, shape (N, O), float32.
        outcome: Outcome of the last step.
    """

    def __init__(self, world: World, simulator: SerialSimulator) -> None:
        self.world = world
        self.simulator = simulator
        self.num_envs = simulator.num_envs
        n, subtasks = self.num_envs, len(world.subtasks)
        self.observation = np.zeros((n, world.layout.size), np.float32)
        self.outcome = Outcome(
            reward=np.zeros(n),
            terminated=np.zeros(n, bool),
            completed_step=np.zeros((n, subtasks), bool),
            completed=np.zeros((n, subtasks), bool),
        )
        self._memory: Memory = {}
        self._noise = NoiseBlocks(n, world.noise_size, world.max_episode_steps + 1)
        self._action_shape = (n, *world.action_space.shape)
        self._names: dict[bytes, tuple[str, ...]] = {}

    def reset(
        self,
        rows: Sequence[int] | NDArray[np.intp],
        rngs: Sequence[np.random.Generator],
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Start episodes in some environments.

        Args:
            rows: M environments.
            rngs: Their M random streams.
            options: Options of Gymnasium's `reset`, passed to the world.
        """
        for name in options or ():
            if name not in self.world.reset_options:  # it may be an option of a wrapper
                warnings.warn(
                    UnknownResetOption(name, self.world.name, self.world.reset_options),
                    stacklevel=3,
                )
        rows = np.asarray(rows, dtype=np.intp)
        state, memory = self.world.reset(rngs, options)
        self.simulator.load(rows, state)
        noise = self._noise.start(rows.tolist(), list(rngs))
        physics = self.simulator.physics
        selected = Physics(physics.qpos[rows], physics.qvel[rows], physics.sensordata[rows])
        observation, memory = self.world.observe(selected, memory, noise)
        self._memory = {
            name: _with_rows(self._memory.get(name), rows, value, self.num_envs)
            for name, value in memory.items()
        }
        self.observation = _with_rows(self.observation, rows, observation, self.num_envs)
        self.outcome = Outcome(*(_with_rows(old, rows, 0, self.num_envs) for old in self.outcome))

    def step(self, actions: NDArray[Any], active: NDArray[np.bool_] | None = None) -> None:
        """Run one control step.

        An environment whose simulation diverges terminates as a failure, with a warning.

        Args:
            actions: Actions, shape (N, A).
            active: Environments to step, shape (N,); all if None. The others are frozen: they keep
                their observation and flags, and their reward is 0.

        Raises:
            InvalidAction: If an action of an active environment has the wrong shape or is not
                finite.
        """
        actions = self._checked(actions, active)
        control = self.world.control(actions, self._memory)
        self.simulator.step(control, active)
        physics = self.simulator.physics
        memory = self._memory if control.memory is None else self._memory | control.memory
        observation, memory = self.world.observe(physics, memory, self._noise.next(active))
        outcome, memory = self.world.score(observation, physics, memory)
        observation = observation.astype(np.float32)
        if self.simulator.diverged:
            observation, outcome = self._ended(observation, outcome, active)
        if active is None:
            self.observation, self.outcome, self._memory = observation, outcome, memory
            return
        self.observation = _select(active, observation, self.observation)
        self._memory = {
            name: _select(active, value, self._memory[name]) for name, value in memory.items()
        }
        old = self.outcome
        self.outcome = Outcome(
            reward=_select(active, outcome.reward, np.zeros(self.num_envs)),
            terminated=_select(active, outcome.terminated, old.terminated),
            completed_step=outcome.completed_step & active[:, None],
            completed=_select(active, outcome.completed, old.completed),
        )

    def _ended(
        self,
        observation: NDArray[np.float32],
        outcome: Outcome,
        active: NDArray[np.bool_] | None,
    ) -> tuple[NDArray[np.float32], Outcome]:
        """Diverged environments fail, and keep their last observation."""
        diverged = sorted(self.simulator.diverged)
        if new := [row for row in diverged if active is None or active[row]]:
            warning = SimulationDiverged(self.world.name, new, self.world.failure)
            warnings.warn(warning, stacklevel=2)
        fine = np.ones(self.num_envs, bool)
        fine[diverged] = False
        return _select(fine, observation, self.observation), Outcome(
            reward=np.where(fine, outcome.reward, self.world.failure),
            terminated=outcome.terminated | ~fine,
            completed_step=outcome.completed_step & fine[:, None],
            completed=_select(fine, outcome.completed, self.outcome.completed),
        )

    def dressed(self, row: int) -> mujoco.MjData:
        """State of an environment, with everything that pictures show."""
        data = self.simulator.data[row]
        if self._memory:  # empty before the first reset
            self.world.dress(data, {name: value[row] for name, value in self._memory.items()})
        return data

    def names(self, completed: NDArray[np.bool_]) -> NDArray[np.object_]:
        """Names of completed subtasks: tuples, shape (N,), from flags of shape (N, K)."""
        names = np.empty(len(completed), dtype=object)
        names.fill(())
        for row in np.flatnonzero(completed.any(axis=1)).tolist():
            names[row] = self.names_of(completed[row])
        return names

    def names_of(self, completed: NDArray[np.bool_]) -> tuple[str, ...]:
        """Names of the completed subtasks of one environment, from flags of shape (K,)."""
        key = completed.tobytes()
        names = self._names.get(key)
        if names is None:
            done = zip(self.world.subtasks, completed, strict=True)
            names = self._names[key] = tuple(name for name, flag in done if flag)
        return names

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the simulator's models, which are not pickled."""
        self.__dict__.update(state)
        self.simulator.attach(self.world.model, self.world.variants)

    def _checked(
        self, actions: NDArray[Any], active: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        try:
            actions = np.asarray(actions, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidAction(f"that is not an array ({error})", self._action_shape) from None
        if actions.shape != self._action_shape:
            raise InvalidAction(f"of shape {actions.shape}", self._action_shape)
        # A finite sum of squares has finite terms; an infinite one may have, too.
        if not math.isfinite(np.vdot(actions, actions)):
            bad = ~np.isfinite(actions).all(axis=1)
            if active is not None:
                bad &= active
                actions = _select(active, actions, np.zeros_like(actions))
            if bad.any():
                where = f" in environment {np.flatnonzero(bad).tolist()}" * (len(bad) > 1)
                raise InvalidAction(f"with NaN or infinity{where}", self._action_shape)
        return actions


def _with_rows(
    old: NDArray[Any] | None, rows: NDArray[np.intp], new: Any, num_envs: int
) -> NDArray[Any]:
    """Copy of `old` with some rows replaced; `None` stands for zeros."""
    array = np.zeros((num_envs, *new.shape[1:]), new.dtype) if old is None else old.copy()
    array[rows] = new
    return array


def _select(active: NDArray[np.bool_], new: NDArray[Any], old: NDArray[Any]) -> NDArray[Any]:
    """Rows of `new` where active, rows of `old` elsewhere."""
    return np.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old)
