"""Checkpoint directories: `config.json model.safetensors metrics.json README.md`, no pickle."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from skillgym.errors import CheckpointMismatch, CorruptFile, MissingFile, NotSavable, SkillgymError
from skillgym.files import atomic_directory, read_json, write_bytes, write_json
from skillgym.hub.card import model_card
from skillgym.hub.configs import config_from_json, space_from_json, space_to_json
from skillgym.hub.migrations import FORMAT, migrate
from skillgym.hub.model_types import model_class
from skillgym.nn.devices import usable_device
from skillgym.skills.base import SkillModule
from skillgym_envs.core.files import recover
from skillgym_envs.core.versions import package_versions

PACKAGES = ("torch", "numpy", "gymnasium", "mujoco", "safetensors")


def save_skill(
    model: SkillModule,
    directory: str | Path,
    *,
    world: str | None = None,
    world_options: Mapping[str, Any] | None = None,
    dataset: str | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Path:
    """Write a checkpoint directory, atomically; an existing one is replaced.

    Args:
        model: The model.
        directory: The directory.
        world: Name of the world that the model was trained for (default: the model's own).
        world_options: Keywords of that world (default: the model's own).
        dataset: Id of the dataset that it was trained on.
        metrics: Numbers for `metrics.json` and the model card; non-finite ones are left out.

    Returns:
        The directory.

    Raises:
        NotSavable: If the model is not a `SkillModule`.
        CheckpointNotWritten: If the disk is full or not writable; an older checkpoint is kept.
    """
    if not isinstance(model, SkillModule):
        raise NotSavable(model)
    target = Path(directory)
    with atomic_directory(target) as temporary:
        write_checkpoint(
            model,
            temporary,
            world=world,
            world_options=world_options,
            dataset=dataset,
            metrics=metrics,
        )
    return target


def write_checkpoint(
    model: SkillModule,
    directory: Path,
    *,
    world: str | None = None,
    world_options: Mapping[str, Any] | None = None,
    dataset: str | None = None,
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Write the four files of `save_skill` into an existing directory, not atomically."""
    numbers = {name: float(value) for name, value in (metrics or {}).items()}
    numbers = {name: value for name, value in numbers.items() if math.isfinite(value)}
    config = {
        "format": FORMAT,
        "type": model.type_tag,
        "config": asdict(model.config),
        "spaces": {
            "observation": space_to_json(model.observation_space),
            "action": space_to_json(model.action_space),
            "skill": space_to_json(model.skill_space),
        },
        "skill_horizon": model.max_steps,
        "world": world or model.world,
        "world_options": model.world_options if world_options is None else dict(world_options),
        "dataset": dataset,
        "versions": {"python": platform.python_version(), **package_versions(*PACKAGES)},
    }
    write_json(directory / "config.json", config)
    write_bytes(directory / "model.safetensors", tensors_to_bytes(model.state_dict()))
    write_json(directory / "metrics.json", numbers)
    write_bytes(directory / "README.md", model_card(model, config, numbers).encode())


def load_checkpoint(directory: str | Path, device: str | torch.device = "cpu") -> SkillModule:
    """Build the model of a checkpoint directory, in evaluation mode.

    The global random state of torch is left unchanged.

    Raises:
        MissingFile, CorruptFile, UnknownFormat, UnknownType, UnknownField, InvalidConfig,
        CheckpointMismatch, ForeignEmbedding: If the directory is not a complete checkpoint of one
            model that this version can read.
        InvalidConfig: Also if this machine does not have the device.
    """
    device = usable_device(device)
    directory = Path(directory)
    recover(directory)
    path = directory / "config.json"
    content = migrate(read_json(path), path)
    found = model_class(content.get("type"))
    try:
        config: object = config_from_json(found.config_class, content["config"])
        spaces = [space_from_json(content["spaces"][name]) for name in ("observation", "action")]
    except SkillgymError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise CorruptFile(path, f"{type(error).__name__}: {error}") from error
    tensors = read_tensors(directory / "model.safetensors")
    model = found.restored(spaces[0], spaces[1], config, tensors)
    check_tensors(directory, tensors, model.state_dict())
    model.load_state_dict(tensors)
    model.verify()
    model.world = content.get("world")
    options = content.get("world_options")  # not in checkpoints of earlier versions
    if not isinstance(options, dict | None):
        raise CorruptFile(path, f"world_options is {options!r}")
    model.world_options = options
    return model.to(device).eval()


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors in the safetensors format."""
    # Copies, as a model may have one tensor under two names, which safetensors refuses.
    return save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        MissingFile: If there is no such file.
        CorruptFile: If it is truncated or not a safetensors file.
    """
    if not path.is_file():
        raise MissingFile(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CorruptFile(path, error) from error


def check_tensors(path: Path, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare names and shapes of tensors.

    Raises:
        CheckpointMismatch: At the first difference.
    """
    for name, tensor in expected.items():
        if name not in given:
            raise CheckpointMismatch(path, f"the tensor {name!r} is missing")
        if given[name].shape != tensor.shape:
            shapes = f"{tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            raise CheckpointMismatch(path, f"the tensor {name!r} has the shape {shapes}")
    for name in given:
        if name not in expected:
            raise CheckpointMismatch(path, f"the tensor {name!r} is unknown")
