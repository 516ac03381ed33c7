"""Devices of networks, and temporary seeding of torch's generators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

from skillgym.errors import InvalidConfig


def usable_device(name: str | torch.device) -> torch.device:
    """The torch device of this name.

    Raises:
        InvalidConfig: If this machine does not have it.
    """
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch without CUDA
        expected = f"a device of this machine, such as cpu ({str(error).splitlines()[0]})"
        raise InvalidConfig("device", str(name), expected) from None


def device_of(module: nn.Module) -> torch.device:
    """Device of a module's first parameter or buffer; the CPU if it has none."""
    return next(chain(module.parameters(), module.buffers()), torch.empty(0)).device


def gpus_in_use() -> range:
    """Indices of the GPUs; none unless CUDA is in use, as querying would initialise all of them."""
    return range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators of all devices in use, and restore them afterwards."""
    with torch.random.fork_rng(devices=gpus_in_use()):
        torch.manual_seed(seed)
        yield
