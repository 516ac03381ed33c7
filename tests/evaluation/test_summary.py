"""Summaries of results tables: what is put together, and what must not be."""

from __future__ import annotations

from typing import Any

import pytest

from skillgym.evaluation.summary import (
    across_tasks,
    by_task,
    markdown,
    named_by_budget,
    provenance,
)
from skillgym.evaluation.tables import Table, Task

METHODS = ("good", "bad", "other")
TABLE = Table(
    title="Two tasks",
    tasks=(
        Task(name="four", methods=METHODS),
        Task(name="points", methods=METHODS, score="return", best=50.0),
    ),
)


def run(task: str, method: str, seed: int, score: float, budget: int = 1000) -> dict[str, Any]:
    """A row as it comes from a CSV file: of text."""
    row = {"task": task, "method": method, "seed": seed, "budget": budget, "steps": budget + 3}
    row |= {"subtasks": score, "return": score, "episodes": 50, "machine": "this, that"}
    return {name: str(value) for name, value in row.items()}


def test_seeds_are_summarised_by_task_best_first() -> None:
    rows = [run("points", "good", 0, 25.0), run("four", "bad", 0, 1.0)]
    rows += [run("four", "good", seed, 3.0 + 0.5 * seed) for seed in (1, 0)]
    found = by_task(TABLE, rows)
    assert [(s.tasks, s.method) for s in found] == [
        (("four",), "good"), (("four",), "bad"), (("points",), "good")
    ]  # fmt: skip
    assert found[0].seeds == (0, 1) and found[0].result == (3.25, 3.0, 3.5)
    assert "| four | good | subtasks of 4 | 3.25 | 3.00 to 3.50 |  | 1,000 | 2 | 50 |" in (
        markdown(found)
    )


def test_a_single_seed_has_no_interval() -> None:
    (found,) = by_task(TABLE, [run("points", "good", 0, 25.0)])
    assert found.interval is None
    assert found.cells()["95 % interval"] == "one seed"
    assert found.record()["low"] == found.record()["high"] == ""
    assert found.record()["best"] == "50"
    assert "| points | good | return of 50 | 25.00 | one seed |  | 1,000 | 1 | 50 |" in (
        markdown([found])
    )


def test_different_numbers_of_episodes_are_all_named() -> None:
    rows = [run("four", "good", seed, 3.0) | {"episodes": 50 - 30 * seed} for seed in (0, 1)]
    (found,) = by_task(TABLE, rows)
    assert found.episodes == (20, 50) and found.cells()["episodes"] == "20, 50"


def test_deterministic_scores_are_summarised_where_every_seed_has_them() -> None:
    rows = [run("four", "good", seed, 3.0) for seed in (0, 1)]
    rows[0]["subtasks_deterministic"], rows[1]["subtasks_deterministic"] = "0.0", "3.0"
    (found,) = by_task(TABLE, rows)
    assert found.deterministic == 1.5 and found.cells()["deterministic"] == "1.50"
    rows[1]["subtasks_deterministic"] = ""
    (found,) = by_task(TABLE, rows)
    assert found.deterministic is None and found.record()["iqm_deterministic"] == ""
    with pytest.raises(ValueError, match="could not convert"):  # a score is never left out
        by_task(TABLE, [rows[0] | {"subtasks": ""}])
    both = [rows[0], run("points", "good", 0, 5.0) | {"return_deterministic": 25.0}]
    assert across_tasks(TABLE, both)[0].deterministic == 0.25  # shares: 0 of 4, 25 of 50


def test_runs_of_different_budgets_are_never_mixed() -> None:
    rows = [run("four", "good", 0, 1.0), run("four", "good", 1, 3.0, budget=9000)]
    found = by_task(TABLE, rows)
    assert [(s.budgets, s.seeds, s.result.estimate) for s in found] == [
        ((9000,), (1,), 3.0), ((1000,), (0,), 1.0)
    ]  # fmt: skip


def test_curves_of_different_budgets_have_names_of_their_own() -> None:
    rows = [run("four", "good", 0, 1.0), run("four", "good", 1, 3.0, budget=9000)]
    rows += [run("four", "bad", seed, 1.0) for seed in (0, 1)]
    named = named_by_budget([row | {"step": row["steps"]} for row in rows], rows)
    assert [point["method"] for point in named] == [
        "good, 1,000 steps", "good, 9,000 steps", "bad", "bad"
    ]  # fmt: skip


