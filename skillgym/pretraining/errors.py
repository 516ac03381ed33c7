"""Errors of the training of skill models."""

from __future__ import annotations

from collections.abc import Iterable

from skillgym.errors import SkillgymError, nearest, with_article


class NotTrainable(SkillgymError, TypeError):
    """The object to train is not a skill model that the trainer can train."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"Got {with_article(type(given).__name__)} to train, expected a subclass of "
            "skillgym.skills.base.SkillModule; derive the class from it as "
            "docs/own_skill_models.md says."
        )


class ShortEpisodes(SkillgymError, ValueError):
    """The training or validation part of the data has no episode as long as a skill."""

    def __init__(self, part: str, longest: int, horizon: int) -> None:
        super().__init__(
            f"Got data whose {part} part has episodes of at most {longest} actions, expected one "
            f"of at least {horizon}; choose another validation_share or seed, or add longer "
            "episodes."
        )


class MissingMetric(SkillgymError, LookupError):
    """A model's validation lacks the metric by which the best checkpoint is chosen."""

    def __init__(self, name: str, given: Iterable[str]) -> None:
        super().__init__(
            f"Got no {name!r} from the model's validation, expected it as its selection_metric; "
            f"{nearest(name, given)}"
        )
