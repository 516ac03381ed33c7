"""PPO with the choices of ReSkill's authors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, Schedule

from skillgym.errors import InvalidConfig
from skillgym.rl.reskill.buffers import RewardToGoBuffer
from skillgym.rl.reskill.policies import ReskillActorCritic


class ReskillPPO(PPO):
    """SB3's PPO with the numbers of ReSkill: one of its two levels, or an agent by itself.

    What differs from SB3's: the critic has a learning rate of its own, its target is the
    reward-to-go, the standard deviation stays between 0.2 and 1, an update takes up to 180 steps on
    the whole roll-out, and gradients are not clipped. On skills (`SkillActions`) it is ReSkill
    without the residual.

    Paper: Rana et al. 2022, "Residual Skill Policies", Sec. 4.2; arXiv:2211.02231. Numbers are
    those of the authors' code, which is that of Spinning Up.

    Deviation: actor and critic step together, so that `target_kl` stops both; the authors' critic
        goes on. The divergence is SB3's estimate, not the mean of log-ratios.

    Args:
        policy: `"MlpPolicy"` (`ReskillActorCritic`), or an actor-critic policy of SB3.
        env: Environment.
        learning_rate: Of the actor; that of the critic is `critic_rate` (a keyword of the policy,
            10) times as high.
        rollout_steps: Actions of a roll-out, of all environments together.
        batch_size: Actions of one step; the whole roll-out if None.
        n_epochs: Passes over a roll-out.
        gamma: Discount per action.
        gae_lambda: Of the generalised advantages.
        clip_range: Of the ratio.
        target_kl: An update ends when the divergence exceeds 1.5 times this.
        vf_coef: Weight of the critic's loss.
        max_grad_norm: Bound of the gradient's norm.
        rollout_buffer_class: Kind of the buffer.
        kwargs: Any other keyword of SB3's PPO, except `n_steps`.

    Raises:
        InvalidConfig: If a roll-out has no step for every environment.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **PPO.policy_aliases,
        "MlpPolicy": ReskillActorCritic,
    }

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        learning_rate: float | Schedule = 1e-4,
        rollout_steps: int = 3_000,
        batch_size: int | None = None,
        n_epochs: int = 180,
        gamma: float = 0.99,
        gae_lambda: float = 0.97,
        clip_range: float | Schedule = 0.3,
        target_kl: float | None = 0.3,
        vf_coef: float = 1.0,
        max_grad_norm: float = math.inf,
        rollout_buffer_class: type[RolloutBuffer] = RewardToGoBuffer,
        **kwargs: Any,
    ) -> None:
        self.rollout_steps = rollout_steps
        super().__init__(
            policy,  # type: ignore[arg-type]
            env,  # type: ignore[arg-type]
            learning_rate=learning_rate,
            n_steps=rollout_steps,
            batch_size=batch_size or rollout_steps,
            n_epochs=n_epochs,
            gamma=gamma,
            gae_lambda=gae_lambda,
            clip_range=clip_range,
            target_kl=target_kl,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            rollout_buffer_class=rollout_buffer_class,
            **kwargs,
        )

    def _setup_model(self) -> None:
        self.n_steps = steps_per_env(self.rollout_steps, self.n_envs)
        super()._setup_model()

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        super()._update_learning_rate(optimizers)
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            for group in optimizer.param_groups:
                group["lr"] *= group.get("rate", 1.0)


def steps_per_env(rollout_steps: int, num_envs: int) -> int:
    """Steps of a roll-out in each environment.

    Args:
        rollout_steps: Those of all together.
        num_envs: Number of environments.

    Raises:
        InvalidConfig: If there is none.
    """
    if rollout_steps < num_envs:
        raise InvalidConfig("rollout_steps", rollout_steps, f"at least {num_envs}, one per env")
    return rollout_steps // num_envs
