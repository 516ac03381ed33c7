"""A world as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.batch import WorldBatch
from skillgym_envs.core.env_renderer import RENDER_MODES, EnvRenderer
from skillgym_envs.core.errors import EnvironmentClosed, InvalidAction, ResetNeeded
from skillgym_envs.core.observations import ObservationLayout
from skillgym_envs.core.simulator import SerialSimulator
from skillgym_envs.core.world import World


class WorldEnv(gym.Env[Any, Any]):
    """One environment of a world: a thin wrapper around a batch of size one.

    The time limit is not part of it; `gymnasium.make` adds it.

    `info` contains `subtasks_completed` (in this episode) and `subtasks_completed_step` (in this
    control step), tuples of names in the task's order.

    Args:
        world: The world.
        render_mode: `None`, `"rgb_array"` or `"human"`.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; the world's own free camera if None.
        shadows: Whether frames have shadows and smooth edges; slow without a GPU.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 12}  # noqa: RUF012

    def __init__(
        self,
        world: World,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
        camera: str | None = None,
        shadows: bool = False,
    ) -> None:
        self.world = world
        self.metadata = self.metadata | {"render_fps": round(1.0 / world.control_timestep)}
        self.observation_space = world.layout.space()
        self.action_space = world.action_space
        self._simulator = SerialSimulator(
            world.model, 1, world.frame_skip, world.variants, world.fresh_sensors
        )
        self._batch = WorldBatch(world, self._simulator)
        self._renderer = EnvRenderer(world, render_mode, width, height, camera, shadows)
        self.render_mode = render_mode
        self._state = "new"

    @property
    def data(self) -> mujoco.MjData:
        """Privileged simulator state, for experts and debugging; not part of the observation."""
        return self._simulator.data[0]

    @property
    def layout(self) -> ObservationLayout:
        """Meaning of each observation dimension."""
        return self.world.layout

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seed of the environment's random stream; the stream continues if None.
            options: Options of the world.

        Returns:
            First observation (O,) and info.
        """
        self._check_open()
        super().reset(seed=seed)
        self._batch.reset([0], [self.np_random], options)
        self._state = "running"
        if self.render_mode == "human":
            self.render()
        return self._batch.observation[0], {"subtasks_completed": (), "subtasks_completed_step": ()}

    def step(
        self, action: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Run one control step.

        Args:
            action: Action (A,); values outside the action space are clipped.

        Returns:
            Observation (O,), reward, terminated, truncated (always False here), info.

        Raises:
            InvalidAction: If the action has the wrong shape or is not finite.
        """
        self._check_open()
        if self._state == "new":
            raise ResetNeeded
        action = np.asarray(action)
        if action.shape != self.action_space.shape:
            raise InvalidAction(f"of shape {action.shape}", self.world.action_space.shape)
        self._batch.step(action[None])
        outcome = self._batch.outcome
        info = {
            "subtasks_completed": self._batch.names_of(outcome.completed[0]),
            "subtasks_completed_step": self._batch.names_of(outcome.completed_step[0]),
        }
        if self.render_mode == "human":
            self.render()
        reward, terminated = float(outcome.reward[0]), bool(outcome.terminated[0])
        return self._batch.observation[0], reward, terminated, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the state: a frame (height, width, 3) for `rgb_array`, the window for `human`."""
        self._check_open()
        return self._renderer.render(self._batch.dressed(0))

    def close(self) -> None:
        """Release the renderer. Closing twice is fine."""
        self._renderer.close()
        self._simulator.close()
        self._state = "closed"

    def _check_open(self) -> None:
        if self._state == "closed":
            raise EnvironmentClosed
