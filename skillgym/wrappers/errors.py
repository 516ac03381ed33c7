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
    """Something that is no skill model was given as one.

    No `TypeError`: Gymnasium makes a new error of those.
    """

    def __init__(self, given: object, missing: Sequence[str]) -> None:
        super().__init__(
            f"Got {with_article(type(given).__name__)} as skill model without "
            f"{', '.join(missing)}, expected the name of a bundled one, the path of a checkpoint, "
            "or a live model; `skillgym.load_skill` gives one, docs/own_skill_models.md says how "
            "to write one."
        )


class UnusableActions(SkillgymError, ValueError):
    """A skill model gives something that an environment cannot take as actions."""

    def __init__(self, model: object, problem: str, expected: Sequence[int]) -> None:
        name = type(model).__name__
        super().__init__(
            f"Got actions {problem} from {name}.act, expected finite numbers of shape "
            f"{tuple(expected)}, one row for each observation; correct {name}.act, or the "
            "observations if these are not finite."
        )


class UnusableEnds(SkillgymError, ValueError):
    """A skill model says in an unusable way which skills are over."""

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
            f"{expected}; create it with autoreset_mode=AutoresetMode.{expected}; for ids that are "
            "none of skillgym's, gymnasium.make_vec wants it as "
            f'vector_kwargs={{"autoreset_mode": AutoresetMode.{expected}}}.'
        )


class UnevenSkills(SkillgymError, RuntimeError):
    """Skills of one batch end at different control steps."""

    def __init__(self) -> None:
        super().__init__(
            "Got a skill model that ends skills of one batch at different control steps, expected "
            "equal lengths in VectorSkillActions; put SkillActions inside a SyncVectorEnv instead."
        )
