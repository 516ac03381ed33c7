"""The scripted expert does every element, recovers, varies, and only reads the state."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.kitchen import ELEMENTS, TASK_SETS, KitchenWorld
from skillgym_envs.kitchen.expert import KitchenExpert, goal_distance

Disturb = Callable[[KitchenExpert, mujoco.MjData], None]


@pytest.fixture(scope="module")
def env() -> WorldEnv:
    return WorldEnv(KitchenWorld())


def start(env: WorldEnv, sequence: tuple[str, ...], seed: int) -> KitchenExpert:
    env.reset(seed=seed)
    expert = KitchenExpert(sequence, np.random.default_rng(seed))
    expert.reset(env.data)
    return expert


def run(
    env: WorldEnv, expert: KitchenExpert, limit: int = 280, disturb: Disturb | None = None
) -> np.ndarray:
    """Actions (T, 9) until the expert is done or the limit is reached."""
    actions = []
    while not expert.done and len(actions) < limit:
        actions.append(expert.act(env.data))
        env.step(actions[-1])
        if disturb is not None:
            disturb(expert, env.data)
    return np.array(actions)


@pytest.mark.parametrize("element", ELEMENTS)
def test_does_each_element_well_inside_its_goal(env: WorldEnv, element: str) -> None:
    expert = start(env, (element,), seed=3)
    actions = run(env, expert)
    assert expert.done
    assert len(actions) < 110
    assert goal_distance(element, env.data.qpos) < 0.15
    others = [name for name in ELEMENTS if name != element]
    assert all(goal_distance(name, env.data.qpos) > 0.3 for name in others)
    assert np.abs(actions).max() <= 1.0


@pytest.mark.parametrize("task", ["mixed", "kbts", "misaligned"])
def test_does_four_elements_in_order_within_an_episode(env: WorldEnv, task: str) -> None:
    sequence = TASK_SETS[task]
    expert = start(env, sequence, seed=4)
    order: list[str | None] = []

    def note(expert: KitchenExpert, data: mujoco.MjData) -> None:
        if not order or order[-1] != expert.current:
            order.append(expert.current)

    run(env, expert, disturb=note)
    assert expert.done
    assert tuple(order[:4]) == sequence
    assert all(goal_distance(name, env.data.qpos) < 0.15 for name in sequence)


@pytest.mark.parametrize("seed", range(3))
def test_slides_the_cabinet_behind_an_open_door_at_the_first_try(env: WorldEnv, seed: int) -> None:
    expert = start(env, ("hinge cabinet", "slide cabinet"), seed)
    tries = []
    actions = run(env, expert, disturb=lambda expert, data: tries.append(expert.tries))
    assert expert.done and max(tries) == 1 and len(actions) < 130


def test_begins_again_when_the_door_slams_shut(env: WorldEnv) -> None:
    expert = start(env, ("microwave",), seed=1)
    joint = env.data.joint("microwave")
    slammed = []

    def slam(expert: KitchenExpert, data: mujoco.MjData) -> None:
        if expert.phase == "swing" and joint.qpos[0] < -0.4 and not slammed:
            joint.qpos[0] = joint.qvel[0] = 0.0
            slammed.append(True)

    run(env, expert, disturb=slam)
    assert slammed
    assert expert.done
    assert goal_distance("microwave", env.data.qpos) < 0.15


def test_leaves_out_what_is_already_done(env: WorldEnv) -> None:
    env.reset(seed=0)
    env.data.joint("microwave").qpos[0] = -0.75
    expert = KitchenExpert(("microwave", "light switch"), np.random.default_rng(0))
    expert.reset(env.data)
    assert expert.current == "light switch"


def test_only_reads_the_state(env: WorldEnv) -> None:
    expert = start(env, ("kettle",), seed=0)
    size = mujoco.mj_stateSize(env.data.model, mujoco.mjtState.mjSTATE_INTEGRATION)
    before, after = np.empty(size), np.empty(size)
    for _ in range(20):
        mujoco.mj_getState(env.data.model, env.data, before, mujoco.mjtState.mjSTATE_INTEGRATION)
        sites = env.data.site_xpos.copy()
        action = expert.act(env.data)
        mujoco.mj_getState(env.data.model, env.data, after, mujoco.mjtState.mjSTATE_INTEGRATION)
        np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(sites, env.data.site_xpos)
        env.step(action)


def test_same_seed_same_actions_and_other_seeds_vary(env: WorldEnv) -> None:
    first = run(env, start(env, ("light switch",), seed=7))
    again = run(env, start(env, ("light switch",), seed=7))
    other = run(env, start(env, ("light switch",), seed=8))
    np.testing.assert_array_equal(first, again)
    steps = min(len(first), len(other))
    assert np.abs(first[:steps] - other[:steps]).mean() > 0.02


def test_actions_are_smooth(env: WorldEnv) -> None:
    actions = run(env, start(env, TASK_SETS["mixed"], seed=2))
    jumps = np.abs(np.diff(actions[:, :7], axis=0))
    assert np.quantile(jumps, 0.95) < 0.5


def test_holds_still_when_done(env: WorldEnv) -> None:
    expert = start(env, ("light switch",), seed=4)
    run(env, expert)
    for _ in range(5):
        env.step(expert.act(env.data))
    before = env.data.qpos[:7].copy()
    for _ in range(25):
        env.step(expert.act(env.data))
    assert np.abs(env.data.qpos[:7] - before).max() < 0.1
    assert expert.current is None
    assert expert.phase is None


def test_unknown_element() -> None:
    with pytest.raises(UnknownTask, match="microwave"):
        KitchenExpert(("microvave",), np.random.default_rng(0))
