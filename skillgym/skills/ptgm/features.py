"""What a goal is made of: named functions of an observation.

Names, because a checkpoint holds no code: it tells which function its goals were made with.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from torch import Tensor, nn

from skillgym.errors import InvalidConfig

Features = Callable[[Tensor], Tensor]
"""Maps observations (..., O) to features (..., F)."""

_FEATURES: dict[str, Features] = {"observation": lambda observations: observations}


def register_features(name: str, features: Features) -> None:
    """Make a function of observations available as `PtgmConfig(features=name)`.

    It is called without gradient, in training only: an agent that acts gets its goals from the
    codebook. A module (an embedding of videos, say) should be in evaluation mode, and is given
    observations on its own device. Register it before loading a model that was trained with it.

    Args:
        name: Its name.
        features: Maps observations, a tensor (..., O), to features (..., F).
    """
    _FEATURES[name] = features


def features_of(name: str, observations: Tensor) -> Tensor:
    """Features (..., F) of observations (..., O), on their device.

    Raises:
        InvalidConfig: If no function is registered under the name.
    """
    if name not in _FEATURES:
        known = ", ".join(map(repr, _FEATURES))
        raise InvalidConfig("features", name, f"one of {known}, or a name of register_features")
    features, given = _FEATURES[name], observations
    if isinstance(features, nn.Module):
        tensors = chain(features.parameters(), features.buffers())
        given = observations.to(next(tensors, observations).device)
    return features(given).to(observations.device)
