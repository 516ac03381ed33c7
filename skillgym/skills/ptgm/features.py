"""What a goal is made of: named functions of an observation.

Names, because a checkpoint holds no code: it tells which function its goals were made with.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from skillgym.errors import InvalidConfig

Features = Callable[[Tensor], Tensor]
"""Maps observations (..., O) to features (..., F)."""

_FEATURES: dict[str, Features] = {"observation": lambda observations: observations}


def register_features(name: str, features: Features) -> None:
    """Make a function of observations available as `PtgmConfig(features=name)`.

    It is called without gradient, in training only: an agent that acts gets its goals from the
    codebook. A module (an embedding of videos, say) should be in evaluation mode. Register it
    before loading a model that was trained with it.

    Args:
        name: Its name.
        features: Maps observations, a tensor (..., O), to features (..., F).
    """
    _FEATURES[name] = features


def find_features(name: str) -> Features:
    """The function of a name.

    Raises:
        InvalidConfig: If none is registered under it.
    """
    if name not in _FEATURES:
        known = ", ".join(map(repr, _FEATURES))
        raise InvalidConfig("features", name, f"one of {known}, or a name of register_features")
    return _FEATURES[name]
