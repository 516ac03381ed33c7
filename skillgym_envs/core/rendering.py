"""Frames and windows of a MuJoCo scene; OpenGL is loaded when a renderer is constructed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core import gl
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.raycast import RayCaster

BACKENDS = (*gl.CONTEXTS, "ray", "auto")
BACKEND_VARIABLE = "SKILLGYM_RENDERER"

_log = logging.getLogger(__name__)


class RenderingUnavailable(SkillgymError, RuntimeError):
    """No OpenGL context can be opened."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        tried = ", ".join(f"{kind} ({reason})" for kind, reason in reasons.items())
        super().__init__(
            f"No OpenGL context could be opened for off-screen rendering, tried {tried}; install "
            "EGL (Debian packages libegl1 and libgl1-mesa-dri) or OSMesa (libosmesa6), or set "
            f"{BACKEND_VARIABLE}=ray to draw without OpenGL."
        )


class DisplayUnavailable(SkillgymError, RuntimeError):
    """A window was requested, but none can be opened."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f'render_mode="human" cannot open a window: {reason}; set DISPLAY or use '
            'render_mode="rgb_array".'
        )


class UnknownRenderer(SkillgymError, ValueError):
    """A renderer has an unknown name."""

    def __init__(self, given: object) -> None:
        super().__init__(f"Got the renderer {given!r}, expected one of {', '.join(BACKENDS)}.")


class UnknownCamera(SkillgymError, ValueError):
    """A camera has an unknown name."""

    def __init__(self, given: object, model: mujoco.MjModel) -> None:
        names = [model.camera(index).name for index in range(model.ncam)]
        super().__init__(
            f"Got the camera {given!r}, which the model lacks; expected one of {names}, or a "
            "mapping with lookat, distance, azimuth and elevation."
        )


class FrameRenderer:
    """Draws a model off-screen; owns one OpenGL context until `close`.

    Args:
        model: The MuJoCo model.
        width: Width of the frames [pixel].
        height: Height of the frames [pixel].
        camera: Name of a camera of the model, a free camera as a mapping with `lookat` [m],
            `distance` [m], `azimuth` and `elevation` [deg], or None for MuJoCo's default view.
        backend: `egl`, `osmesa`, `glfw` or `cgl` for OpenGL; `ray` for a slower picture without
            OpenGL; `auto` for OpenGL where it works and rays elsewhere. If None, the environment
            variable `SKILLGYM_RENDERER` decides, then `MUJOCO_GL`, then the first that works of
            GLFW (with a display), EGL and OSMesa.
        shadows: Whether frames have shadows and smooth edges. With a software rasteriser they take
            20 times longer.

    Raises:
        RenderingUnavailable: If no OpenGL context can be opened.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        width: int,
        height: int,
        camera: Mapping[str, Any] | str | None = None,
        backend: str | None = None,
        shadows: bool = False,
    ) -> None:
        self._drawer: _GLDrawer | RayCaster | None = None
        self._camera = make_camera(model, camera)
        self._drawer = _open(model, width, height, backend, shadows)

    def render(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """Draw a state: a fresh frame, shape (height, width, 3)."""
        if self._drawer is None:
            raise RendererClosed
        return self._drawer.render(data, self._camera)

    def close(self) -> None:
        """Release the OpenGL context. Closing twice is fine."""
        if isinstance(self._drawer, _GLDrawer):
            self._drawer.close()
        self._drawer = None

    def __del__(self) -> None:
        """Release the context of a renderer that was not closed."""
        self.close()


class RendererClosed(SkillgymError, RuntimeError):
    """A renderer was used after `close`."""

    def __init__(self) -> None:
        super().__init__("Got a call on a closed renderer; create a new one.")


class HumanViewer:
    """MuJoCo's interactive window for a simulation that is stepped elsewhere.

    Args:
        model: The MuJoCo model.
        data: State to show; each `sync` updates the window.
        camera: Initial view, as for `FrameRenderer`.

    Raises:
        DisplayUnavailable: If no window can be opened.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        camera: Mapping[str, Any] | str | None = None,
    ) -> None:
        gl.load_triton_first()
        try:
            gl.check_window()
        except gl.GLUnavailable as error:
            raise DisplayUnavailable(str(error)) from None
        view = make_camera(model, camera)
        others = set(threading.enumerate())
        try:
            from mujoco import viewer

            self._viewer = viewer.launch_passive(
                model, data, show_left_ui=False, show_right_ui=False
            )
        except Exception as error:  # a broken installation may raise anything
            raise DisplayUnavailable(str(error)) from error
        self._threads = set(threading.enumerate()) - others
        with self._viewer.lock():
            for name in ("type", "fixedcamid", "distance", "azimuth", "elevation"):
                setattr(self._viewer.cam, name, getattr(view, name))
            self._viewer.cam.lookat[:] = view.lookat

    def sync(self) -> None:
        """Show the current state. Does nothing after the user closed the window."""
        if self._viewer.is_running():
            self._viewer.sync()

    def close(self) -> None:
        """Close the window. Closing twice is fine."""
        self._viewer.close()
        for thread in self._threads:  # drawing at the interpreter's exit would crash
            thread.join(timeout=60.0)  # a frame without a GPU may take seconds


class _GLDrawer:
    """MuJoCo's renderer on one of our contexts."""

    def __init__(
        self, model: mujoco.MjModel, width: int, height: int, kind: str, shadows: bool
    ) -> None:
        self._model = model
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._options = mujoco.MjvOption()
        self._scene = mujoco.MjvScene(model, maxgeom=max(1000, 2 * model.ngeom))
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = shadows
        gl.load_triton_first()
        self._context = gl.CONTEXTS[kind](width, height)
        self._context.make_current()
        self._mjr = _mjr_context(model, width, height, shadows)
        mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), self._mjr)
        self._context.release()

    def render(self, data: mujoco.MjData, camera: mujoco.MjvCamera) -> NDArray[np.uint8]:
        every = int(mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateScene(self._model, data, self._options, None, camera, every, self._scene)
        frame = np.empty((self._rect.height, self._rect.width, 3), np.uint8)
        self._context.make_current()
        try:
            mujoco.mjr_render(self._rect, self._scene, self._mjr)
            mujoco.mjr_readPixels(frame, None, self._rect, self._mjr)
        finally:
            self._context.release()  # so that any thread can draw the next frame
        return frame[::-1].copy()  # OpenGL counts rows from below

    def close(self) -> None:
        self._context.make_current()
        self._mjr.free()
        self._context.free()


def make_camera(model: mujoco.MjModel, camera: Mapping[str, Any] | str | None) -> mujoco.MjvCamera:
    """MuJoCo's camera for a name, a mapping or None (see `FrameRenderer`)."""
    view = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, view)
    if isinstance(camera, str):
        index = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_CAMERA), camera)
        if index < 0:
            raise UnknownCamera(camera, model)
        view.type, view.fixedcamid = int(mujoco.mjtCamera.mjCAMERA_FIXED), index
    elif camera is not None:
        known = {"lookat", "distance", "azimuth", "elevation"}
        if not isinstance(camera, Mapping) or set(camera) - known:
            raise UnknownCamera(camera, model)
        try:
            for name, value in camera.items():
                setattr(view, name, value)
        except (TypeError, ValueError):
            raise UnknownCamera(camera, model) from None
    return view


