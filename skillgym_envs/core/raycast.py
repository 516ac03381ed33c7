"""A picture of a MuJoCo scene without OpenGL: one ray per pixel, shaded in NumPy.

Meant for machines without any OpenGL library. Textures appear as their mean colour; sites and
tendons are not drawn.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# MuJoCo's default; geoms of the groups 3 to 5 are for collisions.
_VISIBLE_GROUPS = np.array([1, 1, 1, 0, 0, 0], np.uint8)
_SKY_LOW, _SKY_HIGH = np.array([0.93, 0.95, 0.97]), np.array([0.62, 0.72, 0.84])
_AMBIENT, _HEADLIGHT, _LAMP, _SHINE = 0.32, 0.28, 0.48, 0.22
_LAMP_OFFSET = np.array([-0.7, -1.1, 1.7])  # of the camera's distance, from the point it looks at


class RayCaster:
    """Draws frames with `mj_multiRay`.

    Args:
        model: The MuJoCo model.
        width: Width of the frames [pixel].
        height: Height of the frames [pixel].
        shadows: Whether a second ray per pixel checks if the lamp reaches it; doubles the time.
    """

    def __init__(
        self, model: mujoco.MjModel, width: int, height: int, shadows: bool = False
    ) -> None:
        self._model = model
        self._shape = height, width
        self._shadows = shadows
        self._scene = mujoco.MjvScene(model, maxgeom=1)
        self._colours = _geom_colours(model)
        rays = width * height
        self._geom = np.zeros(rays, np.int32)
        self._distance = np.zeros(rays)
        self._normal = np.zeros((rays, 3))

    def render(self, data: mujoco.MjData, camera: mujoco.MjvCamera) -> NDArray[np.uint8]:
        """Draw a state whose positions are up to date (`mj_forward` or `mj_step` ran).

        Args:
            data: State to draw.
            camera: The camera.

        Returns:
            Frame, shape (height, width, 3).
        """
        eye, forward, rays = self._camera_rays(data, camera)
        self._cast(data, eye, rays, self._distance, self._normal)
        hit = self._distance >= 0
        colour = _sky(rays)
        if hit.any():
            focus = eye + float(np.median(self._distance[hit])) * forward
            lamp = focus + _LAMP_OFFSET * np.linalg.norm(focus - eye)
            base = self._colours[self._geom[hit]]
            points = eye + self._distance[hit, None] * rays[hit]
            lit = self._lit(data, lamp, points)
            colour[hit] = _shade(base, points, self._normal[hit], rays[hit], lamp, lit)
        frame = (255.0 * np.clip(colour, 0.0, 1.0)).astype(np.uint8)
        return frame.reshape(*self._shape, 3)

    def _camera_rays(
        self, data: mujoco.MjData, camera: mujoco.MjvCamera
    ) -> tuple[Floats, Floats, Floats]:
        """Position (3,), viewing direction (3,) and unit ray directions (height * width, 3)."""
        mujoco.mjv_updateCamera(self._model, data, camera, self._scene)
        view, other = self._scene.camera[0], self._scene.camera[1]  # left and right eye
        height, width = self._shape
        top = view.frustum_top / view.frustum_near
        bottom = view.frustum_bottom / view.frustum_near
        half_width = 0.5 * (top - bottom) * width / height
        down = np.linspace(top, bottom, 2 * height + 1)[1::2]  # centres of pixels
        across = np.linspace(-half_width, half_width, 2 * width + 1)[1::2]
        forward, up = view.forward.astype(np.float64), view.up.astype(np.float64)
        right = np.cross(forward, up)
        rays = forward + across[None, :, None] * right + down[:, None, None] * up
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        eye: Floats = 0.5 * (view.pos.astype(np.float64) + other.pos)
        return eye, forward, rays.reshape(-1, 3)

    def _cast(
        self,
        data: mujoco.MjData,
        origin: Floats,
        rays: Floats,
        distance: Floats,
        normal: Floats | None,
    ) -> None:
        mujoco.mj_multiRay(
            self._model,
            data,
            origin,
            rays.ravel(),
            _VISIBLE_GROUPS,
            1,  # static geoms too
            -1,  # no body excluded
            self._geom[: len(rays)] if normal is not None else np.empty(len(rays), np.int32),
            distance,
            None if normal is None else normal.ravel(),
            len(rays),
            mujoco.mjMAXVAL,
        )

    def _lit(self, data: mujoco.MjData, lamp: Floats, points: Floats) -> Floats:
        """Share of the lamp's light that reaches each point: 1 or 0, shape (P,)."""
        if not self._shadows:
            return np.ones(len(points))
        rays = points - lamp
        reach = np.linalg.norm(rays, axis=1)
        first = np.empty(len(points))
        self._cast(data, lamp, rays / reach[:, None], first, None)
        return np.where((first < 0) | (first > reach - 5e-3), 1.0, 0.0)


def _shade(
    base: Floats, points: Floats, normal: Floats, rays: Floats, lamp: Floats, lit: Floats
) -> Floats:
    """Ambient light, a headlight, and a lamp with a highlight: colours (P, 3)."""
    facing = np.einsum("pk,pk->p", normal, rays)
    normal = np.where(facing[:, None] > 0, -normal, normal)  # seen from inside a mesh
    to_lamp = lamp - points
    to_lamp /= np.linalg.norm(to_lamp, axis=1, keepdims=True)
    half = to_lamp - rays
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    diffuse = lit * np.clip(np.einsum("pk,pk->p", normal, to_lamp), 0.0, 1.0)
    shine = lit * np.clip(np.einsum("pk,pk->p", normal, half), 0.0, 1.0) ** 32
    light = _AMBIENT + _HEADLIGHT * np.abs(facing) + _LAMP * diffuse
    shaded: Floats = base * light[:, None] + (_SHINE * shine)[:, None]
    return shaded


def _sky(rays: Floats) -> Floats:
    """Background colour of each ray: brighter towards the horizon, shape (P, 3)."""
    height = np.clip(rays[:, 2:], 0.0, 1.0)
    sky: Floats = _SKY_LOW + height * (_SKY_HIGH - _SKY_LOW)
    return sky


def _geom_colours(model: mujoco.MjModel) -> Floats:
    """Colour of every geom (ngeom, 3): its own or its material's, times its texture's mean."""
    colours = np.array(model.geom_rgba[:, :3], np.float64)
    # The material's colour replaces MuJoCo's default colour.
    unset = (model.geom_rgba == (0.5, 0.5, 0.5, 1.0)).all(axis=1)
    for geom, material in enumerate(model.geom_matid.tolist()):
        if material >= 0:
            own = model.mat_rgba[material, :3] if unset[geom] else colours[geom]
            colours[geom] = own * _mean_texture(model, material)
    return colours


def _mean_texture(model: mujoco.MjModel, material: int) -> Floats:
    texture = int(model.mat_texid[material, int(mujoco.mjtTextureRole.mjTEXROLE_RGB)])
    if texture < 0:
        return np.ones(3)
    channels = int(model.tex_nchannel[texture])
    if channels < 3:
        return np.ones(3)
    size = int(model.tex_height[texture]) * int(model.tex_width[texture]) * channels
    start = int(model.tex_adr[texture])
    pixels = model.tex_data[start : start + size].reshape(-1, channels)
    mean: Floats = pixels[:, :3].mean(axis=0) / 255.0
    return mean
