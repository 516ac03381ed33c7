"""Features that goals consist of: named functions of an observation.

Functions have names because a checkpoint contains no code: it only stores the name of the function
that computed its goals. Only training calls the function. An agent takes its goals from the
codebook, so a checkpoint loads and runs without the function, and loading imports no module that it
names.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import chain
from operator import attrgetter
from typing import Any

from torch import Tensor, nn

from skillgym.errors import InvalidConfig

Features = Callable[[Tensor], Tensor]
"""Maps observations (..., O) to features (..., F)."""

DEFAULT = "observation"
"""Name of the features that are the observation itself."""

_FEATURES: dict[str, Features] = {DEFAULT: lambda observations: observations}


def register_features(name: str, features: Features) -> None:
    """Make a function of observations available as `PtgmConfig(features=name)`.

    A function that can be imported needs no registration: `features="package.module:function"`.

    It is called without gradient and only in training: an agent takes its goals from the codebook.
    A module (such as an embedding of videos) should be in evaluation mode, and receives
    observations on its own device.

    Args:
        name: Name of the function.
        features: Maps observations, a tensor (..., O), to features (..., F).
    """
    _FEATURES[name] = features


def features_of(name: str, observations: Tensor) -> Tensor:
    """Features (..., F) of observations (..., O), on their device.

    Args:
        name: Name of a registered function, or `module:function`.
        observations: The observations.

    Raises:
        InvalidConfig: If no function has this name.
    """
    features = _FEATURES[name] if name in _FEATURES else _imported(name)
    given = observations
    if isinstance(features, nn.Module):
        tensors = chain(features.parameters(), features.buffers())
        given = observations.to(next(tensors, observations).device)
    return features(given).to(observations.device)


def _imported(name: str) -> Features:
    """The function `module:function`."""
    module, colon, function = name.partition(":")
    known = ", ".join(map(repr, _FEATURES))
    expected = f"one of {known}, or a name of register_features, or module:function"
    if not (module and colon and function):
        raise InvalidConfig("features", name, expected)
    try:
        features: Any = attrgetter(function)(import_module(module))
    except (ImportError, AttributeError) as error:
        raise InvalidConfig("features", name, f"{expected} ({error})") from error
    if not callable(features):
        raise InvalidConfig("features", name, f"{expected} (this is not a function)")
    found: Features = features
    return found
