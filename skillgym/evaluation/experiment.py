"""An experiment: train a method in a world and evaluate it on separate episodes; resumable."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from skillgym.errors import ResumeMismatch
from skillgym.evaluation.checkpoints import load_run, save_run
from skillgym.evaluation.monitor import Every, TrainingMonitor
from skillgym.evaluation.rollouts import Episodes, Policy, rollout
from skillgym.files import as_read, read_json, write_json
from skillgym.nn.devices import seeded
from skillgym.rl.presets import find_preset, make_agent, make_env
from skillgym.runs.folder import (
    BudgetPassed,
    checkpoint_path,
    is_past,
    read_config,
    read_result,
    result_path,
)
from skillgym.runs.interrupt import deferred_interrupt
from skillgym.runs.lock import locked
from skillgym.runs.log import run_logger
from skillgym.runs.record import start_run
from skillgym_envs.core.checks import check_count, check_seed
from skillgym_envs.core.files import recover

logger = logging.getLogger(__name__)

EVALUATION_SEED = 1_000_003
"""Evaluation environments are seeded from here, far from the seeds of training."""


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """Configuration of an experiment.

    Attributes:
        method: Name of a preset of `skillgym.rl.presets`.
        world: Id of a world with primitive actions; that of the preset if None.
        options: Keywords of the world, in the preset's own world in addition to the preset's.
        seed: Seed of everything.
        steps: Training budget [control steps].
        num_envs: Training environments.
        num_threads: Threads that step environments; the usable cores if None.
        eval_every: Control steps between evaluations during training.
        eval_episodes: Episodes of such an evaluation.
        final_episodes: Episodes of the evaluation after training.
        checkpoint_every: Control steps between checkpoints.
        log_every: Control steps between rows of the log.
        skill_model: Skill model instead of the preset's.
        agent: Keywords of the agent that override the preset's.
    """

    method: str = "spirl-cl"
    world: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    steps: int = 500_000
    num_envs: int = 1
    num_threads: int | None = None
    eval_every: int = 25_000
    eval_episodes: int = 20
    final_episodes: int = 50
    checkpoint_every: int = 25_000
    log_every: int = 2_500
    skill_model: str | None = None
    agent: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InvalidConfig: If a number is invalid.
        """
        preset = find_preset(self.method)
        if self.world in (None, preset.world):  # so that config.json is complete
            object.__setattr__(self, "world", preset.world)
            object.__setattr__(self, "options", {**preset.options, **self.options})
        for name in ("steps", "num_envs", "num_threads", "final_episodes", "eval_episodes"):
            check_count(name, getattr(self, name))
        for name in ("eval_every", "checkpoint_every", "log_every"):
            check_count(name, getattr(self, name))
        check_seed(self.seed)


