"""PPO with a penalty for the divergence from a skill prior."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from skillgym.checks import check_arrays
from skillgym.errors import UnsupportedSpace
from skillgym.nn.distributions import Categorical
from skillgym.nn.priors import UniformPrior
from skillgym.rl.common.priors import PriorAlgorithm
from skillgym.rl.discrete_prior_sac.losses import DIRECTIONS, Direction, divergence
from skillgym.rl.discrete_prior_sac.policies import check_discrete_prior
from skillgym.rl.prior_ppo.policies import SkillPriorActorCritic
from skillgym_envs.core.checks import check_choice, check_range


class PriorPPO(PriorAlgorithm, PPO):
    """SB3's PPO over discrete skills, with -kl_coef * KL added to the reward: PTGM in Minecraft.

    The divergence is that of the policy that chose the skill, in the state where it did. It is part
    of the reward, so no gradient flows through it.

    Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
    Learning", Sec. 3.4; ICLR. The authors' example uses `kl_coef=0.05`, 40 skills per roll-out and
    per batch (`n_steps=40`, `batch_size=40`), 5 epochs, learning rate 1e-4, `gamma=0.999` per skill
    and `vf_coef=1.0`; the other numbers are SB3's.

    Deviation: feed-forward networks instead of the authors' recurrent transformer. Policy and prior
        see the same observation (authors: the prior's memory advances every control step, the
        policy's only every skill).

    Args:
        policy: `"SkillPriorPolicy"` (the actor is a copy of the prior), or one of PPO's.
        env: Environment whose actions are discrete skills, or any environment with discrete actions
            if `prior` is given.
        prior: `"auto"` takes that of the environment's skill model. Otherwise a network that maps
            observations (B, O) to a `skillgym.nn.distributions.Categorical`, or None for a uniform
            prior.
        kl_coef: Weight of the divergence; 0 for SB3's PPO.
        kl_direction: Direction of the divergence, see
            `skillgym.rl.discrete_prior_sac.losses.divergence`.
        kwargs: Any other keyword of SB3's PPO.

    Raises:
        NoPrior: If the environment has no skill model.
        UnusablePrior: If the prior is not over the discrete skills.
        NormalizedObservations: If observations are normalised, for which the prior is not trained.
        UnsupportedSpace: If skills are not discrete.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **PPO.policy_aliases,
        "SkillPriorPolicy": SkillPriorActorCritic,
    }
    prior_policy = SkillPriorActorCritic
    prior: nn.Module

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        *,
        prior: Literal["auto"] | nn.Module | None = "auto",
        kl_coef: float = 0.05,
        kl_direction: Direction = "policy-prior",
        **kwargs: Any,
    ) -> None:
        check_choice("kl_direction", kl_direction, DIRECTIONS)
        check_range("kl_coef", kl_coef, 0.0)
        self.prior_source = prior
        self.kl_coef = kl_coef
        self.kl_direction: Direction = kl_direction
        super().__init__(policy, env, **kwargs)  # type: ignore[arg-type]

    def _setup_prior(self) -> None:
        space = self.action_space
        if not isinstance(space, spaces.Discrete):
            raise UnsupportedSpace("skill", space, "Discrete", "use PriorSAC for a Box of skills")
        self.prior = self._frozen_prior() or UniformPrior(int(space.n))
        check_discrete_prior(self.prior, self.observation_space, space)

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Collect as PPO does, then subtract the penalty and recompute the advantages."""
        if not super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps):
            return False
        gap = self.divergence(torch.as_tensor(rollout_buffer.observations, device=self.device))
        self.logger.record("rollout/prior_divergence", gap.mean().item())
        if self.kl_coef != 0:
            rollout_buffer.rewards -= self.kl_coef * gap.cpu().numpy()
            with torch.no_grad():
                last = self.policy.predict_values(obs_as_tensor(self._last_obs, self.device))  # type: ignore[arg-type]
            ended: Any = self._last_episode_starts
            rollout_buffer.compute_returns_and_advantage(last, ended)
        return True

    @torch.no_grad()
    def divergence(self, observations: Tensor) -> Tensor:
        """Divergence (...) of the policy from the prior, for observations (..., O)."""
        shape = check_arrays(self.observation_space)
        flat = observations.reshape(-1, *shape).float()
        logits: Any = self.policy.get_distribution(flat).distribution
        policy = Categorical.from_logits(logits.logits)
        found = divergence(policy, self.prior(flat), self.kl_direction)
        return found.reshape(observations.shape[: -len(shape)])
