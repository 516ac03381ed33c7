"""Render modes of the environments; OpenGL is only loaded at the first frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_count, check_flag
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.world import World

RENDER_MODES = ("rgb_array", "human")
_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)


class UnknownRenderMode(SkillgymError, ValueError):
    """A render mode has an unknown name."""

    def __init__(self, given: object, known: Sequence[str] = RENDER_MODES) -> None:
        super().__init__(
            f"Got the render mode {given!r}, expected None or {' or '.join(map(repr, known))}."
        )


class EnvRenderer:
    """One renderer of an environment, opened at the first frame and closed with the environment.

    Args:
        world: The world to draw.
        render_mode: `None`, `"rgb_array"` or `"human"`.
        width: Width of frames [pixel].
        height: Height of frames [pixel].
        camera: Name of a camera of the model; the world's own free camera if None.
        shadows: Whether frames have shadows and smooth edges; a window always has.
        known: Render modes that the environment has.

    Raises:
        UnknownRenderMode: If the render mode is none of them.
        InvalidConfig: If width or height is not a positive integer, or `shadows` not a flag.
    """

    def __init__(
        self,
        world: World,
        render_mode: str | None,
        width: int,
        height: int,
        camera: str | None,
        shadows: bool = False,
        known: Sequence[str] = RENDER_MODES,
    ) -> None:
        if render_mode is not None and render_mode not in known:
            raise UnknownRenderMode(render_mode, known)
        check_count("width", width)
        check_count("height", height)
        check_flag("shadows", shadows)
        self._world = world
        self._mode = render_mode
        self._width, self._height = width, height
        self._camera = world.camera if camera is None else camera
        self._shadows = shadows
        self._open: Any = None
        self._model: mujoco.MjModel | None = None  # of the last state
        self._scene: mujoco.MjData | None = None  # is drawn instead of that state, if any

    def render(self, data: mujoco.MjData) -> NDArray[np.uint8] | None:
        """Draw a state: a frame (height, width, 3) for `rgb_array`, the window for `human`."""
        if self._mode is None:
            return None
        from skillgym_envs.core.rendering import FrameRenderer, HumanViewer

        if data.model is not self._model:  # another variant
            self.close()
            self._model = data.model
            scene = self._world.visual_model(data.model)
            self._scene = None if scene is data.model else mujoco.MjData(scene)
        if self._scene is not None:
            _copy_state(data, self._scene)
            data = self._scene
        if self._mode == "human":
            self._open = self._open or HumanViewer(data.model, data, self._camera)
            self._open.sync()
            return None
        self._open = self._open or FrameRenderer(
            data.model, self._width, self._height, self._camera, shadows=self._shadows
        )
        frame: NDArray[np.uint8] = self._open.render(data)
        return frame

    def close(self) -> None:
        """Release the window or the OpenGL context. Closing twice is fine."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __getstate__(self) -> dict[str, Any]:
        """State without the window; a copy opens its own."""
        return self.__dict__ | {"_open": None, "_model": None, "_scene": None}


def _copy_state(source: mujoco.MjData, target: mujoco.MjData) -> None:
    """Copy a state to data of another model with the same joints and mocap bodies."""
    state = np.empty(mujoco.mj_stateSize(source.model, _STATE))
    mujoco.mj_getState(source.model, source, state, _STATE)
    mujoco.mj_setState(target.model, target, state, _STATE)
    mujoco.mj_forward(target.model, target)