def test_a_run_that_went_on_is_in_the_curve_of_its_smaller_budget_too() -> None:
    rows = [run("four", "good", 0, 3.0, budget) for budget in (500, 1000, 9000)]
    rows += [run("four", "good", 1, 2.0, 1000), run("four", "good", 2, 2.0, 9000)]
    steps = {"0": (500, 1003, 9003), "1": (500, 1003), "2": (500, 9003)}
    points = [
        {"task": "four", "method": "good", "seed": seed, "step": f"{step}.0"}
        for seed, of_seed in steps.items()
        for step in of_seed
    ]
    for given in (rows, rows[::-1]):
        named = named_by_budget(points, given)
        curves: dict[tuple[str, str], list[str]] = {}
        for point in named:
            curves.setdefault((point["method"], point["seed"]), []).append(point["step"])
        assert curves == {
            ("good, 1,000 steps", "0"): ["500.0", "1003.0"],
            ("good, 9,000 steps", "0"): ["500.0", "1003.0", "9003.0"],
            ("good, 1,000 steps", "1"): ["500.0", "1003.0"],
            ("good, 9,000 steps", "2"): ["500.0", "9003.0"],  # never measured at 1000
        }


def test_points_without_a_row_are_in_no_curve_of_a_budget() -> None:
    rows = [run("four", "good", 0, 1.0), run("four", "good", 1, 3.0, budget=9000)]
    points = [row | {"step": "500"} for row in [*rows, run("four", "good", 2, 1.0)]]
    assert [point["seed"] for point in named_by_budget(points, rows)] == ["0", "1"]


def test_tasks_are_put_together_as_shares_of_their_best() -> None:
    rows = [run("four", "good", seed, 2.0 + seed) for seed in (0, 1, 2)]
    rows += [run("points", "good", seed, 50.0, budget=2000) for seed in (0, 1)]
    rows += [run("four", "bad", 0, 1.0)]  # one task only: nothing to put together
    (found,) = across_tasks(TABLE, rows)
    assert found.tasks == ("four", "points") and found.method == "good"
    assert found.seeds == (0, 1)  # those that both tasks have
    assert (found.score, found.best) == ("share of the best", 1.0)
    assert found.budgets == (1000, 2000)
    # Shares 0.5, 0.75, 1, 1; the middle half of four numbers is two of them.
    assert found.result.estimate == pytest.approx(0.875)
    assert found.result.low == pytest.approx(0.75) and found.result.high == pytest.approx(0.875)
    assert found.cells()["control steps"] == "1,000, 2,000"


def test_methods_on_the_most_tasks_come_first_and_then_the_best() -> None:
    table = Table(title="Three", tasks=(Task(name="a", methods=METHODS), *TABLE.tasks))
    rows = [run(task, "good", 0, 4.0) for task in ("a", "four")]
    rows += [run(task, "other", 0, 2.0) for task in ("a", "four")]
    rows += [run(task, "bad", 0, 1.0) for task in ("four", "points", "a")]
    assert [found.method for found in across_tasks(table, rows)] == ["bad", "good", "other"]


def test_methods_on_the_same_tasks_are_neighbours() -> None:
    table = Table(title="Three", tasks=(Task(name="a", methods=METHODS), *TABLE.tasks))
    rows = [run(task, "good", 0, 4.0) for task in ("a", "four")]
    rows += [run("four", "other", 0, 2.0), run("points", "other", 0, 25.0)]
    rows += [run(task, "bad", 0, 1.0) for task in ("a", "four")]
    assert [found.method for found in across_tasks(table, rows)] == ["good", "bad", "other"]


def test_methods_without_a_common_seed_are_not_put_together() -> None:
    assert across_tasks(TABLE, [run("four", "good", 0, 1.0), run("points", "good", 1, 1.0)]) == []


def test_the_longest_runs_of_each_task_are_put_together() -> None:
    rows = [run("four", "good", 0, 4.0, budget=budget) for budget in (9000, 1000)]
    rows[1]["subtasks"] = "0"
    (found,) = across_tasks(TABLE, [*rows, run("points", "good", 0, 50.0)])
    assert found.result.estimate == 1.0


def test_one_long_run_does_not_replace_the_seeds_of_a_task() -> None:
    rows = [run(task, "good", seed, 2.0) for task in ("four", "points") for seed in (0, 1, 2)]
    (found,) = across_tasks(TABLE, [*rows, run("four", "good", 0, 4.0, budget=9000)])
    assert found.seeds == (0, 1, 2) and found.budgets == (1000,)


def test_different_origins_are_all_named() -> None:
    commits = ("a", "b", "a / b", "a")  # one run had two sessions
    rows = [run("four", "good", 0, 1.0) | {"commit": commit} for commit in commits]
    assert provenance(rows) == {"machine": "this, that", "commit": "a / b"}
