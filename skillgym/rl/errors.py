"""Exceptions of the algorithms. Each takes the facts and composes one sentence."""

from __future__ import annotations

from collections.abc import Iterable

from skillgym.errors import SkillgymError, nearest, with_article

CONSTRUCTORS = {"Gaussian": "Gaussian(mean, log_std)", "Categorical": "Categorical(log_probs)"}
"""How a prior can construct the distribution that a policy starts as."""


class UnusablePrior(SkillgymError, ValueError):
    """A prior cannot be used for what was asked."""

    def __init__(self, problem: str, expected: str = "Gaussian") -> None:
        super().__init__(
            f"Got a prior {problem}, expected a network that maps observations to a {expected} "
            "over the skills of the environment, "
            f"skillgym.nn.distributions.{CONSTRUCTORS[expected]}; use such a prior, or 'MlpPolicy' "
            "for other kinds of priors."
        )


class NoPrior(SkillgymError, ValueError):
    """The environment has no prior."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"Got {problem}, expected an environment whose actions are the skills of a skill model "
            "with a prior; wrap it with SkillActions, give the skill model a prior, or pass "
            "prior=<network> or prior=None."
        )


class NoDemonstrations(SkillgymError, ValueError):
    """A skill model has not learned from demonstrations."""

    def __init__(self, given: str, missing: str) -> None:
        super().__init__(
            f"Got {with_article(given)} without {missing}, expected a skill model that was trained "
            "on demonstrations; make one with `skillgym pretrain skild-...` and use its skills."
        )


class ForeignPrior(SkillgymError, ValueError):
    """An agent is given other skills than it was trained with."""

    def __init__(self, name: object, given: str, expected: str) -> None:
        super().__init__(
            f"Got skills with sha256 {given[:12]} ({name!r}), expected {expected[:12]}, those that "
            "the agent was trained with; use it with that skill model."
        )


class ForeignAgent(SkillgymError, ValueError):
    """A saved agent is of another class, or has other tensors than one of this class."""

    def __init__(self, kind: str, saved: str | None = None) -> None:
        if saved is not None:
            super().__init__(
                f"Got a saved agent of the class {saved}, expected {with_article(kind)}; load it "
                f"with {saved}.load."
            )
            return
        super().__init__(
            f"Got a saved agent with other tensors than {with_article(kind)} has, expected one "
            "that this class saved with the same keywords and in this version; load it with the "
            "class that saved it, or train a new one."
        )


class NoResiduals(SkillgymError, ValueError):
    """An environment takes no residuals."""

    def __init__(self) -> None:
        super().__init__(
            "Got an environment without residuals, expected one whose actions are a skill and a "
            "residual; wrap the world with ResidualActions (several with VectorResidualActions)."
        )


class UnknownPreset(SkillgymError, ValueError):
    """There is no method of this name; it may be the name of a skill model."""

    def __init__(self, name: str, known: Iterable[str], users: Iterable[str] = ()) -> None:
        methods = ", ".join(users)
        super().__init__(
            f"Got the skill model {name!r} as method, expected one that acts with it: {methods}."
            if methods
            else f"Got the unknown method {name!r}; {nearest(name, known, 'skillgym worlds')}"
        )
