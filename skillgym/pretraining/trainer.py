"""One offline trainer for all skill models: loop, validation, logs, checkpoints, exact resume."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from skillgym.data.errors import NoWindows
from skillgym.errors import InvalidConfig, ResumeMismatch, RunExists, TrainingDiverged
from skillgym.files import as_read, atomic_directory, read_json
from skillgym.hub.checkpoint import check_tensors, read_tensors, write_checkpoint
from skillgym.nn.devices import usable_device
from skillgym.pretraining.config import TrainerConfig
from skillgym.pretraining.errors import MissingMetric, NotTrainable, ShortEpisodes
from skillgym.pretraining.state import read_training_state, write_training_state
from skillgym.runs.folder import checkpoint_path
from skillgym.runs.interrupt import deferred_interrupt
from skillgym.runs.lock import locked
from skillgym.runs.log import STEP_KEY, run_logger
from skillgym.runs.record import start_run
from skillgym.skills.base import Batch, SkillModule
from skillgym_envs.core.files import recover
from skillgym_envs.core.progress import progress_bar


class TrainingData(Protocol):
    """Data from which a model's `draw` samples batches."""

    def split(self, validation: float, rng: np.random.Generator) -> tuple[Any, Any]:
        """Parts for training and for validation, which share no episodes."""
        ...


