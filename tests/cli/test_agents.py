"""`evaluate`, `train` and `pretrain` on what they are given."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from skillgym.cli import main as cli
from skillgym.hub import load_skill, save_skill
from skillgym.rl.presets import make_agent, make_env
from skillgym.skills.spirl import ClosedLoopSpirl
from tests.skills.models import small_model


def test_the_prior_of_a_skill_model_is_measured(
    kitchen_skills: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", str(kitchen_skills), "--episodes", "1", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["eval/episode_length"] == 280
    assert 0 <= metrics["eval/subtasks"] <= 4


@pytest.mark.parametrize(
    ("what", "given", "options"),
    [
        ("skild-kitchen-kbts", [], {"tasks": "kbts", "ordered": True}),
        ("skild-kitchen-kbts", ["tasks=mixed"], {"tasks": "mixed", "ordered": True}),
        ("spirl-maze-image", [], {"variant": "spirl", "observation": "image"}),
        ("spirl-kitchen", [], {}),
    ],
)
def test_a_bundled_model_is_measured_in_the_task_that_it_is_for(
    what: str, given: list[str], options: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", what, "--episodes", "1", "--env", "max_episode_steps=10", *given]
    assert cli.main([*command, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["world_options"] == {**options, "max_episode_steps": 10}
    if options.get("tasks") == "kbts":
        assert "eval/rate/slide cabinet" in measured and "eval/rate/microwave" not in measured
    assert cli.main(command) == 0
    keywords = [f"{name}={value}" for name, value in measured["world_options"].items()]
    where = f"{what} in {measured['world']} ({', '.join(keywords)}): "
    assert capsys.readouterr().out.startswith(where)


def test_a_model_of_a_run_is_measured_in_the_task_that_it_was_trained_for(
    kitchen_skills: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_skill(kitchen_skills)
    where = {
        "older-seed0": None,  # and nothing is known of such a name
        "skild-kitchen-misaligned-seed3": None,  # of before keywords were recorded
        "mine": {"tasks": "kbts"},
    }
    found = []
    for name, options in where.items():
        save_skill(model, tmp_path / name, world="kitchen", world_options=options)
        command = ["evaluate", str(tmp_path / name), "--episodes", "1"]
        assert cli.main([*command, "--env", "max_episode_steps=10"]) == 0
        found.append(re.search(r" in skillgym/Kitchen-v0 \((.*)\): ", capsys.readouterr().out)[1])
    assert found == [
        "max_episode_steps=10",
        "tasks=misaligned, ordered=True, max_episode_steps=10",
        "tasks=kbts, max_episode_steps=10",
    ]


@pytest.mark.parametrize("command", ["evaluate", "watch"])
@pytest.mark.parametrize(
    ("world", "problem"),
    [(None, "a skill model whose config.json names no world"), ("pusher", "the unknown world")],
)
def test_a_model_whose_world_cannot_be_found_is_not_put_into_the_kitchen(
    world: str | None,
    problem: str,
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = save_skill(small_model(ClosedLoopSpirl), tmp_path / "mine", world=world)
    assert cli.main([command, str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"skillgym: Got {problem}") and error.count("\n") == 1


def test_subtasks_and_return_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    short = ("--env", "max_episode_steps=10")
    assert cli.main(["evaluate", "spirl-fetch-block", "--episodes", "1", *short]) == 0
    score = r"\d\.\d\d subtasks, return -?\d+\.\d\d,"  # the score of all Fetch tasks is the return
    assert re.search(rf"{score} over 1 episodes\n", capsys.readouterr().out)
    command = ["train", "ppo-clean-up", "--steps", "20", "--final-episodes", "2", *short]
    command += ["--eval-every", "10", "--eval-episodes", "1", "--agent", "n_steps=10"]
    assert cli.main([*command, "batch_size=10", "--folder", "run"]) == 0
    out, error = capsys.readouterr()
    assert re.search(
        rf"{score} over 2 episodes; {score} with the most likely actions; run in run", out
    )
    assert re.search(r"step +10: \d\.\d\d subtasks, return -?\d", out + error)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "spirl-kichen"], "did you mean 'spirl-kitchen'"),
        (["watch", "runs/no-such"], "expected the folder of a `skillgym train` run"),
        (["watch", "."], "expected the folder of a `skillgym train` run"),
        (["evaluate", "/"], "expected the folder of a `skillgym train` run"),
        (["train", "spirl-cll"], "did you mean 'spirl-cl'"),
        (["train", "spirl"], "did you mean 'spirl-cl'"),
        (["train", "no-such"], " more, which `skillgym worlds` lists."),
        (["train", "spirl-cl", "--skill-model", "ptgm-kitchen"], "another method such as ptgm."),
        (["train", "ptgm", "--skill-model", "spirl-kitchen"], "another method such as spirl-cl."),
        (["train", "sac", "--world", "Pusher-v99"], "unknown world 'Pusher-v99'; known: 'skillgym"),
        (["train", "sac", "--world", "no_module:Own-v0"], "unknown world 'no_module:Own-v0'"),
        (["train", "sac", "--world", ".module:Own-v0"], "unknown world '.module:Own-v0'"),
        (["pretrain", "spirl-maze", "--world", "skillgym/Mase-v0"], "mean 'skillgym/Maze-v0'"),
        (
            ["train", "sac", "--steps", "1", "--skill-model", "spirl-kitchen"],
            "Got skill_model='spirl-kitchen', expected None, as sac chooses single control steps",
        ),
        (["train", "--world", "SkillKitchen-v0"], "give skillgym/Kitchen-v0."),
        (["train", "--world", "skillgym:SkillKitchen-v0"], "give skillgym/Kitchen-v0."),
        (["train", "--world", "Kitchen-v0"], "did you mean 'skillgym/Kitchen-v0'"),
        (["train", "--agent", "alpha=foo"], "Got alpha='foo', expected 'auto'"),
        (["train", "--agent", "policy_kwargs=3"], "Got agent={'policy_kwargs': 3}, expected"),
        (
            ["train", "sac", "--agent", "buffer_size=x"],
            "Got buffer_size='x', expected a number such as the default",
        ),
        (["train", "--agent", "seed=3"], "Got 'seed=3', expected another keyword"),
        (["train", "--env", "num_threads=2"], "Got 'num_threads=2', expected another keyword"),
        (
            ["train", "reskill-unit-clean-up", "--steps", "1"],  # its model is not bundled
            "make it with `skillgym pretrain reskill-fetch-block-unit`",
        ),
        (["pretrain", "skild-kitchen-kbts", "--dataset", "no/such-v0"], "MINARI_DATASETS_PATH"),
        (["train", "sac", "--world", "skillgym/Kichen-v0"], "did you mean 'skillgym/Kitchen-v0'"),
        (["pretrain", "flat-kitchen", "--dataset", "no/such-v0"], "MINARI_DATASETS_PATH"),
        (["bench", "kichen"], "did you mean 'kitchen'"),
        (["demo", "--steps", "0"], "steps=0, expected an integer of at least 1"),
        (["demo", "--minutes", "-1"], "minutes=-1.0, expected a finite number of at least 0"),
        (["demo", "--seed", "-1"], "seed=-1, expected an integer from 0"),
    ],
)
def test_mistakes_get_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) != 0
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error and error.strip().count("\n") == 0


def test_a_damaged_skill_model_is_not_called_missing(
    kitchen_skills: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(kitchen_skills, tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    assert cli.main(["evaluate", str(copy)]) == 1
    assert "without model.safetensors" in capsys.readouterr().err


def test_a_run_without_a_checkpoint_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"method": "spirl-cl", "world": "skillgym/Kitchen-v0", "seed": 0, "steps": 9}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert cli.main(["evaluate", str(tmp_path)]) == 1
    assert "a folder with a checkpoint" in capsys.readouterr().err


def test_an_agent_that_cannot_be_loaded_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"method": "sac", "world": "skillgym/Kitchen-v0", "seed": 0, "steps": 9}
    (tmp_path / "config.json").write_text(json.dumps(config))
    path = tmp_path / "checkpoints" / "last" / "agent.zip"
    env = make_env("sac")
    make_agent("sac", env).save(path)
    env.close()
    whole = path.read_bytes()
    for content, keyword, reason in (
        (whole, "velocities=true", r"Observation spaces do not match: Box.*89"),
        (whole[: len(whole) // 2], "velocities=false", "wasn't a zip-file"),
    ):
        path.write_bytes(content)
        assert cli.main(["evaluate", str(tmp_path), "--env", keyword]) == 1
        error = capsys.readouterr().err
        assert re.search(rf"agent.zip, which cannot be loaded \(.*{reason}", error)
        assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["evaluate", "watch"])
def test_a_damaged_configuration_is_one_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"method": "spi')
    assert cli.main([command, str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "config.json" in error and error.count("\n") == 1
