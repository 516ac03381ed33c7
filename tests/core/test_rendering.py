"""Frames with and without OpenGL, and what is said where there is none."""

from __future__ import annotations

import ctypes.util
import gc
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import skillgym_envs  # noqa: F401  registers the environments
from skillgym_envs.core.rendering import (
    DisplayUnavailable,
    FrameRenderer,
    HumanViewer,
    RendererClosed,
    RenderingUnavailable,
    UnknownCamera,
    UnknownRenderer,
)
from tests.toy_world import ToyWorld

WORLD = ToyWorld()
CAMERA = WORLD.camera


def opengl() -> bool:
    try:
        FrameRenderer(WORLD.model, 8, 8).close()
    except RenderingUnavailable:
        return False
    return True


needs_opengl = pytest.mark.skipif(not opengl(), reason="no OpenGL library is installed")
backends = pytest.mark.parametrize("backend", [pytest.param(None, marks=needs_opengl), "ray"])


def data_at(position: float) -> mujoco.MjData:
    data = mujoco.MjData(WORLD.model)
    data.qpos[:] = position
    mujoco.mj_forward(WORLD.model, data)
    return data


def red_centre(frame: np.ndarray) -> float:
    """Mean column of the pixels of the red puck."""
    red = (frame[..., 0] > 100) & (frame[..., 1] < 80) & (frame[..., 2] < 80)
    assert red.any()
    return float(np.nonzero(red)[1].mean())


@backends
def test_a_frame_shows_the_state(backend):
    renderer = FrameRenderer(WORLD.model, 80, 60, CAMERA, backend)
    middle, right = renderer.render(data_at(0.0)), renderer.render(data_at(0.6))
    renderer.close()
    assert middle.shape == (60, 80, 3)
    assert middle.dtype == np.uint8
    assert not np.shares_memory(middle, right)
    assert red_centre(middle) == pytest.approx(39.5, abs=1.0)
    # Seen along +y, the axis of the rail points to the right of the picture.
    assert red_centre(right) > red_centre(middle) + 8


@needs_opengl
def test_both_kinds_of_frames_agree_on_the_geometry():
    frames = [
        FrameRenderer(WORLD.model, 80, 60, CAMERA, backend).render(data_at(0.3))
        for backend in (None, "ray")
    ]
    assert red_centre(frames[0]) == pytest.approx(red_centre(frames[1]), abs=0.5)


@backends
def test_one_after_the_other_and_two_at_once(backend):
    """The second renderer after a closed one is not black, and two do not disturb each other."""
    first = FrameRenderer(WORLD.model, 40, 30, CAMERA, backend)
    expected = first.render(data_at(0.2))
    first.close()
    first.close()
    with pytest.raises(RendererClosed):
        first.render(data_at(0.2))
    second = FrameRenderer(WORLD.model, 40, 30, CAMERA, backend)
    third = FrameRenderer(WORLD.model, 20, 20, CAMERA, backend)
    for renderer in (second, third, second):
        frame = renderer.render(data_at(0.2))
        assert frame.std() > 10
    np.testing.assert_array_equal(second.render(data_at(0.2)), expected)
    third.close()
    np.testing.assert_array_equal(second.render(data_at(0.2)), expected)
    second.close()


@backends
def test_any_thread_may_draw(backend):
    renderer = FrameRenderer(WORLD.model, 40, 30, CAMERA, backend)
    expected, frames = renderer.render(data_at(0.0)), []
    thread = threading.Thread(target=lambda: frames.append(renderer.render(data_at(0.0))))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(frames[0], expected)
    np.testing.assert_array_equal(renderer.render(data_at(0.0)), expected)
    renderer.close()


@needs_opengl
def test_a_forgotten_renderer_releases_its_context():
    for _ in range(30):
        assert FrameRenderer(WORLD.model, 8, 8).render(data_at(0.0)).std() > 0
    gc.collect()


@needs_opengl
def test_the_model_is_left_as_it_was():
    before = (WORLD.model.vis.global_.offwidth, WORLD.model.vis.quality.shadowsize)
    FrameRenderer(WORLD.model, 2000, 10).close()
    assert (WORLD.model.vis.global_.offwidth, WORLD.model.vis.quality.shadowsize) == before


@backends
def test_named_and_free_cameras(backend):
    env = gym.make("skillgym/Kitchen-v0")
    env.reset(seed=0)
    world, data = env.unwrapped.world, env.unwrapped.data
    frames = []
    for camera in ("left_cap", world.camera, None):
        renderer = FrameRenderer(world.model, 32, 24, camera, backend)
        frames.append(renderer.render(data).astype(int))
        renderer.close()
    assert np.abs(frames[0] - frames[1]).mean() > 5
    assert np.abs(frames[1] - frames[2]).mean() > 5


