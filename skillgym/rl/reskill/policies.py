"""The networks of ReSkill: an actor-critic per level, and a policy that combines both.

Shapes: `N` environments, `O` observation, `A` action, `Z` latent, `S` skill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.distributions import DiagGaussianDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from skillgym.errors import InvalidConfig
from skillgym.types import SkillModel
from skillgym.wrappers.residual_control import ResidualLayout
from skillgym.wrappers.running_skills import begin_skills


class ReskillActorCritic(ActorCriticPolicy):
    """SB3's actor-critic with bounded standard deviations and a faster critic.

    Paper: Rana et al. 2022, arXiv:2211.02231; the values of the authors' code.

    Args:
        observation_space: Observations (O,).
        action_space: Actions, a Box (A,); other actions have no standard deviation to bound.
        lr_schedule: Learning rate of the actor as a function of the remaining progress.
        critic_rate: Learning rate of the critic as a multiple of the actor's.
        std_bounds: Smallest and largest standard deviation; outside there is no gradient.
            With `use_sde` there are no bounds, as in SB3.
        log_std_init: Initial logarithm of the standard deviations.
        zero_mean: Whether the mean is initially 0 everywhere, as in Silver et al. 2018, "Residual
            Policy Learning", Sec. IV; arXiv:1812.06298. The authors' is not.
        ortho_init: Whether weights are initialised orthogonally, as in SB3.
        optimizer_kwargs: Keywords of the optimiser; torch's own defaults if None.
        kwargs: Other keywords of SB3's actor-critic policy.

    Raises:
        InvalidConfig: If the bounds are not positive or in the wrong order.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        critic_rate: float = 10.0,
        std_bounds: tuple[float, float] = (0.2, 1.0),
        log_std_init: float = -0.5,
        zero_mean: bool = False,
        ortho_init: bool = False,
        optimizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not 0.0 < std_bounds[0] <= std_bounds[1]:
            raise InvalidConfig("std_bounds", std_bounds, "two positive numbers, the smaller first")
        self.critic_rate = critic_rate
        self.std_bounds = std_bounds
        self.zero_mean = zero_mean
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            log_std_init=log_std_init,
            ortho_init=ortho_init,
            optimizer_kwargs=optimizer_kwargs or {},
            **kwargs,
        )

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        if self.zero_mean:
            for parameter in self.action_net.parameters():
                nn.init.zeros_(parameter)
        critic = [*self.mlp_extractor.value_net.parameters(), *self.value_net.parameters()]
        known = {id(parameter) for parameter in critic}
        actor = [parameter for parameter in self.parameters() if id(parameter) not in known]
        rate = lr_schedule(1)
        self.optimizer = self.optimizer_class(  # type: ignore[call-arg]
            [
                {"params": actor, "rate": 1.0},
                {"params": critic, "rate": self.critic_rate, "lr": rate * self.critic_rate},
            ],
            lr=rate,
            **self.optimizer_kwargs,
        )

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> Distribution:
        if not isinstance(self.action_dist, DiagGaussianDistribution):
            return super()._get_action_dist_from_latent(latent_pi)
        low, high = (math.log(bound) for bound in self.std_bounds)
        mean, log_std = self.action_net(latent_pi), self.log_std.clamp(low, high)
        return self.action_dist.proba_distribution(mean, log_std)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        names = "critic_rate", "std_bounds", "zero_mean"
        own = {name: getattr(self, name) for name in names}
        return super()._get_constructor_parameters() | own


@dataclass(frozen=True)
class Decision:
    """Decisions of both levels in N environments; of skills, only the rows `due` are used.

    Attributes:
        actions: Actions that the environments execute (N, S + A).
        due: Environments in which a skill was chosen (N,).
        skills: Skills before clipping (N, S).
        skill_values: Values of the states (N, 1).
        skill_log_probs: Log-probabilities of the skills (N,).
        inputs: Observations of the residual level: state, latent, decoded action (N, O + Z + A).
        residuals: Residuals before weighting (N, A).
        residual_values: Values of these observations (N, 1).
        residual_log_probs: Log-probabilities of the residuals (N,).
    """

    actions: NDArray[np.float32]
    due: NDArray[np.bool_]
    skills: NDArray[np.float32]
    skill_values: Tensor
    skill_log_probs: Tensor
    inputs: NDArray[np.float32]
    residuals: NDArray[np.float32]
    residual_values: Tensor
    residual_log_probs: Tensor


