"""Results tables: commands, resuming, and what is written from complete cells."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from skillgym.cli import bench
from skillgym.cli import main as cli
from skillgym.evaluation import benchmark
from skillgym.evaluation.benchmark import markdown
from skillgym.evaluation.tables import Cell, kitchen, reskill, skild
from skillgym.rl.presets import find_preset


def complete(folder: Path, cell: Cell, subtasks: float) -> None:
    """Write what a complete run of the cell leaves behind."""
    run = folder / cell.name
    run.mkdir(parents=True)
    result = {
        "subtasks": subtasks, "return": subtasks, "episodes": 2, "steps": 500_000, "seconds": 90.0,
        "rates": {"kettle": 0.5},
    }  # fmt: skip
    (run / "result.json").write_text(json.dumps(result))
    environment = {"versions": {"python": "3.11", "mujoco": "3.11.0"}, "git_commit": "abc"}
    (run / "environment.json").write_text(json.dumps(environment))
    (run / "metrics.csv").write_text(
        "time/step,eval/subtasks,train/alpha\n1000,0.5,\n1500,,0.1\n2000,1.5,\n"
    )


def test_every_cell_of_the_kitchen_is_one_command_of_its_own() -> None:
    cells = kitchen((0, 1, 2))
    assert len({cell.name for cell in cells}) == len(cells) == 3 * 8
    command = " ".join(next(c for c in cells if c.task == "mixed-ordered").command())
    assert command == (
        "train spirl-cl --world skillgym/Kitchen-v0 --env tasks=mixed ordered=true "
        "--seed 0 --steps 500000 --final-episodes 50"
    )


def test_the_cells_of_skild_are_methods_that_exist() -> None:
    cells = skild((0, 1))
    assert len({cell.name for cell in cells}) == len(cells) == 2 * (3 * 9 + 7)
    for cell in cells:
        preset = find_preset(cell.method)
        assert preset.world == cell.world
        assert bool(cell.agent) == (preset.skill_model is None or preset.skill_model[:2] == "bc")


def test_cells_of_reskill_are_methods_in_their_worlds_compared_by_return() -> None:
    cells = reskill((0, 1), steps=1000)
    assert len({cell.name for cell in cells}) == len(cells) == 2 * 4 * 6
    for cell in cells:
        preset = find_preset(cell.method)
        assert (preset.world, cell.score) == (cell.world, "return")
        assert (cell.num_envs == 15) == (preset.algorithm != "SAC") == (not cell.agent)
    assert "--num-envs 15 --seed 0 --steps 1000" in " ".join(cells[0].command())


def test_a_table_of_returns(tmp_path: Path) -> None:
    cell = Cell(method="reskill-clean-up", task="clean-up", seed=0, score="return")
    complete(tmp_path / "runs", cell, 11.5)
    log = tmp_path / "runs" / cell.name / "metrics.csv"
    log.write_text("time/step,eval/subtasks,eval/return\n1000,0.5,7.0\n2000,0.9,11.0\n")
    bench.write_results("reskill", [cell], tmp_path / "runs", tmp_path / "results")
    table = (tmp_path / "results" / "reskill.md").read_text()
    assert (
        "| task | method | return |" in table and "| clean-up | reskill-clean-up | 11.50 |" in table
    )
    with (tmp_path / "results" / "reskill_curves.csv").open() as file:
        assert [row["return"] for row in csv.DictReader(file)] == ["7.0", "11.0"]


def test_results_hold_the_complete_cells_only(tmp_path: Path) -> None:
    cells = [Cell(method="spirl-cl", task="mixed", seed=seed) for seed in range(3)]
    complete(tmp_path / "runs", cells[0], 2.0)
    complete(tmp_path / "runs", cells[1], 3.0)
    bench.write_results("kitchen", cells, tmp_path / "runs", tmp_path / "results")
    with (tmp_path / "results" / "kitchen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["subtasks"]) for row in rows] == [("0", "2.0"), ("1", "3.0")]
    assert rows[0]["mujoco"] == "3.11.0" and rows[0]["commit"] == "abc"
    assert rows[0]["command"].startswith("skillgym train spirl-cl")
    table = (tmp_path / "results" / "kitchen.md").read_text()
    assert "| mixed | spirl-cl | 2.50 |" in table and "| 2 |" in table
    with (tmp_path / "results" / "kitchen_curves.csv").open() as file:
        assert [float(row["step"]) for row in csv.DictReader(file)] == [1000, 2000] * 2
    assert (tmp_path / "results" / "kitchen_mixed.png").exists()


def test_results_of_other_sittings_stay_and_new_ones_replace_old(tmp_path: Path) -> None:
    cells = [Cell(method="spirl-cl", task="mixed", seed=seed) for seed in range(3)]
    for sitting, seed, subtasks in (("one", 2, 1.0), ("two", 0, 2.0), ("three", 2, 4.0)):
        complete(tmp_path / sitting, cells[seed], subtasks)
        bench.write_results("kitchen", cells, tmp_path / sitting, tmp_path / "results")
    with (tmp_path / "results" / "kitchen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["subtasks"]) for row in rows] == [("0", "2.0"), ("2", "4.0")]
    with (tmp_path / "results" / "kitchen_curves.csv").open() as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["0", "0", "2", "2"]
    table = (tmp_path / "results" / "kitchen.md").read_text()
    assert "| mixed | spirl-cl | 3.00 |" in table and "mujoco: 3.11.0" in table


def test_the_table_gives_an_interval_only_for_several_seeds() -> None:
    rows = [("mixed", "a", 0, 3.0), ("mixed", "a", 1, 3.5), ("mixed", "b", 0, 1.0)]
    names = "task", "method", "seed", "subtasks"
    text = markdown([dict(zip(names, row, strict=True)) for row in rows])
    assert "| mixed | a | 3.25 | 3.00 to 3.50 | 2 |" in text
    assert "| mixed | b | 1.00 |  | 1 |" in text


def test_complete_cells_are_not_run_and_failures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Cell(method="spirl-cl", task="mixed", seed=0)
    broken = Cell(method="no-such-method", task="mixed", seed=0, steps=10)
    complete(tmp_path, done, 2.0)
    monkeypatch.setattr("skillgym.evaluation.tables.TABLES", {"two": lambda *_: [done, broken]})
    arguments = ["bench", "two", "--folder", str(tmp_path), "--results", str(tmp_path / "out")]
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert f"{broken.name}/log.txt" in error and done.name not in error
    assert "no-such-method" in (tmp_path / broken.name / "log.txt").read_text()
    assert not (tmp_path / done.name / "log.txt").exists()


def test_a_spent_time_budget_leaves_cells_for_the_next_sitting(tmp_path: Path) -> None:
    cell = Cell(method="spirl-cl", task="mixed", seed=0)
    assert benchmark.run_cells([cell], tmp_path, workers=1, minutes=0) == []
    assert not (tmp_path / cell.name).exists()
