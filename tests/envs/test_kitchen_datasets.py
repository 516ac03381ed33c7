from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skillgym.data import WindowDataset, episodes_of_task, load_windows
from skillgym_envs.collect import collect, dataset_spec, registered_datasets
from skillgym_envs.collect.episodes import Recorder
from skillgym_envs.kitchen.datasets import (
    ORDER_STATISTICS,
    completed_elements,
    largest_remainder,
    sequence_counts,
)
from skillgym_envs.kitchen.tasks import ELEMENTS, TASK_SETS
from skillgym_envs.kitchen.world import KitchenWorld


def elements_done_at(steps: dict[str, int], length: int = 50) -> np.ndarray:
    """Observations (length, 60) of an episode; elements reach their goals at the given steps."""
    world = KitchenWorld()
    state, _ = world.reset([np.random.default_rng(0)])
    observations = np.tile(np.append(state.qpos[0], np.zeros(30)), (length, 1))
    for name, step in steps.items():
        observations[step:, list(ELEMENTS[name].slots)] = ELEMENTS[name].goal
    return observations.astype(np.float32)


def test_play_has_the_published_order_statistics() -> None:
    plans = dataset_spec("kitchen-play").plans
    assert len(plans) == 603
    assert Counter(plan[0] for plan in plans) == {
        "microwave": 367,
        "kettle": 179,
        "bottom burner": 57,
    }
    for prefix, shares in ORDER_STATISTICS.items():
        following = Counter(plan[len(prefix)] for plan in plans if plan[: len(prefix)] == prefix)
        total = sum(following.values())
        assert set(following) == set(shares)
        for name, share in shares.items():
            assert following[name] == pytest.approx(total * share / sum(shares.values()), abs=1.0)


def test_play_counts_of_the_published_percentages() -> None:
    """Second and third elements: for example 31.16 % of 154 sequences are 48."""
    plans = dataset_spec("kitchen-play").plans
    bottom, top, light, slide = "bottom burner", "top burner", "light switch", "slide cabinet"
    for prefix, published in (
        (("microwave",), {bottom: 171, "kettle": 154, top: 21, light: 21}),
        (("kettle",), {bottom: 140, light: 20, top: 19}),
        ((bottom,), {top: 57}),
        (("microwave", "kettle"), {bottom: 48, top: 42, light: 39, slide: 25}),
        (("microwave", bottom), {top: 72, light: 69, slide: 29, "hinge cabinet": 1}),
        (("microwave", light), {slide: 21}),
        (("microwave", top), {light: 21}),
        (("kettle", bottom), {top: 63, light: 49, slide: 28}),
        (("kettle", light), {slide: 20}),
        (("kettle", top), {light: 19}),
        ((bottom, top), {slide: 30, light: 27}),
    ):
        size = len(prefix)
        assert Counter(plan[size] for plan in plans if plan[:size] == prefix) == published


def test_play_has_the_numbers_of_demonstrations_of_skild_and_no_whole_mixed_task() -> None:
    plans = dataset_spec("kitchen-play").plans
    sets = Counter(frozenset(plan) for plan in plans)
    assert sets[frozenset(TASK_SETS["kbts"])] == 24
    assert sets[frozenset(TASK_SETS["misaligned"])] == 21
    assert sets[frozenset(TASK_SETS["mixed"])] == 0
    assert {len(set(plan)) for plan in plans} == {4}


def test_seed_shuffles_the_same_episodes() -> None:
    first, second = (dataset_spec("kitchen-play", seed).plans for seed in (0, 1))
    assert first != second and Counter(first) == Counter(second)
    assert dataset_spec("kitchen-play", 1).plans == second


@pytest.mark.parametrize("total", [0, 1, 12, 603, 10_000])
def test_sequence_counts_add_up(total: int) -> None:
    assert sum(sequence_counts(total).values()) == total


def test_largest_remainder() -> None:
    assert largest_remainder(10, [1, 1, 1]) == [4, 3, 3]
    assert largest_remainder(5, [60, 30, 10]) == [3, 2, 0]  # 3, 1.5, 0.5: the earlier one


def test_every_dataset_has_its_own_id_and_random_stream() -> None:
    specs = [dataset_spec(name) for name in registered_datasets()]
    ids = {spec.dataset_id for spec in specs}
    assert len(ids) == len(specs)
    assert ids >= {
        f"skillgym/kitchen/{name}-v0"
        for name in ("play", "play-mini", "demos-kbts", "demos-misaligned", "demos-mixed")
    }
    seeds = {spec.attempt_seeds(i, j)[0] for spec in specs for i in range(4) for j in range(2)}
    assert len(seeds) == 8 * len(specs)


def test_completed_elements_are_in_the_order_of_completion() -> None:
    assert completed_elements(elements_done_at({})) == ()
    steps = {"kettle": 40, "microwave": 3, "hinge cabinet": 12}
    assert completed_elements(elements_done_at(steps)) == ("microwave", "hinge cabinet", "kettle")


def test_demonstrations_are_selected_by_their_first_elements() -> None:
    kettle_first = dict(zip(TASK_SETS["kbts"], (5, 10, 15, 20), strict=True))
    episodes = [
        elements_done_at(kettle_first),
        elements_done_at(kettle_first | {"microwave": 30}),  # a fifth element does not matter
        elements_done_at(kettle_first | {"microwave": 12}),
        elements_done_at(kettle_first | {"kettle": 12}),  # another order
    ]
    data = WindowDataset.from_episodes((obs, np.zeros((len(obs) - 1, 9))) for obs in episodes)
    assert episodes_of_task(data, "kbts").tolist() == [0, 1]
    assert episodes_of_task(data, ["bottom burner"]).tolist() == [3]
    assert episodes_of_task(data, "misaligned").tolist() == []


def test_docs_list_every_dataset() -> None:
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    for name in registered_datasets():
        spec = dataset_spec(name)
        assert f"| `{name}` | `{spec.dataset_id}` | {len(spec.plans)} |" in page


def test_expert_episodes_do_what_the_dataset_promises(tmp_path: Path) -> None:
    spec = dataset_spec("kitchen-play-mini")
    spec = replace(spec, plans=spec.plans[:2])
    folder = collect(spec, tmp_path, workers=1)
    data = load_windows(folder)
    for index, plan in enumerate(spec.plans):
        observations, actions = data.episode(index)
        assert completed_elements(observations)[:4] == plan
        assert np.abs(actions).max() <= 1.0
        assert (observations[:, 30:] == observations[0, 30:]).all()
    alone = Recorder(spec).record(1)  # does not depend on the episode before
    np.testing.assert_array_equal(alone.observations, data.episode(1)[0])
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    assert size * 12 / 2 < 5e6
