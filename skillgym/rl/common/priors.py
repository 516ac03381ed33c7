"""Where an agent's prior comes from, and how it is identified when the agent is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar, Literal, Self

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from skillgym.errors import (
    InvalidConfig,
    NormalizedObservations,
    SkillgymError,
    with_article,
)
from skillgym.nn.mlp import sha256
from skillgym.rl.errors import ForeignAgent, ForeignPrior, NoDemonstrations, NoPrior

SOURCES = {"auto": "prior", "posterior": "posterior"}
"""Values of `prior` that name a distribution of the skill model, and its attribute."""


class PriorAlgorithm(BaseAlgorithm):
    """Base of agents with a prior: they freeze a copy of it, and check it when they are loaded.

    Attributes:
        prior: The frozen copy; None for no prior.
        prior_policy: Policy that starts as the prior.
        prior_source: The argument `prior`: `"auto"`, `"posterior"`, a network, or None for no
            prior.
        prior_reference: Name and digests of the skill model and networks that the agent was trained
            with; saved with the agent.
        agent_class: Name of the agent's class in skillgym; saved, too.
    """

    saved_settings: ClassVar[tuple[str, ...]] = ("prior",)
    """Keywords that `load` cannot change, because the saved tensors depend on them."""
    prior: nn.Module | None
    prior_policy: ClassVar[type[BasePolicy]]
    prior_source: Literal["auto", "posterior"] | nn.Module | None = None
    prior_reference: dict[str, Any] | None = None
    agent_class: str | None = None

    @classmethod
    def load(cls, *arguments: Any, **keywords: Any) -> Self:
        """Load an agent (see SB3's `BaseAlgorithm.load`).

        Raises:
            InvalidConfig: If a keyword is given that can no longer be changed.
            ForeignAgent: If it is of another class of skillgym or has other tensors, for example
                because it was saved by an earlier version.
            ForeignPrior: If the skills are not those that the agent was trained with.
        """
        for name in cls.saved_settings:
            if name in keywords:
                expected = (
                    f"no other {name} than the saved agent's; make a new agent, and give it the "
                    "saved networks with set_parameters(path, exact_match=False)"
                )
                raise InvalidConfig(name, keywords[name], expected)
        with warnings.catch_warnings():
            # The saved class of the buffer is the one that SB3 chose for n-step returns.
            warnings.filterwarnings("ignore", message="`n_steps=.* is ignored")
            try:
                return super().load(*arguments, **keywords)
            except KeyError as error:
                # SB3 looks this one up once the tensors have not fitted, whatever the agent has.
                if error.args != ("policy.optimizer",):
                    raise
                raise ForeignAgent(cls.__name__) from error

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Change the environments (see SB3's `BaseAlgorithm.set_env`); the skills stay the same.

        Raises:
            NormalizedObservations: If observations are normalised.
            ForeignPrior: If the skills are not those that the agent was trained with.
        """
        with kept_if_refused(self):
            super().set_env(env, force_reset)
            self._check_skills()

    def _check_skills(self) -> None:
        """Check that the environments have the skills that the agent was trained with."""
        self._frozen_prior()

    def _check_class(self) -> None:
        """Check that a saved agent is of this class; subclasses of users may have any name."""
        ours = next(c for c in type(self).__mro__ if c.__module__.startswith("skillgym."))
        saved, self.agent_class = self.agent_class, ours.__name__
        if saved not in (None, self.agent_class):
            raise ForeignAgent(self.agent_class, saved)

    def _setup_model(self) -> None:
        self._check_class()
        self._setup_prior()
        policy_kwargs = self.policy_kwargs
        if issubclass(self.policy_class, self.prior_policy):
            # Only for the construction: the prior is not saved with the agent.
            self.policy_kwargs = {**policy_kwargs, "prior": self._initial_policy()}
        super()._setup_model()  # type: ignore[safe-super]
        self.policy_kwargs = policy_kwargs

    def _setup_prior(self) -> None:
        """Freeze the prior, and check that the agent was trained with it."""
        self.prior = self._frozen_prior()

    def _initial_policy(self) -> nn.Module | None:
        """The network that `prior_policy` starts as."""
        return self.prior

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "prior"]

    def _frozen_prior(self) -> nn.Module | None:
        """A frozen copy of the prior that the agent asks for; None for no prior.

        Raises:
            InvalidConfig: If `prior` is none of the possible values.
            NoPrior: If there is no skill model, or if it has no prior.
            NoDemonstrations: If the skill model has no posterior.
            NormalizedObservations: If observations are normalised, for which the prior is not
                trained.
            ForeignPrior: If it is not the prior that the agent was trained with.
        """
        model, name, source = None, None, self.prior_source
        if isinstance(source, str) and source in SOURCES:
            model, name = find_skill_model(self.env, self.prior_reference)
            source = distribution_of(model, SOURCES[source])
        if source is None:
            return None
        if not isinstance(source, nn.Module):
            raise InvalidConfig("prior", source, "'auto', 'posterior', a network or None")
        prior = self._frozen(source)
        self._check_reference(name, model, prior)
        return prior

    def _frozen(self, source: nn.Module) -> nn.Module:
        """A frozen copy of a distribution over skills."""
        refuse_normalized(self)
        return frozen_copy(source, self.device)

    def _check_reference(self, name: str | None, model: Any, *networks: nn.Module) -> None:
        """Store the digests of skill model and frozen networks, or compare them with saved ones.

        Raises:
            ForeignPrior: If they differ.
        """
        digests = {"sha256": sha256(*networks)}
        if isinstance(model, nn.Module):
            digests["model_sha256"] = sha256(model)
        if self.prior_reference is None:
            self.prior_reference = {"skill_model": name, **digests}
        for key, digest in digests.items():
            trained = self.prior_reference.get(key, digest)  # agents of earlier versions lack one
            if digest != trained:
                raise ForeignPrior(name, digest, trained)


@contextmanager
def kept_if_refused(agent: BaseAlgorithm) -> Iterator[None]:
    """Restore an agent's environments, and where they are, if new ones are refused."""
    before = agent.env, agent._vec_normalize_env, agent._last_obs
    try:
        yield
    except SkillgymError:
        agent.env, agent._vec_normalize_env, agent._last_obs = before
        raise


def refuse_normalized(agent: BaseAlgorithm) -> None:
    """Check that an agent sees raw observations.

    Raises:
        NormalizedObservations: If they are normalised.
    """
    if agent._vec_normalize_env is not None and agent._vec_normalize_env.norm_obs:
        raise NormalizedObservations("VecNormalize with norm_obs=True", "use norm_obs=False")


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
    """A part of a skill model, for example its `"posterior"`.

    Raises:
        NoPrior: If the skill model has no prior.
        NoDemonstrations: If it lacks a part that is learned from demonstrations.
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
