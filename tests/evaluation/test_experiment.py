"""Experiments: what a run leaves behind, and that it survives interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv

from skillgym.errors import ResumeMismatch
from skillgym.evaluation.benchmark import evaluations
from skillgym.evaluation.experiment import Experiment, ExperimentConfig
from skillgym.evaluation.monitor import Every, TrainingMonitor
from skillgym.evaluation.rollouts import Episodes
from skillgym.rl.errors import UnknownPreset
from skillgym.rl.presets import find_preset, load_agent
from skillgym.runs.folder import RESULT, BudgetPassed
from skillgym.runs.interrupt import InterruptFlag
from skillgym.runs.lock import FolderInUse
from skillgym.runs.log import STEP_KEY
from skillgym.wrappers import SkillActions
from skillgym_envs.core.errors import UnknownKeyword
from tests.skill_stubs import CountingEnv, StubSkills


@pytest.fixture
def config(kitchen_skills: Path) -> dict[str, Any]:
    return {
        "method": "spirl-cl",
        "skill_model": str(kitchen_skills),
        "steps": 900,
        "num_envs": 2,
        "num_threads": 1,
        "eval_every": 300,
        "eval_episodes": 1,
        "final_episodes": 1,
        "checkpoint_every": 300,
        "log_every": 300,
        "agent": {"learning_starts": 40, "batch_size": 8, "policy_kwargs": {"critic_arch": [8]}},
    }


def steps_of(folder: Path) -> int:
    state = folder / "checkpoints" / "last" / "state.json"
    return json.loads(state.read_text())["control_steps"] if state.exists() else 0


def replayed(folder: Path) -> np.ndarray:
    """Observations of the last checkpoint's replay buffer."""
    with np.load(folder / "checkpoints" / "last" / "replay.npz") as replay:
        return replay["observations"]


def test_a_run_folder_describes_itself(tmp_path: Path, config: dict[str, Any]) -> None:
    result = Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False)
    files = {path.name for path in tmp_path.iterdir()}
    assert {"config.json", "command.txt", "environment.json", "metrics.csv"} <= files
    assert json.loads((tmp_path / "config.json").read_text())["method"] == "spirl-cl"
    versions = json.loads((tmp_path / "environment.json").read_text())["versions"]
    assert {"mujoco", "torch", "stable-baselines3"} <= set(versions)
    assert 900 <= result["steps"] < 900 + 2 * 10
    assert result["subtasks"] == result["subtasks_of_episodes"][0]
    assert 0 <= result["subtasks_deterministic"] <= 4 and "return_deterministic" in result
    assert [step for step, *_ in evaluations(tmp_path)] == [300, 600, 900]


def test_a_complete_run_is_not_repeated(tmp_path: Path, config: dict[str, Any]) -> None:
    scores = dict.fromkeys(RESULT, 3.0) | {"episodes": 50, "steps": 3, "rates": {}}
    (tmp_path / "result.json").write_text(json.dumps(scores))
    assert Experiment(ExperimentConfig(**config), tmp_path).run() == scores


def test_a_result_without_the_most_likely_actions_is_measured_anew(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    first = Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False)
    old = {name: value for name, value in first.items() if not name.endswith("deterministic")}
    (tmp_path / "result.json").write_text(json.dumps(old))
    again = Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False)
    again["seconds"] = first["seconds"]  # the only difference: nothing was trained
    assert again == first


def test_a_larger_budget_goes_on_with_a_complete_run(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    config |= {"steps": 300}
    first = Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False)
    learned, longer = len(replayed(tmp_path)), ExperimentConfig(**config | {"steps": 600})
    second = Experiment(longer, tmp_path).run(progress_bar=False)
    assert 300 <= first["steps"] < 600 <= second["steps"]
    observations = replayed(tmp_path)
    assert not np.array_equal(observations[0], observations[learned])  # new episodes
    assert [step for step, *_ in evaluations(tmp_path)] == [300, 600]
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == 600
    # A smaller budget is reached already.
    assert Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False) == second


def test_an_agent_of_a_larger_budget_is_not_measured_for_a_smaller_one(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    Experiment(ExperimentConfig(**config | {"steps": 600}), tmp_path).run(progress_bar=False)
    stopped = json.loads((tmp_path / "config.json").read_text()) | {"steps": 10**6}
    (tmp_path / "config.json").write_text(json.dumps(stopped))
    (tmp_path / "result.json").unlink()
    with pytest.raises(BudgetPassed, match="steps=300"):
        Experiment(ExperimentConfig(**config | {"steps": 300}), tmp_path).run(progress_bar=False)
    assert json.loads((tmp_path / "config.json").read_text()) == stopped
    # It may still end anywhere later.
    result = Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False)
    assert result["steps"] >= 900


