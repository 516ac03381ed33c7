"""Scripted Fetch expert: one of ReSkill's controllers, with its smooth noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.fetch.controllers import Decision, pick_and_place, push, sweep
from skillgym_envs.fetch.scenes import FINGERS, GRIP_SITE

Floats = NDArray[np.float64]

CONTROLLERS: dict[str, Callable[..., Decision]] = {
    "pick and place": pick_and_place,
    "push": push,
    "hook": sweep,
}
_NOISE_FREQUENCY = 3.0 / 1000.0  # lattice cells per control step


class FetchExpert:
    """A controller that reads the simulator's state and adds Perlin noise to x, y and z.

    Paper: Rana et al. 2022, arXiv:2211.02231, data collection: stored and executed action =
    controller's action + 0.5 * noise, with noise only on x, y and z. An episode covers less than a
    third of the noise's first cell, so the noise is a slow drift in a random direction.

    Attributes:
        controller: Name of the controller.
    """

    def __init__(
        self,
        plan: Sequence[str],
        rng: np.random.Generator,
        noise: float = 0.5,
        clip: bool = True,
    ) -> None:
        """Prepare an expert.

        Args:
            plan: One name: `pick and place`, `push` or `hook`.
            rng: Source of the noise.
            noise: Amplitude of the noise, in units of actions.
            clip: Whether actions are clipped to [-1, 1]. The environment clips them anyway; ReSkill
                stores them unclipped.

        Raises:
            UnknownTask: If the controller is unknown.
        """
        (self.controller,) = plan
        if self.controller not in CONTROLLERS:
            raise UnknownTask(self.controller, CONTROLLERS)
        self._decide = CONTROLLERS[self.controller]
        self._rng = rng
        self._amplitude = noise
        self._clip = clip

    def reset(self, data: mujoco.MjData) -> None:
        """Start an episode.

        Args:
            data: State of the environment; only read, here and in `act`.
        """
        self._slopes = self._rng.uniform(-1.0, 1.0, (2, 3))
        self._step = 0
        self._finished = False

    @property
    def done(self) -> bool:
        """Whether the controller has finished."""
        return self._finished

    def act(self, data: mujoco.MjData) -> Floats:
        """Choose the action (4,) of this control step, for a state of the environment."""
        action, finished = self._decide(*features(data, hook=self.controller == "hook"))
        self._finished = self._finished or finished
        noise = gradient_noise(self._step * _NOISE_FREQUENCY, self._slopes)
        self._step += 1
        action[:3] += self._amplitude * noise
        return np.clip(action, -1.0, 1.0) if self._clip else action


def features(data: mujoco.MjData, hook: bool = False) -> tuple[Floats | float, ...]:
    """Inputs of the controllers: gripper, finger, object, goal, and the hook if asked for.

    In stacking, the goal is the big block.
    """
    model = data.model
    stack = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_SITE), "object1") >= 0
    goal = data.site("object1").xpos if stack else data.body("goal").xpos
    read = (
        data.site(GRIP_SITE).xpos.copy(),
        float(data.joint(FINGERS[0]).qpos[0]),
        data.site("object0").xpos.copy(),
        goal.copy(),
    )
    return (*read, data.site("hook").xpos.copy()) if hook else read


def gradient_noise(at: float, slopes: Floats) -> Floats:
    """One-dimensional Perlin noise inside the first cell of its lattice.

    Args:
        at: Position in the cell, 0 to 1.
        slopes: Gradients at both ends of the cell, shape (2, D), for D independent noises.

    Returns:
        Noise (D,).
    """
    near, far = at * slopes[0], (at - 1.0) * slopes[1]
    fade = at**3 * (at * (6.0 * at - 15.0) + 10.0)
    noise: Floats = near + fade * (far - near)
    return noise
