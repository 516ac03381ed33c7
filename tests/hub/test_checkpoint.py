"""Checkpoint directories: round trip, and one clear error for each thing that can be wrong."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from safetensors.torch import load_file, save_file

from skillgym.errors import (
    CheckpointMismatch,
    CheckpointNotWritten,
    CorruptFile,
    InvalidConfig,
    MissingFile,
    NoSkillInRun,
    NotSavable,
    SkillgymError,
    UnknownField,
    UnknownFormat,
    UnknownSkill,
    UnknownType,
    UnsupportedSpace,
    UnusableConfig,
)
from skillgym.files import atomic_directory
from skillgym.hub import list_skills, load_skill, register_model_type, save_skill
from skillgym.hub.configs import space_from_json, space_to_json
from skillgym.hub.model_types import model_class
from skillgym.hub.registry import resolve_skill
from skillgym.skills.base import SkillModule
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl import ClosedLoopSpirl, FlatPrior, FlatPriorConfig
from tests.skill_stubs import StubSkills
from tests.skills.models import MODELS, small_model

FILES = {"config.json", "model.safetensors", "metrics.json", "README.md"}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    metrics = {"loss": 1.5, "unknown": float("nan")}  # which JSON cannot hold
    return save_skill(small_model(ClosedLoopSpirl), tmp_path / "model", metrics=metrics)


def edit(directory: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Change the `config.json` of a checkpoint."""
    path = directory / "config.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return directory


def test_round_trip_of_a_prior_with_fourier_features(tmp_path: Path) -> None:
    options = {"prior_positions": 2, "prior_frequencies": (0.5, 1.0), "prior_noise": (0.1,) * 6}
    model = small_model(SkildModel, **options)
    loaded = load_skill(save_skill(model, tmp_path / "model"))
    assert isinstance(loaded, SkildModel) and loaded.config == model.config
    states = torch.randn(4, 6)
    for name in ("prior", "posterior"):
        before, after = (getattr(m.eval(), name)(states) for m in (model, loaded))
        torch.testing.assert_close(after.mean, before.mean, rtol=0, atol=0)


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("prior", ["gaussian", "mixture", "flow"])
def test_round_trip(cls: type[SkillModule], prior: str, tmp_path: Path) -> None:
    model = small_model(cls, prior=prior)
    random_state = torch.random.get_rng_state()
    loaded = load_skill(save_skill(model, tmp_path / "x", world="toy"))
    assert type(loaded) is cls and loaded.config == model.config and loaded.world == "toy"
    assert not loaded.training
    assert loaded.observation_space == model.observation_space
    assert loaded.action_space == model.action_space
    assert loaded.skill_space == model.skill_space
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    assert torch.equal(random_state, torch.random.get_rng_state())


class Shared(FlatPrior):
    """The same network under two names."""

    type_tag = "test-shared"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.policy = self.prior


def test_round_trip_of_shared_weights(tmp_path: Path) -> None:
    register_model_type("test-shared", f"{__name__}:Shared")
    source = small_model(FlatPrior)
    model = Shared.create(source.observation_space, source.action_space, source.config)
    loaded = load_skill(save_skill(model, tmp_path / "model"))
    assert isinstance(loaded, Shared) and loaded.policy is loaded.prior
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name


