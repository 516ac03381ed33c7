"""Where an agent's prior comes from, and how it is told apart from another one."""

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
"""Words for a distribution of the skill model, and the attribute that holds it."""


class PriorAlgorithm(BaseAlgorithm):
    """What agents with a prior share: they freeze a copy of it and know it again when loaded.

    Attributes:
        prior: The frozen copy; None for no prior.
        prior_policy: Policy that starts as the prior.
        prior_source: What the user gave: `"auto"`, `"posterior"`, a network, or None for no prior.
        prior_reference: Name and digest of what the agent was trained with; saved with the agent.
        agent_class: Name of the class of skillgym that it is of; saved, too.
    """

    saved_settings: ClassVar[tuple[str, ...]] = ("prior",)
    """Keywords that `load` cannot change: tensors that are saved depend on them."""
    prior: nn.Module | None
    prior_policy: ClassVar[type[BasePolicy]]
    prior_source: Literal["auto", "posterior"] | nn.Module | None = None
    prior_reference: dict[str, Any] | None = None
    agent_class: str | None = None

    @classmethod
    def load(cls, *arguments: Any, **keywords: Any) -> Self:
        """Load an agent (see SB3's `BaseAlgorithm.load`).

        Raises:
            InvalidConfig: If a keyword is given that cannot change any more.
            ForeignAgent: If it is one of another class of skillgym, or has other tensors, such as
                one of an earlier version.
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
            # SB3 has made the buffer for returns over several steps itself.
            warnings.filterwarnings("ignore", message="`n_steps=.* is ignored")
            try:
                return super().load(*arguments, **keywords)
            except KeyError as error:  # what SB3 makes of any tensors but the expected ones
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
        """Check that a saved agent is of this class; how users name their subclasses is theirs."""
        ours = next(c for c in type(self).__mro__ if c.__module__.startswith("skillgym."))
        saved, self.agent_class = self.agent_class, ours.__name__
        if saved not in (None, self.agent_class):
            raise ForeignAgent(self.agent_class, saved)

    def _setup_model(self) -> None:
        self._check_class()
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
            InvalidConfig: If the prior is none of what it may be.
            NoPrior: If there is no skill model to take it from, or if it has no prior.
            NoDemonstrations: If the skill model has no posterior.
            NormalizedObservations: If observations are normalised, which the prior would not
                understand.
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
        """Remember the digests of skill model and frozen networks, or compare them with the saved.

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
    """Give an agent its environments back if others are refused."""
    before = agent.env, agent._vec_normalize_env
    try:
        yield
    except SkillgymError:
        agent.env, agent._vec_normalize_env = before
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