class Evaluate(Protocol):
    """Early evaluation, e.g. prior roll-outs in the world."""

    def __call__(self, model: SkillModule, /) -> Mapping[str, float]:
        """Metrics of the model, which is in evaluation mode and must not be changed."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """Outcome of a training.

    Attributes:
        step: Last gradient step.
        best_step: Step of the best checkpoint.
        metrics: Metrics of the last validation and evaluation.
        folder: The run folder.
    """

    step: int
    best_step: int
    metrics: dict[str, float]
    folder: Path


class OfflineTrainer:
    """Minimises a skill model's loss on batches from memory.

    RAdam as in the authors' code of SPiRL (`torch.optim.RAdam`: betas 0.9 and 0.999, eps 1e-8, no
    weight decay, an un-rectified step while the rectification is undefined). Deviation: gradients
    of each parameter group are bounded by `config.max_grad_norm` (the authors': by 0.001 in the
    first 100 steps only).

    Every checkpoint contains model, optimiser and generators, and is written atomically: a run that
    was killed at any time continues from its last checkpoint as if it had not been interrupted.

    Args:
        model: The model, which is trained in place.
        data: Trajectories.
        folder: Run folder.
        config: Settings.
        evaluate: Early evaluation.
        dataset: Id of the dataset, for the checkpoints.
        progress_bar: Show a progress bar with the losses.

    Raises:
        ShortEpisodes: If no episode for training, or none for validation, is as long as a skill.
    """

    def __init__(
        self,
        model: SkillModule,
        data: TrainingData,
        folder: Path,
        config: TrainerConfig,
        evaluate: Evaluate | None,
        dataset: str | None,
        progress_bar: bool,
    ) -> None:
        self.config = config
        self.model = model.to(usable_device(config.device))
        self.folder = folder
        self.step = 0
        self.best_step, self.best_value = 0, math.inf
        self.metrics: dict[str, float] = {}
        self._evaluate, self._dataset, self._progress_bar = evaluate, dataset, progress_bar
        split = np.random.default_rng(config.seed)
        self._data, validation = data.split(config.validation_share, split)
        self._rng = np.random.default_rng(config.seed)
        self._generator = torch.Generator(config.device).manual_seed(config.seed)
        groups = model.parameter_groups(config.learning_rate)
        self._optimizer = torch.optim.RAdam(groups, foreach=True)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        fixed = np.random.default_rng(config.seed + 1)
        self._validation_batches = [
            self._draw(validation, "validation", fixed) for _ in range(config.validation_batches)
        ]
        self._sums: dict[str, Tensor] = {}
        self._since: tuple[int, float] = 0, time.perf_counter()

    def run(self, resume: bool = False) -> TrainingResult:
        """Train until `config.steps`.

        Args:
            resume: Continue the run in the folder, if there is one; otherwise a folder with a run
                is refused.

        Raises:
            RunExists: If the folder holds a run and `resume` is False.
            ResumeMismatch: If the run was started with other settings.
            TrainingDiverged: If a loss is not finite.
            MissingMetric: If the model's validation lacks its `selection_metric`.
            CheckpointNotWritten: If the disk is full, or the folder cannot be written to.
            FolderInUse: If another process trains in the folder.
            KeyboardInterrupt: After Ctrl-C; the run can be resumed.
        """
        with locked(self.folder):
            return self._run(resume)

    def _run(self, resume: bool) -> TrainingResult:
        self._start(resume)
        config = self.config
        self._logger = run_logger(self.folder, self.step)
        self._bar = progress_bar(
            total=config.steps, initial=self.step, unit="step", disable=not self._progress_bar
        )
        self._since = self.step, time.perf_counter()
        try:
            with deferred_interrupt() as interrupted:
                while self.step < config.steps:
                    self._gradient_step()
                    self._after_step(bool(interrupted))
                    if interrupted:
                        raise KeyboardInterrupt
        finally:
            self._bar.close()
            self._logger.close()
            self.model.eval()
        return TrainingResult(self.step, self.best_step, dict(self.metrics), self.folder)

    def _start(self, resume: bool) -> None:
        """Continue the run of the folder, or start a new one."""
        config = self.folder / "config.json"
        if not resume and config.exists():
            raise RunExists(self.folder)
        last = checkpoint_path(self.folder)
        recover(last)
        if resumed := last.exists():
            self._restore(last)
        elif config.exists():  # a run without a checkpoint yet, or another kind of run
            self._check_settings(read_json(config))
        start_run(self.folder, self._settings())
        if not resumed:
            self.model.prepare(self._data, self.config.seed)

    def _settings(self) -> dict[str, Any]:
        """All settings that must be the same when a run is resumed."""
        settings = {
            "model": {"type": self.model.type_tag, "config": asdict(self.model.config)},
            "trainer": asdict(self.config),
            "parameter_groups": [
                sum(parameter.numel() for parameter in group["params"])
                for group in self._optimizer.param_groups
            ],
            "world": self.model.world,
            "world_options": self.model.world_options,
            "dataset": self._dataset,
        }
        return as_read(settings)

    def _gradient_step(self) -> None:
        """One batch, one step of the optimiser."""
        self.model.train()
        share = self.step / self.config.steps
        factor = 0.5 * (1 + math.cos(math.pi * share)) if self.config.schedule == "cosine" else 1.0
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor * group.get("decay", 1.0) ** self.step
        batch = self._draw(self._data, "training", self._rng)
        total, scalars = self.model.loss(batch, self._generator)
        self._optimizer.zero_grad()
        total.backward()
        for group in self._optimizer.param_groups:  # separately: no group affects another
            nn.utils.clip_grad_norm_(group["params"], self.config.max_grad_norm)
        self._optimizer.step()
        self.step += 1
        for name, value in scalars.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._bar.update()

    def _after_step(self, interrupted: bool) -> None:
        """Log, validate, evaluate and save, when due."""
        config, step = self.config, self.step
        final = step == config.steps
        due = {
            "log": step % config.log_every == 0,
            "validate": step % config.validate_every == 0 or final,
            "evaluate": final or (config.evaluate_every and step % config.evaluate_every == 0),
            "save": step % config.checkpoint_every == 0 or final or interrupted,
        }
        if not any(due.values()):
            return
        self._record_training()
        if due["validate"]:
            self._validate()
        if due["evaluate"] and self._evaluate is not None:
            results = self._evaluate(self.model.eval())
            self._record({f"eval/{name}": float(value) for name, value in results.items()})
        self._logger.dump(step)
        if due["validate"]:
            self._save_if_best()
        if due["save"]:
            self._save("last", with_state=True)

    def _record_training(self) -> None:
        """Means since the last row, and the speed."""
        begin, clock = self._since
        count, now = self.step - begin, time.perf_counter()
        means = {name: float(total) / count for name, total in self._sums.items()}
        self._require_finite(means)
        self._sums, self._since = {}, (self.step, now)
        self._bar.set_postfix({n: f"{value:.4g}" for n, value in means.items()}, refresh=False)
        self._logger.record(STEP_KEY, self.step)
        self._logger.record("time/steps_per_second", count / (now - clock))
        self._logger.record("train/learning_rate", self._optimizer.param_groups[0]["lr"])
        for name, value in means.items():
            self._logger.record(f"train/{name}", value)

    def _validate(self) -> None:
        """Mean validation metrics over the fixed batches, always with the same noise."""
        self.model.eval()
        generator = torch.Generator(self.config.device).manual_seed(self.config.seed)
        results = [self.model.validation(batch, generator) for batch in self._validation_batches]
        means = {
            f"validation/{name}": float(sum(result[name] for result in results)) / len(results)
            for name in results[0]
        }
        self._require_finite(means)
        if (metric := self.model.selection_metric) not in results[0]:
            raise MissingMetric(metric, results[0])
        self._record(means)

    def _record(self, metrics: Mapping[str, float]) -> None:
        """Log numbers; the latest finite ones are saved with the checkpoints."""
        self.metrics |= {name: value for name, value in metrics.items() if math.isfinite(value)}
        for name, value in metrics.items():
            self._logger.record(name, value)

    def _require_finite(self, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingDiverged(self.step, name)

    def _save_if_best(self) -> None:
        value = self.metrics[f"validation/{self.model.selection_metric}"]
        if value < self.best_value:
            self.best_step, self.best_value = self.step, value
            self._save("best", with_state=False)

    def _save(self, name: Literal["last", "best"], with_state: bool) -> None:
        """Write one of the two checkpoints; the old one is kept until the new one is complete."""
        counters = {
            "step": self.step,
            "best_step": self.best_step,
            "best_value": self.best_value if math.isfinite(self.best_value) else None,
            "metrics": self.metrics,
            "settings": self._settings(),
        }
        with atomic_directory(checkpoint_path(self.folder, name)) as directory:
            write_checkpoint(
                self.model,
                directory,
                dataset=self._dataset,
                metrics={**self.metrics, "step": self.step},
            )
            if with_state:
                write_training_state(
                    directory, self._optimizer, self._generator, self._rng, counters
                )

    def _restore(self, last: Path) -> None:
        """Continue from a checkpoint."""
        tensors = read_tensors(last / "model.safetensors")
        counters = read_training_state(last, self._optimizer, self._generator, self._rng)
        self._check_settings(counters["settings"])
        check_tensors(last, tensors, self.model.state_dict())
        self.model.load_state_dict(tensors)
        self.model.verify()
        self.step, self.best_step = counters["step"], counters["best_step"]
        self.best_value = math.inf if counters["best_value"] is None else counters["best_value"]
        self.metrics = counters["metrics"]

    def _check_settings(self, settings: Mapping[str, Any]) -> None:
        """Check that a run was started with the same settings.

        Raises:
            ResumeMismatch: If it was not. More steps are allowed with the constant schedule.
        """
        ours = self._settings()
        if "world_options" not in settings:  # from an earlier version
            ours.pop("world_options")
        given, stored = _flat(ours), _flat(settings)
        for name in sorted(given.keys() | stored.keys()):
            extended = name == "trainer.steps" and self.config.schedule == "constant"
            if given.get(name) != stored.get(name) and not extended:
                raise ResumeMismatch(name, given.get(name), stored.get(name))

    def _draw(self, data: Any, part: str, rng: np.random.Generator) -> Batch:
        """A batch from a part of the data, on the device."""
        try:
            arrays = self.model.draw(data, rng, self.config.batch_size)
        except NoWindows as error:
            raise ShortEpisodes(part, error.longest, error.horizon) from error
        return tuple(torch.from_numpy(array).to(self.config.device) for array in arrays)


def pretrain(
    model: SkillModule,
    data: TrainingData,
    folder: str | Path,
    config: TrainerConfig | None = None,
    *,
    resume: bool = False,
    evaluate: Evaluate | None = None,
    world: str | None = None,
    world_options: Mapping[str, Any] | None = None,
    dataset: str | None = None,
    progress_bar: bool = False,
) -> TrainingResult:
    """Train a skill model on trajectories.

    Args:
        model: The model, which is trained in place; its `draw` samples the batches.
        data: Trajectories, for most models a `WindowDataset`; the seed determines which episodes
            are used for validation.
        folder: Run folder.
        config: Settings.
        resume: Continue the run in the folder, if there is one; otherwise a folder with a run is
            refused.
        evaluate: Early evaluation.
        world: World that is stored in the checkpoints and used by `skillgym evaluate`: name of a
            world of skillgym, such as kitchen, or id of another environment; that of the model if
            None.
        world_options: Keywords of the world, for the checkpoints; those of the model if None.
        dataset: Id of the dataset, for the checkpoints.
        progress_bar: Show a progress bar with the losses.

    Raises:
        NotTrainable: If the model is not a `SkillModule`.
        InvalidConfig: If `data` is the name of a dataset.
        ShortEpisodes: If no episode for training, or none for validation, is as long as a skill.
        RunExists, ResumeMismatch, TrainingDiverged, MissingMetric, CheckpointNotWritten,
        FolderInUse, KeyboardInterrupt: See `OfflineTrainer.run`.
    """
    if not isinstance(model, SkillModule):
        raise NotTrainable(model)
    if isinstance(data, str | PathLike):
        raise InvalidConfig("data", str(data), f"trajectories, such as load_windows({str(data)!r})")
    model.world = world or model.world
    if world_options is not None:
        model.world_options = dict(world_options)
    trainer = OfflineTrainer(
        model, data, Path(folder), config or TrainerConfig(), evaluate, dataset, progress_bar
    )
    return trainer.run(resume)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
