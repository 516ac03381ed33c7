"""Replay buffers: of skills in two ways, successes, pictures, demonstrations, computed rewards.

Shapes: `B` batch, `N` transitions of the demonstrations, `O` observation, `A` action.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from skillgym.checks import check_arrays
from skillgym.errors import InvalidConfig, ShapeMismatch
from skillgym_envs.core.checks import check_flag, check_range

if TYPE_CHECKING:
    from skillgym.data import Transitions


class SkillReplayBuffer(ReplayBuffer):
    """Discounts the value after a skill by gamma^k, where k control steps were run.

    It sets the `discounts` of SB3's samples, so it works with every off-policy algorithm of SB3.
    The environment's rewards should be discounted within the skill, too: `SkillActions(...,
    reward="discounted", gamma=gamma)`.

    Paper: Sutton, Precup and Singh 1999, "Between MDPs and semi-MDPs", Sec. 3.

    Args:
        buffer_size: Number of transitions.
        observation_space: Observations.
        action_space: Skills.
        gamma: Discount per control step, the same as that of the environment's rewards.
        kwargs: Other keywords of SB3's `ReplayBuffer`.

    Raises:
        UnsupportedSpace: If observations are dictionaries.

    Example:
        >>> SAC("MlpPolicy", env, replay_buffer_class=SkillReplayBuffer,
        ...     replay_buffer_kwargs={"gamma": 0.99})  # doctest: +SKIP
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *args: Any,
        gamma: float = 0.99,
        **kwargs: Any,
    ) -> None:
        check_arrays(observation_space)
        super().__init__(buffer_size, observation_space, action_space, *args, **kwargs)
        self.gamma = gamma
        self.discounts = np.zeros((self.buffer_size, self.n_envs), dtype=np.float32)

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition per environment; without `skill_steps` it counts as one step."""
        steps = [info.get("skill_steps", 1) for info in infos]
        self.discounts[self.pos] = self.gamma ** np.array(steps, dtype=np.float64)
        super().add(obs, next_obs, action, reward, done, infos)

    def _get_samples(
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> ReplayBufferSamples:
        columns = np.random.randint(0, self.n_envs, size=len(batch_inds))  # noqa: NPY002  (SB3's stream)
        at = batch_inds, columns
        if self.optimize_memory_usage:
            next_obs = self.observations[(batch_inds + 1) % self.buffer_size, columns]
        else:
            next_obs = self.next_observations[at]
        # Time limits are not terminal.
        dones = self.dones[at] * (1.0 - self.timeouts[at])
        data = (
            self._normalize_obs(self.observations[at], env),
            self.actions[at],
            self._normalize_obs(next_obs, env),
            dones[:, None],
            self._normalize_reward(self.rewards[at][:, None], env),
            self.discounts[at][:, None],
        )
        return ReplayBufferSamples(*(self.to_torch(array) for array in data))  # type: ignore[arg-type]


class ShiftedReplayBuffer(ReplayBuffer):
    """Stores skills as the code of SPiRL, SkiLD and PTGM does: one control step late.

    It restores these defects, for comparisons with the authors' numbers:

    * States are those after the first control step of a skill, except at the start of an episode:
      (s_t+1, z, sum of the rewards of t..t+k-1, s_t+k+1).
    * If the episode ends with the first control step of a skill, its reward belongs to the skill
      before, and this skill is not stored.
    * A time limit is a terminal state, and the reward of its control step is lost.

    Transitions are stored once they are complete, those of several environments one after the
    other in a single column, so `learning_starts` has to leave time for the first one. Rewards have
    to be sums (`SkillActions` with `reward="sum"`), and no wrapper around `SkillActions` may change
    observations or rewards. Without `skill_steps` an action counts as a skill of one control step.

    Source: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors";
    arXiv:2010.11944; the sampler of the authors' code.

    Args:
        buffer_size: Number of transitions.
        observation_space: Observations.
        action_space: Skills.
        device: PyTorch device of the batches.
        n_envs: Number of environments.
        chosen_after: Whether a transition holds the skill that was chosen after it, as in the code
            of PTGM. The last transition of an episode still holds its own, unless the episode ended
            with the first control step of a skill.
        kwargs: Other keywords of SB3's `ReplayBuffer`.

    Raises:
        UnsupportedSpace: If observations are dictionaries.
        InvalidConfig: If the flag is neither True nor False, or the next observations should not
            be stored (`optimize_memory_usage`).

    Example:
        >>> PriorSAC(
        ...     "SkillPriorPolicy", env, replay_buffer_class=ShiftedReplayBuffer
        ... )  # doctest: +SKIP
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        chosen_after: bool = False,
        **kwargs: Any,
    ) -> None:
        check_arrays(observation_space)
        check_flag("chosen_after", chosen_after)
        if kwargs.get("optimize_memory_usage"):
            raise InvalidConfig("optimize_memory_usage", True, "False, as next states are shifted")
        super().__init__(buffer_size, observation_space, action_space, device, **kwargs)
        self.chosen_after = chosen_after
        # By environment: state, skill and reward of the transition that waits for its next state.
        self._open: dict[int, tuple[np.ndarray, np.ndarray, float]] = {}

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Take one skill per environment, and store the transitions that it completes."""
        for env, info in enumerate(infos):
            self._take(
                env, obs[env], next_obs[env], action[env], float(reward[env]), bool(done[env]), info
            )

    def _take(
        self,
        env: int,
        state: np.ndarray,
        next_state: np.ndarray,
        skill: np.ndarray,
        reward: float,
        done: bool,
        info: dict[str, Any],
    ) -> None:
        one_step = info.get("skill_steps", 1) == 1
        if info.get("TimeLimit.truncated", False):
            lost = reward if one_step else info["skill_rewards"][-1]
            reward -= lost
        before = self._open.pop(env, None)
        if before is not None:
            previous_state, previous_skill, earned = before
            state = next_state if one_step else info["skill_first_observation"]
            if one_step and done:
                earned += reward
            stored = skill if self.chosen_after else previous_skill
            self._store(previous_state, state, stored, earned, one_step and done)
        if done and not one_step:
            self._store(state, next_state, skill, reward, True)
        elif not done:
            self._open[env] = np.array(state), np.array(skill), reward

    def _store(
        self,
        state: np.ndarray,
        next_state: np.ndarray,
        skill: np.ndarray,
        reward: float,
        done: bool,
    ) -> None:
        of_one = np.array([reward]), np.array([done])
        super().add(state[None], next_state[None], np.asarray(skill)[None], *of_one, [{}])


class SuccessReplayBuffer(NStepReplayBuffer):
    """Draws a share of every batch from episodes that earned a reward.

    For rewards so rare that most batches would contain no such episode. An episode is only drawn
    once it is over. With several environments, a row of the buffer is drawn if the episode of any
    of them earned a reward.

    Source: ours; after the idea of Oh et al. 2018, "Self-Imitation Learning"
    (arXiv:1806.05635), to learn more often from successes, but without its loss.

    Args:
        buffer_size: Number of transitions.
        observation_space: Observations.
        action_space: Actions.
        success_share: Share of a batch that is drawn from such episodes, once there are any.
        n_steps: Number of rewards that are summed before bootstrapping.
        kwargs: Other keywords of SB3's `NStepReplayBuffer`. skillgym's agents set `gamma`
            themselves if it is not given.

    Raises:
        InvalidConfig: If the share is not between 0 and 1.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *args: Any,
        success_share: float = 0.0,
        n_steps: int = 1,
        **kwargs: Any,
    ) -> None:
        check_arrays(observation_space)
        check_range("success_share", success_share, 0.0, 1.0)
        super().__init__(
            buffer_size, observation_space, action_space, *args, n_steps=n_steps, **kwargs
        )
        self.success_share = success_share
        self.successful = np.zeros((self.buffer_size, self.n_envs), np.bool_)
        self._rows: np.ndarray | None = None
        self._lengths = np.zeros(self.n_envs, np.int64)
        self._returns = np.zeros(self.n_envs)

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition per environment, and mark the successful episodes that end."""
        ended = done.astype(bool)
        if ended.any() or self.successful[self.pos].any():
            self._rows = None
        self.successful[self.pos] = False
        self._lengths += 1
        self._returns += reward
        for env in np.flatnonzero(ended & (self._returns > 0.0)):
            rows = np.arange(self.pos - self._lengths[env], self.pos) + 1
            self.successful[rows % self.buffer_size, env] = True
        self._lengths[ended] = 0
        self._returns[ended] = 0.0
        super().add(obs, next_obs, action, reward, done, infos)

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch whose last rows are from successful episodes."""
        if self._rows is None:
            self._rows = np.flatnonzero(self.successful.any(axis=1))
        count = round(self.success_share * batch_size) if len(self._rows) else 0
        drawn = np.random.randint(0, self.size(), size=batch_size - count)  # noqa: NPY002  (SB3's stream)
        if count:
            drawn = np.concatenate([drawn, np.random.choice(self._rows, size=count)])  # noqa: NPY002
        batch = self._get_samples(drawn, env)
        # After one reward the discount is the agent's own, which may not be `gamma`.
        return batch if self.n_steps > 1 else batch._replace(discounts=None)


def cut_episodes(buffer: ReplayBuffer) -> None:
    """Let no return or success run across the last row: what comes next is of new episodes."""
    if isinstance(buffer, NStepReplayBuffer) and (buffer.full or buffer.pos):
        last = buffer.pos - 1
        buffer.timeouts[last] = np.maximum(buffer.timeouts[last], 1.0 - buffer.dones[last])
    if isinstance(buffer, SuccessReplayBuffer):
        buffer._lengths[:] = 0
        buffer._returns[:] = 0.0
    if isinstance(buffer, ShiftedReplayBuffer):
        buffer._open.clear()


class PictureReplayBuffer(SuccessReplayBuffer):
    """Stores pictures as bytes, in a quarter of the memory and without loss.

    For observations that consist of a few numbers followed by pictures with 256 levels from -1 to
    1, such as those of `MazeWorld(observation="image")`. 100 000 transitions take 1.2 GB.

    Args:
        buffer_size: Number of transitions.
        observation_space: Observations (O,).
        action_space: Actions.
        state_size: How many numbers precede the pictures; they are stored unchanged.
        kwargs: Other keywords of `SuccessReplayBuffer`.

    Raises:
        InvalidConfig: If there are no pictures.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *args: Any,
        state_size: int = 4,
        **kwargs: Any,
    ) -> None:
        check_arrays(observation_space)
        pixels = spaces.flatdim(observation_space) - state_size
        if state_size < 0 or pixels <= 0:
            raise InvalidConfig("state_size", state_size, f"0 to {state_size + pixels - 1}")
        # SB3's buffer holds the states and the indices of their pictures.
        kept = spaces.Box(-np.inf, np.inf, (state_size + 1,), np.float32)
        super().__init__(buffer_size, kept, action_space, *args, **kwargs)
        self.state_size = state_size
        self.pictures = np.zeros((self.buffer_size, 2 * self.n_envs, pixels), np.uint8)

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition per environment."""
        place = 2 * self.pos * self.n_envs
        kept = self._put(obs, place), self._put(next_obs, place + self.n_envs)
        super().add(*kept, action, reward, done, infos)

    def _put(self, observations: np.ndarray, place: int) -> np.ndarray:
        """Store pictures from index `place` on; returns states (N, S) with the indices appended."""
        places = np.arange(place, place + len(observations))
        self._flat()[places] = _bytes(observations[:, self.state_size :])
        return np.column_stack([observations[:, : self.state_size], places])

    def _normalize_obs(self, obs: Any, env: VecNormalize | None = None) -> Any:  # type: ignore[override]
        """Observations (B, O) from the rows of SB3's buffer (B, S + 1), normalised by `env`."""
        whole = _joined(obs[:, :-1], self._flat()[obs[:, -1].astype(np.int64)])
        return super()._normalize_obs(whole, env)

    def _flat(self) -> np.ndarray:
        """Pictures by index."""
        return self.pictures.reshape(-1, self.pictures.shape[2])


def _bytes(pictures: np.ndarray) -> np.ndarray:
    """Levels from 0 to 255, from values from -1 to 1."""
    return np.rint((pictures + 1.0) * 127.5).astype(np.uint8)


def _joined(states: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Observations (B, O) from states (B, S) and levels (B, P), as the world computes them."""
    observations = np.empty((len(states), states.shape[1] + pictures.shape[1]), np.float32)
    observations[:, : states.shape[1]] = states
    pixels = observations[:, states.shape[1] :]
    np.divide(pictures, np.float32(127.5), out=pixels, dtype=np.float32)
    pixels -= 1.0
    return observations


class DemonstrationReplayBuffer(ReplayBuffer):
    """Mixes demonstrations into every batch: the baseline "demo replay" of SkiLD.

    It works with any off-policy algorithm of SB3 with continuous actions. The demonstrations are
    stored separately from the agent's own transitions and are never overwritten.

    Paper: Pertsch et al. 2021, "Demonstration-Guided RL with Learned Skills", Sec. 5.1;
    arXiv:2107.10253. There is no code of this baseline. Deviation: a fixed share of the batch, as
    in Ball et al. 2023 (RLPD, arXiv:2302.02948), instead of priorities.

    Args:
        buffer_size: Number of the agent's transitions.
        observation_space: Observations (O,).
        action_space: Actions, a bounded Box (A,).
        demonstrations: Transitions, or the id or path of a dataset.
        share: Share of demonstrations in a batch.
        kwargs: Other keywords of SB3's `ReplayBuffer`.

    Raises:
        InvalidConfig: If the share is not between 0 and 1.
        ShapeMismatch: If the demonstrations are from another world.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *args: Any,
        demonstrations: str | Path | Transitions,
        share: float = 0.5,
        **kwargs: Any,
    ) -> None:
        check_arrays(observation_space)
        super().__init__(buffer_size, observation_space, action_space, *args, **kwargs)
        if not 0.0 <= share < 1.0:
            raise InvalidConfig("share", share, "a number from 0 to below 1")
        if isinstance(demonstrations, (str, Path)):
            from skillgym.data import load_transitions

            demonstrations = load_transitions(demonstrations)
        self.share = share
        self.demonstrations = demonstrations
        for what, array, space in (
            ("observations", demonstrations.observations, observation_space),
            ("actions", demonstrations.actions, action_space),
        ):
            if array.shape[1:] != space.shape:
                raise ShapeMismatch(f"demonstrated {what}", array.shape, f"(N, *{space.shape})")

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch whose last rows are demonstrations."""
        count = round(self.share * batch_size)
        own = super().sample(batch_size - count, env)
        rows = np.random.randint(0, len(self.demonstrations), size=count)  # noqa: NPY002  (SB3's stream)
        shown = self._demonstrated(rows, env)
        own_columns = cast(tuple[Tensor, ...], own[: len(shown)])  # the sixth, discounts, is None
        columns = zip(own_columns, shown, strict=True)
        return ReplayBufferSamples(*(torch.cat(pair) for pair in columns))

    def _demonstrated(self, rows: np.ndarray, env: VecNormalize | None) -> tuple[Tensor, ...]:
        """Observations, actions in [-1, 1], next observations, ends and rewards."""
        data = self.demonstrations
        low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]
        columns = (
            self._normalize_obs(data.observations[rows], env),
            2.0 * (data.actions[rows] - low) / (high - low) - 1.0,
            self._normalize_obs(data.next_observations[rows], env),
            data.terminations[rows, None].astype(np.float32),
            self._normalize_reward(data.rewards[rows, None], env),
        )
        return tuple(self.to_torch(column) for column in columns)  # type: ignore[arg-type]


class RelabellingReplayBuffer(ReplayBuffer):
    """Recomputes the rewards of every batch.

    Attributes:
        relabel: Maps a batch to rewards (B, 1); None keeps those of the environment. Not saved
            with the buffer.
    """

    relabel: Callable[[ReplayBufferSamples], Tensor] | None = None

    def _get_samples(
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> ReplayBufferSamples:
        batch = super()._get_samples(batch_inds, env)
        if self.relabel is None:
            return batch
        return batch._replace(rewards=self.relabel(batch))

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the function, which belongs to an agent."""
        return {**self.__dict__, "relabel": None}
