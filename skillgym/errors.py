"""Exceptions of skillgym. Each takes the facts and composes one sentence. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from skillgym_envs.core.errors import InvalidConfig, SkillgymError, nearest


def with_article(name: str) -> str:
    """A name after "a" or "an"."""
    return f"{'an' if name.startswith(tuple('AEIOaeio')) else 'a'} {name}"


class UnknownField(SkillgymError, ValueError):
    """A configuration has a field that its dataclass lacks."""

    def __init__(self, field: str, owner: str, known: Iterable[str]) -> None:
        super().__init__(f"Got the unknown field {field!r} for {owner}; {nearest(field, known)}")


class UnsupportedSpace(SkillgymError, ValueError):
    """A space is of a type that cannot be used."""

    def __init__(
        self, role: str, given: object, expected: str = "a one-dimensional Box", advice: str = ""
    ) -> None:
        if not advice:
            advice = "choose an environment or a skill model that has one"
            if role == "observation":
                advice = "flatten the environment first (gymnasium.wrappers.FlattenObservation)"
        super().__init__(f"Got the {role} space {given}, expected {expected}; {advice}.")


class ShapeMismatch(SkillgymError, ValueError):
    """An array or tensor has the wrong shape."""

    def __init__(self, what: str, given: Sequence[int], expected: str) -> None:
        super().__init__(
            f"Got {what} of shape {tuple(given)}, expected {expected}; check where it was made."
        )


class SkillOutOfRange(SkillgymError, ValueError):
    """A discrete skill has an index that does not exist."""

    def __init__(self, given: object, space: object) -> None:
        super().__init__(
            f"Got the skill {given}, expected an element of {space}; choose it from the action "
            "space of the wrapped environment."
        )


class MissingPackage(SkillgymError, ImportError):
    """An optional package is needed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(
            f"Got no package {package}, expected it for {purpose}; install it with "
            f"`pip install {package}` or `pip install skillgym[extra]`."
        )


class UnknownSkill(SkillgymError, LookupError):
    """Neither a bundled skill model nor a directory has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"Got the skill model {name!r}, which is neither a bundled model nor a directory "
            f"(`skillgym pretrain` makes one); {nearest(name, known)}"
        )


class NoSkillInRun(SkillgymError, FileNotFoundError):
    """A run folder has no checkpoint of a skill model."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Got the run folder {folder} without a checkpoint of a skill model, expected one of "
            "`skillgym pretrain`; continue that run until its first checkpoint, or give another "
            "folder."
        )


class MissingFile(SkillgymError, FileNotFoundError):
    """A checkpoint directory lacks one of its files."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Got a checkpoint without {path.name} in {path.parent}, expected a directory written "
            "by save_skill; copy the whole directory again."
        )


class CorruptFile(SkillgymError, ValueError):
    """A file of a checkpoint cannot be read."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"Got the unreadable file {path} ({reason}), expected the complete file that was "
            "saved; copy it again or use another checkpoint."
        )


class UnknownFormat(SkillgymError, ValueError):
    """A checkpoint has a format number that this version cannot read."""

    def __init__(self, path: Path, given: object, newest: int) -> None:
        super().__init__(
            f"Got the checkpoint {path} with format {given!r}, expected a number from 1 to "
            f"{newest}; update skillgym or save the checkpoint again."
        )


class UnknownType(SkillgymError, ValueError):
    """A checkpoint holds a type of skill model that is not registered."""

    def __init__(self, given: object, known: Iterable[str]) -> None:
        super().__init__(
            f"Got the unknown skill model type {given!r}, expected a registered one; for your own "
            "class, import its module and call `skillgym.hub.register_model_type` first, as "
            f"docs/own_skill_models.md says; {nearest(str(given), known)}"
        )


class CheckpointMismatch(SkillgymError, ValueError):
    """The tensors of a checkpoint do not fit the model of its configuration."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"Got the checkpoint {path} in which {problem}, expected the tensors of its "
            "config.json; the files are of different models, so copy the whole directory again."
        )


class CheckpointNotWritten(SkillgymError, OSError):
    """A checkpoint could not be written, e.g. because the disk is full."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"Got an error while writing {path} ({reason}), expected room and permission to write; "
            "free some space and resume: what was there before is untouched."
        )


