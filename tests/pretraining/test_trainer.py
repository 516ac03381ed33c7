"""The offline trainer: it learns, resumes exactly, survives kills and tells what is wrong."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skillgym.data import WindowDataset
from skillgym.data.windows import split_episodes
from skillgym.errors import (
    CheckpointNotWritten,
    InvalidConfig,
    ResumeMismatch,
    RunExists,
    ShapeMismatch,
    TrainingDiverged,
)
from skillgym.hub import load_skill
from skillgym.hub.checkpoint import read_tensors
from skillgym.pretraining import TrainerConfig, TrainingResult, pretrain
from skillgym.pretraining.errors import MissingMetric, NotTrainable, ShortEpisodes
from skillgym.pretraining.trainer import OfflineTrainer
from skillgym.runs.lock import FolderInUse
from skillgym.runs.log import run_logger
from skillgym.skills.base import Batch, Scalars, SkillModule
from skillgym.skills.ptgm import Ptgm
from skillgym.skills.reskill import ReskillModel
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from tests.skills.models import MODELS, SMALL, random_walks, small_model, training_data

SHORT = {
    "steps": 40,
    "batch_size": 16,
    "log_every": 10,
    "validate_every": 15,
    "checkpoint_every": 20,
    "validation_batches": 1,
}


class Stop(Exception):
    """Raised by an evaluation to end a run early, as a crash would."""


def train(
    folder: Path, *, resume: bool = False, stop_at: int = 0, **options: Any
) -> TrainingResult:
    """A short training; with `stop_at`, it crashes at the evaluation of that step."""
    cls = options.pop("cls", ClosedLoopSpirl)
    model = options.pop("model", None) or small_model(cls, **options.pop("model_options", {}))
    evaluations = 0

    def evaluate(model: SkillModule) -> dict[str, float]:
        nonlocal evaluations
        evaluations += 1
        assert not model.training
        if stop_at and evaluations * 5 == stop_at:
            raise Stop
        return {"subtasks": 1.0}

    config = TrainerConfig(**{**SHORT, "evaluate_every": 5, **options})
    data = training_data(model)
    return pretrain(model, data, folder, config, resume=resume, evaluate=evaluate)


def tensors(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint: model, optimiser and generator."""
    directory = folder / "checkpoints" / name
    return {
        f"{path.stem}/{key}": value
        for path in directory.glob("*.safetensors")
        for key, value in read_tensors(path).items()
    }


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [
            {key: value for key, value in row.items() if key != "time/steps_per_second"}
            for row in csv.DictReader(file)
        ]


def assert_equal_runs(first: Path, second: Path) -> None:
    for name in ("last", "best"):
        given, expected = tensors(first, name), tensors(second, name)
        assert given.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(given[key], value), (name, key)
    assert rows(first) == rows(second)
    states = [
        json.loads((run / "checkpoints/last/training.json").read_text()) for run in (first, second)
    ]
    assert states[0] == states[1]


@pytest.mark.parametrize("cls", MODELS)
def test_learns(cls: type[SkillModule], tmp_path: Path) -> None:
    result = train(
        tmp_path, cls=cls, steps=150, learning_rate=1e-2, validate_every=150, evaluate_every=0
    )
    # ReSkill's latents spread, as hardly a KL holds them, and their prior's loss with them.
    metric, fall = ("reconstruction", 0.2) if cls is ReskillModel else ("loss", 0.3)
    values = [float(row[f"train/{metric}"]) for row in rows(tmp_path)]
    assert values[-1] < values[0] - fall
    assert result.step == 150 and result.metrics["eval/subtasks"] == 1.0
    assert np.isfinite(list(result.metrics.values())).all()


def test_run_folder(tmp_path: Path) -> None:
    train(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"config.json", "command.txt", "environment.json", "metrics.csv", "checkpoints"}
    steps = [int(float(row["time/step"])) for row in rows(tmp_path)]
    assert steps == [5, 10, 15, 20, 25, 30, 35, 40]
    validated = [int(float(r["time/step"])) for r in rows(tmp_path) if r["validation/loss"]]
    assert validated == [15, 30, 40]
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["trainer"]["steps"] == 40 and config["model"]["type"] == "spirl_cl"
    assert isinstance(load_skill(tmp_path), ClosedLoopSpirl)


