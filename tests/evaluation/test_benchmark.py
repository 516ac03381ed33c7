"""Results tables: commands, resuming, and what is written from complete cells."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO

from skillgym.cli import bench
from skillgym.cli import main as cli
from skillgym.evaluation import benchmark
from skillgym.evaluation.prior import prior_policy
from skillgym.evaluation.summary import named_by_budget
from skillgym.evaluation.tables import SUITES, TABLES, Cell, Pretrained, Table, Task
from skillgym.hub import load_skill, save_skill
from skillgym.rl import PriorSAC
from skillgym.rl.presets import find_preset
from skillgym.runs.lock import locked
from skillgym.skills.spirl import FlatPrior, FlatPriorConfig

MIXED = TABLES["kitchen"].tasks[0]
CELLS = [Cell(task=MIXED, method="spirl-cl", seed=seed, steps=500_000) for seed in range(3)]


def write_config(run: Path, cell: Cell) -> None:
    config = {"method": cell.method, "world": cell.task.world, "seed": cell.seed}
    (run / "config.json").write_text(json.dumps({**config, "steps": cell.steps}))


def complete(folder: Path, cell: Cell, subtasks: float) -> None:
    """Write what a complete run of the cell leaves behind."""
    run = folder / cell.name
    run.mkdir(parents=True)
    result = {
        "subtasks": subtasks, "return": subtasks, "episodes": 2, "steps": cell.steps + 3,
        "seconds": 90.0, "rates": {"kettle": 0.5},
    }  # fmt: skip
    (run / "result.json").write_text(json.dumps(result))
    write_config(run, cell)
    environment = {"versions": {"python": "3.11", "mujoco": "3.11.0"}, "git_commit": "abc"}
    (run / "environment.json").write_text(json.dumps(environment))
    (run / "metrics.csv").write_text(
        "time/step,eval/subtasks,eval/return,train/alpha\n1000,0.5,0.5,\n1500,,,0.1\n2000,1.5,1.5,\n"
    )


def test_every_cell_of_the_kitchen_is_one_command_of_its_own() -> None:
    cells = TABLES["kitchen"].cells((0, 1, 2))
    assert len({cell.name for cell in cells}) == len(cells) == 3 * 10
    cell = next(cell for cell in cells if cell.task.name == "mixed-ordered")
    assert cell.name == "mixed-ordered-spirl-cl-seed0"
    assert " ".join(cell.command()) == (
        "train spirl-cl --world skillgym/Kitchen-v0 --env tasks=mixed ordered=true "
        "--seed 0 --steps 500000 --final-episodes 50"
    )


@pytest.mark.parametrize("name", TABLES)
def test_cells_are_presets_that_exist_in_their_world(name: str) -> None:
    for cell in TABLES[name].cells((0,)):
        preset = find_preset(cell.preset)
        assert preset.world == cell.task.world
        flat = preset.skill_model is None or preset.skill_model.startswith(("bc", "flat"))
        off_policy = flat and preset.algorithm is not PPO and cell.method != "bc"
        assert ("--agent" in cell.command()) == off_policy, cell.name
        several = cell.task.num_envs > 1 and not off_policy
        assert ("--num-envs" in cell.command()) == several, cell.name


def test_another_budget_is_that_of_the_methods_that_are_trained() -> None:
    for steps, trained in ((None, {500_000, 700_000, 1_250_000}), (9000, {9000})):
        cells = TABLES["skild"].cells((0,), steps)
        assert {cell.steps for cell in cells if cell.method == "bc"} == {1}
        assert {cell.steps for cell in cells if cell.method != "bc"} == trained


def test_the_suite_has_every_table_and_no_name_twice() -> None:
    assert set(SUITES["papers"]) == set(TABLES)
    names = [cell.name for table in TABLES.values() for cell in table.cells((0, 1))]
    assert len(set(names)) == len(names)
    tasks = [task.name for table in TABLES.values() for task in table.tasks]
    assert len(set(tasks)) == len(tasks)


def test_any_cell_of_the_suite_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--suite", "papers", "--dry-run", "--seeds", "1", "--only"]
    assert cli.main([*arguments, "mixed-ordered-spirl-cl-seed1"]) == 0
    assert capsys.readouterr().out == (
        "skillgym train spirl-cl --world skillgym/Kitchen-v0 --env tasks=mixed ordered=true "
        "--seed 1 --steps 500000 --final-episodes 50\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["kichen"], "unknown table 'kichen'; did you mean 'kitchen'"),
        (["--suite", "paper"], "unknown suite 'paper'; did you mean 'papers'"),
        (["--workers", "0"], "workers"),
        (["--steps", "0"], "steps=0"),
        (["--seeds", "-1"], "seeds=-1"),
        (["--minutes", "-1"], "minutes=-1"),
        (["--only", "nothing"], "which leaves no cell"),
    ],
)
def test_wrong_names(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_results_hold_the_complete_cells_only(tmp_path: Path) -> None:
    complete(tmp_path / "runs", CELLS[0], 2.0)
    complete(tmp_path / "runs", CELLS[1], 3.0)
    bench.write_results("kitchen", (0, 1, 2), tmp_path / "runs", tmp_path / "results")
    with (tmp_path / "results" / "kitchen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["subtasks"]) for row in rows] == [("0", "2.0"), ("1", "3.0")]
    assert rows[0]["mujoco"] == "3.11.0" and rows[0]["commit"] == "abc"
    assert rows[0]["command"].startswith("skillgym train spirl-cl")
    table = (tmp_path / "results" / "kitchen.md").read_text()
    assert (
        "| mixed | spirl-cl | subtasks of 4 | 2.50 | 2.00 to 3.00 |  | 500,000 | 2 | 2 |" in table
    )
    with (tmp_path / "results" / "kitchen_curves.csv").open() as file:
        assert [float(row["step"]) for row in csv.DictReader(file)] == [1000, 2000] * 2
    assert (tmp_path / "results" / "kitchen_mixed.png").exists()


def test_results_of_other_sessions_stay_and_new_ones_replace_old(tmp_path: Path) -> None:
    for session, seed, subtasks in (("one", 2, 1.0), ("two", 0, 2.0), ("three", 2, 4.0)):
        complete(tmp_path / session, CELLS[seed], subtasks)
        # A session that is about one seed leaves those of others alone.
        bench.write_results("kitchen", (seed,), tmp_path / session, tmp_path / "results")
    with (tmp_path / "results" / "kitchen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["subtasks"]) for row in rows] == [("0", "2.0"), ("2", "4.0")]
    with (tmp_path / "results" / "kitchen_curves.csv").open() as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["0", "0", "2", "2"]
    table = (tmp_path / "results" / "kitchen.md").read_text()
    assert "| mixed | spirl-cl | subtasks of 4 | 3.00 |" in table and "mujoco: 3.11.0" in table


def test_tables_and_plots_are_drawn_from_the_files_alone(tmp_path: Path) -> None:
    complete(tmp_path / "runs", CELLS[0], 2.0)
    out = tmp_path / "out"
    bench.write_results("kitchen", (0,), tmp_path / "runs", out)
    drawn = {path: path.read_bytes() for path in [out / "kitchen.md", *out.glob("*.svg")]}
    for path in drawn:
        path.unlink()
    bench.write_results("kitchen", (0,), tmp_path / "elsewhere", out)
    assert len(drawn) == 2 and all(path.exists() for path in drawn)
    assert drawn[out / "kitchen.md"] == (out / "kitchen.md").read_bytes()


def test_a_larger_budget_adds_a_row_and_goes_on_with_the_curve(tmp_path: Path) -> None:
    cell = replace(CELLS[0], steps=1000)
    for steps, subtasks in ((1000, 1.0), (9000, 3.0), (9000, 2.0)):
        folder = tmp_path / f"{steps}-{subtasks}"
        complete(folder, replace(cell, steps=steps), subtasks)
        bench.write_results("kitchen", (0,), folder, tmp_path / "out")
    with (tmp_path / "out" / "kitchen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["budget"], row["subtasks"]) for row in rows] == [("1000", "1.0"), ("9000", "2.0")]
    with (tmp_path / "out" / "kitchen_curves.csv").open() as file:
        points = list(csv.DictReader(file))
    assert len(points) == 2  # one curve
    assert {point["method"] for point in named_by_budget(points, rows)} == {"spirl-cl"}


def test_a_shorter_run_of_another_folder_leaves_a_longer_curve(tmp_path: Path) -> None:
    for steps in (9000, 1000):
        run = tmp_path / str(steps)
        complete(run, replace(CELLS[0], steps=steps), 1.0)
        (run / CELLS[0].name / "metrics.csv").write_text(
            f"time/step,eval/subtasks,eval/return\n500,0.5,0.5\n{steps},1.0,1.0\n"
        )
        bench.write_results("kitchen", (0,), run, tmp_path / "out")
    with (tmp_path / "out" / "kitchen.csv").open() as file:
        assert [row["budget"] for row in csv.DictReader(file)] == ["1000", "9000"]
    with (tmp_path / "out" / "kitchen_curves.csv").open() as file:
        assert [float(row["step"]) for row in csv.DictReader(file)] == [500, 9000]


def test_a_cell_that_was_stopped_later_than_its_budget_has_nothing_to_do(tmp_path: Path) -> None:
    cell, checkpoint = CELLS[0], tmp_path / CELLS[0].name / "checkpoints" / "last"
    checkpoint.mkdir(parents=True)
    write_config(tmp_path / cell.name, cell)
    counters = {"control_steps": 300_000, "reached": 300_000, "seconds": 9.0}
    (checkpoint / "state.json").write_text(json.dumps(counters))
    short = replace(cell, steps=150_000)
    assert benchmark.run_cells([short], tmp_path, workers=1) == []
    assert not (tmp_path / cell.name / "log.txt").exists()
    assert benchmark.rows([short], tmp_path) == []


def test_rows_are_written_before_a_larger_budget_deletes_their_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(tmp_path / "runs", replace(CELLS[0], steps=1000), 2.0)

    def stopped(cells: list[Cell], folder: Path, *_: object) -> None:
        (folder / CELLS[0].name / "result.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "run_cells", stopped)
    arguments = ["bench", "kitchen", "--only", CELLS[0].name, "--folder", str(tmp_path / "runs")]
    assert cli.main([*arguments, "--results", str(tmp_path / "out")]) == 130
    with (tmp_path / "out" / "kitchen.csv").open() as file:
        assert [row["budget"] for row in csv.DictReader(file)] == ["1000"]
    assert (tmp_path / "out" / "kitchen_curves.csv").exists()


def test_a_cell_that_is_named_twice_is_run_once(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["kitchen", "kitchen", "--seeds", "0", "0", "--only", "mixed-sac", "--dry-run"]
    assert cli.main(["bench", *arguments]) == 0
    assert capsys.readouterr().out.count("skillgym train") == 1


def test_all_cells_of_the_first_seed_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tables = ["kitchen", "worlds", "--only", "sac", "tabletop"]
    assert cli.main(["bench", *tables, "--seeds", "1", "0", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    seeds = [line.split(" --seed ")[1][0] for line in lines if " --seed " in line]
    assert len(seeds) > 4 and seeds == sorted(seeds, reverse=True)


def test_a_complete_cell_needs_no_skill_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("skillgym.hub.list_skills", lambda: ["spirl-kitchen"])
    cells = [cell for cell in TABLES["kitchen"].cells((0,)) if cell.method == "ptgm"]
    assert len(bench.with_models(cells, tmp_path)[1]) == 1
    complete(tmp_path, cells[0], 2.0)
    assert bench.with_models(cells, tmp_path) == (cells, {})


def test_results_that_another_process_merges_are_waited_for(tmp_path: Path) -> None:
    complete(tmp_path / "runs", CELLS[0], 2.0)
    arguments = ["kitchen", "--minutes", "0", "--seeds", "0", "--folder", str(tmp_path / "runs")]
    arguments += ["--results", str(tmp_path / "out")]
    other = threading.Thread(target=cli.main, args=(["bench", *arguments],))
    with locked(tmp_path / "out"):
        other.start()
        other.join(1.0)
        assert list((tmp_path / "out").iterdir()) == []
    other.join()
    assert (tmp_path / "out" / "kitchen.csv").exists()


def test_a_row_tells_the_budget_of_its_run_whatever_is_asked_for(tmp_path: Path) -> None:
    short = replace(CELLS[0], steps=1000)
    complete(tmp_path, short, 1.0)
    assert benchmark.is_complete(short, tmp_path)
    assert not benchmark.is_complete(CELLS[0], tmp_path)
    (row,) = benchmark.rows([CELLS[0]], tmp_path)
    assert row["budget"] == 1000 and row["steps"] == 1003
    assert (row["minutes"], row["rates"], row["episodes"]) == (1.5, "kettle 0.50", 2)
    assert "--steps 1000 " in row["command"]


def test_complete_cells_are_not_run_and_failures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = Task(name="mixed", methods=("spirl-cl", "sac"), options=("tasks=mixd",), steps=10)
    monkeypatch.setitem(TABLES, "two", Table(title="Two cells", tasks=(task,)))
    done, broken = TABLES["two"].cells((0,))
    complete(tmp_path, done, 2.0)
    arguments = ["bench", "two", "--seeds", "0", "--folder", str(tmp_path)]
    assert cli.main([*arguments, "--results", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert f"{broken.name}/log.txt" in error and done.name not in error
    assert "did you mean 'mixed'" in (tmp_path / broken.name / "log.txt").read_text()
    assert not (tmp_path / done.name / "log.txt").exists()


def ignore_interrupts() -> None:
    """What a script does to its background jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_a_terminated_bench_lets_its_trainings_write_a_checkpoint(tmp_path: Path) -> None:
    arguments = ["bench", "kitchen", "--only", "mixed-sac-seed0", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "skillgym.cli.main", *arguments]
    cell = tmp_path / "mixed-sac-seed0"
    command += ["--results", str(tmp_path / "out")]
    with subprocess.Popen(command, preexec_fn=ignore_interrupts) as process:
        deadline = time.monotonic() + 300
        while not (cell / "log.txt").exists() or "step/s" not in (cell / "log.txt").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
    assert process.returncode == 130
    assert "continues the work" in (cell / "log.txt").read_text()
    assert (cell / "checkpoints" / "last").exists()