@backends
def test_shadows_darken(backend):
    frames = []
    for shadows in (False, True):
        renderer = FrameRenderer(WORLD.model, 120, 90, CAMERA, backend, shadows)
        frames.append(renderer.render(data_at(0.0)).mean())
        renderer.close()
    assert frames[1] < frames[0]


def test_shadows_without_opengl_darken_a_part_of_the_picture():
    plain, shaded = (
        FrameRenderer(WORLD.model, 60, 45, CAMERA, "ray", shadows).render(data_at(0.0))
        for shadows in (False, True)
    )
    assert 0.0 < (plain != shaded).any(axis=-1).mean() < 0.5


@backends
def test_what_is_nearer_is_lower_in_a_picture_from_above(backend):
    view = {"lookat": [0.0, 0.4, 0.0], "distance": 1.5, "azimuth": 90.0, "elevation": -30.0}
    renderer = FrameRenderer(WORLD.model, 40, 30, view, backend)
    assert red_centre(renderer.render(data_at(0.0)).transpose(1, 0, 2)) > 18  # of 30 rows
    renderer.close()


BALL = """
<mujoco>
  <asset>
    <texture name="flat" type="2d" builtin="flat" rgb1=".2 .4 .6" width="4" height="4"/>
    <material name="picture" texture="flat"/>
    <material name="paint" rgba=".2 .4 .6 1"/>
    <material name="other" rgba="1 0 0 1"/>
  </asset>
  <worldbody><geom size=".1" {}/></worldbody>
</mujoco>
"""


def test_without_opengl_a_colour_is_the_same_wherever_it_is_defined():
    own = 'rgba=".2 .4 .6 1"'
    frames = []
    for look in (own, f'material="other" {own}', 'material="paint"', 'material="picture"'):
        model = mujoco.MjModel.from_xml_string(BALL.format(look))
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        view = {"distance": 0.5, "azimuth": 90.0, "elevation": -20.0}
        frames.append(FrameRenderer(model, 24, 18, view, "ray").render(data).astype(int))
    assert frames[0][9, 12, 2] > frames[0][9, 12, 1] > frames[0][9, 12, 0] > 20
    for frame in frames[1:]:
        np.testing.assert_allclose(frame, frames[0], atol=1)


def test_an_environment_draws_shadows_if_it_is_told_to(monkeypatch):
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")
    brightness = []
    for shadows in (False, True):
        keywords = {"render_mode": "rgb_array", "width": 48, "height": 36, "shadows": shadows}
        env = gym.make("skillgym/Kitchen-v0", **keywords)
        env.reset(seed=0)
        brightness.append(env.render().mean())
        env.close()
    assert brightness[1] < brightness[0]


@needs_opengl
def test_environments_render_one_after_the_other_and_in_a_batch():
    frames = []
    for _ in range(2):
        env = gym.make("skillgym/Kitchen-v0", render_mode="rgb_array", width=48, height=36)
        env.reset(seed=0)
        frames.append(env.render())
        env.close()
        env.close()
    np.testing.assert_array_equal(frames[0], frames[1])
    assert frames[0].shape == (36, 48, 3)
    assert frames[0].std() > 20
    batch = gym.make_vec(
        "skillgym/Kitchen-v0",
        2,
        vectorization_mode="vector_entry_point",
        render_mode="rgb_array",
        width=48,
        height=36,
    )
    batch.reset(seed=0)
    for frame in batch.render():
        np.testing.assert_allclose(frame.astype(int), frames[0], atol=3)
    batch.close()


def test_mistakes_are_one_sentence(monkeypatch):
    with pytest.raises(UnknownRenderer, match="vulkan"):
        FrameRenderer(WORLD.model, 8, 8, backend="vulkan")
    with pytest.raises(UnknownCamera, match="top"):
        FrameRenderer(WORLD.model, 8, 8, "top", "ray")
    with pytest.raises(UnknownCamera, match="zoom"):
        FrameRenderer(WORLD.model, 8, 8, {"zoom": 2}, "ray")
    for camera in (3, {"lookat": [0.0, 0.0]}, {"distance": "far"}):
        with pytest.raises(UnknownCamera, match="or a mapping with lookat"):
            FrameRenderer(WORLD.model, 8, 8, camera, "ray")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        with pytest.raises(DisplayUnavailable, match="rgb_array"):
            HumanViewer(WORLD.model, data_at(0.0))


