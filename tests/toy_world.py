"""A world that steps in microseconds: a puck on a rail, with all that a world may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from array_api_compat import array_namespace
from gymnasium import spaces

from skillgym_envs.core.observations import ObservationBlock, ObservationLayout
from skillgym_envs.core.world import Array, Control, Memory, Outcome, Physics, PhysicsState, World

RAIL = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="2 2 .1" pos="0 0 -.1" rgba=".2 .3 .4 1"/>
    <body name="puck">
      <joint name="rail" type="slide" axis="1 0 0" damping="1"/>
      <geom size=".1" mass="1" rgba="1 0 0 1"/>
      <site name="centre"/>
    </body>
    <body name="hand" mocap="true" pos="0 1 0"><geom size=".05" contype="0" conaffinity="0"/></body>
  </worldbody>
  <actuator><motor joint="rail" gear="20"/></actuator>
  <sensor><framepos objtype="site" objname="centre"/></sensor>
</mujoco>
"""


class ToyWorld(World):
    """Push a puck to the left mark, then to the right one.

    It has a random start, a noisy reading, a sensor and a mocap body.

    Args:
        noise: Half-width of the noise of the reading [m].
        max_episode_steps: Length of the blocks of random numbers.
    """

    name = "toy"
    frame_skip = 5
    camera: Mapping[str, Any] = {"distance": 3.0, "azimuth": 90.0, "elevation": -30.0}
    subtasks = ("left", "right")
    noise_size = 1

    def __init__(self, noise: float = 0.01, max_episode_steps: int = 12) -> None:
        self.noise = noise
        self.max_episode_steps = max_episode_steps
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        block = ObservationBlock(
            name="puck",
            labels=("position", "velocity", "steps"),
            units=("m", "m/s", "1"),
            frame="world",
            source="sensor",
            noise=(noise, 0.0, 0.0),
        )
        self.layout = ObservationLayout((block,))

    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""
        return mujoco.MjModel.from_xml_string(RAIL)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        start = np.array([[rng.uniform(-0.05, 0.05)] for rng in rngs])
        state = PhysicsState(qpos=start, qvel=np.zeros_like(start))
        return state, {"steps": np.zeros(len(rngs)), "completed": np.zeros((len(rngs), 2), bool)}

    def control(self, action: Array, memory: Memory) -> Control:
        xp = array_namespace(action)
        hand = xp.stack([action[:, 0], memory["steps"], action[:, 0] * 0], axis=-1)
        return Control(ctrl=xp.clip(action, -1.0, 1.0), mocap_pos=hand[:, None, :])

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        xp = array_namespace(physics.qpos)
        reading = physics.sensordata[:, :1] + self.noise * noise
        steps = memory["steps"]
        observation = xp.concat([reading, physics.qvel, steps[:, None]], axis=1)
        return observation, memory | {"steps": steps + 1.0}

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        xp = array_namespace(observation)
        left = memory["completed"][:, 0] | (observation[:, 0] < -0.15)
        right = memory["completed"][:, 1] | (left & (observation[:, 0] > 0.15))
        completed = xp.stack([left, right], axis=1)
        new = completed & ~memory["completed"]
        outcome = Outcome(
            reward=xp.astype(xp.sum(xp.astype(new, xp.int32), axis=1), xp.float64),
            terminated=xp.all(completed, axis=1),
            completed_step=new,
            completed=completed,
        )
        return outcome, memory | {"completed": completed}
