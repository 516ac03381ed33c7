"""Roll-outs of a policy on separate episodes, in many environments at once.

Letters: N environments, E episodes, O observation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from skillgym_envs.core import progress

Policy = Callable[[NDArray[Any]], NDArray[Any]]
"""Maps observations (N, O) to actions (N, ...)."""


@dataclass(frozen=True)
class Episodes:
    """Results of E episodes.

    Attributes:
        returns: Undiscounted return of each episode (E,).
        lengths: Control steps of each episode (E,).
        subtasks: Subtasks completed in each episode, in the task's order.
        task: All subtasks of the task, if its world names them.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    subtasks: tuple[tuple[str, ...], ...]
    task: tuple[str, ...] = ()

    @property
    def num_subtasks(self) -> NDArray[np.int64]:
        """Number of subtasks completed in each episode (E,)."""
        return np.array([len(names) for names in self.subtasks], np.int64)

    def rates(self) -> dict[str, float]:
        """Share of the episodes in which each subtask was completed, most frequent first."""
        counts = Counter(dict.fromkeys(self.task, 0))
        counts.update(name for names in self.subtasks for name in names)
        return {name: count / len(self.subtasks) for name, count in counts.most_common()}

    def metrics(self) -> dict[str, float]:
        """Means, which `docs/metrics.md` describes under `eval/`."""
        return {
            "return": float(self.returns.mean()),
            "subtasks": float(self.num_subtasks.mean()),
            "subtasks_std": float(self.num_subtasks.std()),
            "episode_length": float(self.lengths.mean()),
            **{f"rate/{name}": rate for name, rate in self.rates().items()},
        }


def in_words(subtasks: float, total: float, rates: Mapping[str, float]) -> str:
    """Means over episodes as text, for example `2.50 subtasks, return 2.50`.

    Args:
        subtasks: Mean number of subtasks completed.
        total: Mean return.
        rates: How often each subtask was completed; empty for a world without subtasks.
    """
    return f"{subtasks:.2f} subtasks, return {total:.2f}" if rates else f"return {total:.2f}"


def rollout(
    policy: Policy, env: VecEnv, episodes: int, seed: int, progress_bar: bool = False
) -> Episodes:
    """Run a policy for a number of episodes.

    Every environment contributes its first episodes, in numbers as equal as possible, so that short
    episodes are not counted more often than long ones.

    Args:
        policy: The policy.
        env: Environments with primitive actions or skills, as SB3's vectorised environments.
        episodes: Number of episodes E.
        seed: Seed of the environments.
        progress_bar: Whether to show a progress bar.

    Returns:
        The episodes, ordered by environment and then by time.
    """
    quota = np.full(env.num_envs, episodes // env.num_envs)
    quota[: episodes % env.num_envs] += 1
    done: list[list[tuple[float, int, tuple[str, ...]]]] = [[] for _ in range(env.num_envs)]
    returns, lengths = np.zeros(env.num_envs), np.zeros(env.num_envs, np.int64)
    env.seed(seed)
    observations: Any = env.reset()
    hidden = not progress_bar
    with progress.progress_bar(total=episodes, unit="episode", disable=hidden, leave=False) as bar:
        while any(len(d) < q for d, q in zip(done, quota, strict=True)):
            observations, rewards, ended, infos = env.step(policy(observations))
            returns += rewards
            lengths += [control_steps(info) for info in infos]
            for row in np.flatnonzero(ended).tolist():
                if len(done[row]) < quota[row]:
                    subtasks = tuple(infos[row].get("subtasks_completed", ()))
                    done[row].append((returns[row], lengths[row], subtasks))
                    bar.update()
            returns[ended], lengths[ended] = 0.0, 0
    flat = [episode for row in done for episode in row]
    world = env.get_attr("world", 0)[0] if env.has_attr("world") else None
    return Episodes(
        np.array([episode[0] for episode in flat], float),
        np.array([episode[1] for episode in flat], np.int64),
        tuple(episode[2] for episode in flat),
        tuple(getattr(world, "subtasks", ())),
    )


def control_steps(info: Mapping[str, Any]) -> int:
    """Control steps of a step: those of its skill, or one.

    Args:
        info: Info of one environment.
    """
    return int(info.get("skill_steps", 1))