def test_a_skill_model_that_is_missing_is_trained_for_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no runs of skillgym pretrain here
    monkeypatch.setattr("skillgym.hub.list_skills", lambda: ["spirl-kitchen"])
    cells = TABLES["kitchen"].cells((0, 1))
    found, missing = bench.with_models(cells, Path("bench"))
    assert [cell.name for cell in found] == [cell.name for cell in cells]
    assert {cell.method for cell in found if cell not in missing} == {"spirl-cl", "sac"}
    (of_ptgm,) = {model for cell, model in missing.items() if cell.method == "ptgm-ppo"}
    assert of_ptgm.command() == ["pretrain", "ptgm-kitchen"]
    cell = next(cell for cell in found if cell.method == "ptgm")
    assert " --skill-model bench/ptgm-kitchen-seed0 " in " ".join(cell.command())


@pytest.mark.parametrize("parent", ["runs", "bench"])
@pytest.mark.parametrize(("step", "missing"), [(100, 2), (200, 0)])
def test_a_skill_model_is_missing_until_its_training_has_ended(
    step: int, missing: int, parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("skillgym.hub.list_skills", lambda: ["spirl-kitchen"])
    checkpoint = tmp_path / parent / "ptgm-kitchen-seed0" / "checkpoints" / "last"
    checkpoint.mkdir(parents=True)
    (checkpoint / "metrics.json").write_text(json.dumps({"step": float(step)}))
    (checkpoint.parents[1] / "config.json").write_text(json.dumps({"trainer": {"steps": 200}}))
    cells = [cell for cell in TABLES["kitchen"].cells((0,)) if cell.method.startswith("ptgm")]
    found, waiting = bench.with_models(cells, Path("bench"))
    assert len(waiting) == missing
    made_by_pretrain = parent == "runs" and not missing
    expected = None if made_by_pretrain else str(Path("bench/ptgm-kitchen-seed0"))
    assert {cell.skill_model for cell in found} == {expected}


def run_jobs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failing: str = ""
) -> tuple[list[str], list[str]]:
    """Run cells of one model, three of which need it; names of what was started, and failed."""
    started = []

    def start(command: list[str], run: Path) -> subprocess.Popen[bytes]:
        started.append(run.name)
        status = int(run.name == failing)
        code = f"import sys, time; time.sleep(0.3); sys.exit({status})"
        return subprocess.Popen([sys.executable, "-c", code])

    monkeypatch.setattr(benchmark, "start_training", start)
    task = Task(name="kbts", methods=("bc-rl", "sac"), steps=10)
    cells = Table(title="", tasks=(task,)).cells((0, 1, 2))
    models = {cell: Pretrained("bc") for cell in cells if cell.method == "bc-rl"}
    failed = benchmark.run_cells(cells, folder, workers=2, models=models)
    return started, [job.name for job in failed]


