"""Off-screen OpenGL contexts: EGL, OSMesa, GLFW and macOS, chosen when the first one is opened.

MuJoCo's own choice is fixed by `MUJOCO_GL` when `mujoco` is imported, and PyOpenGL's by the first
package that imports it. The contexts here call the libraries directly, so that neither the order of
imports nor another package's choice matters.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol

# Constants of egl.h, eglext.h, osmesa.h and gl.h.
_EGL_PLATFORM_DEVICE, _EGL_OPENGL_API = 0x313F, 0x30A2
_EGL_CONFIG = (
    *(0x3024, 8, 0x3023, 8, 0x3022, 8, 0x3021, 8),  # red, green, blue and alpha bits
    *(0x3025, 24, 0x3026, 8),  # depth and stencil bits
    *(0x3033, 0x0001, 0x3040, 0x0008),  # off-screen surfaces, desktop OpenGL
    0x3038,  # end of the list
)
_OSMESA_RGBA, _GL_UNSIGNED_BYTE = 0x1908, 0x1401
_POINTER = ctypes.c_void_p


class GLContext(Protocol):
    """An off-screen OpenGL context."""

    def make_current(self) -> None:
        """Make it the calling thread's context."""

    def release(self) -> None:
        """Detach it from the calling thread, so that another thread may use it."""

    def free(self) -> None:
        """Destroy it. Doing so twice is fine."""


class GLUnavailable(Exception):
    """A type of context cannot be opened here; the message says why. Callers collect these."""


class EglContext:
    """A context without a display, on a GPU or on Mesa's software rasteriser."""

    def __init__(self, width: int, height: int) -> None:
        del width, height  # MuJoCo draws into a framebuffer object of its own
        self._lib, self._display, self._config = _egl()
        self._lib.eglBindAPI(_EGL_OPENGL_API)
        self._context = self._lib.eglCreateContext(self._display, self._config, None, None)
        if not self._context:
            raise GLUnavailable("the EGL driver creates no OpenGL context")

    def make_current(self) -> None:
        """Make it the calling thread's context."""
        if not self._lib.eglMakeCurrent(self._display, None, None, self._context):
            raise GLUnavailable(f"eglMakeCurrent failed with {self._lib.eglGetError():#x}")

    def release(self) -> None:
        """Take it from the calling thread."""
        self._lib.eglMakeCurrent(self._display, None, None, None)

    def free(self) -> None:
        """Destroy it."""
        if self._context:
            self.release()
            self._lib.eglDestroyContext(self._display, self._context)
            self._context = None


class OsmesaContext:
    """A context in main memory, drawn by Mesa without any driver."""

    def __init__(self, width: int, height: int) -> None:
        self._lib = _osmesa()
        self._size = width, height
        self._buffer = (ctypes.c_ubyte * (4 * width * height))()
        self._context = self._lib.OSMesaCreateContextExt(_OSMESA_RGBA, 24, 8, 0, None)
        if not self._context:
            raise GLUnavailable("OSMesa creates no context")

    def make_current(self) -> None:
        """Make it the calling thread's context."""
        args = self._context, self._buffer, _GL_UNSIGNED_BYTE, *self._size
        if not self._lib.OSMesaMakeCurrent(*args):
            raise GLUnavailable("OSMesaMakeCurrent failed")

    def release(self) -> None:
        """Take it from the calling thread."""
        self._lib.OSMesaMakeCurrent(None, None, 0, 0, 0)

    def free(self) -> None:
        """Destroy it."""
        if self._context:
            self.release()
            self._lib.OSMesaDestroyContext(self._context)
            self._context = None


class NativeContext:
    """A context of the windowing system: MuJoCo's GLFW or macOS context."""

    def __init__(self, kind: str, width: int, height: int) -> None:
        try:
            self._context: Any = importlib.import_module(f"mujoco.{kind}").GLContext(width, height)
        except Exception as error:  # whatever a broken driver or a missing display raises
            raise GLUnavailable(f"{error}") from error
        if kind == "glfw" and not self._context._context:
            raise GLUnavailable("GLFW opens no window")
        self._kind = kind

    def make_current(self) -> None:
        """Make it the calling thread's context."""
        self._context.make_current()

    def release(self) -> None:
        """Take it from the calling thread."""
        if self._kind == "glfw":
            importlib.import_module("glfw").make_context_current(None)

    def free(self) -> None:
        """Destroy it."""
        if self._context is not None:
            self._context.free()
            self._context = None


CONTEXTS: dict[str, Callable[[int, int], GLContext]] = {
    "egl": EglContext,
    "osmesa": OsmesaContext,
    "glfw": lambda width, height: NativeContext("glfw", width, height),
    "cgl": lambda width, height: NativeContext("cgl", width, height),
}


