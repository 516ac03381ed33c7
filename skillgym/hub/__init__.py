"""Checkpoints of skill models: save, load, list, and check against a world."""

from __future__ import annotations

from skillgym.hub.checkpoint import save_skill
from skillgym.hub.compatibility import check_world
from skillgym.hub.model_types import register_model_type
from skillgym.hub.registry import list_skills, load_skill

__all__ = ["check_world", "list_skills", "load_skill", "register_model_type", "save_skill"]