@pytest.mark.parametrize("sessions", [[400], [90, 180, 270, 360, 400]])
def test_no_roll_out_of_an_on_policy_agent_is_lost(tmp_path: Path, sessions: list[int]) -> None:
    """Unfinished ones are collected again, and the last one ends with the budget."""
    for steps in sessions:
        config = ExperimentConfig(
            method="ppo-slippery-push",
            steps=steps,
            eval_every=10_000,
            eval_episodes=1,
            final_episodes=1,
            num_threads=1,
            agent={"n_steps": 100, "batch_size": 50, "n_epochs": 1},
        )
        result = Experiment(config, tmp_path).run(progress_bar=False)
    assert 400 <= result["steps"] <= 401
    assert steps_of(tmp_path) == 400
    checkpoint = tmp_path / "checkpoints" / "last" / "agent.zip"
    assert load_agent("ppo-slippery-push", checkpoint)._n_updates == 4


def test_a_run_that_has_spent_its_budget_is_not_trained_again(tmp_path: Path) -> None:
    """Also when its last roll-out was not finished, and its evaluation was stopped."""
    config = ExperimentConfig(
        method="ppo-slippery-push",
        steps=150,
        eval_every=150,
        eval_episodes=1,
        final_episodes=1,
        num_threads=1,
        agent={"n_steps": 100, "batch_size": 50, "n_epochs": 1},
    )
    first = Experiment(config, tmp_path).run(progress_bar=False)
    log = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "result.json").unlink()
    checkpoint = (tmp_path / "checkpoints" / "last" / "agent.zip").read_bytes()
    result = Experiment(config, tmp_path).run(progress_bar=False)
    assert result["steps"] == first["steps"] >= 150 and steps_of(tmp_path) == 100
    assert (tmp_path / "metrics.csv").read_text() == log
    assert [step for step, *_ in evaluations(tmp_path)] == [150]
    assert (tmp_path / "checkpoints" / "last" / "agent.zip").read_bytes() == checkpoint


def test_another_configuration_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"seed": 5}))
    with pytest.raises(ResumeMismatch, match="seed"):
        Experiment(ExperimentConfig(**config), tmp_path)


