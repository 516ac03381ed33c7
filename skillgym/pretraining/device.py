"""Where a model is trained."""

from __future__ import annotations

import torch

from skillgym.errors import InvalidConfig


def usable_device(name: str) -> torch.device:
    """The torch device of this name.

    Raises:
        InvalidConfig: If this machine does not have it.
    """
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # the latter: torch without CUDA
        expected = f"a device of this machine, such as cpu ({str(error).splitlines()[0]})"
        raise InvalidConfig("device", name, expected) from None
