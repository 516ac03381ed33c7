"""The types of skill models that a checkpoint may name.

Only names in this table are ever imported, so that loading a checkpoint runs no code of its author.
"""

from __future__ import annotations

from importlib import import_module

from skillgym.errors import UnknownType
from skillgym.skills.base import SkillModule

_ENTRY_POINTS = {
    "spirl_cl": "skillgym.skills.spirl:ClosedLoopSpirl",
    "spirl_ol": "skillgym.skills.spirl:OpenLoopSpirl",
    "spirl_image_cl": "skillgym.skills.spirl:ImageClosedLoopSpirl",
    "spirl_image_ol": "skillgym.skills.spirl:ImageOpenLoopSpirl",
    "skild": "skillgym.skills.skild:SkildModel",
    "flat_prior": "skillgym.skills.spirl:FlatPrior",
    "ptgm": "skillgym.skills.ptgm:Ptgm",
    "reskill": "skillgym.skills.reskill:ReskillModel",
}


def register_model_type(tag: str, entry_point: str) -> None:
    """Make checkpoints of another package's skill model loadable.

    Args:
        tag: The class's `type_tag`.
        entry_point: `"package.module:ClassName"` of a `SkillModule`.
    """
    _ENTRY_POINTS[tag] = entry_point


def model_class(tag: object) -> type[SkillModule]:
    """The class of a type tag.

    Raises:
        UnknownType: If no class is registered under the tag.
    """
    if not isinstance(tag, str) or tag not in _ENTRY_POINTS:
        raise UnknownType(tag, _ENTRY_POINTS)
    module, name = _ENTRY_POINTS[tag].split(":")
    found: type[SkillModule] = getattr(import_module(module), name)
    return found
