"""Training callback that counts control steps: progress, metrics, evaluations, checkpoints."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from skillgym.evaluation.rollouts import control_steps
from skillgym.runs.interrupt import InterruptFlag
from skillgym.runs.log import STEP_KEY
from skillgym_envs.core import progress

WINDOW = 20
"""Number of episodes over which the means under `rollout/` are taken."""


class Every:
    """Tells when a counter has passed the next multiple of an interval.

    Args:
        interval: The interval; never if 0.
        start: Initial value of the counter.
    """

    def __init__(self, interval: int, start: int = 0) -> None:
        self._interval = interval
        self._passed = start // interval if interval else 0

    def __call__(self, counter: int) -> bool:
        """Whether the counter has passed a multiple since the last time this was true."""
        if not self._interval or counter // self._interval == self._passed:
            return False
        self._passed = counter // self._interval
        return True


class TrainingMonitor(BaseCallback):
    """Counts control steps (SB3 counts skills), stops at the budget, and calls what is due.

    Checkpoints are written between roll-outs, when the agent has learned from all collected data.
    On-policy agents also stop only there, except at the end of the budget: an unfinished roll-out
    is then lost and does not count in the checkpoint.

    Args:
        steps: Budget [control steps].
        start: Control steps of earlier sessions.
        seconds: Time budget of this session [s]; none if None.
        earlier_seconds: Training time of earlier sessions [s].
        due: Pairs of `Every` and the function to call, with this callback, when it is due.
        save: Likewise, for the checkpoint.
        interrupted: If it becomes true, training stops after the current step or roll-out.
        progress_bar: Whether to show a progress bar.
    """

    def __init__(
        self,
        steps: int,
        start: int,
        seconds: float | None,
        earlier_seconds: float,
        due: list[tuple[Every, Callable[[TrainingMonitor], None]]],
        save: tuple[Every, Callable[[TrainingMonitor], None]],
        interrupted: InterruptFlag,
        progress_bar: bool,
    ) -> None:
        super().__init__()
        self.control_steps = start
        self._budget = steps
        self._seconds = seconds
        self._earlier_seconds = earlier_seconds
        self._due = due
        self._save = save
        self._stopping = False
        self._whole_rollouts = start
        self._interrupted = interrupted
        self._begin = time.monotonic()
        self._start = start
        self._bar = progress.progress_bar(
            total=steps, initial=start, unit="step", disable=not progress_bar, dynamic_ncols=True
        )
        self._returns: deque[float] = deque(maxlen=WINDOW)
        self._subtasks: deque[int] = deque(maxlen=WINDOW)
        self._running = np.zeros(0)

    @property
    def seconds(self) -> float:
        """Wall time of all sessions [s], including evaluations."""
        return self._earlier_seconds + time.monotonic() - self._begin

    @property
    def out_of_time(self) -> bool:
        """Whether the time budget of this session is spent."""
        return self._seconds is not None and time.monotonic() - self._begin >= self._seconds

    @property
    def learned_steps(self) -> int:
        """Control steps of whole roll-outs, from which a stopped run continues."""
        return self._whole_rollouts if self._on_policy else self.control_steps

    @property
    def _on_policy(self) -> bool:
        return isinstance(self.model, OnPolicyAlgorithm)

    def say(self, sentence: str) -> None:
        """Print a line above the progress bar."""
        if not self._bar.disable:
            self._bar.write(sentence)

    def metrics(self) -> dict[str, float]:
        """Means over the last training episodes, and speed."""
        speed = (self.control_steps - self._start) / max(time.monotonic() - self._begin, 1e-9)
        metrics = {
            STEP_KEY: float(self.control_steps),
            "time/seconds": self.seconds,
            "time/steps_per_second": speed,
        }
        if self._returns:
            metrics["rollout/return"] = float(np.mean(self._returns))
            metrics["rollout/subtasks"] = float(np.mean(self._subtasks))
        return metrics

    def close(self) -> None:
        """Close the progress bar."""
        self._bar.close()

    def _on_step(self) -> bool:
        infos, dones = self.locals["infos"], self.locals["dones"]
        self._count_episodes(infos, dones)
        steps = sum(control_steps(info) for info in infos)
        self.control_steps += steps
        self._bar.update(steps)
        for every, act in self._due:
            if every(self.control_steps):
                act(self)
        if self._on_policy:
            # The last step of a roll-out that ends with the budget is followed by an update.
            return not (self._stopping or self.control_steps > self._budget)
        return not (self._told_to_stop() or self.control_steps >= self._budget)

    def _on_rollout_start(self) -> None:
        self._stopping = self._told_to_stop()
        every, save = self._save
        if every(self.control_steps):
            save(self)

    def _on_rollout_end(self) -> None:
        self._whole_rollouts = self.control_steps

    def _told_to_stop(self) -> bool:
        return self.out_of_time or bool(self._interrupted)

    def _count_episodes(self, infos: list[dict[str, Any]], dones: Any) -> None:
        if not len(self._running):
            self._running = np.zeros(len(infos))
        self._running += self.locals["rewards"]
        for row in np.flatnonzero(dones).tolist():
            self._returns.append(float(self._running[row]))
            self._subtasks.append(len(infos[row].get("subtasks_completed", ())))
            told = "subtasks_completed" in infos[row]  # worlds of other packages have none
            name, shown = ("subtasks", self._subtasks) if told else ("return", self._returns)
            self._bar.set_postfix({name: f"{np.mean(shown):.2f}"}, refresh=False)
            self._running[row] = 0.0