class ForeignWorld(SkillgymError, ValueError):
    """A skill model is used in a world that it was not made for."""

    def __init__(self, what: str, given: object, expected: object) -> None:
        super().__init__(
            f"Got an environment whose {what} is {given}, expected {expected} as in the skill "
            "model; use a skill model made for this environment."
        )


class NormalizedObservations(SkillgymError, ValueError):
    """Observations are normalised, which skills, priors and demonstrations are not made for."""

    def __init__(self, given: str, remedy: str) -> None:
        super().__init__(
            f"Got {given}, expected raw observations, like those in demonstrations and in the "
            f"training data of skill models and priors; {remedy}."
        )


class UnusableConfig(SkillgymError, TypeError):
    """An object that is not a skill model's configuration was given as one."""

    def __init__(self, owner: str, given: object, expected: str) -> None:
        super().__init__(
            f"Got {with_article(type(given).__name__)} as configuration of {owner}, expected "
            f"{with_article(expected)}; write its fields as keywords of {expected}(...)."
        )


class NotSavable(SkillgymError, TypeError):
    """An object cannot be saved, as it could not be rebuilt from a checkpoint."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"Got {with_article(type(given).__name__)} to save, expected a subclass of "
            "skillgym.skills.base.SkillModule, which can be rebuilt from its configuration and "
            "tensors; derive the class from it as docs/own_skill_models.md says."
        )


class UnusableEmbedding(SkillgymError, TypeError):
    """A skill model cannot be the embedding of another one."""

    def __init__(self, given: str, expected: str) -> None:
        super().__init__(
            f"Got a {given} as skill embedding, expected a {expected}; load or train one of those."
        )


class ForeignEmbedding(SkillgymError, ValueError):
    """Parts of a skill model belong to different skill embeddings."""

    def __init__(self, given: str, expected: str) -> None:
        super().__init__(
            f"Got a skill embedding with sha256 {given[:12]}, expected {expected[:12]}, the one "
            "with which posterior and discriminator were trained; use the files of one model, or "
            "train them again for this embedding."
        )


class NotEnoughData(SkillgymError, ValueError):
    """A dataset is too small for what was asked."""

    def __init__(self, what: str, given: int, expected: int) -> None:
        super().__init__(f"Got {given} {what}, expected at least {expected}; collect more data.")


class RunExists(SkillgymError, FileExistsError):
    """A new run would overwrite an older one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Got the run folder {folder}, which already holds a run, expected an unused one; "
            "resume it (resume=True) or choose another folder."
        )


class ResumeMismatch(SkillgymError, ValueError):
    """A run is resumed with other settings than it was started with."""

    def __init__(self, what: str, given: object, expected: object) -> None:
        super().__init__(
            f"Got {what} {given!r} for a run that was started with {expected!r}; "
            "resume with the same value or start a new run."
        )


class TrainingDiverged(SkillgymError, FloatingPointError):
    """A loss is no longer finite."""

    def __init__(self, step: int, name: str) -> None:
        super().__init__(
            f"Got a non-finite {name} at gradient step {step}, expected a number; "
            "check the data for NaN or lower learning_rate."
        )


__all__ = [
    "CheckpointMismatch",
    "CheckpointNotWritten",
    "CorruptFile",
    "ForeignEmbedding",
    "ForeignWorld",
    "InvalidConfig",
    "MissingFile",
    "MissingPackage",
    "NoSkillInRun",
    "NormalizedObservations",
    "NotEnoughData",
    "NotSavable",
    "ResumeMismatch",
    "RunExists",
    "ShapeMismatch",
    "SkillOutOfRange",
    "SkillgymError",
    "TrainingDiverged",
    "UnknownField",
    "UnknownFormat",
    "UnknownSkill",
    "UnknownType",
    "UnsupportedSpace",
    "UnusableConfig",
    "UnusableEmbedding",
    "nearest",
    "with_article",
]
