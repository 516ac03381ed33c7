"""The scripts in `benchmarks/`: what they make of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import fetch_experts, kitchen_expert, office_expert, readme, tabletop_experts
from benchmarks.pretraining import figure, train, validations
from benchmarks.progressive import publish
from benchmarks.timing import Row, compare, interleaved, write
from skillgym.evaluation.tables import Table, Task
from skillgym.files import read_csv


def test_the_minutes_of_a_pretraining_follow_from_its_speeds(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "time/step,time/steps_per_second,train/loss,validation/loss,eval/subtasks\n"
        "600,10,5,,\n1200,20,4,4.5,\n1800,5,3,3.5,1.25\n"
    )
    rows = validations("model", tmp_path)
    assert [(row["step"], row["minutes"]) for row in rows] == [(1200, "1.5"), (1800, "3.5")]
    assert rows[1]["eval/subtasks"] == "1.25" and "eval/subtasks" not in rows[0]
    title = figure("model", rows).get_suptitle()
    assert title == "model: 3.5 minutes"


def test_roll_outs_between_validations_are_kept(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "time/step,time/steps_per_second,validation/loss,eval/subtasks\n"
        "100,10,0.5,\n150,10,,\n200,10,,1.5\n"
    )
    rows = validations("model", tmp_path)
    assert [
        (row["step"], row.get("validation/loss"), row.get("eval/subtasks")) for row in rows
    ] == [
        (100, "0.5", None),
        (200, None, "1.5"),
    ]


def test_a_run_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        validations("model", tmp_path)


def test_a_failed_training_ends_the_script_with_its_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        train("no-such-model", tmp_path, threads=1)
    assert ended.value.code != 0
    assert "no-such-model" in "".join(capfd.readouterr())


def test_tables_tell_where_their_rows_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/benchmarks/office_expert.py", "--episodes", "3"])
    publish(iter([("drawer", 3), ("fixed", 2)]), ("tasks", "episodes"), tmp_path / "a.csv", seed=7)
    rows = read_csv(tmp_path / "a.csv")
    assert [(row["tasks"], row["episodes"], row["seed"]) for row in rows] == [
        ("drawer", "3", "7"),
        ("fixed", "2", "7"),
    ]
    assert rows[0]["command"] == "python -m benchmarks.office_expert --episodes 3"
    assert {"machine", "commit", "python", "mujoco"} <= set(rows[0])
    assert list(rows[0])[:3] == ["tasks", "episodes", "seed"]


def test_programs_take_turns_and_their_first_run_does_not_count() -> None:
    turns: list[str] = []

    def program(name: str) -> Iterator[int]:
        yield 0
        for _ in range(2):
            turns.append(name)
            yield 10**9

    speeds = interleaved({name: lambda name=name: program(name) for name in "ab"}, repeats=3)
    assert "".join(turns) == 4 * "abba"
    assert {name: len(each) for name, each in speeds.items()} == {"a": 6, "b": 6}
    assert min(*speeds["a"], *speeds["b"]) > 1e6  # pieces of work in a second


def test_the_ratio_is_that_of_neighbours_in_time() -> None:
    speeds = {"a": [2.0, 4.0, 6.0], "b": [1.0, 1.0, 2.0]}
    row = compare("steps", speeds, "a", "b", "1/s", ">= 3.5")
    assert (row.ours, row.reference, row.ratio) == (4.0, 1.0, 3.0)
    assert row.reached == "no"  # the ratio counts if there is one
    assert Row("share", 0.05, "1", "<= 0.10").reached == "yes"


def test_rows_of_the_experts() -> None:
    tries = [office_expert.Try("rand", *each) for each in ((100, 8), (0, 3), (200, 8))]
    row = office_expert.summary("rand", tries)
    assert (row.episodes, row.completed, row.success, row.subtasks) == (3, 2, 0.6667, 6.333)
    assert (row.mean_steps, row.most_steps) == (150.0, 200)
    counted = [(True, True, 10), (True, False, 99), (False, False, 5), (True, True, 20)]
    assert tabletop_experts.row_of(counted) == (3, 2, 15.0)
    assert tabletop_experts.row_of([]) == (0, 0, "")
    episodes = [([-1.0, 1.0], True, 0.5), ([-1.0, -1.0, 1.0], False, 0.0)]
    rest = (1.0, 1.0, 2.5, 0.25)  # last, any, steps, outside
    assert fetch_experts.row_of(episodes, "return") == (2, -0.5, 0.5, *rest)
    assert fetch_experts.row_of(episodes, "data") == (2, 0.5, 0.5, *rest)
    results = [
        kitchen_expert.Result(True, False, 10, 1, 0.1),
        kitchen_expert.Result(True, True, 20, 0, 0.3),
    ]
    assert kitchen_expert.summary(results) == (2, 1.0, 0.5, 15.0, 20, 0.5, 0.29)


def test_the_readme_compares_methods_across_tasks_only_if_there_are_several() -> None:
    tasks = tuple(Task(name=name, methods=("sac", "bc")) for name in ("one", "two"))
    rows = [
        {"task": task, "method": method, "seed": "0", "steps": "9", "subtasks": "1"}
        | {"episodes": "50"}
        for method in ("sac", "bc")
        for task in ("one", "two")
    ]
    table = Table(title="Two tasks", tasks=tasks)
    for given, number in ((rows[:2], 3), (rows, 4)):
        parts = list(readme.table_parts("tasks", table, given))
        assert len(parts) == number and "(benchmarks/results/tasks_one.png)" in parts[-1]


def test_speeds_are_written_as_a_table_and_a_page(tmp_path: Path) -> None:
    row = Row(what="steps", ours=2.0, unit="1/s", target=">= 0.9", reference=2.0, ratio=1.0)
    page = write([row], tmp_path, "python -m benchmarks.throughput").read_text("utf8")
    assert "| steps | 2 | 2 |  | 1/s | 1.000 | >= 0.9 | yes |" in page
    assert read_csv(tmp_path / "throughput.csv")[0]["reached"] == "yes"


def test_the_readme_shows_the_results_that_are_in_the_repository() -> None:
    text = (readme.ROOT / "README.md").read_text("utf8")
    results = readme.block(readme.ROOT / "benchmarks" / "results")
    assert readme.with_block(text, results) == text, "run python -m benchmarks.readme"