def test_directory(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == FILES
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    content = json.loads((saved / "config.json").read_text())
    assert content["format"] == 1 and content["type"] == "spirl_cl"
    assert content["skill_horizon"] == 4
    # The version of the wheel, which does not always have the "+cu130" of the build.
    assert content["versions"]["torch"] == version("torch")
    assert json.loads((saved / "metrics.json").read_text()) == {"loss": 1.5}
    assert "| loss | 1.5 |" in (saved / "README.md").read_text()


def test_what_is_no_skill_module_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(NotSavable, match=r"Got a StubSkills to save, .* docs/own_skill_models\.md"):
        save_skill(StubSkills(), tmp_path / "folder" / "model")  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("given", [{"skill_horizon": 5}, FlatPriorConfig()])
def test_a_configuration_is_that_of_the_class(given: object) -> None:
    spaces = small_model(FlatPrior).observation_space, small_model(FlatPrior).action_space
    expected = (
        f"Got a {type(given).__name__} as configuration of SkildModel, expected a SkildConfig"
    )
    with pytest.raises(UnusableConfig, match=expected):
        SkildModel.create(*spaces, given)


def test_replacing_a_checkpoint(saved: Path) -> None:
    other = small_model(FlatPrior)
    save_skill(other, saved)
    assert isinstance(load_skill(saved), FlatPrior)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_bundled_models_load_and_are_small() -> None:
    for name in list_skills():
        model = load_skill(name)
        obs = np.zeros((2, model.observation_space.shape[0]))
        skill = np.zeros((2, *(model.skill_space.shape or ())))
        assert model.action_space.contains(model.act(obs, model.begin(obs, skill), 0)[0])
        assert model.world is not None


def test_unknown_name_is_answered_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    known = ["spirl-kitchen", "spirl-ol-kitchen"]
    monkeypatch.setattr("skillgym.hub.registry.list_skills", lambda: known)
    with pytest.raises(UnknownSkill, match="did you mean 'spirl-kitchen'"):
        load_skill("spirl-kichen")


@pytest.mark.parametrize("device", ["gpu", "cuda:77"])
def test_a_device_that_is_not_there_is_one_sentence(saved: Path, device: str) -> None:
    with pytest.raises(InvalidConfig, match=f"Got device='{device}', expected a device of this"):
        load_skill(saved, device)


def test_missing_files(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(MissingFile, match=r"without model\.safetensors"):
        load_skill(saved)
    (saved / "config.json").unlink()
    with pytest.raises(MissingFile, match=r"without config\.json"):
        load_skill(saved)


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_truncated_files(saved: Path, name: str, keep: float) -> None:
    path = saved / name
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CorruptFile, match=name):
        load_skill(saved)


@pytest.mark.parametrize("number", [0, 2, "1", None, True])
def test_unknown_format(saved: Path, number: object) -> None:
    edit(saved, lambda content: content.update(format=number))
    with pytest.raises(UnknownFormat, match="update skillgym"):
        load_skill(saved)


@pytest.mark.parametrize("file", ["config.json", "checkpoints/last/agent.zip"])
def test_a_run_without_a_skill_model(tmp_path: Path, file: str) -> None:
    for name in ("command.txt", file):  # one before its first checkpoint, and one of an agent
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(NoSkillInRun, match="continue that run until its first checkpoint"):
        load_skill(tmp_path)


def test_unknown_type(saved: Path) -> None:
    edit(saved, lambda content: content.update(type="spirl_c"))
    with pytest.raises(UnknownType, match=r"register_model_type.*did you mean 'spirl_cl'"):
        load_skill(saved)


def test_a_type_never_names_code_to_import(saved: Path) -> None:
    edit(saved, lambda content: content.update(type="os:system"))
    with pytest.raises(UnknownType):
        load_skill(saved)


def test_unknown_field(saved: Path) -> None:
    edit(saved, lambda content: content["config"].update(latent_sise=3))
    with pytest.raises(UnknownField, match="did you mean 'latent_size'"):
        load_skill(saved)


def test_impossible_value(saved: Path) -> None:
    edit(saved, lambda content: content["config"].update(skill_horizon=-1))
    with pytest.raises(InvalidConfig, match="skill_horizon=-1"):
        load_skill(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("spaces"),
        lambda content: content.pop("config"),
        lambda content: content.update(config=[]),
        lambda content: content["spaces"].update(action=3),
        lambda content: content["spaces"]["action"].update(low="deep"),
        lambda content: content["spaces"]["action"].update(low=[1, 2]),
    ],
)
def test_damaged_configuration(saved: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(CorruptFile, match=r"config\.json"):
        load_skill(edit(saved, change))


def test_wrong_shape(saved: Path) -> None:
    edit(saved, lambda content: content["config"].update(hidden_size=32))
    with pytest.raises(CheckpointMismatch, match=r"has the shape \(16, 6\) instead of \(32, 6\)"):
        load_skill(saved)


def test_missing_and_unknown_tensors(saved: Path) -> None:
    path = saved / "model.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "extra": torch.zeros(1)}, path)
    with pytest.raises(CheckpointMismatch, match="the tensor 'extra' is unknown"):
        load_skill(saved)
    del tensors["decoder.input.weight"]
    save_file(tensors, path)
    with pytest.raises(CheckpointMismatch, match=r"'decoder\.input\.weight' is missing"):
        load_skill(saved)


def test_every_error_is_a_sentence_of_skillgym(saved: Path) -> None:
    edit(saved, lambda content: content.update(format=9))
    with pytest.raises(SkillgymError) as caught:
        load_skill(saved)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_keeps_the_former_checkpoint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(CheckpointNotWritten, match="No space left on device"):
        save_skill(small_model(FlatPrior), saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("survivor", ["old", "new"])
def test_killed_between_the_renames(
    saved: Path, survivor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first rename the target is missing; the second one or `recover` brings it back."""
    calls: list[Path] = []
    replace, rmtree = Path.replace, shutil.rmtree

    def replace_and_die(self: Path, target: Path) -> Path:
        if not self.is_dir():
            return replace(self, target)
        calls.append(target)
        if len(calls) >= 2 and survivor == "old":
            raise Killed
        result = replace(self, target)
        if len(calls) >= 2:
            raise Killed
        return result

    def rmtree_or_be_dead(*arguments: Any, **keywords: Any) -> None:
        if len(calls) >= 2:
            raise Killed
        rmtree(*arguments, **keywords)

    monkeypatch.setattr(Path, "replace", replace_and_die)
    monkeypatch.setattr(shutil, "rmtree", rmtree_or_be_dead)
    with pytest.raises(Killed):
        save_skill(small_model(FlatPrior), saved)
    monkeypatch.undo()
    expected = ClosedLoopSpirl if survivor == "old" else FlatPrior
    assert type(load_skill(saved)) is expected
    save_skill(small_model(FlatPrior), saved)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_run_stands_for_its_best_checkpoint_and_for_its_last_one_before(saved: Path) -> None:
    checkpoints = saved.parent / "run" / "checkpoints"
    best, last = (shutil.copytree(saved, checkpoints / name) for name in ("best", "last"))
    assert resolve_skill(checkpoints.parent) == best
    best.rename(checkpoints / ".best.old")  # killed between the renames
    assert resolve_skill(checkpoints.parent) == best
    shutil.rmtree(best)
    assert resolve_skill(checkpoints.parent) == last


def test_error_inside_an_atomic_directory_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_directory(tmp_path / "x") as directory:
        (directory / "half").write_text("")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "space",
    [
        Box(-1, 1, (3,), np.float32),
        Box(-np.inf, np.inf, (2,), np.float64),
        Box(np.float32([0, -np.inf]), np.float32([1, 2]), dtype=np.float32),
        Discrete(5),
        Discrete(3, start=-1),
    ],
)
def test_spaces_survive_json(space: Box | Discrete) -> None:
    text = json.dumps(space_to_json(space), allow_nan=False)
    assert space_from_json(json.loads(text)) == space


def test_other_spaces_are_refused() -> None:
    with pytest.raises(UnsupportedSpace):
        space_to_json(Dict(a=Discrete(2)))


def test_registered_types_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skillgym.hub.model_types._ENTRY_POINTS", {})
    register_model_type("mine", "skillgym.skills.spirl:FlatPrior")
    assert model_class("mine") is FlatPrior
