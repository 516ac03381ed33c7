"""The demo, with a tiny skill model and a tiny budget."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from skillgym.cli import demo, demo_steps
from skillgym.cli import main as cli
from skillgym.cli.errors import NoDemo
from skillgym.evaluation import Episodes

RESULT = {
    "subtasks": 1.0,
    "return": 1.0,
    "subtasks_deterministic": 2.0,
    "episodes": 1,
    "seconds": 1.0,
    "rates": {},
}


def test_demo_leaves_a_report(
    tmp_path: Path,
    kitchen_skills: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_steps, "EPISODES", 1)
    monkeypatch.setattr(demo_steps, "EPISODES_ON_THE_WAY", 1)
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")
    size = {"render_mode": "rgb_array", "width": 32, "height": 24}
    monkeypatch.setattr(demo_steps, "frame_options", lambda: size)
    steps = demo_steps.Demo(tmp_path, steps=2, minutes=1.0, seed=0, skills=str(kitchen_skills))
    page = steps.run().read_text("utf8")
    assert "PriorSAC, choosing skills" in page and "SAC, choosing single actions" in page
    assert page.count("data:video/mp4") == 2 and "<svg" in page
    assert "mujoco" in page and "skillgym demo --steps 2" in page
    assert "subtasks" in capfd.readouterr().out
    assert (tmp_path / "sac" / "result.json").exists()


def test_report_says_when_the_baseline_failed(tmp_path: Path) -> None:
    (tmp_path / "spirl-cl").mkdir()
    (tmp_path / "spirl-cl" / "metrics.csv").write_text(
        "time/step,eval/subtasks,eval/return\n10,1.0,1.0\n"
    )
    prior = Episodes(np.ones(1), np.ones(1, np.int64), (("kettle",),))
    result = RESULT | {"steps": 10}
    page = demo_steps.Demo(tmp_path, 10, 1.0, 0).report(prior, result, []).read_text("utf8")
    assert "baseline did not finish" in page and "log.txt" in page
    assert "time budget" not in page


def test_the_end_of_a_run_is_in_its_curve_once(tmp_path: Path) -> None:
    (tmp_path / "sac").mkdir()
    (tmp_path / "sac" / "metrics.csv").write_text(
        "time/step,eval/subtasks,eval/return\n10,1.0,7.0\n"
    )
    steps = demo_steps.Demo(tmp_path, 10, 1.0, 0)
    assert steps.curve("sac", {"steps": 10, "subtasks": 3.0}) == ([10], [1.0])
    assert steps.curve("sac", {"steps": 12, "subtasks": 3.0}) == ([10, 12], [1.0, 3.0])


def test_a_baseline_that_was_never_evaluated_still_has_its_end_in_the_plot(tmp_path: Path) -> None:
    result = RESULT | {"steps": 7}
    for run in ("spirl-cl", "sac"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "metrics.csv").write_text("time/step\n5\n")  # the time was up before
        (tmp_path / run / "result.json").write_text(json.dumps(result))
    steps = demo_steps.Demo(tmp_path, 10, 1.0, 0)
    assert steps.curve("sac", result) == ([7], [1.0])
    prior = Episodes(np.ones(1), np.ones(1, np.int64), (("kettle",),))
    page = steps.report(prior, result, []).read_text("utf8")
    assert "SAC, choosing single actions" in page and "time budget of 1 min" in page


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (("demo.json", "sac/config.json", "notes.txt"), "with 'notes.txt'"),
        (("sac/config.json", "spirl-cl/config.json"), "without 'demo.json'"),  # somebody's runs
    ],
)
def test_restart_deletes_nothing_in_a_folder_that_is_not_only_a_demos(
    content: tuple[str, ...], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in content:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert cli.main(["demo", "--restart", "--folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert problem in error and error.count("\n") == 1
    assert files(tmp_path) == set(content)


def test_restart_deletes_what_a_demo_left(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "demo", tmp_path / "elsewhere"
    folder.mkdir()
    (folder / ".demo.json.new").touch()  # it was killed at once
    demo.mark(folder, {"steps": 1})
    (folder / ".skills.old").mkdir()  # and later once more
    elsewhere.mkdir()
    (elsewhere / "data").touch()
    (folder / "sac").mkdir()
    (folder / "sac" / "log.txt").touch()
    (folder / "report.html").touch()
    (folder / "datasets").symlink_to(elsewhere)
    demo.mark(folder, {"steps": 2})
    assert json.loads((folder / "demo.json").read_text()) == {"steps": 1}
    demo.clear(folder)
    assert list(folder.iterdir()) == [] and files(elsewhere) == {"data"}
    demo.clear(tmp_path / "none")


def test_only_an_empty_folder_becomes_a_demos(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    demo.mark(tmp_path, {"steps": 1})
    with pytest.raises(NoDemo, match="nothing is deleted"):
        demo.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


def test_a_folder_that_cannot_be_deleted_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(path: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    demo.mark(tmp_path, {"steps": 1})
    (tmp_path / "sac").mkdir()
    monkeypatch.setattr("os.rmdir", denied)
    assert cli.main(["demo", "--restart", "--folder", str(tmp_path)]) == 1
    assert "Permission denied" in capsys.readouterr().err
    assert (tmp_path / "demo.json").exists()