def test_the_rate_falls_along_half_a_cosine_and_by_the_decay_of_a_group(tmp_path: Path) -> None:
    model = small_model(ReskillModel, prior_decay=0.9)
    config = {**SHORT, "steps": 8, "log_every": 1}
    trainer = OfflineTrainer(
        model,
        random_walks(),
        tmp_path,
        TrainerConfig(**config, learning_rate=0.01),
        evaluate=None,
        dataset=None,
        progress_bar=False,
    )
    trainer.run()
    factors = [0.5 * (1 + np.cos(np.pi * step / 8)) for step in range(8)]
    rates = [float(row["train/learning_rate"]) for row in rows(tmp_path)]
    assert rates == pytest.approx([0.01 * factor for factor in factors])
    last = [group["lr"] for group in trainer._optimizer.param_groups]
    assert last == pytest.approx([0.01 * factors[7], 1e-3 * factors[7] * 0.9**7])


def test_a_row_has_the_means_of_the_steps_since_the_one_before(tmp_path: Path) -> None:
    quiet = {"steps": 12, "evaluate_every": 0, "validate_every": 12, "checkpoint_every": 12}
    losses = []
    for log_every in (1, 5):
        train(tmp_path / str(log_every), log_every=log_every, **quiet)
        losses.append([float(row["train/loss"]) for row in rows(tmp_path / str(log_every))])
    every, few = losses
    expected = [np.mean(every[:5]), np.mean(every[5:10]), np.mean(every[10:])]
    assert few == pytest.approx(expected, rel=1e-5)


def test_validations_always_have_the_same_noise_and_leave_the_training_alone(
    tmp_path: Path,
) -> None:
    for name, every in (("often", 4), ("once", 40)):
        train(tmp_path / name, validate_every=every)
    given, expected = tensors(tmp_path / "often"), tensors(tmp_path / "once")
    assert all(torch.equal(given[key], value) for key, value in expected.items())
    last = [rows(tmp_path / name)[-1] for name in ("often", "once")]
    assert last[0]["validation/loss"] == last[1]["validation/loss"]


def test_batches_do_not_depend_on_the_number_of_those_for_validation(tmp_path: Path) -> None:
    for number in (1, 2):
        train(tmp_path / str(number), steps=5, validation_batches=number)
    given, expected = tensors(tmp_path / "1"), tensors(tmp_path / "2")
    assert all(torch.equal(given[key], value) for key, value in expected.items())


def test_the_seed_chooses_the_episodes_for_validation(tmp_path: Path) -> None:
    observations = []
    for seed in (0, 0, 1):
        model, config = small_model(ClosedLoopSpirl), TrainerConfig(**SHORT, seed=seed)
        trainer = OfflineTrainer(model, random_walks(), tmp_path, config, None, None, False)
        observations.append(trainer._data.observations)
    assert np.array_equal(observations[0], observations[1])
    assert not np.array_equal(observations[0], observations[2])


def test_all_kinds_of_numbers_are_logged(tmp_path: Path) -> None:
    """PPO of Stable-Baselines3 records float32 numbers of NumPy."""
    logger = run_logger(tmp_path)
    logger.record("train/approx_kl", np.float32(0.25))
    logger.record("train/n_updates", 3)
    logger.dump(1)
    assert rows(tmp_path) == [{"train/approx_kl": "0.25", "train/n_updates": "3"}]


