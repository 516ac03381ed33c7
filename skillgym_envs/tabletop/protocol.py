"""CALVIN's long-horizon evaluation: 1000 chains of five tasks from given states of scene D.

Paper: Mees et al. 2022, "CALVIN", arXiv:2112.03227, section on the LH-MTLC challenge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_integer
from skillgym_envs.tabletop.scenes import COLOURS
from skillgym_envs.tabletop.tasks import TASKS

PATIENCE = 360
"""Largest number of control steps per task of a chain."""

ROBOT_STATE = (
    *(0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963),
    *(-1.21779124, 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928),
    1.0,
)
"""Initial state of the robot (15) in every chain."""

State = Mapping[str, Any]
Rule = tuple[dict[str, Any], dict[str, Any]]

_LENGTH = 5
_SLIDER_POSITIONS = {
    "slider_left": (-0.240851662, 0.0924044687, 0.460990009),
    "slider_right": (0.070341633, 0.0924044687, 0.460990009),
}
_TABLE_SLOTS = (
    (0.0500000896, -0.120000177, 0.459990009),
    (0.229995412, -0.11999514, 0.45999001),
)
_YAW = (np.pi / 2 - np.pi / 8, np.pi / 2 + np.pi / 8)


@dataclass(frozen=True)
class Chain:
    """Tasks to be completed one after the other.

    Attributes:
        state: The symbolic initial state: `led` and `lightbulb` (0 or 1), `slider`, `drawer`, the
            place of each block, and `grasped`.
        tasks: Five names of `TASKS`.
    """

    state: State
    tasks: tuple[str, ...]

    def env_kwargs(self, skills: bool = False) -> dict[str, Any]:
        """Keywords of `gymnasium.make("skillgym/Tabletop-v0", ...)` for this chain.

        Args:
            skills: Whether they are for `SkillTabletop-v0`, whose `max_episode_steps` counts
                skills.
        """
        limit = "control_steps" if skills else "max_episode_steps"
        return {
            "scene": "D",
            "tasks": self.tasks,
            "since": "subtask",
            "patience": PATIENCE,
            limit: PATIENCE * len(self.tasks),
        }

    def reset_options(self) -> dict[str, NDArray[np.float64]]:
        """Options of `reset` that set robot and scene to the chain's initial state."""
        return {"robot_state": np.array(ROBOT_STATE), "scene_state": scene_state(self.state)}


def chains(count: int = 1000) -> tuple[Chain, ...]:
    """The chains of the evaluation, in order; takes about a minute for all (see `chain`).

    Args:
        count: Number of chains, on which they depend; published numbers are for 1000.
    """
    return tuple(chain(index, count) for index in range(count))


def chain(index: int, count: int = 1000) -> Chain:
    """One chain of the evaluation.

    Args:
        index: Index of the chain, from 0.
        count: Number of chains in the evaluation.

    Raises:
        InvalidConfig: If there is no such chain.
    """
    check_integer("count", count, 1)
    check_integer("index", index, 0, count - 1)
    row, place, share = _order(count)[index]
    state = initial_states()[row]
    return Chain(state, _valid_chains(row, share)[place])


@lru_cache(maxsize=4)
def _order(count: int) -> list[tuple[int, int, int]]:
    """For each chain, its state, its index among the chains of this state, and their number."""
    shares = [len(part) for part in np.array_split(np.arange(count), len(initial_states()))]
    found = [(row, place, share) for row, share in enumerate(shares) for place in range(share)]
    order = np.arange(count)
    np.random.RandomState(0).shuffle(order)
    return [found[index] for index in order]


@lru_cache(maxsize=1)
def initial_states() -> tuple[State, ...]:
    """The 192 symbolic states: one or two blocks on the table, the others in the cabinet."""
    places = ("table", "slider_right", "slider_left")
    values = ((0, 1), (0, 1), ("right", "left"), ("closed", "open"), places, places, places)
    names = ("led", "lightbulb", "slider", "drawer", *map(_block, COLOURS))
    states: list[State] = []
    for choice in product(*values):
        blocks = choice[4:]
        crowded = any(blocks.count(side) > 1 for side in places[1:])
        if blocks.count("table") in (1, 2) and not crowded:
            states.append({**dict(zip(names, choice, strict=True)), "grasped": 0})
    return tuple(states)


def scene_state(state: State) -> NDArray[np.float64]:
    """State of scene D (24) for a symbolic state, whose hash determines slots and yaw of blocks."""
    rng = np.random.RandomState(state_hash(state))
    slots = list(_TABLE_SLOTS)
    rng.shuffle(slots)
    scene = np.zeros(24)
    scene[0] = 0.28 * (state["slider"] == "left")
    scene[1] = 0.22 * (state["drawer"] == "open")
    scene[3] = 0.088 * state["lightbulb"]
    scene[4:6] = state["lightbulb"], state["led"]
    slot = {"red": 0, "blue": int(state["red_block"] == "table"), "pink": 1}
    for index, colour in enumerate(COLOURS):
        place = state[_block(colour)]
        first = 6 + 6 * index
        scene[first : first + 3] = _SLIDER_POSITIONS.get(place, slots[slot[colour]])
        scene[first + 5] = rng.uniform(*_YAW)
    return scene


