"""Base class of all skill models: spaces, bounds, and checks of inputs.

Shapes: `B` batch, `H` skill horizon, `O` observation, `A` action, `Z` latent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.data.windows import WindowDataset
from skillgym.errors import ShapeMismatch, SkillOutOfRange, UnsupportedSpace, UnusableConfig
from skillgym.nn.devices import seeded
from skillgym.types import BoolArray, FloatArray, SkillState

Batch = tuple[Tensor, ...]
Scalars = dict[str, Tensor]


class SkillModule(nn.Module, ABC):
    """A `SkillModel` as a torch module that the trainer can train and the hub can save.

    A subclass is constructed as `cls(observation_space, action_space, config)`, so that a
    checkpoint's `config.json` is enough to build it again.

    Args:
        observation_space: One-dimensional Box of size O.
        action_space: One-dimensional Box of size A.
        skill_space: Space of the skills that an agent chooses from.
        max_steps: H.

    Attributes:
        type_tag: Name of the class in checkpoints.
        config_class: Dataclass of its configuration.
        selection_metric: Entry of `validation` by which the best checkpoint is chosen (smallest).
        independent: Names of modules that learn independently of the others.

    Raises:
        UnsupportedSpace: If a space is not a one-dimensional Box.
    """

    type_tag: ClassVar[str]
    config_class: ClassVar[type]
    selection_metric: ClassVar[str] = "loss"
    independent: ClassVar[tuple[str, ...]] = ()
    config: Any
    prior: nn.Module

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        skill_space: gym.Space[Any],
        max_steps: int,
    ) -> None:
        super().__init__()
        self.observation_space = flat_box("observation", observation_space)
        self.action_space = flat_box("action", action_space)
        self.skill_space = skill_space
        self.max_steps = max_steps
        self.world: str | None = None  # name of the world it was trained in, if known
        self.world_options: dict[str, Any] | None = None  # that world's keywords, if known

    @classmethod
    def create(
        cls,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: Any = None,
        seed: int = 0,
    ) -> Self:
        """A fresh model with weights from the seed; leaves the global random state alone.

        Args:
            observation_space: One-dimensional Box of size O.
            action_space: One-dimensional Box of size A.
            config: A `config_class`; its defaults if None.
            seed: Seed of the weights.

        Raises:
            UnusableConfig: If `config` is not a `config_class`.
            UnsupportedSpace: If a space is not a one-dimensional Box.
        """
        known = config is None or isinstance(config, cls.config_class)
        if not known:
            raise UnusableConfig(cls.__name__, config, cls.config_class.__name__)
        with seeded(seed):
            return cls(observation_space, action_space, config)  # type: ignore[call-arg]

    @classmethod
    def restored(
        cls,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: Any,
        tensors: Mapping[str, Tensor],
    ) -> Self:
        """A model into which the tensors of a checkpoint can be loaded; by default from `create`.

        Args:
            observation_space: One-dimensional Box of size O.
            action_space: One-dimensional Box of size A.
            config: A `config_class`.
            tensors: The checkpoint's tensors, for sizes that the configuration does not have.
        """
        return cls.create(observation_space, action_space, config)

    def prepare(self, data: WindowDataset, seed: int) -> None:
        """Compute from the training data what is not learned by gradient; nothing by default.

        A new training calls it once, before its first step. What it sets must be in `state_dict`,
        so that it is part of checkpoints.

        Args:
            data: Training trajectories.
            seed: Seed of all randomness.
        """
        return None

    @property
    def behaviour(self) -> nn.Module:
        """The distribution over skills that acts by itself in evaluations: by default the prior."""
        return self.prior

    def verify(self) -> None:
        """Check, after loading, that the tensors belong together; does nothing by default."""

    def draw(
        self, data: Any, rng: np.random.Generator, batch_size: int
    ) -> tuple[NDArray[Any], ...]:
        """A batch for `loss`.

        Args:
            data: Training or validation data, by default a `WindowDataset`.
            rng: The only source of randomness.
            batch_size: B.

        Raises:
            ShapeMismatch: If the data do not fit the model's spaces.
        """
        batch: tuple[NDArray[Any], ...] = data.sample(rng, batch_size, self.max_steps)
        self.check_sizes(batch[0], batch[1])
        return batch

    def check_sizes(
        self, observations: NDArray[Any], actions: NDArray[Any], what: str = "data"
    ) -> None:
        """Check that windows (B, T, O) and (B, T, A) fit the model's spaces.

        Args:
            observations: Observations of the windows.
            actions: Actions of the windows.
            what: Description of the data, for the error.

        Raises:
            ShapeMismatch: If they do not.
        """
        given = ("observations", observations), ("actions", actions)
        for (name, array), space in zip(
            given, (self.observation_space, self.action_space), strict=True
        ):
            if array.shape[2:] != space.shape:
                expected = f"(batch, time, {space.shape[0]}) as in the model's space"
                raise ShapeMismatch(f"{what} with {name}", array.shape, expected)

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Scalars]:
        """Training loss (scalar, with gradient) of a batch, and detached scalars to log."""

    @abstractmethod
    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        """Validation metrics of the model, in evaluation mode, on held-out data."""

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Groups for the optimiser: each of the `independent` modules, after all other parameters.

        Gradients are clipped group by group. A subclass may give some parameters another learning
        rate. A group's `decay` multiplies its learning rate after every step, in addition to the
        schedule.
        """
        parts = [list(getattr(self, name).parameters()) for name in self.independent]
        apart = {p for part in parts for p in part}
        rest = [p for p in self.parameters() if p not in apart]
        learning = [[p for p in group if p.requires_grad] for group in (rest, *parts)]
        return [{"params": group, "lr": learning_rate} for group in learning if group]

    @abstractmethod
    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """See `SkillModel.begin`."""

    @abstractmethod
    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """See `SkillModel.act`."""

    def finished(self, obs: NDArray[Any], state: SkillState, t: int) -> BoolArray:
        """True (B,) from control step H - 1 on."""
        return np.full(len(obs), t + 1 >= self.max_steps)

    def checked_skill(self, obs: NDArray[Any], skill: NDArray[Any]) -> NDArray[Any]:
        """The skills (B, ...) with the dtype of the skill space.

        Raises:
            ShapeMismatch: If observations or skills do not fit the spaces, or each other.
            SkillOutOfRange: If the skill space is Discrete and does not have one of them.
        """
        observation_size, space = self.observation_space.shape, self.skill_space
        expected = (len(obs), *(space.shape or ()))
        if obs.ndim != 2 or obs.shape[1:] != observation_size:
            raise ShapeMismatch("observations", obs.shape, f"(B, {observation_size[0]})")
        if skill.shape != expected:
            raise ShapeMismatch("skills", skill.shape, f"{expected}")
        if isinstance(space, Discrete):
            valid = (skill >= space.start) & (skill < space.start + space.n) & (skill % 1 == 0)
            if not valid.all():
                raise SkillOutOfRange(skill[~valid][0], space)
        return np.asarray(skill, space.dtype)

    def bounded(self, actions: FloatArray) -> FloatArray:
        """Actions clipped to the action space, in place."""
        return np.clip(actions, self.action_space.low, self.action_space.high, out=actions)


def flat_box(role: str, space: gym.Space[Any]) -> Box:
    """Return a space if it is a one-dimensional Box.

    Raises:
        UnsupportedSpace: Otherwise.
    """
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise UnsupportedSpace(role, space)
    return space
