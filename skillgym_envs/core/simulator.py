"""Simulators: N copies of a MuJoCo model, stepped one after the other or on native threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.workers import Workers
from skillgym_envs.core.world import Control, Physics, PhysicsState

_INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)
_UNSTABLE = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADQACC) + 1)


class SerialSimulator:
    """Steps N copies of a model one after the other in the calling thread.

    Each copy has its own `MjData`, so that copy i does not depend on its neighbours.

    Args:
        model: Compiled model, shared by all copies.
        num_envs: Number of copies N.
        frame_skip: Physics steps per control step.
        variants: Models that `PhysicsState.variant` chooses from.
        fresh_sensors: Whether sensors of positions are read again after the last physics step.

    Attributes:
        physics: Current state of the copies.
        diverged: Copies that became unstable since they were loaded. MuJoCo has reset them to the
            model's default state.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        frame_skip: int,
        variants: Sequence[mujoco.MjModel] = (),
        fresh_sensors: bool = False,
    ) -> None:
        self.num_envs = num_envs
        self.frame_skip = frame_skip
        self.fresh_sensors = fresh_sensors
        self.diverged: set[int] = set()
        self._variant = [-1] * num_envs  # of each copy; -1 stands for `model`
        self._allocate(model, variants)
        self.physics = Physics(
            qpos=np.zeros((num_envs, model.nq)),
            qvel=np.zeros((num_envs, model.nv)),
            sensordata=np.zeros((num_envs, model.nsensordata)),
        )

    def _allocate(self, model: mujoco.MjModel, variants: Sequence[mujoco.MjModel]) -> None:
        self.model = model
        self._models = [model if index < 0 else variants[index] for index in self._variant]
        self._variants = variants
        self.data = [mujoco.MjData(each) for each in self._models]
        # Getting an array from MuJoCo takes longer than copying it.
        self._views = [_views(data) for data in self.data]

    def load(self, indices: Sequence[int] | NDArray[np.intp], state: PhysicsState) -> None:
        """Set copies to a state and forget their solver history.

        Args:
            indices: M copies to set.
            state: State with first axis M.
        """
        for row, index in enumerate(indices):
            if state.variant is not None:
                self._exchange(index, int(state.variant[row]))
            data, model = self.data[index], self._models[index]
            mujoco.mj_resetData(model, data)
            data.qpos[:] = state.qpos[row]
            data.qvel[:] = state.qvel[row]
            for name in ("ctrl", "mocap_pos", "mocap_quat"):
                value = getattr(state, name)
                if value is not None:
                    getattr(data, name)[:] = value[row]
            mujoco.mj_forward(model, data)
            self.diverged.discard(int(index))
            self._read(index)

    def _exchange(self, index: int, variant: int) -> None:
        """Give a copy another model."""
        if variant != self._variant[index]:
            self._variant[index] = variant
            self._models[index] = self._variants[variant]
            self.data[index] = mujoco.MjData(self._models[index])
            self._views[index] = _views(self.data[index])

    def step(self, control: Control, active: NDArray[np.bool_] | None = None) -> None:
        """Hold the control for `frame_skip` physics steps, or for `control.steps` if given.

        Args:
            control: Inputs with first axis N.
            active: Copies to step, shape (N,); all if None.
        """
        self._step_all(
            control, range(self.num_envs) if active is None else np.flatnonzero(active).tolist()
        )

    def _step_all(self, control: Control, indices: Sequence[int]) -> None:
        self._step_some(control, indices)

    def _step_some(self, control: Control, indices: Iterable[int]) -> None:
        for index in indices:
            data = self.data[index]
            self._views[index][0][:] = control.ctrl[index]
            if control.qvel is not None:
                self._views[index][2][:] = control.qvel[index]
            if control.mocap_pos is not None:
                data.mocap_pos[:] = control.mocap_pos[index]
            if control.mocap_quat is not None:
                data.mocap_quat[:] = control.mocap_quat[index]
            nstep = self.frame_skip if control.steps is None else int(control.steps[index])
            model = self._models[index]
            mujoco.mj_step(model, data, nstep=nstep)
            if self.fresh_sensors:
                mujoco.mj_kinematics(model, data)
                mujoco.mj_sensorPos(model, data)
            self._read(index)

    def _read(self, index: int) -> None:
        physics = self.physics
        _, physics.qpos[index], physics.qvel[index], sensordata, unstable = self._views[index]
        if unstable[0] or unstable[1] or unstable[2]:
            self.diverged.add(index)
        if sensordata.size:
            physics.sensordata[index] = sensordata

    def close(self) -> None:
        """Release all resources. Closing twice is fine."""

    def __getstate__(self) -> dict[str, Any]:
        """Only the states: the owner has the models, and `attach` makes new data."""
        left = ("model", "data", "_views", "_models", "_variants")
        kept = {key: value for key, value in self.__dict__.items() if key not in left}
        states = np.zeros((self.num_envs, mujoco.mj_stateSize(self.model, _INTEGRATION)))
        for model, data, state in zip(self._models, self.data, states, strict=True):
            mujoco.mj_getState(model, data, state, _INTEGRATION)
        return kept | {"states": states}

    def attach(self, model: mujoco.MjModel, variants: Sequence[mujoco.MjModel] = ()) -> None:
        """Continue after unpickling, with the owner's models."""
        self._allocate(model, variants)
        states = self.__dict__.pop("states")
        for model, data, state in zip(self._models, self.data, states, strict=True):
            mujoco.mj_setState(model, data, state, _INTEGRATION)
            mujoco.mj_forward(model, data)
            mujoco.mj_setState(model, data, state, _INTEGRATION)  # the solver's warm start too


class ThreadedSimulator(SerialSimulator):
    """Steps N copies on threads; MuJoCo releases the GIL, so no subprocess is needed.

    Results do not depend on the number of threads: each copy is stepped by one thread with its own
    `MjData`.

    Args:
        model: Compiled model, shared by all copies.
        num_envs: Number of copies N.
        frame_skip: Physics steps per control step.
        num_threads: Number of threads; the number of usable cores if None.
        variants: Models that `PhysicsState.variant` chooses from.
        fresh_sensors: Whether sensors of positions are read again after the last physics step.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        frame_skip: int,
        num_threads: int | None = None,
        variants: Sequence[mujoco.MjModel] = (),
        fresh_sensors: bool = False,
    ) -> None:
        super().__init__(model, num_envs, frame_skip, variants, fresh_sensors)
        self.num_threads = max(1, min(num_threads or usable_cores(), num_envs))
        self._workers: Workers | None = None

    def _step_all(self, control: Control, indices: Sequence[int]) -> None:
        if self.num_threads == 1 or len(indices) == 1:
            return self._step_some(control, indices)
        if self._workers is None:
            self._workers = Workers(self.num_threads - 1, "skillgym-physics")
        # An iterator over a list is advanced atomically, so threads can share it: a free thread
        # takes the next copy, and a copy with many contacts does not delay the others.
        return self._workers.run(partial(self._step_some, control, iter(indices)))

    def close(self) -> None:
        """Stop the threads. Closing twice is fine."""
        if self._workers is not None:
            self._workers.stop()
            self._workers = None

    def __getstate__(self) -> dict[str, Any]:
        """State without the threads, which start again at the next step."""
        return super().__getstate__() | {"_workers": None}


def _views(data: mujoco.MjData) -> tuple[Any, Any, Any, Any, Any]:
    return data.ctrl, data.qpos, data.qvel, data.sensordata, data.warning.number[_UNSTABLE]


def usable_cores() -> int:
    """Number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