def state_hash(state: State) -> int:
    """FNV-1 hash (32 bits, from 0) of the text of Python's `dict_values` of a state."""
    value = 0
    for character in str(dict(state).values()):
        value = (value * 16777619 & 0xFFFFFFFF) ^ ord(character)
    return value


@lru_cache(maxsize=192)
def _valid_chains(row: int, count: int) -> tuple[tuple[str, ...], ...]:
    """The first valid chains of a state's random stream."""
    state, rng = initial_states()[row], np.random.RandomState(row)
    names = list(TASKS)
    possible = [bool(_effects(name, state)) for name in names]
    found: list[tuple[str, ...]] = []
    while len(found) < count:
        # Same as `choice` without replacement, but faster; few draws in 100 000 are valid.
        drawn = rng.permutation(len(names))
        if possible[drawn[0]]:
            tasks = tuple(names[index] for index in drawn[:_LENGTH].tolist())
            if _are_distinct(tasks) and is_possible(state, tasks):
                found.append(tasks)
    return tuple(found)


def is_possible(state: State, tasks: Sequence[str]) -> bool:
    """Whether tasks can be done one after the other, with exactly one rule for each.

    Args:
        state: Symbolic initial state.
        tasks: Names of tasks.
    """
    now = dict(state)
    for task in tasks:
        effects = _effects(task, now)
        if len(effects) != 1:
            return False
        now |= effects[0]
    return True


def _effects(task: str, state: State) -> list[dict[str, Any]]:
    return [effect for condition, effect in _RULES[task] if _holds(condition, state)]


def _holds(condition: Mapping[str, Any], state: State) -> bool:
    for name, value in condition.items():
        if state[name] not in value if isinstance(value, tuple) else state[name] != value:
            return False
    return True


def _are_distinct(tasks: Sequence[str]) -> bool:
    return len({_CATEGORIES[task] for task in tasks}) == len(tasks)


def _category(task: str) -> str:
    """Category of a task; a chain has no two tasks of the same category."""
    words = task.split("_")
    if task == "push_into_drawer" or words[-1] == "block":  # stack_block, unstack_block
        return task
    if words[0] in ("rotate", "push"):
        return "turn or push"
    if words[0] == "lift":
        return f"lift from {words[-1]}"
    return {"place": "place", "turn": "light"}.get(
        words[0], "drawer" if "drawer" in task else "slider"
    )


def _block(colour: str) -> str:
    return f"{colour}_block"


def _rules() -> dict[str, list[Rule]]:
    """For each task, the conditions under which it can be done and its effects."""
    rules: dict[str, list[Rule]] = {name: [] for name in TASKS}

    def add(task: str, condition: dict[str, Any], effect: dict[str, Any], grasped: int = 0) -> None:
        rules[task].append(({**condition, "grasped": grasped}, effect))

    add("move_slider_left", {"slider": "right"}, {"slider": "left"})
    add("move_slider_right", {"slider": "left"}, {"slider": "right"})
    add("open_drawer", {"drawer": "closed"}, {"drawer": "open"})
    add("close_drawer", {"drawer": "open"}, {"drawer": "closed"})
    for light in ("lightbulb", "led"):
        add(f"turn_on_{light}", {light: 0}, {light: 1})
        add(f"turn_off_{light}", {light: 1}, {light: 0})
    sides = "right", "left"
    for block in map(_block, COLOURS):
        on_table, held = {block: "table"}, {block: "grasped"}
        lifted = {**held, "grasped": 1}
        for side, other in zip(sides, reversed(sides), strict=True):
            add(f"rotate_{block}_{side}", on_table, {})
            add(f"push_{block}_{side}", on_table, {})
            # The door covers its side of the cabinet, but blocks are placed there nevertheless, as
            # in the reference.
            add(f"lift_{block}_slider", {block: f"slider_{other}", "slider": side}, lifted)
            placed = {block: f"slider_{side}", "grasped": 0}
            add("place_in_slider", {**held, "slider": side}, placed, grasped=1)
        add(f"lift_{block}_table", on_table, lifted)
        in_drawer = {block: "drawer", "drawer": "open"}
        add(f"lift_{block}_drawer", in_drawer, lifted)
        placed = {block: "drawer", "grasped": 0}
        add("place_in_drawer", {**held, "drawer": "open"}, placed, grasped=1)
        away = {other: ("slider_right", "slider_left") for other in map(_block, COLOURS)}
        add("push_into_drawer", {**away, **on_table, "drawer": "open"}, {block: "drawer"})
    for top, bottom in permutations(map(_block, COLOURS), 2):
        stacked = {top: "stacked_top", bottom: "stacked_bottom"}
        add(
            "stack_block",
            {top: "grasped", bottom: "table"},
            {**stacked, "grasped": 0},
            grasped=1,
        )
        add("unstack_block", stacked, {top: "table", bottom: "table"})
    return rules


_RULES = _rules()
_CATEGORIES = {task: _category(task) for task in TASKS}
