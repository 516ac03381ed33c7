"""CALVIN's long-horizon protocol: the test vectors of the specification."""

from __future__ import annotations

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest

import skillgym  # noqa: F401  (registers the tabletop)
from skillgym_envs.tabletop import TASKS
from skillgym_envs.tabletop.protocol import (
    ROBOT_STATE,
    _are_distinct,
    chain,
    chains,
    initial_states,
    is_possible,
    scene_state,
    state_hash,
)

# State (led, bulb, slider, drawer, red, blue, pink) and tasks of the first three chains.
FIRST = [
    (
        (1, 1, "left", "open", "slider_left", "table", "slider_right"),
        "rotate_blue_block_right move_slider_right lift_red_block_slider place_in_slider "
        "turn_off_lightbulb",
    ),
    (
        (1, 1, "right", "open", "slider_right", "table", "slider_left"),
        "turn_off_led push_into_drawer lift_blue_block_drawer place_in_slider close_drawer",
    ),
    (
        (0, 1, "right", "closed", "table", "slider_right", "slider_left"),
        "lift_pink_block_slider place_in_slider open_drawer rotate_red_block_right "
        "lift_red_block_table",
    ),
]


@pytest.mark.parametrize("index", range(3))
def test_first_chains(index: int) -> None:
    state, tasks = FIRST[index]
    found = chain(index)
    assert tuple(found.state.values()) == (*state, 0)
    assert found.tasks == tuple(tasks.split())


def test_there_are_192_states() -> None:
    states = initial_states()
    assert len(states) == 192
    assert len({tuple(state.values()) for state in states}) == 192
    assert {list(state.values()).count("table") for state in states} == {1, 2}


def test_scene_of_the_first_chain() -> None:
    state = chain(0).state
    assert state_hash(state) == 47886304
    scene = scene_state(state)
    np.testing.assert_allclose(scene[:6], [0.28, 0.22, 0, 0.088, 1, 1])
    np.testing.assert_allclose(scene[[11, 17, 23]], [1.33455, 1.81046, 1.33105], atol=1e-5)
    np.testing.assert_allclose(scene[12:15], [0.05, -0.12, 0.46], atol=1e-4)
    np.testing.assert_allclose(scene[6:9], [-0.240851662, 0.0924044687, 0.460990009])


def test_every_block_has_a_place_of_its_own() -> None:
    """In all states: those on the table in one of the two slots each, others in the cabinet."""
    slots, sides = {(0.05, -0.12), (0.23, -0.12)}, {"slider_left": -0.241, "slider_right": 0.07}
    for state in initial_states():
        blocks = scene_state(state)[6:].reshape(3, 6)
        found = []
        for block, place in zip(blocks, list(state.values())[4:7], strict=True):
            found.append(tuple(block[:2].round(3).tolist()))
            assert found[-1] in slots if place == "table" else found[-1] == (sides[place], 0.092)
        assert len(set(found)) == 3
        np.testing.assert_allclose(blocks[:, 2], 0.46, atol=1e-3)
        assert (np.abs(blocks[:, 5] - np.pi / 2) <= np.pi / 8).all() and not blocks[:, 3:5].any()


def test_rules_change_the_state() -> None:
    """A task can be done if those before it have left its block where it needs it."""
    state = dict(chain(2).state)  # red on the table, blue behind the door, drawer shut
    lift, stack = "lift_pink_block_slider", "stack_block"
    for tasks, possible in (
        ((lift, stack, "unstack_block", "lift_pink_block_table", stack), True),
        ((lift, stack, "unstack_block", "lift_red_block_table", stack), True),
        ((lift, stack, "unstack_block", stack), False),  # nothing in the hand
        ((lift, stack, "lift_pink_block_table"), False),
        ((lift, "open_drawer"), False),  # the hand is full
        ((lift, "place_in_slider", lift), False),  # it is behind the door now
        (("open_drawer", lift, "place_in_drawer", "lift_pink_block_drawer"), True),
        (("open_drawer", lift, "place_in_drawer", "close_drawer", "lift_pink_block_drawer"), False),
        (("open_drawer", "push_into_drawer", "lift_red_block_drawer"), True),
        (("open_drawer", "push_into_drawer", "push_red_block_left"), False),
    ):
        assert is_possible(state, tasks) is possible, tasks
    for other in ("blue_block", "pink_block"):  # only a block that is alone there is pushed
        crowded = state | {other: "table"}
        assert not is_possible(crowded, ("open_drawer", "push_into_drawer"))


def test_rules_depend_on_the_state() -> None:
    state = dict(chain(2).state)  # red on the table, drawer shut, door right
    assert is_possible(state, ("open_drawer", "push_into_drawer"))
    assert not is_possible(state, ("push_into_drawer",))  # into a shut drawer
    assert not is_possible(state, ("place_in_slider",))  # nothing in the hand
    assert is_possible(state, ("lift_pink_block_slider", "stack_block", "unstack_block"))
    assert not is_possible(state, ("lift_blue_block_slider",))  # behind the door
    for pair, distinct in (
        (("rotate_red_block_left", "push_blue_block_left"), False),
        (("lift_red_block_table", "lift_red_block_drawer"), True),
        (("turn_on_led", "turn_off_lightbulb"), False),
        (("open_drawer", "move_slider_left"), True),
        (("push_into_drawer", "place_in_drawer"), True),
    ):
        assert _are_distinct(pair) is distinct


def test_a_chain_begins_in_its_state() -> None:
    found = chain(0)
    env = gym.make("skillgym/Tabletop-v0", observation="full", **found.env_kwargs())
    observation, _ = env.reset(seed=0, options=found.reset_options())
    np.testing.assert_allclose(observation[:15], ROBOT_STATE, atol=1e-5)
    expected = scene_state(found.state)
    np.testing.assert_allclose(observation[15:], expected, atol=2e-6)
    assert env.get_wrapper_attr("world").subtasks == found.tasks
    env.close()
    skills = gym.make("SkillTabletop-v0", **found.env_kwargs(skills=True))
    assert skills.env.get_wrapper_attr("_max_episode_steps") == 5 * 360


@pytest.mark.slow
def test_frequencies_of_tasks() -> None:
    counts = Counter(task for found in chains() for task in found.tasks)
    assert set(counts) == set(TASKS)
    stated = {
        "place_in_slider": 398,
        "open_drawer": 379,
        "move_slider_right": 317,
        "move_slider_left": 284,
        "close_drawer": 250,
        "stack_block": 220,
        "turn_on_lightbulb": 202,
        "turn_on_led": 195,
    }
    assert {task: counts[task] for task in stated} == stated
    assert counts.total() == 5000
    assert counts["lift_pink_block_drawer"] == min(counts.values()) == 17
