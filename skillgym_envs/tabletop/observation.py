"""Blocks of the tabletop's observations."""

from __future__ import annotations

from skillgym_envs.core.observations import ObservationBlock, ObservationLayout
from skillgym_envs.tabletop.robot import ARM_JOINTS
from skillgym_envs.tabletop.scenes import Scene

OBSERVATIONS = ("skimo", "robot", "scene", "full")

_block = ObservationBlock.exact


def observation_layout(kind: str, scene: Scene) -> ObservationLayout:
    """Layout of one of `OBSERVATIONS`."""
    robot = (
        _block("tcp_pos", [f"tcp {axis}" for axis in "xyz"], "m", "world", "sensor"),
        _block("tcp_euler", ["tcp roll", "tcp pitch", "tcp yaw"], "rad", "world", "sensor"),
        _block("opening", ["gripper opening"], "m", "joint", "qpos"),
        _block("arm_qpos", ARM_JOINTS, "rad", "joint", "qpos"),
        _block("gripper_action", ["last gripper action"], "1", "gripper", "memory"),
    )
    furniture = (
        _block("furniture_qpos", ["slider", "drawer", "button", "switch"], "m", "joint", "qpos"),
        _block("lights", ["lightbulb", "led"], "1", "world", "memory"),
    )
    blocks = tuple(
        block
        for colour in scene.order
        for block in (
            _block(f"{colour}_pos", [f"{colour} {axis}" for axis in "xyz"], "m", "world", "qpos"),
            _block(
                f"{colour}_euler",
                [f"{colour} {axis}" for axis in ("roll", "pitch", "yaw")],
                "rad",
                "world",
                "qpos",
            ),
        )
    )
    chosen = {
        "skimo": robot + furniture,
        "robot": robot,
        "scene": furniture + blocks,
        "full": robot + furniture + blocks,
    }
    return ObservationLayout(chosen[kind])