@cache
def load_triton_first() -> None:
    """Load Triton's library, if it is installed, before OpenGL's.

    Mesa's drivers load LLVM into the process. Triton, which the CUDA builds of torch import with
    the first optimiser, has its own LLVM. If Mesa's is loaded first, Triton calls Mesa's functions
    instead of its own, and the process crashes. In the other order each uses its own.
    """
    spec = importlib.util.find_spec("triton")
    for folder in (spec and spec.submodule_search_locations) or ():
        for library in Path(folder).glob("_C/libtriton*.so"):
            with suppress(OSError):  # then torch cannot load it either
                ctypes.CDLL(str(library))


def default_order() -> tuple[str, ...]:
    """Types of contexts to try, best first; only that of `MUJOCO_GL` if it names one."""
    wanted = os.environ.get("MUJOCO_GL", "").strip().lower()
    if wanted in CONTEXTS:
        return (wanted,)
    if sys.platform == "darwin":
        return ("cgl",)
    if sys.platform == "win32":
        return ("glfw",)
    return (*(("glfw",) if has_display() else ()), "egl", "osmesa")


def check_window() -> None:
    """Check that a window can be opened, without opening one; MuJoCo would end the process."""
    if not has_display():
        raise GLUnavailable("there is no display (DISPLAY is not set)")
    if sys.platform == "linux":
        glfw = importlib.import_module("glfw")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not glfw.init():
                raise GLUnavailable(f"the display {os.environ.get('DISPLAY')} does not answer")


def has_display() -> bool:
    """Whether windows can be opened."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _publish(lib: ctypes.CDLL) -> None:
    """Let MuJoCo find the library, which it looks up in the process.

    Only a library that works is published: MuJoCo takes the first one it finds, so an EGL without a
    device would otherwise prevent OSMesa from working.
    """
    ctypes.CDLL(lib._name, mode=ctypes.RTLD_GLOBAL)


def _library(*names: str) -> ctypes.CDLL:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise GLUnavailable(f"the library {names[0]} is not installed")


@cache
def _egl() -> tuple[ctypes.CDLL, int, ctypes.c_void_p]:
    """The EGL library, an initialised display of the first working device, and a configuration."""
    lib = _library("libEGL.so.1", "libEGL.so")
    lib.eglGetProcAddress.restype = _POINTER
    lib.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    lib.eglInitialize.argtypes = [_POINTER] * 3
    lib.eglChooseConfig.argtypes = [_POINTER, _POINTER, _POINTER, ctypes.c_int, _POINTER]
    lib.eglCreateContext.argtypes = [_POINTER] * 4
    lib.eglCreateContext.restype = _POINTER
    lib.eglDestroyContext.argtypes = [_POINTER] * 2
    lib.eglMakeCurrent.argtypes = [_POINTER] * 4
    attributes = (ctypes.c_int * len(_EGL_CONFIG))(*_EGL_CONFIG)
    for display in _egl_displays(lib):
        if not (display and lib.eglInitialize(display, None, None)):
            continue
        config, count = _POINTER(), ctypes.c_int()
        if (
            lib.eglChooseConfig(display, attributes, ctypes.byref(config), 1, ctypes.byref(count))
            and count.value
        ):
            _publish(lib)
            return lib, display, config
    raise GLUnavailable("EGL finds no device with desktop OpenGL")


def _egl_displays(lib: ctypes.CDLL) -> list[int]:
    """Displays of the devices, or of the one device that `MUJOCO_EGL_DEVICE_ID` names."""
    query_at = lib.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_at = lib.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not (query_at and display_at):
        raise GLUnavailable("EGL lacks the extension EGL_EXT_platform_device")
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, _POINTER, _POINTER)(query_at)
    get_display = ctypes.CFUNCTYPE(_POINTER, ctypes.c_uint, _POINTER, _POINTER)(display_at)
    found, count = (_POINTER * 32)(), ctypes.c_int()
    query(32, ctypes.addressof(found), ctypes.addressof(count))
    devices = list(found[: count.value])
    wanted = os.environ.get("MUJOCO_EGL_DEVICE_ID")
    if wanted is not None:
        devices = [device for index, device in enumerate(devices) if str(index) == wanted.strip()]
    return [get_display(_EGL_PLATFORM_DEVICE, device, None) for device in devices]


@cache
def _osmesa() -> ctypes.CDLL:
    lib = _library("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")
    lib.OSMesaCreateContextExt.restype = _POINTER
    lib.OSMesaCreateContextExt.argtypes = [ctypes.c_uint, *[ctypes.c_int] * 3, _POINTER]
    lib.OSMesaMakeCurrent.argtypes = [_POINTER, _POINTER, ctypes.c_uint, *[ctypes.c_int] * 2]
    lib.OSMesaDestroyContext.argtypes = [_POINTER]
    _publish(lib)
    return lib
