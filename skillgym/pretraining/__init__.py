"""Offline training of skill models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skillgym.lazy import lazily

if TYPE_CHECKING:
    from skillgym.pretraining.config import TrainerConfig
    from skillgym.pretraining.trainer import TrainingResult, pretrain

__all__ = ["TrainerConfig", "TrainingResult", "pretrain"]

__getattr__ = lazily(
    __name__,
    {
        "config": ("TrainerConfig",),
        "trainer": ("TrainingResult", "pretrain"),
    },
)
