"""State that a training saves besides the model, to continue exactly; without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skillgym.errors import CorruptFile
from skillgym.files import read_json, write_bytes, write_json
from skillgym.hub.checkpoint import read_tensors, tensors_to_bytes

_GENERATOR = "generator"


def write_training_state(
    directory: Path,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    rng: np.random.Generator,
    counters: dict[str, Any],
) -> None:
    """Write `training.safetensors` and `training.json` into a checkpoint directory."""
    tensors = {_GENERATOR: generator.get_state()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{index}.{key}": value for key, value in state.items()}
    write_bytes(directory / "training.safetensors", tensors_to_bytes(tensors))
    write_json(directory / "training.json", {**counters, "rng": rng.bit_generator.state})


def read_training_state(
    directory: Path,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Inverse of `write_training_state`: set optimiser and generators, return the counters.

    Raises:
        MissingFile, CorruptFile: If a file is absent or damaged.
    """
    content = read_json(directory / "training.json")
    tensors = read_tensors(directory / "training.safetensors")
    try:
        rng.bit_generator.state = content.pop("rng")
        generator.set_state(tensors.pop(_GENERATOR))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CorruptFile(directory / "training.safetensors", error) from error
    return content