def test_resume_is_exact(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(whole)
    with pytest.raises(Stop):
        train(parts, stop_at=35)  # the last checkpoint is that of step 20
    assert json.loads((parts / "checkpoints/last/training.json").read_text())["step"] == 20
    train(parts, resume=True)
    assert_equal_runs(parts, whole)


def test_resume_is_exact_with_a_learned_beta(tmp_path: Path) -> None:
    options = {"model_options": {"target_kl": 0.5}}
    train(tmp_path / "whole", **options)
    with pytest.raises(Stop):
        train(tmp_path / "parts", stop_at=25, **options)
    train(tmp_path / "parts", resume=True, **options)
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")


def test_resume_is_exact_for_a_posterior(tmp_path: Path) -> None:
    train(tmp_path / "whole", cls=SkildModel)
    with pytest.raises(Stop):
        train(tmp_path / "parts", stop_at=25, cls=SkildModel)
    train(tmp_path / "parts", resume=True, cls=SkildModel)
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")


def test_a_posterior_is_not_resumed_with_another_embedding(tmp_path: Path) -> None:
    train(tmp_path, cls=SkildModel)
    embedding = small_model(ClosedLoopSpirl)
    assert isinstance(embedding, ClosedLoopSpirl)
    with torch.no_grad():
        embedding.decoder.head.bias += 1.0
    with pytest.raises(ResumeMismatch, match=r"model\.config\.embedding"):
        train(tmp_path, resume=True, model=SkildModel.from_embedding(embedding))


def test_same_seed_same_run_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(tmp_path / name, seed=seed, steps=10)
    weights = [tensors(tmp_path / name)["model/encoder.head.weight"] for name in "abc"]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = train(tmp_path)
    before = tensors(tmp_path)
    model = small_model(ClosedLoopSpirl)
    again = train(tmp_path, resume=True, model=model)
    assert again == first
    assert all(torch.equal(value, before[key]) for key, value in tensors(tmp_path).items())
    assert torch.equal(model.state_dict()["encoder.head.bias"], before["model/encoder.head.bias"])


def test_a_constant_rate_can_be_continued_for_longer(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(whole, schedule="constant", validate_every=20)
    train(parts, schedule="constant", validate_every=20, steps=20)
    train(parts, schedule="constant", validate_every=20, resume=True)
    given, expected = tensors(parts), tensors(whole)
    assert all(torch.equal(given[key], value) for key, value in expected.items())


def test_other_settings_are_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(RunExists, match="resume"):
        train(tmp_path)
    with pytest.raises(ResumeMismatch, match=r"trainer\.batch_size 8 .* started with 16"):
        train(tmp_path, resume=True, batch_size=8)
    constant = {"schedule": "constant", "steps": 5}
    train(tmp_path / "constant", **constant)
    with pytest.raises(ResumeMismatch, match=r"trainer\.batch_size"):
        train(tmp_path / "constant", resume=True, batch_size=8, **constant)
    with pytest.raises(ResumeMismatch, match=r"trainer\.steps 80"):
        train(tmp_path, resume=True, steps=80)
    with pytest.raises(ResumeMismatch, match=r"model\.config\.beta"):
        train(tmp_path, resume=True, model_options={"beta": 0.1})
    with pytest.raises(ResumeMismatch, match=r"model\.type"):
        train(tmp_path, resume=True, cls=MODELS[1])


def test_a_foreign_folder_is_not_taken_over(tmp_path: Path) -> None:
    """One of an agent's run, say, which has no checkpoint of a skill model."""
    content = {"config.json": '{"method": "sac", "seed": 3}', "metrics.csv": "time/step\n100\n"}
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ResumeMismatch, match=r"method None .* started with 'sac'"):
        train(tmp_path, resume=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == content


def test_a_run_that_ended_before_its_first_checkpoint_is_begun_again(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        train(tmp_path / "parts", stop_at=10)
    assert not (tmp_path / "parts/checkpoints/last").exists()
    with pytest.raises(ResumeMismatch, match="batch_size"):
        train(tmp_path / "parts", resume=True, batch_size=8)
    train(tmp_path / "parts", resume=True)
    train(tmp_path / "whole")
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")


def test_best_checkpoint_is_that_of_the_best_validation(tmp_path: Path) -> None:
    result = train(tmp_path, validate_every=5, learning_rate=0.05, steps=60)
    values = {
        int(float(row["time/step"])): float(row["validation/prior_best_mse"])
        for row in rows(tmp_path)
        if row["validation/prior_best_mse"]
    }
    assert result.best_step == min(values, key=lambda step: values[step])
    metrics = json.loads((tmp_path / "checkpoints/best/metrics.json").read_text())
    assert metrics["step"] == result.best_step
    assert metrics["validation/prior_best_mse"] == pytest.approx(min(values.values()))


class Indifferent(ClosedLoopSpirl):
    """Finds itself equally good at all times."""

    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        return {self.selection_metric: torch.tensor(1.0)}


def test_of_equally_good_checkpoints_the_first_is_the_best(tmp_path: Path) -> None:
    config, model = SpirlConfig(**SMALL), small_model(ClosedLoopSpirl)
    model = Indifferent.create(model.observation_space, model.action_space, config)
    assert train(tmp_path, model=model).best_step == 15


def test_disk_full_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, saves = os.fsync, 0

    def fail_later(number: int) -> None:
        nonlocal saves
        saves += 1
        if saves > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(number)

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(whole, checkpoint_every=5)
    monkeypatch.setattr(os, "fsync", fail_later)
    with pytest.raises(CheckpointNotWritten, match=r"No space left on device.*resume"):
        train(parts, checkpoint_every=5)
    monkeypatch.undo()
    assert isinstance(load_skill(parts), ClosedLoopSpirl)
    train(parts, checkpoint_every=5, resume=True)
    assert_equal_runs(parts, whole)


def test_an_evaluation_without_a_number_is_logged_but_not_stored(tmp_path: Path) -> None:
    model, config = small_model(MODELS[2]), TrainerConfig(**SHORT)  # type: ignore[arg-type]
    result = pretrain(
        model, random_walks(), tmp_path, config, evaluate=lambda model: {"length": float("nan")}
    )
    assert "eval/length" not in result.metrics
    assert rows(tmp_path)[-1]["eval/length"] == "nan"


def test_a_second_training_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    def again(model: SkillModule) -> dict[str, float]:
        with pytest.raises(FolderInUse, match=tmp_path.name):
            train(tmp_path, resume=True)
        return {"refused": 1.0}

    model, config = small_model(ClosedLoopSpirl), TrainerConfig(**SHORT)  # type: ignore[arg-type]
    result = pretrain(model, random_walks(), tmp_path, config, evaluate=again)
    assert result.metrics["eval/refused"] == 1.0


def test_every_session_leaves_its_command(tmp_path: Path) -> None:
    train(tmp_path)
    train(tmp_path, resume=True)
    assert len((tmp_path / "command.txt").read_text().splitlines()) == 2


def test_a_folder_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointNotWritten, match="Not a directory"):
        train(tmp_path / "file" / "run")


def test_diverged_training_stops_before_saving(tmp_path: Path) -> None:
    model = small_model(ClosedLoopSpirl)
    assert isinstance(model, ClosedLoopSpirl)
    with torch.no_grad():
        model.decoder.head.bias[0] = float("nan")
    with pytest.raises(TrainingDiverged, match="non-finite"):
        train(tmp_path, model=model)
    assert not (tmp_path / "checkpoints").exists()


def test_a_sharp_first_prior_does_not_blow_training_up(tmp_path: Path) -> None:
    def sharp() -> ClosedLoopSpirl:
        model = small_model(ClosedLoopSpirl)
        assert isinstance(model, ClosedLoopSpirl)
        with torch.no_grad():
            model.prior.net.head.bias[model.config.latent_size :] = -8.0  # log-std
        return model

    losses = {}
    for bound in (100.0, 1e30):
        folder = train(tmp_path / str(bound), model=sharp(), max_grad_norm=bound).folder
        losses[bound] = [float(row["train/loss"]) for row in rows(folder)]
    assert losses[100.0][-1] < losses[100.0][0] < losses[1e30][-1]


def test_a_steep_prior_does_not_slow_the_autoencoder_down(tmp_path: Path) -> None:
    decoders, bound = [], {"max_grad_norm": 1e-2, "evaluate_every": 0}  # most steps are clipped
    for prior in ("gaussian", "unit"):
        model = small_model(ReskillModel, prior=prior)
        train(tmp_path / prior, model=model, cls=ReskillModel, steps=10, **bound)
        assert isinstance(model, ReskillModel)
        decoders.append(model.decoder.state_dict() | model.encoder.state_dict())
    assert all(torch.equal(value, decoders[1][name]) for name, value in decoders[0].items())


@pytest.mark.parametrize(
    ("cls", "parts"),
    [
        (ClosedLoopSpirl, ("prior",)),
        (SkildModel, ("posterior", "discriminator")),
        (Ptgm, ("prior", "policy")),
        (ReskillModel, ("latent_prior",)),
    ],
)
def test_independent_parts_are_clipped_apart(
    cls: type[SkillModule], parts: tuple[str, ...]
) -> None:
    model = small_model(cls)
    groups = [{id(p) for p in group["params"]} for group in model.parameter_groups(1e-3)]
    for part in parts:
        assert {id(p) for p in getattr(model, part).parameters()} in groups
    assert len(groups) == 2


def test_a_run_whose_parts_were_not_apart_is_not_resumed(tmp_path: Path) -> None:
    train(tmp_path)
    state = tmp_path / "checkpoints/last/training.json"
    content = json.loads(state.read_text())
    del content["settings"]["parameter_groups"]  # as the first version wrote it
    state.write_text(json.dumps(content))
    with pytest.raises(ResumeMismatch, match="parameter_groups"):
        train(tmp_path, resume=True)


def test_keywords_of_the_world_are_settings_of_a_run_that_recorded_them(tmp_path: Path) -> None:
    def options(value: dict[str, object]) -> SkillModule:
        model = small_model(ClosedLoopSpirl)
        model.world_options = value
        return model

    train(tmp_path, model=options({"tasks": "kbts"}))
    assert load_skill(tmp_path).world_options == {"tasks": "kbts"}
    for other in ({"tasks": "mixed"}, {}):
        with pytest.raises(ResumeMismatch, match=r"world_options\.tasks .* started with 'kbts'"):
            train(tmp_path, resume=True, model=options(other))
    state = tmp_path / "checkpoints/last/training.json"
    content = json.loads(state.read_text())
    del content["settings"]["world_options"]  # as an earlier version wrote it
    state.write_text(json.dumps(content))
    train(tmp_path, resume=True, model=options({"tasks": "mixed"}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 1),
        ("seed", -1),
        ("learning_rate", 0.0),
        ("max_grad_norm", 0.0),
        ("validation_share", 1.0),
    ],
)
def test_impossible_configurations_are_refused(field: str, value: float) -> None:
    with pytest.raises(InvalidConfig, match=f"Got {field}="):
        TrainerConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["foo", "cuda:77", "meta:x"])