def test_cells_wait_for_their_model_and_others_run_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, failed = run_jobs(tmp_path, monkeypatch)
    assert started[:2] == ["bc-seed0", "kbts-sac-seed0"] and failed == []
    assert len(started) == len(set(started)) == 7


def test_cells_whose_model_fails_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, failed = run_jobs(tmp_path, monkeypatch, failing="bc-seed0")
    assert failed == ["bc-seed0"]
    assert started == ["bc-seed0", *(f"kbts-sac-seed{seed}" for seed in range(3))]


def test_a_cell_that_cannot_run_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "no-datasets"))
    arguments = ["bench", "--only", "kitchen-kbts-bc-rl", "--seeds", "0"]
    assert cli.main([*arguments, "--minutes", "0"]) == 0
    assert not Path("runs").exists()  # that only gathers
    assert cli.main([*arguments, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "skillgym pretrain bc-kitchen-kbts --folder runs/bench/bc-kitchen-kbts-seed0\n" in out
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    sentence = error[error.index("skillgym: ") :]
    assert "runs/bench/bc-kitchen-kbts-seed0/log.txt" in sentence and sentence.count("\n") == 1
    assert "`skillgym collect kitchen-demos-kbts` gives" in sentence
    assert not Path("runs/bench/kitchen-kbts-bc-rl-seed0").exists()


def test_plain_behaviour_cloning_is_a_cell_in_which_nothing_more_is_learned(tmp_path: Path) -> None:
    name = "kitchen-kbts-bc-seed0"
    cell = next(c for c in TABLES["skild"].cells((0,), steps=9000) if c.name == name)
    env = gym.make("skillgym/Kitchen-v0")
    config = FlatPriorConfig(hidden_size=16, num_layers=2)
    model = FlatPrior.create(env.observation_space, env.action_space, config)
    env.close()
    folder = save_skill(model, tmp_path / "model", world="kitchen")
    task = replace(cell.task, final_episodes=2, options=("max_episode_steps=20",))
    command = replace(cell, task=task, skill_model=str(folder)).command()
    assert cli.main([*command, "--folder", str(tmp_path / name)]) == 0
    (row,) = benchmark.rows([cell], tmp_path)
    assert (row["method"], row["budget"], row["steps"], row["episodes"]) == ("bc", 1, 1, 2)
    config_json = json.loads((tmp_path / name / "config.json").read_text())
    assert config_json["options"] == {"tasks": "kbts", "ordered": True, "max_episode_steps": 20}
    agent = PriorSAC.load(tmp_path / name / "checkpoints" / "last" / "agent.zip")
    assert agent._n_updates == 0
    prior = prior_policy(load_skill(folder), 0, deterministic=True)
    observations = np.random.default_rng(0).normal(size=(5, 60)).astype(np.float32)
    acted = agent.predict(observations, deterministic=True)[0]
    np.testing.assert_allclose(acted, prior(observations), atol=1e-5)
    assert benchmark.is_complete(cell, tmp_path)


def test_a_spent_time_budget_leaves_cells_for_the_next_session(tmp_path: Path) -> None:
    assert benchmark.run_cells(CELLS[:1], tmp_path, workers=1, minutes=0) == []
    assert not (tmp_path / CELLS[0].name).exists()
