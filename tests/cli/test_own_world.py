"""Environments of other packages, from recordings to an agent, by the commands that users run."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from skillgym.cli import main as cli
from skillgym.hub import load_skill

DATASET = "mine/pendulum-v0"
SHORT = ("--env", "max_episode_steps=20")


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Four episodes of a pendulum that is pushed at random."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    rng, env = np.random.default_rng(0), gym.make("Pendulum-v1", max_episode_steps=20)
    buffers = []
    for seed in range(4):
        observations = [env.reset(seed=seed)[0]]
        actions = rng.uniform(-2, 2, (20, 1)).astype(np.float32)
        observations += [env.step(action)[0] for action in actions]
        buffers.append(
            EpisodeBuffer(
                observations=np.array(observations),
                actions=actions,
                rewards=[0.0] * 20,
                terminations=[False] * 20,
                truncations=[False] * 19 + [True],
            )
        )
    minari.create_dataset_from_buffers(DATASET, buffers, env=env)
    env.close()
    return DATASET


def test_recordings_of_another_package_become_skills_and_an_agent(
    dataset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    world = ("--world", "gymnasium.envs.classic_control:Pendulum-v1")  # MODULE:ID, as for one's own
    command = [
        *("pretrain", "spirl-kitchen", "--dataset", dataset, *world, *SHORT),
        *("--trainer.steps", "2", "--trainer.batch-size", "4", "--trainer.validation-share", "0.3"),
        *("--evaluation-episodes", "2", "--model.hidden-size", "16", "--folder", "skills"),
    ]
    assert cli.main(command) == 0
    assert load_skill("skills").world == world[1]
    assert cli.main(["evaluate", "skills", "--episodes", "3"]) == 0
    assert "(max_episode_steps=20): return -" in capsys.readouterr().out  # it has no subtasks
    small = ("learning_starts=2", "batch_size=2", 'policy_kwargs={"critic_arch":[8]}')
    command = [
        *("train", "spirl-cl", "--skill-model", "skills", *world, *SHORT, "--num-envs", "2"),
        *("--final-episodes", "2", "--eval-episodes", "2", "--agent", *small),
    ]
    assert cli.main([*command, "--steps", "40"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("return -") and "subtasks" not in printed.out + printed.err
    assert cli.main([*command, "--steps", "80"]) == 0  # goes on
    folder = tmp_path / "runs" / "spirl-cl-pendulum-v1-20-seed0"
    assert json.loads((folder / "result.json").read_text())["return"] < 0.0
    capsys.readouterr()
    assert cli.main(["evaluate", str(folder), "--episodes", "2", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["world"] == world[1] and measured["eval/episode_length"] == 20
    assert cli.main(["report", str(folder)]) == 0
    assert f"| {world[1]} max_episode_steps=20 | spirl-cl | return |" in capsys.readouterr().out
    assert (tmp_path / "runs" / "report.html").exists()


def test_single_control_steps_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "sac", "--world", "Pendulum-v1", "--steps", "20", *SHORT]
    assert cli.main([*command, "--final-episodes", "1", "--eval-episodes", "1"]) == 0
    assert (tmp_path / "runs" / "sac-pendulum-v1-20-seed0" / "result.json").exists()


@pytest.mark.parametrize("command", [("train", "sac"), ("pretrain", "spirl-kitchen", "--dataset")])
def test_keywords_that_another_package_does_not_take(
    command: tuple[str, ...],
    dataset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [*command, dataset] if "--dataset" in command else command
    assert cli.main([*given, "--world", "Pendulum-v1", "--env", "tasks=mixed"]) == 1
    error = capsys.readouterr().err
    assert "keywords that Pendulum-v1 takes" in error and "Traceback" not in error
