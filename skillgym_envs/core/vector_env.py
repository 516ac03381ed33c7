"""A world as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from skillgym_envs.core.batch import WorldBatch
from skillgym_envs.core.checks import check_count, checked_mode
from skillgym_envs.core.env_renderer import EnvRenderer
from skillgym_envs.core.errors import (
    EnvironmentClosed,
    InvalidResetMask,
    ResetNeeded,
    WrongSeedCount,
)
from skillgym_envs.core.observations import ObservationLayout
from skillgym_envs.core.simulator import ThreadedSimulator
from skillgym_envs.core.world import World

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class WorldVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.floating[Any]], NDArray[Any]]):
    """N environments of a world on native threads.

    Environment i equals a single one with the same seed, bit for bit.

    Args:
        world: The world.
        num_envs: Number of environments N.
        num_threads: Number of threads; the number of usable cores if None.
        autoreset_mode: What happens after the end of an episode. `NEXT_STEP` (Gymnasium's default):
            the next `step` ignores that environment's action and resets it. `SAME_STEP`: reset at
            once; the last observation and info are in `final_obs` and `final_info`. `DISABLED`: the
            environment is frozen (not stepped, reward 0, same observation and flags) until
            `reset(options={"reset_mask": mask})`.
        max_episode_steps: Control steps after which an episode is truncated; no limit if None.
        render_mode: `None` or `"rgb_array"`; `render` returns a tuple of N frames.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; the world's own free camera if None.
        shadows: Whether frames have shadows and smooth edges; slow without a GPU.

    Raises:
        InvalidConfig: If a number is not positive, or the autoreset mode is unknown.
        UnknownRenderMode: If the render mode is unknown.
    """

    def __init__(
        self,
        world: World,
        num_envs: int,
        num_threads: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
        camera: str | None = None,
        shadows: bool = False,
    ) -> None:
        check_count("num_envs", num_envs)
        check_count("num_threads", num_threads)
        check_count("max_episode_steps", max_episode_steps)
        self.world = world
        self.num_envs = num_envs
        self.autoreset_mode = checked_mode(autoreset_mode)
        self.max_episode_steps = max_episode_steps
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": round(1.0 / world.control_timestep),
            "autoreset_mode": self.autoreset_mode,
        }
        self.single_observation_space = world.layout.space()
        self.single_action_space = world.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._simulator = ThreadedSimulator(
            world.model,
            num_envs,
            world.frame_skip,
            num_threads,
            world.variants,
            world.fresh_sensors,
        )
        self._batch = WorldBatch(world, self._simulator)
        self._renderer = EnvRenderer(
            world, render_mode, width, height, camera, shadows, self.metadata["render_modes"]
        )
        self.render_mode = render_mode
        self._rngs: list[np.random.Generator] = []
        self._steps = np.zeros(num_envs, np.int64)
        self._truncated = np.zeros(num_envs, bool)

    @property
    def layout(self) -> ObservationLayout:
        """Meaning of each observation dimension."""
        return self.world.layout

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start episodes in all environments, or in those of `options["reset_mask"]`.

        Args:
            seed: Environment i gets the seed `seed + i`, or `seed[i]`; random streams continue if
                None, and in environments that are not reset.
            options: Options of the world, and `reset_mask`, a boolean array (N,).

        Returns:
            Observations (N, O) and infos.
        """
        if self.closed:
            raise EnvironmentClosed
        options = dict(options or {})
        mask = self._reset_mask(options.pop("reset_mask", None))
        self._seed(seed, mask)
        self._start(mask, options)
        return self._batch.observation.copy(), self._infos(mask)

    def step(
        self, actions: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float32], Floats, Flags, Flags, dict[str, Any]]:
        """Run one control step in every environment whose episode is running.

        Args:
            actions: Actions (N, A); values outside the action space are clipped.

        Returns:
            Observations (N, O), rewards (N,), terminated (N,), truncated (N,) and infos.

        Raises:
            InvalidAction: If an action has the wrong shape or is not finite.
        """
        if self.closed:
            raise EnvironmentClosed
        if not self._rngs:
            raise ResetNeeded
        over = self._batch.outcome.terminated | self._truncated
        active = ~over if over.any() else None
        self._batch.step(actions, active)
        self._steps += 1 if active is None else active
        if self.max_episode_steps is not None:
            self._truncated = self._steps >= self.max_episode_steps
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and active is not None:
            self._start(over, {})
        outcome = self._batch.outcome
        terminated, truncated = outcome.terminated, self._truncated
        infos = self._infos(np.ones(self.num_envs, bool))
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            ended = terminated | truncated
            if ended.any():
                infos = self._start_ended(ended, infos)
        # Copies, as callers may change them.
        flags = terminated.copy(), truncated.copy()
        return self._batch.observation.copy(), outcome.reward, *flags, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draw every environment: N frames (height, width, 3), or None without a render mode."""
        if self.closed:
            raise EnvironmentClosed
        frames = [self._renderer.render(self._batch.dressed(i)) for i in range(self.num_envs)]
        return None if self.render_mode is None else tuple(f for f in frames if f is not None)

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads and release the renderer."""
        self._renderer.close()
        self._simulator.close()

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Flags) -> None:
        if seed is None and self._rngs:
            return
        seeds: Sequence[int | None]
        if seed is None:
            seeds = [None] * self.num_envs
        elif isinstance(seed, int | np.integer):
            seeds = [int(seed) + i for i in range(self.num_envs)]
        elif isinstance(seed, Sequence | np.ndarray) and len(seed) == self.num_envs:
            seeds = list(seed)
        else:
            raise WrongSeedCount(seed, self.num_envs)
        old: Sequence[np.random.Generator | None] = self._rngs or [None] * self.num_envs
        self._rngs = [
            seeding.np_random(value)[0] if rng is None or (chosen and value is not None) else rng
            for rng, value, chosen in zip(old, seeds, mask.tolist(), strict=True)
        ]

    def _reset_mask(self, mask: Any) -> Flags:
        if mask is None or not self._rngs:
            return np.ones(self.num_envs, bool)
        array = np.asarray(mask)
        if array.shape != (self.num_envs,) or array.dtype != bool or not array.any():
            raise InvalidResetMask(mask, self.num_envs)
        return array

    def _start(self, mask: Flags, options: dict[str, Any]) -> None:
        rows = np.flatnonzero(mask)
        self._batch.reset(rows, [self._rngs[row] for row in rows.tolist()], options)
        self._steps[rows] = 0
        self._truncated = self._truncated & ~mask

    def _start_ended(self, ended: Flags, infos: dict[str, Any]) -> dict[str, Any]:
        final_obs = np.empty(self.num_envs, dtype=object)
        for row in np.flatnonzero(ended).tolist():
            final_obs[row] = self._batch.observation[row].copy()
        final_info = {
            name: value if name.startswith("_") else np.where(ended, value, None)
            for name, value in infos.items()
        }
        final_info |= {name: ended.copy() for name in infos if name.startswith("_")}
        self._start(ended, {})
        return self._infos(np.ones(self.num_envs, bool)) | {
            "final_obs": final_obs,
            "_final_obs": ended.copy(),
            "final_info": final_info,
            "_final_info": ended.copy(),
        }

    def _infos(self, mask: Flags) -> dict[str, Any]:
        outcome = self._batch.outcome
        return {
            "subtasks_completed": self._batch.names(outcome.completed),
            "_subtasks_completed": mask.copy(),
            "subtasks_completed_step": self._batch.names(outcome.completed_step),
            "_subtasks_completed_step": mask.copy(),
        }
