"""The single-step action prior: behaviour cloning, and the "flat prior" baseline of SPiRL.

Shapes: `B` batch, `O` observation, `A` action.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import torch
from numpy.typing import NDArray
from torch import Tensor

from skillgym.nn.priors import GaussianMLP
from skillgym.skills.base import Batch, Scalars, SkillModule
from skillgym.skills.spirl.config import FlatPriorConfig
from skillgym.skills.spirl.losses import prior_nll
from skillgym.types import FloatArray, SkillState


class FlatPrior(SkillModule):
    """A skill model whose skills are single actions; its prior is a Gaussian over a_t given s_t.

    Wrappers and agents treat it like any other skill model: `max_steps` is 1, `skill_space` is the
    action space. Kitchen size (O 60, A 9): 93 330 parameters.

    Paper: Pertsch et al. 2020, Sec. 4.2 (baselines "Flat Prior" and "BC + SAC"); arXiv:2010.11944.

    Args:
        observation_space: One-dimensional Box of size O.
        action_space: One-dimensional Box of size A.
        config: Sizes; the default is the authors' kitchen model.
    """

    type_tag: ClassVar[str] = "flat_prior"
    config_class: ClassVar[type] = FlatPriorConfig

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: FlatPriorConfig | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, action_space, max_steps=1)
        self.config: FlatPriorConfig = config or FlatPriorConfig()
        self.prior = GaussianMLP(
            self.observation_space.shape[0],
            self.action_space.shape[0],
            self.config.hidden_size,
            self.config.num_layers,
        )

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Scalars]:
        """Negative log-likelihood of actions (B, 1, A) in observations (B, 2, O), summed over A."""
        observations, actions = batch
        nll = prior_nll(self.prior(observations[:, 0]), actions[:, 0])
        return nll, {"loss": nll.detach()}

    @torch.no_grad()
    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        """The loss, and the mean squared error of the Gaussian's mean."""
        observations, actions = batch
        mean = self.prior(observations[:, 0]).mode()
        _, scalars = self.loss(batch, generator)
        return {**scalars, "mse": (mean - actions[:, 0]).square().mean()}

    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """Store the action, clipped to the action space."""
        return {"action": self.bounded(self.checked_skill(obs, skill).copy())}

    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """The chosen action."""
        return state["action"].copy()
