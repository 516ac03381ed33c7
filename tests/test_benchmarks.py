"""The scripts in `benchmarks/`: what they make of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import readme
from benchmarks.pretraining import figure, train, validations
from benchmarks.progressive import publish
from benchmarks.timing import Row, write
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


def test_speeds_are_written_as_a_table_and_a_page(tmp_path: Path) -> None:
    row = Row(what="steps", ours=2.0, unit="1/s", target=">= 0.9", reference=2.0, ratio=1.0)
    page = write([row], tmp_path, "python -m benchmarks.throughput").read_text("utf8")
    assert "| steps | 2 | 2 |  | 1/s | 1.000 | >= 0.9 | yes |" in page
    assert read_csv(tmp_path / "throughput.csv")[0]["reached"] == "yes"


def test_the_readme_shows_the_results_that_are_in_the_repository() -> None:
    text = (readme.ROOT / "README.md").read_text("utf8")
    results = readme.block(readme.ROOT / "benchmarks" / "results")
    assert readme.with_block(text, results) == text, "run python -m benchmarks.readme"
