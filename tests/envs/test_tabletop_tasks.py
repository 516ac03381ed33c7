"""The 34 conditions of the tabletop, one by one, on snapshots made by hand."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest
import torch

from skillgym_envs.core.errors import InvalidTask, UnknownTask
from skillgym_envs.tabletop import TASK_SETS, TASKS, Snapshot
from skillgym_envs.tabletop.model import TOUCHABLE
from skillgym_envs.tabletop.tasks import SIZE, resolve_tasks

RED, BLUE, PINK = range(3)
COLOURS = ("red", "blue", "pink")
Change = Callable[[Snapshot], None]


def snapshot(*changes: Change) -> Snapshot:
    """One environment: all at rest, blocks apart on the table, lights off; then changes."""
    scene = Snapshot(
        furniture=np.zeros((1, 4)),
        lights=np.zeros((1, 2)),
        position=np.array([[[0.0, -0.1, 0.46], [0.1, -0.1, 0.46], [0.2, -0.1, 0.46]]]),
        rotation=np.tile([1.0, 0.0, 0.0, 0.0], (1, 3, 1)),
        velocity=np.zeros((1, 3, 6)),
        contact=np.zeros((1, 3, len(TOUCHABLE))),
        occupied=np.zeros((1, 1)),
    )
    for block in range(3):
        touch(block, "base")(scene)
    for change in changes:
        change(scene)
    return scene


def touch(block: int, *others: str) -> Change:
    """The block touches exactly these."""

    def change(scene: Snapshot) -> None:
        scene.contact[0, block] = [name in others for name in TOUCHABLE]

    return change


def shift(block: int, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Change:
    def change(scene: Snapshot) -> None:
        scene.position[0, block] += x, y, z

    return change


def turn(block: int, angle: float, axis: int = 2) -> Change:
    def change(scene: Snapshot) -> None:
        scene.rotation[0, block] = 0.0
        half = np.deg2rad(angle) / 2
        scene.rotation[0, block, 0], scene.rotation[0, block, 1 + axis] = np.cos(half), np.sin(half)

    return change


def tilt(block: int, angle: float, axis: int) -> Change:
    """The block is also turned about one of its own axes, before the turn that it has."""

    def change(scene: Snapshot) -> None:
        half, own, product = np.deg2rad(angle) / 2, np.zeros(4), np.empty(4)
        own[0], own[1 + axis] = np.cos(half), np.sin(half)
        mujoco.mju_mulQuat(product, scene.rotation[0, block], own)
        scene.rotation[0, block] = product

    return change


def put(name: str, index: tuple[int, ...], value: float) -> Change:
    """Write one number of a field."""

    def change(scene: Snapshot) -> None:
        getattr(scene, name)[(0, *index)] = value

    return change


def holds(task: str, start: Snapshot, end: Snapshot) -> bool:
    (result,) = TASKS[task](start, end)
    return bool(result)


def others_touching(block: int) -> str:
    return COLOURS[(block + 1) % 3]


def test_names_and_order():
    names = list(TASKS)
    assert len(names) == 34
    assert names[:3] == [
        "rotate_red_block_right",
        "rotate_red_block_left",
        "rotate_blue_block_right",
    ]
    assert names[6:8] == ["push_red_block_right", "push_red_block_left"]
    assert names[12:19] == [
        *("move_slider_left", "move_slider_right", "open_drawer", "close_drawer"),
        *("lift_red_block_table", "lift_red_block_slider", "lift_red_block_drawer"),
    ]
    assert names[25:] == [
        *("place_in_slider", "place_in_drawer", "stack_block", "unstack_block"),
        *("turn_on_lightbulb", "turn_off_lightbulb", "turn_on_led", "turn_off_led"),
        "push_into_drawer",
    ]


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_done_when_nothing_changes(task):
    assert not holds(task, snapshot(), snapshot())


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize(("side", "sign"), [("right", -1), ("left", 1)])
def test_rotate(block, side, sign):
    task = f"rotate_{COLOURS[block]}_block_{side}"
    for angle, done in ((59, False), (61, True), (179, True), (-90, False)):
        assert holds(task, snapshot(), snapshot(turn(block, sign * angle))) is done
    # Relative to a start that is turned itself.
    assert holds(task, snapshot(turn(block, 40)), snapshot(turn(block, 40 + sign * 90)))
    quarter = turn(block, sign * 90)
    assert not holds(task, snapshot(), snapshot(quarter, shift(block, 0.11)))
    assert holds(task, snapshot(), snapshot(quarter, shift(block, 0.09)))
    assert not holds(task, snapshot(), snapshot(quarter, touch(block, "robot")))
    assert holds(task, snapshot(), snapshot(quarter, touch(block, "robot", "base")))
    assert not holds(task, snapshot(), snapshot(turn(block, sign * 90, axis=0)))
    for axis in (0, 1):  # roll and pitch of less than 30 degrees
        for angle, done in ((29, True), (-29, True), (31, False), (-31, False)):
            end = snapshot(quarter, tilt(block, angle, axis))
            assert holds(task, snapshot(), end) is done
    assert not holds(task, snapshot(), snapshot(turn((block + 1) % 3, sign * 90)))


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize(("side", "sign"), [("right", 1), ("left", -1)])
def test_push(block, side, sign):
    task = f"push_{COLOURS[block]}_block_{side}"
    moved = shift(block, sign * 0.11)
    assert holds(task, snapshot(), snapshot(moved))
    assert not holds(task, snapshot(), snapshot(shift(block, sign * 0.09)))
    assert not holds(task, snapshot(), snapshot(shift(block, -sign * 0.11)))
    assert not holds(task, snapshot(), snapshot(moved, touch(block, "robot")))  # lifted
    neighbour = others_touching(block)
    assert holds(task, snapshot(), snapshot(moved, touch(block, "base", neighbour)))
    beside = snapshot(touch(block, "base", neighbour))
    assert not holds(task, beside, snapshot(moved))  # it has left its neighbour
    assert not holds(task, snapshot(touch(block)), snapshot(moved))  # it was in the air


@pytest.mark.parametrize(
    ("task", "joint", "before", "after"),
    [
        ("move_slider_left", 0, 0.0, 0.15),
        ("move_slider_right", 0, 0.28, 0.13),
        ("open_drawer", 1, 0.0, 0.12),
        ("close_drawer", 1, 0.22, 0.10),
    ],
)
def test_slider_and_drawer(task, joint, before, after):
    start = snapshot(put("furniture", (joint,), before))
    for more, done in ((-0.001, False), (0.001, True)):
        end = after + np.sign(after - before) * more
        assert holds(task, start, snapshot(put("furniture", (joint,), end))) is done
    assert not holds(task, snapshot(put("furniture", (joint,), after)), start)


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize(
    ("name", "surface", "height"),
    [("table", "base", 0.05), ("slider", "plank", 0.03), ("drawer", "drawer", 0.05)],
)
def test_lift(block, name, surface, height):
    task = f"lift_{COLOURS[block]}_block_{name}"
    start = snapshot(touch(block, surface))
    raised, held = shift(block, z=height + 0.002), touch(block, "robot")
    assert holds(task, start, snapshot(raised, held))
    assert not holds(task, start, snapshot(shift(block, z=height - 0.002), held))
    assert not holds(task, start, snapshot(raised, touch(block, "robot", surface)))
    assert not holds(task, start, snapshot(raised, touch(block)))  # thrown
    assert not holds(task, snapshot(touch(block, "floor")), snapshot(raised, held))
    start = snapshot(touch(block, surface, "robot"))  # already grasped
    assert holds(task, start, snapshot(raised, held))


@pytest.mark.parametrize(("task", "surface"), [("slider", "plank"), ("drawer", "drawer")])
@pytest.mark.parametrize("block", range(3))
def test_place(block, task, surface):
    task = f"place_in_{task}"
    held, placed = touch(block, "robot"), snapshot(touch(block, surface))
    assert holds(task, snapshot(held), placed)
    assert holds(task, snapshot(held), snapshot(touch(block, surface, "base")))
    assert not holds(task, snapshot(held), snapshot(touch(block, surface, "robot")))
    assert not holds(task, snapshot(held), snapshot())
    assert not holds(task, snapshot(touch(block, "robot", "base")), placed)
    assert not holds(task, snapshot(held, put("occupied", (0,), 1.0)), placed)
    second = touch((block + 1) % 3, "robot", "base")
    assert not holds(task, snapshot(held, second), placed)


@pytest.mark.parametrize("block", range(3))
def test_push_into_drawer(block):
    end = snapshot(touch(block, "drawer"))
    assert holds("push_into_drawer", snapshot(), end)
    assert not holds("push_into_drawer", snapshot(touch(block, "base", "robot")), end)
    assert not holds("push_into_drawer", snapshot(touch(block, "plank")), end)
    # As in the reference, the robot may touch it at the end.
    assert holds("push_into_drawer", snapshot(), snapshot(touch(block, "drawer", "robot")))


@pytest.mark.parametrize("block", range(3))
def test_stack_and_unstack(block):
    other = others_touching(block)
    apart, on_top = snapshot(), snapshot(touch(block, other))
    assert holds("stack_block", apart, on_top)
    assert holds("unstack_block", on_top, apart)
    assert holds("unstack_block", on_top, snapshot(touch(block, "robot")))
    for wrong in (
        snapshot(touch(block, other, "robot")),
        snapshot(touch(block, other, "base")),
        snapshot(touch(block, other), put("velocity", (block, 2), -1.1)),
        snapshot(touch(block, other), put("velocity", (block, 4), 1.1)),
    ):
        assert not holds("stack_block", apart, wrong)
        assert not holds("unstack_block", wrong, apart)
    # Angular velocities are judged in the world frame, given in the block's.
    fast = put("velocity", (block, 5), 1.2)
    assert not holds("stack_block", apart, snapshot(touch(block, other), fast))
    slanted = turn(block, 45, axis=0)  # 0.85 about two axes of the world
    assert holds("stack_block", apart, snapshot(touch(block, other), fast, slanted))
    assert not holds("stack_block", snapshot(touch(block, other, "base")), on_top)
    assert not holds("unstack_block", on_top, on_top)


@pytest.mark.parametrize(("light", "index"), [("lightbulb", 0), ("led", 1)])
def test_lights(light, index):
    off, on = snapshot(), snapshot(put("lights", (index,), 1.0))
    other = snapshot(put("lights", (1 - index,), 1.0))
    assert holds(f"turn_on_{light}", off, on)
    assert holds(f"turn_off_{light}", on, off)
    assert not holds(f"turn_on_{light}", on, on)
    assert not holds(f"turn_off_{light}", off, on)
    assert not holds(f"turn_on_{light}", off, other)


def test_batches_and_torch_agree_with_single_environments():
    """128 random snapshots: packing loses nothing, and each row stands for itself."""
    rng = np.random.default_rng(0)
    packed = rng.normal(size=(2, 128, SIZE))
    start, end = (Snapshot.unpack(rows) for rows in packed)
    for scene in (start, end):
        scene.contact[:] = rng.random(scene.contact.shape) < 0.12
        scene.lights[:] = rng.integers(2, size=scene.lights.shape)
        scene.occupied[:] = 0.0
        scene.rotation[:] /= np.linalg.norm(scene.rotation, axis=-1, keepdims=True)
        scene.velocity[:] *= 0.3
        scene.position[:] *= 0.05
    np.testing.assert_array_equal(Snapshot.unpack(start.pack()).contact, start.contact)
    tensors = [Snapshot.unpack(torch.from_numpy(scene.pack())) for scene in (start, end)]
    done = 0
    for condition in TASKS.values():
        expected = condition(start, end)
        done += expected.sum()
        assert expected.shape == (128,)
        np.testing.assert_array_equal(condition(*tensors).numpy(), expected)
        rows = [Snapshot.unpack(scene.pack()[5:6]) for scene in (start, end)]
        assert condition(*rows)[0] == expected[5]
    assert done > 100


def test_lists_of_tasks():
    assert resolve_tasks("skimo") == TASK_SETS["skimo"]
    assert resolve_tasks("stack_block") == ("stack_block",)
    assert resolve_tasks(["turn_on_led", "open_drawer"]) == ("turn_on_led", "open_drawer")
    with pytest.raises(UnknownTask, match="open_drawer"):
        resolve_tasks("open_drawr")
    with pytest.raises(UnknownTask, match="turn_on_led"):
        resolve_tasks(["turn_on_let"])
    with pytest.raises(InvalidTask, match="twice"):
        resolve_tasks(["open_drawer", "open_drawer"])
    with pytest.raises(InvalidTask, match="no subtask"):
        resolve_tasks([])
