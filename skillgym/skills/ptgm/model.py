"""The goal-based model of PTGM: codebook, goal prior, goal-conditioned low-level policy.

Shapes: `B` batch, `H` skill horizon, `G` prior horizon, `O` observation, `A` action, `K` codes,
`F` goal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from torch import Tensor

from skillgym.data.windows import WindowDataset
from skillgym.errors import InvalidConfig, ShapeMismatch
from skillgym.nn.devices import seeded
from skillgym.nn.distributions import LOG_STD_MAX, LOG_STD_MIN, Categorical, Gaussian
from skillgym.nn.mlp import FoldedMLP
from skillgym.nn.noise import hashed_normal
from skillgym.nn.priors import CategoricalMLP, GaussianMLP
from skillgym.skills.base import Batch, Scalars, SkillModule
from skillgym.skills.ptgm.codebook import build_codebook, moments
from skillgym.skills.ptgm.config import PtgmConfig
from skillgym.skills.ptgm.errors import NoCodebook
from skillgym.skills.ptgm.features import DEFAULT, features_of
from skillgym.skills.ptgm.losses import nearest_codes, policy_nll, prior_nll
from skillgym.types import FloatArray, SkillState


class Ptgm(SkillModule):
    """Skills are the K codes of a codebook: states that a low-level policy moves towards.

    `skill_space` is `Discrete(K)`, `prior` returns a `Categorical` over the codes. Codebook, prior
    and low-level policy form one checkpoint.

    Kitchen size (O 60, A 9, F 21, K 50): prior 64 178 and low-level policy 62 738 parameters, as in
    the authors' checkpoints.

    Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
    Learning", Sec. 3; ICLR.

    Deviation: both networks are trained by one optimiser in one run; as they share only the
        batches, each learns as it would alone. Noise of actions is a function of observation and
        goal (`hashed_normal`), so that a seeded episode can be repeated.

    Args:
        observation_space: One-dimensional Box of size O.
        action_space: One-dimensional Box of size A.
        config: Sizes and options; the default has the authors' sizes and the whole observation as
            goal.
        goal_size: F; that of the configured features if None.

    Attributes:
        codes: Goals of the codebook, (K, F).
        code_observations: The states that the goals were taken from, (K, O); NaN if unknown.
        goal_mean: Mean that is subtracted from goals before matching, (F,).
        goal_scale: Factor by which they are then multiplied, (F,).
    """

    type_tag: ClassVar[str] = "ptgm"
    config_class: ClassVar[type] = PtgmConfig
    independent: ClassVar[tuple[str, ...]] = ("prior",)  # independent of the low-level policy
    codes: Tensor
    code_observations: Tensor
    goal_mean: Tensor
    goal_scale: Tensor

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: PtgmConfig | None = None,
        goal_size: int | None = None,
    ) -> None:
        config = config or PtgmConfig()
        skill_space = Discrete(config.num_codes)
        super().__init__(observation_space, action_space, skill_space, config.skill_horizon)
        self.config: PtgmConfig = config
        size, action_size = self.observation_space.shape[0], self.action_space.shape[0]
        check_indices("inputs", config.inputs, size)
        if goal_size is None:
            goal_size = self._select(torch.zeros(1, size)).shape[-1]
        self.register_buffer("codes", torch.zeros(config.num_codes, goal_size))
        self.register_buffer("code_observations", torch.full((config.num_codes, size), torch.nan))
        self.register_buffer("goal_mean", torch.zeros(goal_size))
        self.register_buffer("goal_scale", torch.ones(goal_size))
        networks = config.hidden_size, config.num_layers
        self.prior = CategoricalMLP(size, config.num_codes, *networks, inputs=config.inputs)
        seen = size if config.inputs is None else len(config.inputs)
        self.policy = GaussianMLP(seen + goal_size, action_size, *networks)
        self._seen: slice | list[int] = (
            slice(None) if config.inputs is None else list(config.inputs)
        )
        self._controller: FoldedMLP | None = None

    @classmethod
    def restored(
        cls,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: Any,
        tensors: Mapping[str, Tensor],
    ) -> Self:
        """A model for the tensors of a checkpoint, without calling its features.

        Only the process that trained it may know the features, and acting does not need them.
        """
        if config.features == DEFAULT:
            return super().restored(observation_space, action_space, config, tensors)
        codes = tensors.get("codes", torch.zeros(1, 1))
        goal_size = codes.shape[-1] if config.goal is None else len(config.goal)
        with seeded(0):
            return cls(observation_space, action_space, config, goal_size)

    def goals(self, observations: Tensor) -> Tensor:
        """Goals (..., F) of observations (..., O).

        Raises:
            InvalidConfig: If the features are not known to this process, or are fewer than `goal`
                needs.
            ShapeMismatch: If goals do not have the size of the codes.
        """
        goals = self._select(observations)
        if goals.shape[-1] != (expected := self.codes.shape[-1]):
            raise ShapeMismatch("goals", goals.shape, f"(..., {expected}) like the codes")
        return goals

    @torch.no_grad()
    def _select(self, observations: Tensor) -> Tensor:
        """The configured entries of the features."""
        features = features_of(self.config.features, observations)
        check_indices("goal", self.config.goal, features.shape[-1])
        return features if self.config.goal is None else features[..., list(self.config.goal)]

    @torch.no_grad()
    def prepare(self, data: WindowDataset, seed: int) -> None:
        """Build the codebook from the states of the data.

        Raises:
            NotEnoughData: If there are fewer than K different states.
            MissingPackage: If scikit-learn is not installed.
        """
        device = self.codes.device

        def goals_of(observations: FloatArray) -> FloatArray:
            goals: FloatArray = self.goals(torch.from_numpy(observations).to(device)).cpu().numpy()
            return goals

        book = build_codebook(data.observations, goals_of, self.config, seed)
        self.codes.copy_(torch.from_numpy(book.codes))
        self.code_observations.copy_(torch.from_numpy(book.observations))
        if self.config.standardise:
            mean, std = moments(goals_of(data.observations))
            self.goal_mean.copy_(torch.from_numpy(mean))
            self.goal_scale.copy_(torch.from_numpy(1 / std))

    @torch.no_grad()
    def label(self, observations: Tensor) -> Tensor:
        """Index (B,) of the code most similar to each observation (B, O)."""
        goals = (self.goals(observations) - self.goal_mean) * self.goal_scale
        codes = (self.codes - self.goal_mean) * self.goal_scale
        return nearest_codes(goals, codes, self.config.matching)

    def draw(
        self, data: Any, rng: np.random.Generator, batch_size: int
    ) -> tuple[NDArray[Any], ...]:
        """Windows (B, H+1, O), (B, H, A); with a `prior_horizon` also others, (B, G+1, O)."""
        batch = super().draw(data, rng, batch_size)
        if self.config.prior_horizon is None:
            return batch
        return *batch, data.sample(rng, batch_size, self.config.prior_horizon)[0]

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Scalars]:
        """Sum of both networks' losses on a batch from `draw`.

        The last observation of a window is the goal of its H steps (hindsight), so goals are 1 to
        H steps away, uniformly. The code of the last observation is the label of the states before
        it, also in windows of the prior's own, where it is 1 to G steps away.

        Raises:
            NoCodebook: If `prepare` has not been called.
        """
        prior, labels, policy, actions = self._fit(batch)
        of_prior, of_policy = prior_nll(prior, labels), policy_nll(policy, actions)
        total = of_prior + of_policy
        scalars = {"loss": total, "prior_nll": of_prior, "policy_nll": of_policy}
        return total, {name: value.detach() for name, value in scalars.items()}

    @torch.no_grad()
    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        """The losses, the prior's accuracy (most likely code), and the MSE of mean actions."""
        _, scalars = self.loss(batch, generator)
        prior, labels, policy, actions = self._fit(batch)
        scalars["prior_accuracy"] = (prior.mode() == labels[:, None]).float().mean()
        scalars["prior_entropy"] = prior.entropy().mean()
        scalars["mse"] = (policy.mean - actions).square().mean()
        return scalars

    def _fit(self, batch: Batch) -> tuple[Categorical, Tensor, Gaussian, Tensor]:
        """Prior (B, G), labels (B,), low-level policy (B, H) and actions (B, H, A) of a batch."""
        if not self.codes.any():
            raise NoCodebook
        observations, actions, *rest = batch
        goals = self.goals(observations[:, -1:]).expand(-1, actions.shape[1], -1)
        policy = self.policy(torch.cat([observations[:, :-1, self._seen], goals], dim=-1))
        ahead = rest[0] if rest else observations
        return self.prior(ahead[:, :-1]), self.label(ahead[:, -1]), policy, actions

    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """Look up the goals of the codes.

        Raises:
            NoCodebook: If the codebook has not been built.
        """
        indices = self.checked_skill(obs, skill)
        if not self.codes.any():
            raise NoCodebook
        return {"goal": self.codes.cpu().numpy()[indices]}

    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """One action per row, towards the goal."""
        if self._controller is None:
            self._controller = FoldedMLP(self.policy.net)
        obs = np.asarray(obs, np.float32)
        seen = np.concatenate([obs[:, self._seen], state["goal"]], axis=1)
        actions, log_std = np.split(self._controller(seen), 2, axis=1)
        if self.config.sample_actions:
            std = np.exp(log_std.clip(LOG_STD_MIN, LOG_STD_MAX)).astype(np.float32)
            actions = actions + std * hashed_normal(seen, actions.shape[1])
        return self.bounded(actions)

    def __getstate__(self) -> dict[str, Any]:
        """State without the controller, which copies and pickles rebuild."""
        return {**self.__dict__, "_controller": None}


def check_indices(field: str, indices: tuple[int, ...] | None, size: int) -> None:
    """Check that indices are below a size.

    Raises:
        InvalidConfig: If one is not.
    """
    if indices is not None and max(indices) >= size:
        raise InvalidConfig(field, indices, f"indices below {size}")
