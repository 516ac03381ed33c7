"""From demonstrations to an agent, by the commands that users run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import gymnasium as gym
import minari
import numpy as np
import pytest
import torch
from minari.data_collector import EpisodeBuffer

from skillgym.cli import main as cli
from skillgym.cli.options import find_model, world_id
from skillgym.cli.pretrain import PRESETS, folder_of
from skillgym.hub import load_skill
from skillgym.hub.model_types import model_class
from skillgym.rl.presets import PRESETS as METHODS
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl.model import SpirlModel
from tests.maze_data import collect_random_mazes

DATASET = "skillgym/kitchen/tiny-v0"


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Four episodes of noise."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    rng, env = np.random.default_rng(0), gym.make("skillgym/Kitchen-v0")
    buffers = [
        EpisodeBuffer(
            observations=rng.normal(size=(21, 60)).astype(np.float32),
            actions=rng.uniform(-1, 1, (20, 9)).astype(np.float32),
            rewards=[0.0] * 20,
            terminations=[False] * 20,
            truncations=[False] * 19 + [True],
        )
        for _ in range(4)
    ]
    minari.create_dataset_from_buffers(DATASET, buffers, env=env)
    env.close()
    return DATASET


def test_demonstrations_become_a_model_and_the_model_an_agent(
    dataset: str,
    kitchen_skills: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [
        *("pretrain", "skild-kitchen-kbts", "--dataset", dataset, "--task-agnostic", dataset),
        *("--embedding", str(kitchen_skills), "--evaluation-episodes", "0"),
        *("--trainer.steps", "4", "--trainer.batch-size", "8"),
        *("--trainer.validation-share", "0.3", "--trainer.log-every", "2"),
    ]
    assert cli.main(command) == 0
    run = tmp_path / "runs" / "skild-kitchen-kbts-seed0"
    model = load_skill(run)
    assert isinstance(model, SkildModel) and model.world == "kitchen"
    config = json.loads((run / "config.json").read_text())
    assert config["dataset"] == f"{dataset}, against {dataset}"
    assert config["world_options"] == model.world_options == {"tasks": "kbts", "ordered": True}
    capsys.readouterr()
    assert cli.main([*command, "--env", "tasks=mixed", "ordered=true"]) == 1
    assert "world_options.tasks 'mixed' for a run that was" in capsys.readouterr().err
    assert cli.main(["watch", str(run), "--width", "32", "--height", "32"]) == 0
    assert " in skillgym/Kitchen-v0 (tasks=kbts, ordered=True)\n" in capsys.readouterr().out
    small = ("learning_starts=8", "batch_size=8", 'policy_kwargs={"critic_arch":[8]}')
    command = [
        *("train", "skild-kitchen-kbts", "--steps", "300", "--eval-every", "1000"),
        *("--eval-episodes", "1"),
        *("--final-episodes", "1", "--agent", *small),
    ]
    assert cli.main(command) == 0
    run = tmp_path / "runs" / "skild-kitchen-kbts-kitchen-v0-seed0"
    assert json.loads((run / "result.json").read_text())["episodes"] == 1
    config = json.loads((run / "config.json").read_text())
    assert config["options"] == {"tasks": "kbts", "ordered": True}
    with (run / "metrics.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert 0.0 <= float(last["train/demonstration_weight"]) <= 1.0


def arm(observations: torch.Tensor) -> torch.Tensor:
    return observations[..., :7]


def test_goals_of_an_own_function_are_needed_by_pretraining_only(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [
        *("pretrain", "ptgm-kitchen", "--dataset", dataset, "--evaluation-episodes", "0"),
        *("--model.features", f"{__name__}:arm", "--model.goal", "None", "--model.num-codes", "5"),
        *("--model.codebook", "kmeans", "--model.codebook-stride", "1"),
        *("--trainer.steps", "2", "--trainer.batch-size", "4", "--trainer.validation-share", "0.3"),
    ]
    assert cli.main(command) == 0
    model = load_skill("runs/ptgm-kitchen-seed0")
    assert model.codes.shape == (5, 7)
    monkeypatch.delattr(f"{__name__}.arm")
    assert cli.main(["evaluate", "runs/ptgm-kitchen-seed0", "--episodes", "1"]) == 0
    small = ("learning_starts=2", "batch_size=2", 'policy_kwargs={"critic_arch":[8]}')
    command = [
        *("train", "ptgm", "--skill-model", "runs/ptgm-kitchen-seed0", "--steps", "40"),
        *("--final-episodes", "1", "--eval-episodes", "1", "--agent", *small, "--folder", "agent"),
    ]
    assert cli.main(command) == 0
    assert cli.main(["evaluate", "agent", "--episodes", "1"]) == 0


@pytest.mark.parametrize("name", ["spirl-maze-image", "spirl-maze-image-open"])
def test_mazes_become_a_model_that_sees_pictures_and_the_model_an_agent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    dataset = collect_random_mazes(tmp_path / "datasets")
    short = ("--env", "variant=spirl", "observation=image", "max_episode_steps=25")
    command = [
        *("pretrain", name, "--dataset", dataset, *short, "--evaluation-episodes", "2"),
        *("--trainer.steps", "4", "--trainer.batch-size", "4", "--trainer.log-every", "2"),
        *("--trainer.validation-share", "0.3", "--model.hidden-size", "16"),
    ]
    assert cli.main(command) == 0
    model = load_skill(find_model(name))
    assert isinstance(model, SpirlModel) and model.world == "maze"
    assert model.observation_space.shape == (6148,)
    small = ("learning_starts=3", "batch_size=4", "buffer_size=50")
    command = [
        *("train", name, "--steps", "60", "--eval-every", "1000", "--final-episodes", "1"),
        *("--eval-episodes", "1", "--env", "max_episode_steps=25", "--agent", *small),
    ]
    assert cli.main(command) == 0
    config = json.loads(next(tmp_path.glob("runs/*maze-v0*/config.json")).read_text())
    expected = {"variant": "spirl", "observation": "image", "max_episode_steps": 25}
    assert config["options"] == expected


def test_every_preset_has_its_own_folder_and_every_method_its_model() -> None:
    folders = [folder_of(preset) for preset in PRESETS.values()]
    assert len(set(folders)) == len(PRESETS)
    assert folders[0] == Path("runs/spirl-kitchen-seed0")
    assert {preset.skill_model for preset in METHODS.values()} - {None} <= set(PRESETS)


def test_every_preset_names_the_class_of_its_model() -> None:
    for preset in PRESETS.values():
        config = model_class(preset.tag).config_class
        assert preset.title and (preset.model is None or type(preset.model) is config)


def test_the_world_of_a_model() -> None:
    assert world_id("maze") == "skillgym/Maze-v0"
    assert world_id("kitchen") == "skillgym/Kitchen-v0"
    assert world_id("Pusher-v5") == "Pusher-v5"