def _open(
    model: mujoco.MjModel, width: int, height: int, backend: str | None, shadows: bool
) -> _GLDrawer | RayCaster:
    backend = backend or os.environ.get(BACKEND_VARIABLE) or None
    if backend not in (None, *BACKENDS):
        raise UnknownRenderer(backend)
    if backend == "ray":
        return RayCaster(model, width, height, shadows)
    reasons = {}
    for kind in gl.default_order() if backend in (None, "auto") else (backend,):
        try:
            return _GLDrawer(model, width, height, kind, shadows)
        except (gl.GLUnavailable, mujoco.FatalError) as error:
            reasons[kind] = str(error)
    if backend == "auto":
        _log.warning("No OpenGL was found (%s); frames are drawn by ray casting.", reasons)
        return RayCaster(model, width, height, shadows)
    raise RenderingUnavailable(reasons)


def _mjr_context(
    model: mujoco.MjModel, width: int, height: int, shadows: bool
) -> mujoco.MjrContext:
    """Upload the model; the sizes and quality settings that are changed for it are restored."""
    size, quality = model.vis.global_, model.vis.quality
    old = size.offwidth, size.offheight, quality.offsamples, quality.shadowsize
    size.offwidth, size.offheight = width, height
    if not shadows:
        quality.offsamples, quality.shadowsize = 0, 0
    try:
        return mujoco.MjrContext(model, int(mujoco.mjtFontScale.mjFONTSCALE_150))
    finally:
        size.offwidth, size.offheight, quality.offsamples, quality.shadowsize = old