def test_a_run_of_a_version_with_another_preset_is_refused(
    tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = partial(Experiment, ExperimentConfig(**config), tmp_path)
    run().run(progress_bar=False)
    preset = find_preset(config["method"])
    changed = replace(preset, agent={**preset.agent, "gamma": 0.5, "batch_size": 7})
    monkeypatch.setattr("skillgym.evaluation.experiment.find_preset", lambda name: changed)
    with pytest.raises(ResumeMismatch, match=r"gamma of the preset 0\.5 .* started with None"):
        run()
    same = replace(preset, agent={**preset.agent, "batch_size": 7})  # was chosen anyway
    monkeypatch.setattr("skillgym.evaluation.experiment.find_preset", lambda name: same)
    run()
    path = tmp_path / "config.json"
    old = json.loads(path.read_text())
    del old["preset"]
    path.write_text(json.dumps(old))  # of a version that did not write it
    monkeypatch.setattr("skillgym.evaluation.experiment.find_preset", lambda name: changed)
    run()


def test_a_tuple_is_the_list_that_the_file_makes_of_it(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    given = ExperimentConfig(**config, options={"tasks": ("microwave", "kettle")})
    (tmp_path / "config.json").write_text(json.dumps(asdict(given)))
    Experiment(given, tmp_path)
    with pytest.raises(ResumeMismatch, match="options"):
        Experiment(ExperimentConfig(**config, options={"tasks": ("kettle",)}), tmp_path)


def test_a_second_training_in_the_same_folder_is_refused(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    short, refused = ExperimentConfig(**config | {"steps": 300}), []

    def again(step: int, episodes: Episodes, monitor: TrainingMonitor) -> None:
        with pytest.raises(FolderInUse, match=tmp_path.name):
            Experiment(short, tmp_path).run(progress_bar=False)
        refused.append(step)

    Experiment(short, tmp_path, on_evaluation=again).run(progress_bar=False)
    assert refused and (tmp_path / "result.json").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_mistake_leaves_no_run_behind(tmp_path: Path, config: dict[str, Any]) -> None:
    config |= {"agent": {"batch_sizes": 8}}
    with pytest.raises(UnknownKeyword, match="did you mean 'batch_size'"):
        Experiment(ExperimentConfig(**config), tmp_path / "run").run(progress_bar=False)
    assert not (tmp_path / "run").exists()


def test_the_world_is_that_of_the_method_unless_another_is_given() -> None:
    config = ExperimentConfig(method="skild-kitchen-kbts", options={"noise": 0.0})
    assert config.world == "skillgym/Kitchen-v0"
    assert config.options == {"tasks": "kbts", "ordered": True, "noise": 0.0}
    assert ExperimentConfig(method="skild-maze").world == "skillgym/Maze-v0"
    other = ExperimentConfig(method="skild-kitchen-kbts", world="skillgym/Maze-v0")
    assert (other.world, other.options) == ("skillgym/Maze-v0", {})


def test_unknown_method_is_one_sentence() -> None:
    with pytest.raises(UnknownPreset, match="did you mean 'spirl-cl'"):
        ExperimentConfig(method="spirl-cll")


def test_a_time_budget_ends_the_training(tmp_path: Path, config: dict[str, Any]) -> None:
    config |= {"steps": 10**6}
    result = Experiment(ExperimentConfig(**config), tmp_path).run(progress_bar=False, seconds=0.5)
    assert result["steps"] < 10**5 and (tmp_path / "result.json").exists()


def test_evaluations_repeat_themselves_and_leave_the_training_alone(tmp_path: Path) -> None:
    env, seen = DummyVecEnv([lambda: CountingEnv(5)]), []

    def policy(observations: np.ndarray) -> np.ndarray:
        seen.append((observations[0, 2].item(), torch.rand(()).item()))
        return np.zeros((1, 1), np.float32)

    state = torch.get_rng_state()
    for seed in (3, 3, 4):
        experiment = Experiment(ExperimentConfig(seed=seed), tmp_path)
        episodes = experiment._evaluate(policy, env, 2, progress_bar=False)
        assert episodes.returns.tolist() == [10.0, 10.0]
    assert torch.equal(torch.get_rng_state(), state)
    assert seen[:10] == seen[10:20]
    assert not set(seen[20:]) & set(seen[:20])


def test_returns_and_control_steps_of_the_last_training_episodes() -> None:
    env = SkillActions(CountingEnv(13), StubSkills(max_steps=5))  # skills of 5, 5 and 3
    never = Every(0), lambda monitor: None
    agent = SAC("MlpPolicy", env, learning_starts=100, buffer_size=100, device="cpu")
    monitor = TrainingMonitor(30, 0, None, 0.0, [], never, InterruptFlag(), progress_bar=False)
    agent.learn(1000, callback=monitor)
    metrics = monitor.metrics()
    assert metrics["time/step"] == monitor.control_steps == 2 * 13 + 5
    assert metrics["rollout/return"] == sum(range(13))
    assert metrics["rollout/subtasks"] == 0.0


def test_a_session_goes_on_with_the_time_of_earlier_ones_and_has_its_own_speed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    never = Every(0), lambda monitor: None
    monitor = TrainingMonitor(30, 10, None, 500.0, [], never, InterruptFlag(), progress_bar=True)
    metrics = monitor.metrics()
    assert metrics["time/seconds"] >= 500.0 and metrics["time/steps_per_second"] == 0.0
    monitor.say("an evaluation")
    monitor.close()
    assert "an evaluation" in "".join(capsys.readouterr())


def test_each_training_environment_has_its_own_episodes() -> None:
    env = DummyVecEnv(
        [lambda end=end: SkillActions(CountingEnv(end), StubSkills(max_steps=5)) for end in (13, 6)]
    )
    never = Every(0), lambda monitor: None
    agent = SAC("MlpPolicy", env, learning_starts=100, buffer_size=100, device="cpu")
    monitor = TrainingMonitor(30, 0, None, 0.0, [], never, InterruptFlag(), progress_bar=False)
    agent.learn(1000, callback=monitor)
    # One episode of skills of 5, 5 and 3 steps beside two of 5 and 1, and 5 steps of the next one.
    assert monitor.control_steps == 13 + 5 + 2 * 6
    returns = [sum(range(13)), *[sum(range(6))] * 2]
    assert monitor.metrics()["rollout/return"] == np.mean(returns)


def test_what_is_due_is_counted_from_where_a_sitting_starts() -> None:
    every = Every(10, start=25)
    assert [every(counter) for counter in (26, 29, 30, 39, 55, 56)] == [
        *(False, False, True, False), *(True, False)
    ]  # fmt: skip


@contextmanager
def training(folder: Path, skills: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = [
        *("train", "spirl-cl", "--skill-model", str(skills), "--steps", "1500"),
        *("--eval-every", "10000", "--final-episodes", "1", "--checkpoint-every", "100"),
        *("--agent", "learning_starts=10", "batch_size=8", 'policy_kwargs={"critic_arch": [8]}'),
        *("--folder", str(folder)),
    ]
    command = [sys.executable, "-m", "skillgym.cli.main", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()


def wait_for_checkpoint(folder: Path, after: int) -> None:
    deadline = time.monotonic() + 300
    while steps_of(folder) <= after:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ctrl_c_and_kill_leave_a_run_that_goes_on(tmp_path: Path, kitchen_skills: Path) -> None:
    with training(tmp_path, kitchen_skills) as killed:
        wait_for_checkpoint(tmp_path, 0)
        killed.kill()
        killed.communicate()
    first = steps_of(tmp_path)

    with training(tmp_path, kitchen_skills) as interrupted:
        wait_for_checkpoint(tmp_path, first)
        interrupted.send_signal(signal.SIGINT)
        error = interrupted.communicate()[1]
    assert interrupted.returncode == 130
    assert "continues the work" in error and "Traceback" not in error
    assert first < steps_of(tmp_path) < 1500

    with training(tmp_path, kitchen_skills) as last:
        last.communicate()
    assert last.returncode == 0
    assert json.loads((tmp_path / "result.json").read_text())["steps"] >= 1500
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index(STEP_KEY)
    steps = [float(row.split(",")[column]) for row in rows[1:]]
    assert steps == sorted(set(steps))
