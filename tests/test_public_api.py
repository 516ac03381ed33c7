"""What users may rely on: names, registered ids, entry points and types."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import gymnasium as gym
import pytest

import skillgym
import skillgym_envs
from skillgym import errors
from skillgym_envs.core.errors import SkillgymError

ROOT = Path(__file__).parent.parent
IDS = [spec.id for spec in gym.registry.values() if "skillgym" in str(spec.entry_point)]
PUBLIC = {
    "skillgym": ["load_skill", "save_skill", "list_skills", "__version__"],
    "skillgym.rl": [
        "PriorSAC",
        "DiscretePriorSAC",
        "PriorPPO",
        "SkiLD",
        "ReSkill",
        "ReskillPPO",
        "GAIL",
        "DemonstrationReplayBuffer",
    ],
    "skillgym.evaluation": ["Episodes", "prior_policy", "rollout", "iqm", "stratified_bootstrap"],
    "skillgym.skills.skild": ["SkildModel", "SkildConfig", "Discriminator"],
    "skillgym.data": ["Demonstrations", "Transitions", "load_windows", "load_transitions"],
    "skillgym.skills.reskill": ["ReskillModel", "ReskillConfig"],
    "skillgym.wrappers": [
        "SkillActions",
        "VectorSkillActions",
        "ResidualActions",
        "VectorResidualActions",
    ],
    "skillgym.types": ["SkillModel", "SkillState"],
    "skillgym_envs": ["__version__"],
    "skillgym_envs.core.world": ["World", "Physics", "PhysicsState", "Control", "Outcome"],
    "skillgym_envs.core.env": ["WorldEnv"],
    "skillgym_envs.core.vector_env": ["WorldVectorEnv"],
    "skillgym_envs.core.rendering": ["FrameRenderer", "HumanViewer", "RenderingUnavailable"],
    "skillgym_envs.kitchen": ["KitchenWorld", "ELEMENTS", "TASK_SETS", "make_env", "make_vec"],
    "skillgym_envs.office": ["OfficeWorld", "OBJECTS", "PLACES", "PLACEMENTS", "FIXED_TASK"],
    "skillgym_envs.maze": ["MazeWorld", "MazeLayout", "MazeCamera", "random_layout", "VARIANTS"],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_exist_and_are_documented(module):
    loaded = importlib.import_module(module)
    for name in PUBLIC[module]:
        assert name in getattr(loaded, "__all__", [*vars(loaded), name])
        value = getattr(loaded, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"


@pytest.mark.parametrize(
    "module", ["skillgym", "skillgym.rl", "skillgym.wrappers", "skillgym.data"]
)
def test_all_is_true(module):
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", []):
        assert hasattr(loaded, name), f"{module}.__all__ promises {name}"


@pytest.mark.parametrize("env_id", IDS)
def test_ids_have_single_and_vector_entry_points(env_id):
    spec = gym.spec(env_id)
    for entry_point in (spec.entry_point, spec.vector_entry_point):
        module, _, name = str(entry_point).partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="load_skil"):
        skillgym.load_skil  # noqa: B018


def test_packages_are_typed_and_agree_on_the_version():
    assert (ROOT / "skillgym" / "py.typed").exists()
    assert (ROOT / "skillgym_envs" / "py.typed").exists()
    assert skillgym.__version__ == skillgym_envs.__version__


def test_all_shared_errors_are_exported():
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    shared = {name for name, value in classes.items() if issubclass(value, SkillgymError)}
    assert shared | {"nearest", "with_article"} == set(errors.__all__)


def error_classes() -> list[type[Exception]]:
    found: list[type[Exception]] = []
    todo: list[type[Exception]] = [SkillgymError]
    while todo:
        for kind in todo.pop().__subclasses__():
            found.append(kind)
            todo.append(kind)
    return found


def test_errors_compose_their_own_sentences():
    """Every error class takes facts, so no caller writes its own text; and has a docstring."""
    for path in (ROOT / "skillgym_envs").rglob("errors.py"):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for path in (ROOT / "skillgym").rglob("errors.py"):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    kinds = error_classes()
    assert len(kinds) > 8
    for kind in kinds:
        assert kind.__doc__, kind
