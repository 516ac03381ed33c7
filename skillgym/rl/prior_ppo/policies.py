"""SB3's actor-critic whose actor starts as a prior over discrete skills.

Shapes: `B` batch, `O` observation, `K` skills.
"""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from skillgym.rl.common.policies import refuse_net_arch, trainable_copy


class PriorLogits(nn.Module):
    """The log-probabilities of a prior, as logits.

    Args:
        prior: Maps (B, O) to a `Categorical` over (B, K).
    """

    def __init__(self, prior: nn.Module) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, obs: Tensor) -> Tensor:
        """Logits (B, K) of observations (B, O)."""
        logits: Tensor = self.prior(obs).log_probs
        return logits


class SkillPriorActorCritic(ActorCriticPolicy):
    """Actor that starts as a copy of the prior, and a separate, randomly initialised value network.

    BatchNorm layers of the actor always use their running statistics.

    Args:
        observation_space: Observations (O,).
        action_space: Skills, Discrete(K).
        lr_schedule: Learning rate as a function of the remaining progress.
        prior: Network that the actor is a copy of; passed by `PriorPPO`.
        value_arch: Widths of the value network's hidden layers.
        kwargs: Other keywords of SB3's actor-critic policy, except `net_arch`.

    Raises:
        InvalidConfig: If `net_arch` is given.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        prior: nn.Module,
        value_arch: tuple[int, ...] = (64, 64),
        **kwargs: Any,
    ) -> None:
        refuse_net_arch(kwargs, "value_arch")
        # A function, because a module cannot own another before its own constructor has run.
        self._initial_network = lambda: prior
        self.value_arch = value_arch
        net_arch: dict[str, list[int]] = {"pi": [], "vf": list(value_arch)}
        super().__init__(observation_space, action_space, lr_schedule, net_arch=net_arch, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        self.action_net = PriorLogits(trainable_copy(self._initial_network(), "Categorical"))
        self.optimizer = self.optimizer_class(  # type: ignore[call-arg]
            self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )

    def train(self, mode: bool = True) -> SkillPriorActorCritic:
        """Switch to training mode, except for the actor, whose running statistics are fixed."""
        super().train(mode)
        self.action_net.eval()
        return self

    def _get_constructor_parameters(self) -> dict[str, Any]:
        parameters = super()._get_constructor_parameters()
        del parameters["net_arch"]
        network: Any = self.action_net
        return parameters | {"prior": network.prior, "value_arch": self.value_arch}
