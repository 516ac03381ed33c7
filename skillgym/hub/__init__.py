"""Checkpoints of skill models: save, load, list, and check against a world."""

from __future__ import annotations

from skillgym.hub.checkpoint import load_checkpoint, save_skill
from skillgym.hub.compatibility import check_world
from skillgym.hub.registry import (
    bundled_directory,
    list_skills,
    load_skill,
    register_model_type,
    resolve_skill,
)

__all__ = [
    "bundled_directory",
    "check_world",
    "list_skills",
    "load_checkpoint",
    "load_skill",
    "register_model_type",
    "resolve_skill",
    "save_skill",
]
