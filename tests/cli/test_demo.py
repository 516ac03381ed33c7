"""The demo, with a tiny skill model and a tiny budget."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from skillgym.cli import demo_steps
from skillgym.evaluation import Episodes

RESULT = {
    "subtasks": 1.0,
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
    demo = demo_steps.Demo(tmp_path, steps=60, minutes=1.0, seed=0, skills=str(kitchen_skills))
    page = demo.run().read_text("utf8")
    assert "PriorSAC, choosing skills" in page and "SAC, choosing single actions" in page
    assert page.count("data:video/mp4") == 2 and "<svg" in page
    assert "mujoco" in page and "skillgym demo --steps 60" in page
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
    assert "baseline did not end" in page and "log.txt" in page


def test_a_baseline_that_was_never_evaluated_still_has_its_end_in_the_plot(tmp_path: Path) -> None:
    result = RESULT | {"steps": 7}
    for run in ("spirl-cl", "sac"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "metrics.csv").write_text("time/step\n5\n")  # the time was up before
        (tmp_path / run / "result.json").write_text(json.dumps(result))
    demo = demo_steps.Demo(tmp_path, 10, 1.0, 0)
    assert demo.curve("sac", result) == ([7], [1.0])
    prior = Episodes(np.ones(1), np.ones(1, np.int64), (("kettle",),))
    assert "SAC, choosing single actions" in demo.report(prior, result, []).read_text("utf8")
