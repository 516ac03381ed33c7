"""Every example runs, and stays short."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
ARGUMENTS = {
    "train_kitchen_prior_sac": (40,),
    "sb3_on_skills": (8,),
    "wrap_your_env": (20, 60),
    "load_dataset": None,  # gets the small dataset of this test
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_example_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text("utf8").splitlines()) < 80
    main = runpy.run_path(str(path))["main"]
    if (arguments := ARGUMENTS[name]) is None:
        arguments = (str(small_dataset(tmp_path)),)
    main(*arguments)
    assert capsys.readouterr().out


def small_dataset(folder: Path) -> Path:
    """Two episodes of the kitchen's play data."""
    from dataclasses import replace

    from skillgym_envs.collect import collect, dataset_spec

    spec = dataset_spec("kitchen-play-mini")
    return collect(replace(spec, plans=spec.plans[:2]), folder, workers=1)
