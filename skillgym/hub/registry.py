"""Names of bundled skill models, and loading by name or path."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch

from skillgym.errors import NoSkillInRun, UnknownSkill
from skillgym.hub.checkpoint import load_checkpoint
from skillgym.runs.folder import checkpoint_path
from skillgym.skills.base import SkillModule
from skillgym_envs.core.files import recover


def bundled_directory() -> Path:
    """Directory of the models that come with the package."""
    return Path(str(resources.files("skillgym"))) / "pretrained"


def list_skills() -> list[str]:
    """Names of the bundled skill models."""
    return sorted(path.parent.name for path in bundled_directory().glob("*/config.json"))


def resolve_skill(name_or_path: str | Path) -> Path:
    """Checkpoint directory for the name of a bundled model, a checkpoint directory or a run folder.

    For a run folder, it is the best checkpoint, or the last one if there is no best one yet.

    Raises:
        UnknownSkill: If there is neither such a model nor such a directory.
        NoSkillInRun: If a run folder is that of an agent, or has no checkpoint yet.
    """
    if isinstance(name_or_path, str) and name_or_path in list_skills():
        return bundled_directory() / name_or_path
    path = Path(name_or_path)
    recover(path)
    if not path.is_dir():
        raise UnknownSkill(str(name_or_path), list_skills())
    for checkpoint in (checkpoint_path(path, "best"), checkpoint_path(path)):
        recover(checkpoint)
        if (checkpoint / "config.json").exists():  # agents' checkpoints have none
            return checkpoint
    if (path / "command.txt").exists():  # the first file of every run
        raise NoSkillInRun(path)
    return path


def load_skill(name_or_path: str | Path, device: str | torch.device = "cpu") -> SkillModule:
    """Load a skill model, in evaluation mode.

    Args:
        name_or_path: Name of a bundled model (`list_skills()`), checkpoint directory, or run folder
            of a training.
        device: Device of its tensors.

    Raises:
        UnknownSkill: If there is neither such a model nor such a directory.
        NoSkillInRun: If a run folder is that of an agent, or has no checkpoint yet.
        SkillgymError: If the directory is not a complete checkpoint (see `load_checkpoint`).
    """
    return load_checkpoint(resolve_skill(name_or_path), device)