SCRIPT = """
import ctypes, os, sys
import mujoco
loaded = ctypes.CDLL.__init__
def missing(self, name, *args, **kwargs):
    if name and any(word in name for word in ("EGL", "OSMesa")):
        raise OSError(name)
    loaded(self, name, *args, **kwargs)
ctypes.CDLL.__init__ = missing
import gymnasium, skillgym_envs
env = gymnasium.make("skillgym/Kitchen-v0", render_mode="rgb_array", width=24, height=16)
env.reset(seed=0)
env.step(env.action_space.sample())
frame = env.render()
print(frame.shape, frame.std() > 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="hides Linux libraries")
@pytest.mark.parametrize("renderer", ["", "auto", "ray"])
def test_without_any_opengl_library(renderer):
    """States need no OpenGL; frames say what to install, or are drawn by rays."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "DISPLAY")}
    environment["SKILLGYM_RENDERER"] = renderer
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment
    )
    if renderer:
        assert done.stdout.strip() == "(16, 24, 3) True"
        return
    assert done.returncode != 0
    message = done.stderr.strip().splitlines()[-1]
    for word in ("RenderingUnavailable", "EGL", "OSMesa", "libegl1", "libosmesa6", "=ray"):
        assert word in message


@pytest.mark.skipif(sys.platform != "linux", reason="EGL and OSMesa are Linux libraries")
@pytest.mark.parametrize("variable", ["", "egl", "osmesa"])
def test_the_choice_does_not_depend_on_what_was_imported_before(variable):
    """`MUJOCO_GL` is honoured although mujoco and PyOpenGL were imported with another setting."""
    script = f"""
import os, ctypes.util
os.environ.pop("MUJOCO_GL", None)
os.environ.pop("DISPLAY", None)
import mujoco
os.environ["PYOPENGL_PLATFORM"] = "{"osmesa" if variable == "egl" else "egl"}"
os.environ["MUJOCO_GL"] = "{variable}"
from tests.toy_world import ToyWorld
from skillgym_envs.core.rendering import FrameRenderer, RenderingUnavailable
world = ToyWorld()
data = mujoco.MjData(world.model)
mujoco.mj_forward(world.model, data)
try:
    print(FrameRenderer(world.model, 16, 16).render(data).std() > 5)
except RenderingUnavailable as error:
    print("not installed" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


HUMAN = """
import gymnasium, skillgym_envs
env = gymnasium.make("skillgym/Kitchen-v0", render_mode="human")
env.reset(seed=0)
env.step(env.action_space.sample())
env.render()
env.close()
env.close()
print("closed")
"""


@needs_opengl
@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc's loader for its log")
@pytest.mark.parametrize("variable", ["", "egl"])
def test_triton_is_loaded_before_opengl(tmp_path, variable):
    """Else its LLVM is mixed with Mesa's: the first optimiser after a frame ended the process.

    With the variable MUJOCO_GL, MuJoCo opens OpenGL when it is imported.
    """
    if variable and not ctypes.util.find_library("EGL"):
        pytest.skip("no EGL is installed")
    library = tmp_path / "triton" / "_C" / "libtriton.so"
    library.parent.mkdir(parents=True)
    shutil.copy(importlib.import_module("_ctypes").__file__, library)  # any library does
    (tmp_path / "triton" / "__init__.py").touch()
    script = (
        "import gymnasium, skillgym_envs\n"
        "env = gymnasium.make('skillgym/Maze-v0', render_mode='rgb_array')\n"
        "env.reset(seed=0); env.render()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    if variable:
        environment["MUJOCO_GL"] = variable
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": os.pathsep.join(path), "LD_DEBUG": "files"},
    )
    assert done.returncode == 0, done.stderr[-1000:]
    loaded = [line for line in done.stderr.splitlines() if "calling init:" in line]
    triton = next(at for at, line in enumerate(loaded) if str(library) in line)
    opengl = next(at for at, line in enumerate(loaded) if "libEGL" in line or "libOSMesa" in line)
    assert triton < opengl


@needs_opengl
@pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="no CUDA build of torch")
def test_an_optimiser_after_a_frame():
    script = (
        "import gymnasium, skillgym_envs\n"
        "env = gymnasium.make('skillgym/Maze-v0', render_mode='rgb_array')\n"
        "env.reset(seed=0); env.render()\n"
        "import triton\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def run_with_display(script: str, display: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DISPLAY": display}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )


@pytest.mark.skipif(sys.platform != "linux", reason="displays have names on Linux")
def test_a_display_that_does_not_answer_is_one_sentence():
    done = run_with_display(HUMAN, ":4711")
    assert done.returncode == 1
    assert "DisplayUnavailable" in done.stderr.strip().splitlines()[-1]
    assert ":4711 does not answer" in done.stderr


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_window_opens_and_closes():
    """The process ends cleanly, too: MuJoCo's window has a thread of its own."""
    with subprocess.Popen(["Xvfb", ":4712", "-screen", "0", "640x480x24"]) as server:
        try:
            for _ in range(100):
                if os.path.exists("/tmp/.X11-unix/X4712"):
                    break
                time.sleep(0.1)
            done = run_with_display(HUMAN, ":4712")
        finally:
            server.terminate()
    assert (done.stdout.strip(), done.returncode) == ("closed", 0), done.stderr
