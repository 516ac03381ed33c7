"""Where an agent's prior comes from, and how it is told apart from another one."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any, ClassVar, Literal, Self

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from skillgym.errors import InvalidConfig, NormalizedObservations, with_article
from skillgym.nn.mlp import sha256
from skillgym.rl.errors import ForeignPrior, NoDemonstrations, NoPrior

SOURCES = {"auto": "prior", "posterior": "posterior"}
"""Words for a distribution of the skill model, and the attribute that holds it."""


class PriorAlgorithm(BaseAlgorithm):
    """What agents with a prior share: they freeze a copy of it and know it again when loaded.

    Attributes:
        prior: The frozen copy; None for no prior.
        prior_policy: Policy that starts as the prior.
        prior_source: What the user gave: `"auto"`, `"posterior"`, a network, or None for no prior.
        prior_reference: Name and digest of what the agent was trained with; saved with the agent.
    """

    prior: nn.Module | None
    prior_policy: ClassVar[type[BasePolicy]]
    prior_source: Literal["auto", "posterior"] | nn.Module | None = None
    prior_reference: dict[str, Any] | None = None

    @classmethod
    def load(cls, *arguments: Any, **keywords: Any) -> Self:
        """Load an agent (see SB3's `BaseAlgorithm.load`)."""
        with warnings.catch_warnings():
            # SB3 has made the buffer for returns over several steps itself.
            warnings.filterwarnings("ignore", message="`n_steps=.* is ignored")
            return super().load(*arguments, **keywords)

    def _setup_model(self) -> None:
        self._setup_prior()
        policy_kwargs = self.policy_kwargs
        if issubclass(self.policy_class, self.prior_policy):
            # Only for the construction: the saved agent does not repeat the prior.
            self.policy_kwargs = {**policy_kwargs, "prior": self._initial_policy()}
        super()._setup_model()  # type: ignore[safe-super]
        self.policy_kwargs = policy_kwargs

    def _setup_prior(self) -> None:
        """Find what is frozen, and check that the agent was trained with it."""
        self.prior = self._frozen_prior()

    def _initial_policy(self) -> nn.Module | None:
        """The network that `prior_policy` starts as."""
        return self.prior

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "prior"]

    def _frozen_prior(self) -> nn.Module | None:
        """A frozen copy of the prior that the agent asks for; None for no prior.

        Raises:
            NoPrior: If there is no skill model to take it from, or if it has no prior.
            NormalizedObservations: If observations are normalised, which the prior would not
                understand.
            ForeignPrior: If it is not the prior that the agent was trained with.
        """
        source, name = find_prior(self.prior_source, self.env, self.prior_reference)
        if source is None:
            return None
        prior = self._frozen(source)
        self._check_reference(name, prior)
        return prior

    def _frozen(self, source: nn.Module) -> nn.Module:
        """A frozen copy of a distribution over skills."""
        refuse_normalized(self)
        return frozen_copy(source, self.device)

    def _check_reference(self, name: str | None, *networks: nn.Module) -> None:
        """Remember the digest of frozen networks, or compare it with that of the saved agent."""
        digest = sha256(*networks)
        if self.prior_reference is None:
            self.prior_reference = {"skill_model": name, "sha256": digest}
        elif digest != self.prior_reference["sha256"]:
            raise ForeignPrior(name, digest, self.prior_reference["sha256"])


def refuse_normalized(agent: BaseAlgorithm) -> None:
    """Check that an agent sees raw observations.

    Raises:
        NormalizedObservations: If they are normalised.
    """
    if agent._vec_normalize_env is not None and agent._vec_normalize_env.norm_obs:
        raise NormalizedObservations("VecNormalize with norm_obs=True", "use norm_obs=False")


def find_prior(
    source: Literal["auto", "posterior"] | nn.Module | None,
    env: VecEnv | None,
    reference: dict[str, Any] | None,
) -> tuple[nn.Module | None, str | None]:
    """The prior that an agent asks for, and the name of the skill model it belongs to.

    Args:
        source: `"auto"` or `"posterior"` of the skill model, a network, or None for no prior.
        env: The agent's environment, if it has one.
        reference: For a loaded agent, the skill model that it was trained with.

    Returns:
        The prior and the skill model's name or path (None if it has none).

    Raises:
        InvalidConfig: If it is none of these.
        NoPrior: If there is no skill model to take it from, or if it has no prior.
        NoDemonstrations: If the skill model has no posterior.
    """
    if source is None or isinstance(source, nn.Module):
        return source, None
    if not isinstance(source, str) or source not in SOURCES:
        raise InvalidConfig("prior", source, "'auto', 'posterior', a network or None")
    model, name = find_skill_model(env, reference)
    return distribution_of(model, SOURCES[source]), name


def find_skill_model(
    env: VecEnv | None, reference: dict[str, Any] | None
) -> tuple[Any, str | None]:
    """The skill model of an agent's environment, and its name or path (None if it has none).

    Args:
        env: The agent's environment, if it has one.
        reference: For a loaded agent, the skill model that it was trained with.

    Raises:
        NoPrior: If there is none.
    """
    if env is not None:
        try:
            return env.get_attr("skill_model")[0], env.get_attr("skill_name")[0]
        except AttributeError:
            raise NoPrior("an environment without a skill model") from None
    if reference is None or reference["skill_model"] is None:
        raise NoPrior("no environment and no name of a skill model")
    # Only agents that are loaded without an environment come here.
    from skillgym.hub import load_skill

    name: str = reference["skill_model"]
    return load_skill(name), name


def distribution_of(model: Any, name: str) -> nn.Module:
    """A skill model's part, for example its `"posterior"`.

    Raises:
        NoPrior: If it is the prior, and there is none.
        NoDemonstrations: If there is none of what is learned from demonstrations.
    """
    part: nn.Module | None = getattr(model, name, None)
    if part is None and name == "prior":
        raise NoPrior(f"{with_article(type(model).__name__)} without prior")
    if part is None:
        raise NoDemonstrations(type(model).__name__, name)
    return part


def frozen_copy(prior: nn.Module, device: torch.device) -> nn.Module:
    """A copy in evaluation mode whose parameters take no gradient."""
    return deepcopy(prior).eval().requires_grad_(False).to(device)