class ReSkillPolicy(BasePolicy):
    """Chooses skills where they are due, decodes them, and adds weighted residuals.

    Args:
        observation_space: Observations of `ResidualActions`.
        action_space: Actions of `ResidualActions`.
        skills: Actor-critic of the upper level.
        residuals: Actor-critic of the lower level.
        model: The skill model; its tensors are not part of the policy's.
        layout: Positions of the parts of observations and actions.
    """

    residual_weight: Tensor

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        skills: ActorCriticPolicy,
        residuals: ActorCriticPolicy,
        model: SkillModel,
        layout: ResidualLayout,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.skills = skills
        self.residuals = residuals
        self.layout = layout
        self._model = (model,)  # in a tuple, so that it is not a submodule
        self.register_buffer("residual_weight", torch.zeros(()))

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "skills": self.skills,
            "residuals": self.residuals,
            "model": self._model[0],
            "layout": self.layout,
        }

    @torch.no_grad()
    def decide(self, observation: Tensor, deterministic: bool = False) -> Decision:
        """Choose actions for observations (N, O + Z + A + 1).

        Args:
            observation: Observations of `ResidualActions`.
            deterministic: Whether both levels use their means.
        """
        layout, space = self.layout, self.action_space
        observation = observation.float()
        states, inputs = observation[:, layout.state], observation[:, layout.inputs].clone()
        due = observation[:, layout.due].cpu().numpy() > 0.5
        actions = np.zeros((len(due), *(space.shape or ())), np.float32)
        skills, skill_values, skill_log_probs = self._choose(states, due, deterministic)
        if due.any():
            low, high = space.low[layout.skill], space.high[layout.skill]  # type: ignore[attr-defined]
            actions[:, layout.skill] = skills.clip(low, high)
            inputs[due, layout.latent.start :] = self._decode(
                states[due].cpu().numpy(), actions[due, layout.skill]
            ).to(inputs)
        residuals, values, log_probs = self.residuals(inputs, deterministic)
        actions[:, layout.residual] = (self.residual_weight * residuals).cpu().numpy()
        return Decision(
            actions,
            due,
            skills,
            skill_values,
            skill_log_probs,
            inputs.cpu().numpy(),
            residuals.cpu().numpy(),
            values,
            log_probs,
        )

    def _choose(
        self, states: Tensor, due: NDArray[np.bool_], deterministic: bool
    ) -> tuple[NDArray[np.float32], Tensor, Tensor]:
        """Skills, values and log-probabilities; zero if no skill is due anywhere."""
        if not due.any():
            size = self.layout.skill.stop
            nothing = torch.zeros(len(due))
            return np.zeros((len(due), size), np.float32), nothing[:, None], nothing
        skills, values, log_probs = self.skills(states, deterministic)
        return skills.cpu().numpy(), values, log_probs

    def _decode(self, states: NDArray[Any], skills: NDArray[Any]) -> Tensor:
        """Latents and first actions (B, Z + A) of skills that start."""
        model = self._model[0]
        state, latents = begin_skills(model, states, skills)
        decoded = model.act(states, state, 0)
        return torch.from_numpy(np.concatenate([latents, decoded], axis=1).astype(np.float32))

    @torch.no_grad()
    def values(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N,) of both levels, given the current or last skill.

        Args:
            observation: Observations of `ResidualActions` (N, O + Z + A + 1).
        """
        observation = observation.float()
        of_skills = self.skills.predict_values(observation[:, self.layout.state])
        of_residuals = self.residuals.predict_values(observation[:, self.layout.inputs])
        return of_skills[:, 0], of_residuals[:, 0]

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        actions = self.decide(observation, deterministic).actions  # type: ignore[arg-type]
        return torch.from_numpy(actions)
