"""A world: a MuJoCo model and four pure functions over arrays whose first axis is the environment.

Letters: N environments, A action size, O observation size, K subtasks, M environments that are
being reset. The functions only use operations that NumPy and torch share (through
`array_api_compat`), so that a simulator may keep its state on a GPU, and they never loop over
environments in Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import array_api_compat.numpy as numpy_namespace
import mujoco
import numpy as np
from array_api_compat import array_namespace, device
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.observations import ObservationLayout

Array = Any  # numpy.ndarray, or a torch tensor when the simulator keeps its state on a GPU
Memory = dict[str, Array]


@dataclass
class Physics:
    """State of N environments, as a simulator provides it.

    Attributes:
        qpos: Generalised positions, shape (N, nq).
        qvel: Generalised velocities, shape (N, nv).
        sensordata: Readings of the model's sensors, shape (N, nsensordata).
    """

    qpos: Array
    qvel: Array
    sensordata: Array


@dataclass(frozen=True)
class PhysicsState:
    """Initial state of episodes in M environments, without solver history.

    Attributes:
        qpos: Generalised positions, shape (M, nq).
        qvel: Generalised velocities, shape (M, nv).
        ctrl: Controls, shape (M, nu); zeros if None.
        mocap_pos: Positions of the mocap bodies [m], shape (M, nmocap, 3); the model's if None.
        mocap_quat: Orientations of the mocap bodies, shape (M, nmocap, 4); the model's if None.
        variant: Indices into the world's `variants`, shape (M,); the world's `model` if None.
    """

    qpos: Array
    qvel: Array
    ctrl: Array | None = None
    mocap_pos: Array | None = None
    mocap_quat: Array | None = None
    variant: Array | None = None


class Control(NamedTuple):
    """Inputs that are held for one control step.

    Attributes:
        ctrl: Actuator inputs, shape (N, nu).
        mocap_pos: Positions of the mocap bodies [m], shape (N, nmocap, 3), or None.
        mocap_quat: Orientations of the mocap bodies, shape (N, nmocap, 4), or None.
        qvel: Velocities at the start of the control step, shape (N, nv); unchanged if None.
        steps: Physics steps of the control step, shape (N,); `frame_skip` if None.
        memory: Entries of the memory that the action changes, if any; `observe` sees them.
    """

    ctrl: Array
    mocap_pos: Array | None = None
    mocap_quat: Array | None = None
    qvel: Array | None = None
    steps: Array | None = None
    memory: Memory | None = None


class Outcome(NamedTuple):
    """Outcome of a control step.

    Attributes:
        reward: Reward of the step, shape (N,).
        terminated: Whether the episode has reached its end, shape (N,), bool.
        completed_step: Subtasks completed in this step, shape (N, K), bool.
        completed: Subtasks completed in this episode, shape (N, K), bool.
    """

    reward: Array
    terminated: Array
    completed_step: Array
    completed: Array


def namespace(array: Array) -> Any:
    """The array library of an array, from `array_api_compat`; fast for NumPy."""
    return numpy_namespace if isinstance(array, np.ndarray) else array_namespace(array)


def like(constant: NDArray[Any], array: Array) -> Array:
    """A constant, moved to the array library and device of an array."""
    if isinstance(array, np.ndarray):
        return constant
    return array_namespace(array).asarray(constant, device=device(array))


class World(ABC):
    """A task in a MuJoCo model, implemented for any number of environments.

    Attributes:
        name: Name of the world, for example `kitchen`.
        frame_skip: Physics steps per control step.
        layout: Meaning of each observation dimension.
        action_space: Box of one environment's action, shape (A,).
        subtasks: Names of the K subtasks, in the task's order.
        noise_size: Random numbers that `observe` consumes per environment and call.
        max_episode_steps: Control steps after which an episode is truncated.
        camera: Default free camera: `distance` [m], `azimuth` [deg], `elevation` [deg], `lookat`
            [m].
        variants: Models that episodes may have instead of `model`, with the same joints, actuators,
            mocap bodies and sensors; the sequence may compile them when they are needed.
        fresh_sensors: Whether sensors of positions are read again after the last physics step, so
            that they match the observed state; else they are one physics step older.
        reset_options: Names of the options of `reset`.
        failure: Reward of a control step that achieves nothing or diverges.
    """

    name: str
    frame_skip: int
    layout: ObservationLayout
    action_space: spaces.Box
    subtasks: tuple[str, ...]
    noise_size: int
    max_episode_steps: int
    camera: Mapping[str, Any]
    variants: Sequence[mujoco.MjModel] = ()
    fresh_sensors: bool = False
    reset_options: tuple[str, ...] = ()
    failure: float = 0.0

    @cached_property
    def model(self) -> mujoco.MjModel:
        """The compiled model; shared by all environments and never changed."""
        return self.compile()

    @property
    def control_timestep(self) -> float:
        """Duration of a control step [s]."""
        return float(self.model.opt.timestep) * self.frame_skip

    @abstractmethod
    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""

    @abstractmethod
    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Start M episodes, one per generator.

        Args:
            rngs: One random stream per environment; environment i only draws from its own.
            options: Options of Gymnasium's `reset`.

        Returns:
            The initial physical state and memory, with first axis M.
        """

    @abstractmethod
    def control(self, action: Array, memory: Memory) -> Control:
        """Turn actions (N, A) into the inputs that are held for the control step."""

    @abstractmethod
    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Observe the state.

        Args:
            physics: State of the N environments.
            memory: Memory of the N environments.
            noise: Uniform numbers in [-1, 1), shape (N, noise_size).

        Returns:
            Observations (N, O) in double precision, and the updated memory.
        """

    @abstractmethod
    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Evaluate the control step that led to this observation (N, O)."""

    def visual_model(self, model: mujoco.MjModel) -> mujoco.MjModel:
        """The model that is shown in pictures of `model`.

        Args:
            model: The world's `model` or a variant.

        Returns:
            A model with the same joints and mocap bodies; `model` itself unless it lacks geoms that
            are only needed in pictures.
        """
        return model

    def dress(self, data: mujoco.MjData, memory: Memory) -> None:  # noqa: B027  (optional)
        """Add what is only shown in pictures to a state before it is drawn.

        Args:
            data: State of one environment; mocap bodies may be moved.
            memory: Memory of this environment, without the axis of environments.
        """

    def __getstate__(self) -> dict[str, Any]:
        """State without the compiled model; every process has its own."""
        return {key: value for key, value in self.__dict__.items() if key != "model"}
