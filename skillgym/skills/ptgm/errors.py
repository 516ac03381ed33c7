"""Exceptions of PTGM. Each takes the facts and composes one sentence."""

from __future__ import annotations

from pathlib import Path

from skillgym.errors import SkillgymError


class NoCodebook(SkillgymError, RuntimeError):
    """A model is used before its codebook is built."""

    def __init__(self) -> None:
        super().__init__(
            "Got a PTGM model without a codebook, expected one whose codes are chosen; call "
            "model.prepare(data, seed), or train it with skillgym.pretraining.pretrain."
        )


class UnreadablePublished(SkillgymError, ValueError):
    """A published file does not have the expected content."""

    def __init__(self, path: Path, problem: object, expected: str) -> None:
        super().__init__(
            f"Got {path} with {problem}, expected {expected}; check that it is the file that the "
            "authors of PTGM published."
        )
