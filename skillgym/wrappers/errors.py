"""Exceptions of the wrappers. Each takes the facts and composes one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from skillgym.errors import SkillgymError, with_article


class InvalidSkill(SkillgymError, ValueError):
    """A skill has the wrong shape or is not finite."""

    def __init__(self, problem: str, expected: Sequence[int]) -> None:
        super().__init__(
            f"Got a skill {problem}, expected finite numbers of shape {tuple(expected)}; "
            "choose it from the action space of the wrapped environment."
        )


class UnusableSkillModel(SkillgymError, ValueError):
    """An object that is not a skill model was given as one.

    Not a `TypeError`, because Gymnasium re-raises those as new errors.
    """

    def __init__(self, given: object, missing: Sequence[str]) -> None:
        super().__init__(
            f"Got {with_article(type(given).__name__)} as skill model without "
            f"{', '.join(missing)}, expected the name of a bundled one, the path of a checkpoint, "
            "or a live model; load one with `skillgym.load_skill`, or write one as described in "
            "docs/own_skill_models.md."
        )


class UnusableActions(SkillgymError, ValueError):
    """A skill model's output cannot be used as actions of the environment."""

    def __init__(self, model: object, problem: str, expected: Sequence[int]) -> None:
        name = type(model).__name__
        super().__init__(
            f"Got actions {problem} from {name}.act, expected finite numbers of shape "
            f"{tuple(expected)}, one row for each observation; correct {name}.act, or the "
            "observations if these are not finite."
        )


class UnusableEnds(SkillgymError, ValueError):
    """A skill model's output cannot be used to tell which skills are over."""

    def __init__(self, model: object, problem: str, count: int) -> None:
        name = f"{type(model).__name__}.finished"
        super().__init__(
            f"Got {problem} from {name}, expected booleans of shape {(count,)}, one for each "
            f"observation; correct {name}."
        )


class WrongAutoresetMode(SkillgymError, ValueError):
    """A vector environment resets its environments in a way that a wrapper cannot use."""

    def __init__(self, user: str, given: object, expected: str) -> None:
        super().__init__(
            f"Got a vector environment with autoreset mode {given} for {user}, expected "
            f"{expected}; create it with autoreset_mode=AutoresetMode.{expected}; for ids of other "
            "packages, gymnasium.make_vec takes it as "
            f'vector_kwargs={{"autoreset_mode": AutoresetMode.{expected}}}.'
        )


class UnevenSkills(SkillgymError, RuntimeError):
    """Skills of a batch end at different control steps."""

    def __init__(self) -> None:
        super().__init__(
            "Got a skill model that ends skills of a batch at different control steps, expected "
            "equal lengths in VectorSkillActions; put SkillActions inside a SyncVectorEnv instead."
        )
