"""Play: random possible tasks, one after the other, until the episode ends."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from skillgym_envs.tabletop.block_plans import on_table
from skillgym_envs.tabletop.expert import TabletopExpert
from skillgym_envs.tabletop.furniture import DOOR_WIDTH
from skillgym_envs.tabletop.phases import View
from skillgym_envs.tabletop.scenes import COLOURS, DRAWER_RANGE, SWITCH_RANGE, Scene
from skillgym_envs.tabletop.tasks import TASK_SETS

_FURNITURE_SHARE = 0.75  # of the tasks that are drawn
_DRAWER_OPEN = DRAWER_RANGE - 0.04  # far enough to reach in [m]


class PlayExpert(TabletopExpert):
    """Draws the next task from those that can be done now.

    Three of four tasks are with the furniture. One of the four subtasks of SkiMo, drawn for each
    episode, is never done, so that no episode shows the whole task. A lifted block is put down in
    the cabinet, in the drawer or onto another block.
    """

    def __init__(self, plan: Sequence[str], rng: np.random.Generator) -> None:
        """Prepare an expert.

        Args:
            plan: Not used: tasks are drawn from those that are possible.
            rng: Source of all variation.
        """
        super().__init__((), rng)
        self._avoided = str(rng.choice(TASK_SETS["skimo"]))

    @property
    def done(self) -> bool:
        """Never: the time limit ends an episode."""
        return False

    def reset(self, data: mujoco.MjData) -> None:
        """Start an episode (see `TabletopExpert.reset`)."""
        self.sequence = ()
        super().reset(data)

    def next_task(self, view: View) -> str | None:
        """The next task, added to the sequence."""
        if self._index >= len(self.sequence) or self.failed:
            self.sequence, self.failed = (*self.sequence[: self._index], self._draw(view)), False
        return self.sequence[self._index]

    def _draw(self, view: View) -> str:
        last = self.sequence[self._index - 1] if 0 < self._index <= len(self.sequence) else ""
        if last.startswith("lift") and not self.failed:
            options = _places(view)
        else:
            furniture, blocks = furniture_tasks(view, self.scene), block_tasks(view, self.scene)
            with_furniture = not blocks or self._rng.random() < _FURNITURE_SHARE
            options = [task for task in furniture if task != self._avoided]
            options = options if with_furniture else blocks
        return str(self._rng.choice(options))


def furniture_tasks(view: View, scene: Scene) -> list[str]:
    """Furniture tasks that can be done now: move a part to its other state, press the button."""
    tasks = ["turn_on_led"]  # or off: the button is pressed either way
    for joint, length, forth, back in (
        ("slide", scene.door_range, "move_slider_left", "move_slider_right"),
        ("drawer", DRAWER_RANGE, "open_drawer", "close_drawer"),
        ("switch", SWITCH_RANGE, "turn_on_lightbulb", "turn_off_lightbulb"),
    ):
        tasks.append(forth if view.joint(joint) < length / 2 else back)
    return tasks


def block_tasks(view: View, scene: Scene) -> list[str]:
    """Tasks that can be done now with single blocks that are apart from the others."""
    tasks = []
    for colour in COLOURS:
        spot = view.block(colour)
        others = [view.block(other) for other in COLOURS if other != colour]
        if min(float(np.linalg.norm(spot - other)) for other in others) < 0.11:
            continue
        if on_table(view, colour):
            tasks += [f"lift_{colour}_block_table"]
            tasks += [f"rotate_{colour}_block_{side}" for side in ("left", "right")]
            tasks.append(f"push_{colour}_block_{'left' if spot[0] > 0.15 else 'right'}")
        elif in_reach_in_cabinet(view, colour, scene):
            tasks.append(f"lift_{colour}_block_slider")
        elif spot[1] < -0.2 and spot[2] > 0.35 and view.joint("drawer") > _DRAWER_OPEN:
            tasks.append(f"lift_{colour}_block_drawer")
    return tasks


def in_reach_in_cabinet(view: View, colour: str, scene: Scene) -> bool:
    """Whether a block is upright in the open half of the cabinet, with a graspable yaw."""
    x, y, z = view.block(colour)
    door = scene.door - view.joint("slide")
    uncovered = x < door - 0.06 or x > door + DOOR_WIDTH + 0.06
    turned = abs(np.sin(view.yaw(colour))) > 0.85
    return bool(y > 0.04 and abs(z - 0.46) < 0.01 and uncovered and turned)


def _places(view: View) -> list[str]:
    tasks = ["place_in_slider"]
    if view.joint("drawer") > _DRAWER_OPEN:
        tasks.append("place_in_drawer")
    if any(on_table(view, colour) for colour in COLOURS):
        tasks.append("stack_block")
    return tasks