class Experiment:
    """One run of a method, in a run folder.

    Args:
        config: Configuration.
        folder: Run folder; if it holds a run with the same configuration, that run continues. The
            budget may differ: with a larger one, even a complete run continues.
        on_evaluation: Called after every evaluation with control steps, episodes and the monitor.

    Raises:
        ResumeMismatch: If the folder holds a run with another configuration, or of a version of
            skillgym whose preset is another.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        folder: Path,
        on_evaluation: Callable[[int, Episodes, TrainingMonitor], None] | None = None,
    ) -> None:
        self.config = config
        self.folder = folder
        self._on_evaluation = on_evaluation
        self._check_config()

    @property
    def checkpoint(self) -> Path:
        """Folder of the last checkpoint."""
        return checkpoint_path(self.folder)

    def result(self) -> dict[str, Any] | None:
        """The final evaluation; None if the run is not complete, or was for a smaller budget."""
        old, result = read_config(self.folder), read_result(self.folder)
        if result is None or (old is not None and old["steps"] < self.config.steps):
            return None
        return None if result["return_deterministic"] is None else result  # of an earlier version

    def run(self, progress_bar: bool = True, seconds: float | None = None) -> dict[str, Any]:
        """Train up to the budget, then evaluate, with the preset's and the most likely actions.

        Args:
            progress_bar: Whether to show progress bars.
            seconds: Time budget of this session [s]; when it is spent, the run is complete.

        Returns:
            The result: subtasks, return (also with the most likely actions, `_deterministic`),
            rates, steps, seconds.

        Raises:
            FolderInUse: If another process trains in the folder.
            BudgetPassed: If the run was stopped beyond the budget, on the way to a larger one.
            CheckpointNotWritten: If the disk is full, or the folder cannot be written to.
            KeyboardInterrupt: After Ctrl-C, when the checkpoint is written.
        """
        if (result := self.result()) is not None:
            return result
        config = self.config
        torch.set_num_threads(config.num_threads or torch.get_num_threads())
        with ExitStack() as opened:
            env = self._make_env(config.num_envs)
            opened.callback(env.close)
            evaluation_env = self._make_env(min(config.eval_episodes, 10))
            opened.callback(evaluation_env.close)
            keywords = deepcopy(config.agent)  # SB3 changes policy_kwargs
            agent: BaseAlgorithm = make_agent(config.method, env, seed=config.seed, **keywords)
            opened.enter_context(locked(self.folder))  # only now: mistakes leave no folder
            recover(self.checkpoint)
            if is_past(self.folder, config.steps):
                raise BudgetPassed(self.folder, config.steps)
            result_path(self.folder).unlink(missing_ok=True)  # that of a smaller budget
            start_run(self.folder, {**asdict(config), "preset": self._preset()})
            agent, monitor, interrupted = self._train(
                agent, env, evaluation_env, progress_bar, seconds
            )
            if interrupted:
                raise KeyboardInterrupt
            number = config.final_episodes
            policy = policy_of(agent, config.method)
            deterministic = episodes = self._evaluate(policy, evaluation_env, number, progress_bar)
            if not find_preset(config.method).deterministic:
                policy = policy_of(agent, config.method, deterministic=True)
                deterministic = self._evaluate(policy, evaluation_env, number, progress_bar)
            return self._finish(episodes, deterministic, monitor)

    def _train(
        self,
        agent: BaseAlgorithm,
        env: Any,
        evaluation_env: Any,
        progress_bar: bool,
        seconds: float | None,
    ) -> tuple[BaseAlgorithm, TrainingMonitor, bool]:
        state: dict[str, Any] = {"control_steps": 0, "reached": 0, "seconds": 0.0}
        if (found := load_run(self.checkpoint, agent, env)) is not None:
            agent, state = found
            logger.info("Resuming from control step %d of %s.", state["control_steps"], self.folder)
        start = state["control_steps"]
        config = self.config
        if trained := state["reached"] >= config.steps:
            start = state["reached"]  # an unfinished roll-out at the end of the budget counts, too
        # New episodes after a resume: other seeds than those of the first session.
        env.seed(config.seed + 7919 * start)
        agent.set_logger(run_logger(self.folder, start))
        with deferred_interrupt() as interrupted:
            monitor = TrainingMonitor(
                config.steps,
                start,
                seconds,
                state["seconds"],
                [
                    (
                        Every(config.eval_every, start),
                        lambda m: self._evaluation(m, evaluation_env),
                    ),
                    (Every(config.log_every, start), self._log),
                ],
                (Every(config.checkpoint_every, start), self._save),
                interrupted,
                progress_bar,
            )
            try:
                if not trained:
                    # SB3's budget counts skills; the monitor stops at the budget of control steps.
                    agent.learn(
                        config.steps,
                        callback=monitor,
                        log_interval=None,  # type: ignore[arg-type]  # None is SB3's "never"
                        reset_num_timesteps=False,
                    )
                    self._log(monitor)
                    self._save(monitor)
            finally:
                monitor.close()
                agent.logger.close()
        return agent, monitor, bool(interrupted)

    def _make_env(self, num_envs: int) -> Any:
        config = self.config
        return make_env(
            config.method,
            config.world,
            num_envs=num_envs,
            num_threads=config.num_threads,
            skill_model=config.skill_model,
            **config.options,
        )

    def _evaluation(self, monitor: TrainingMonitor, env: Any) -> None:
        policy = policy_of(monitor.model, self.config.method)
        episodes = self._evaluate(policy, env, self.config.eval_episodes, progress_bar=False)
        for name, value in episodes.metrics().items():
            monitor.logger.record(f"eval/{name}", value)
        self._log(monitor)
        if self._on_evaluation is not None:
            self._on_evaluation(monitor.control_steps, episodes, monitor)

    def _evaluate(self, policy: Policy, env: Any, episodes: int, progress_bar: bool) -> Episodes:
        seed = EVALUATION_SEED + self.config.seed
        with seeded(seed):  # evaluations do not affect the random numbers of training
            return rollout(policy, env, episodes, seed, progress_bar)

    def _log(self, monitor: TrainingMonitor) -> None:
        for name, value in monitor.metrics().items():
            monitor.logger.record(name, value)
        monitor.logger.dump(monitor.control_steps)

    def _save(self, monitor: TrainingMonitor) -> None:
        state = {
            "control_steps": monitor.learned_steps,
            "reached": monitor.control_steps,
            "seconds": monitor.seconds,
        }
        save_run(self.checkpoint, monitor.model, state)

    def _finish(
        self, episodes: Episodes, deterministic: Episodes, monitor: TrainingMonitor
    ) -> dict[str, Any]:
        result = {
            "subtasks": float(episodes.num_subtasks.mean()),
            "return": float(episodes.returns.mean()),
            "subtasks_deterministic": float(deterministic.num_subtasks.mean()),
            "return_deterministic": float(deterministic.returns.mean()),
            "episodes": len(episodes.subtasks),
            "rates": episodes.rates(),
            "subtasks_of_episodes": episodes.num_subtasks.tolist(),
            "steps": monitor.control_steps,
            "seconds": monitor.seconds,
        }
        write_json(result_path(self.folder), result)
        return result

    def _check_config(self) -> None:
        path = self.folder / "config.json"
        old = read_config(self.folder) or (read_json(path) if path.exists() else {})  # of a model
        for name, value in as_read(asdict(self.config)).items():
            if name != "steps" and name in old and old[name] != value:  # the budget may change
                raise ResumeMismatch(name, value, old[name])
        preset = self._preset()
        started = old.get("preset") or preset  # those of a version before it was written
        for name in sorted({*preset, *started}):
            if (value := preset.get(name)) != started.get(name):
                raise ResumeMismatch(f"{name} of the preset", value, started.get(name))

    def _preset(self) -> dict[str, Any]:
        """What the preset gives the agent beside the configuration, as plain JSON."""
        given = find_preset(self.config.method).agent
        rest = {name: value for name, value in given.items() if name not in self.config.agent}
        return dict(json.loads(json.dumps(rest, default=repr)))


def policy_of(agent: BaseAlgorithm, method: str, deterministic: bool = False) -> Policy:
    """How an agent acts in evaluations.

    Args:
        agent: The agent.
        method: Its preset, which determines whether actions are sampled, as in most papers.
        deterministic: Take the most likely actions, regardless of the preset.
    """
    deterministic = deterministic or find_preset(method).deterministic
    return lambda observations: agent.predict(observations, deterministic=deterministic)[0]
