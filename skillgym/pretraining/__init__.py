"""Offline training of skill models."""

from __future__ import annotations

from skillgym.pretraining.config import TrainerConfig
from skillgym.pretraining.trainer import OfflineTrainer, TrainingResult, pretrain

__all__ = ["OfflineTrainer", "TrainerConfig", "TrainingResult", "pretrain"]
