"""Configuration of the offline trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skillgym.checks import check_positive
from skillgym_envs.core.checks import check_choice, check_integer


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How a skill model is trained.

    Deviation: the authors of SPiRL train the kitchen model for 480 000 steps at a constant learning
    rate; the cosine schedule reaches the same quality in far fewer.

    Attributes:
        steps: Gradient steps.
        batch_size: Windows per step; at least two, for BatchNorm.
        learning_rate: Initial learning rate of RAdam.
        max_grad_norm: Larger gradients are scaled down to this norm, separately in each of the
            model's parameter groups. The first steps of RAdam are those of plain SGD, which a sharp
            initial prior can make diverge (gradients of 1e6 and more in the Fetch hook data); the
            authors bound those of the first 100 steps by 0.001.
        schedule: `"cosine"` falls to zero at the last step; `"constant"`.
        validation_share: Share of episodes that are used for validation.
        validation_batches: Batches of the fixed validation set.
        log_every: Steps between two rows of metrics (means over these steps).
        validate_every: Steps between validations, at which the best checkpoint is chosen.
        evaluate_every: Steps between calls of the evaluation callback; 0 for only at the end.
        checkpoint_every: Steps between checkpoints.
        seed: Seed of the split, the batches and the noise (not of the model's weights).
        device: Torch device.
    """

    steps: int = 30_000
    batch_size: int = 128
    learning_rate: float = 1e-3
    max_grad_norm: float = 100.0
    schedule: Literal["cosine", "constant"] = "cosine"
    validation_share: float = 0.02
    validation_batches: int = 2
    log_every: int = 100
    validate_every: int = 1_500
    evaluate_every: int = 0
    checkpoint_every: int = 1_000
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidConfig: If one is invalid.
        """
        positive = ("steps", "validation_batches", "log_every", "validate_every")
        for field in (*positive, "checkpoint_every"):
            check_integer(field, getattr(self, field), 1)
        for field in ("evaluate_every", "seed"):
            check_integer(field, getattr(self, field), 0)
        check_integer("batch_size", self.batch_size, 2)
        for field in ("learning_rate", "max_grad_norm"):
            check_positive(field, getattr(self, field))
        check_positive("validation_share", self.validation_share, below=1.0)
        check_choice("schedule", self.schedule, ("cosine", "constant"))