def test_unknown_devices_are_refused(device: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=f"Got device='{device}', expected a device"):
        train(tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


SCRIPT = """
import sys
from pathlib import Path
from tests.pretraining.test_trainer import train
train(Path(sys.argv[1]), resume=True, steps=100_000, schedule="constant", checkpoint_every=1)
"""


def start_and_signal(folder: Path, number: int) -> int:
    """Train in another process, send a signal after its first checkpoints, return the exit code."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    state = folder / "checkpoints" / "last" / "training.json"
    try:
        while not (state.exists() and _step(state) > 2):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        return process.wait(30)
    finally:
        process.kill()  # else a test that fails leaves it training


def _step(path: Path) -> int:
    try:
        return int(json.loads(path.read_text())["step"])
    except (OSError, ValueError):  # replaced while we read it
        return 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_interrupted_runs_resume_exactly(tmp_path: Path, number: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert start_and_signal(parts, number) != 0
    steps = json.loads((parts / "checkpoints/last/training.json").read_text())["step"] + 20
    options = {"schedule": "constant", "checkpoint_every": 1}
    train(parts, resume=True, steps=steps, **options)
    train(whole, steps=steps, **options)
    given, expected = tensors(parts), tensors(whole)
    assert all(torch.equal(given[key], value) for key, value in expected.items())


@pytest.mark.parametrize(("share", "part"), [(0.1, "validation"), (0.9, "training")])
def test_a_part_without_long_episodes_is_explained(tmp_path: Path, share: float, part: str) -> None:
    lengths = [50] + [3] * 19
    sizes = [(length + 1, 6) for length in lengths]
    data = WindowDataset.from_episodes([(np.zeros(s), np.zeros((s[0] - 1, 3))) for s in sizes])
    seed = next(s for s in range(9) if (0 in _trained(s, share)) == (part == "validation"))
    config = TrainerConfig(**SHORT, validation_share=share, seed=seed)
    with pytest.raises(ShortEpisodes, match=f"{part} part has .* at most 3 .* of at least 4; choo"):
        pretrain(small_model(ClosedLoopSpirl), data, tmp_path / "run", config)


def _trained(seed: int, share: float) -> list[int]:
    """Which of 20 episodes are trained on."""
    return list(split_episodes(20, share, np.random.default_rng(seed))[0])


def test_only_skill_modules_are_trained(tmp_path: Path) -> None:
    with pytest.raises(NotTrainable, match="Got a Stub to train, expected a subclass of"):
        pretrain(Stub(), random_walks(), tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_the_name_of_a_dataset_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"such as load_windows\('mine/play-v0'\)"):
        pretrain(small_model(ClosedLoopSpirl), "mine/play-v0", tmp_path / "run")  # type: ignore[arg-type]


class Stub:
    """Has the five names of the protocol alone."""

    max_steps = 4


class Unjudged(ClosedLoopSpirl):
    """Its validation forgets the number that it is to be selected by."""

    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        return {"prior_mse": batch[0].sum()}


def test_a_validation_without_the_selection_metric_is_explained(tmp_path: Path) -> None:
    config, model = SpirlConfig(**SMALL), small_model(ClosedLoopSpirl)
    unjudged = Unjudged.create(model.observation_space, model.action_space, config)
    with pytest.raises(MissingMetric) as failure:
        train(tmp_path, model=unjudged)
    assert str(failure.value).startswith("Got no 'prior_best_mse' from the model's validation")


def test_data_of_another_world_are_refused(tmp_path: Path) -> None:
    model = small_model(ClosedLoopSpirl)
    data = WindowDataset.from_episodes([(np.zeros((41, 4)), np.zeros((40, 1)))] * 4)
    with pytest.raises(ShapeMismatch, match=r"data with observations of shape .*, time, 6\) as in"):
        pretrain(model, data, tmp_path / "run", TrainerConfig(**SHORT, validation_share=0.5))
    assert not (tmp_path / "run").exists()
