"""Settings that cannot work are refused in one sentence, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from skillgym.checks import check_positive
from skillgym.errors import InvalidConfig
from skillgym.pretraining import TrainerConfig
from skillgym.skills.ptgm import PtgmConfig
from skillgym.skills.reskill import ReskillConfig
from skillgym.skills.skild.config import SkildConfig
from skillgym.skills.spirl import FlatPriorConfig, ImageSpirlConfig, SpirlConfig


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (TrainerConfig, "steps", 10.5),
        (TrainerConfig, "steps", None),
        (TrainerConfig, "steps", True),
        (TrainerConfig, "learning_rate", "1e-3"),
        (TrainerConfig, "max_grad_norm", float("nan")),
        (TrainerConfig, "validation_share", None),
        (TrainerConfig, "schedule", None),
        (SpirlConfig, "hidden_size", 128.5),
        (SpirlConfig, "hidden_size", "8"),
        (SpirlConfig, "beta", "small"),
        (SpirlConfig, "target_kl", -1.0),
        (SpirlConfig, "beta_learning_rate", 0.0),
        (SpirlConfig, "prior", ["gaussian"]),
        (SpirlConfig, "prior_noise", 0.1),
        (SpirlConfig, "prior_noise", ("0.1",)),
        (SpirlConfig, "squash_actions", "no"),
        (ImageSpirlConfig, "image_size", 32.0),
        (FlatPriorConfig, "num_layers", 2.5),
        (SkildConfig, "discriminator_size", None),
        (SkildConfig, "fallback_weight", "0.1"),
        (ReskillConfig, "layer_sizes", 64),
        (ReskillConfig, "layer_sizes", (64, 32.5)),
        (ReskillConfig, "flow_layers", "4"),
        (ReskillConfig, "prior_decay", None),
        (PtgmConfig, "goal", 3),
        (PtgmConfig, "goal", (0, -1)),
        (PtgmConfig, "goal", ("0", "1")),
        (PtgmConfig, "num_codes", 2.5),
        (PtgmConfig, "codebook", {}),
        (PtgmConfig, "sample_actions", "yes"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    kind: Callable[..., Any], field: str, value: object
) -> None:
    with pytest.raises(InvalidConfig, match=f"Got {field}="):
        kind(**{field: value})


def test_positive_numbers() -> None:
    check_positive("rate", np.float32(0.5))
    assert TrainerConfig(max_grad_norm=float("inf")).max_grad_norm > 1e9  # no clipping
    with pytest.raises(InvalidConfig, match="rate=0, expected a positive number;"):
        check_positive("rate", 0)
    with pytest.raises(InvalidConfig, match="share=1, expected a positive number below 1;"):
        check_positive("share", 1, below=1.0)
