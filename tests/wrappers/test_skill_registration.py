"""`SkillKitchen-v0`: registration, keywords, specification."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env

import skillgym  # noqa: F401
from skillgym.errors import ForeignWorld
from skillgym.hub import save_skill
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import ResidualActions, SkillActions
from skillgym.wrappers.errors import UnusableSkillModel
from skillgym_envs.core.errors import InvalidConfig, SkillgymError, UnknownKeyword
from skillgym_envs.kitchen import KitchenWorld

SMALL = SpirlConfig(hidden_size=16, encoder_size=16, decoder_layers=1, prior_layers=1)


@pytest.fixture(scope="module")
def skill_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    world = KitchenWorld()
    model = ClosedLoopSpirl(world.layout.space(), world.action_space, SMALL).eval()
    directory: Path = tmp_path_factory.mktemp("skills") / "small"
    save_skill(model, directory)
    return str(directory)


def stack(env: gym.Env) -> list[str]:
    names = []
    while isinstance(env, gym.Wrapper):
        names.append(type(env).__name__)
        env = env.env
    return names


def test_the_specification_rebuilds_the_same_stack(skill_model: str) -> None:
    env = gym.make("SkillKitchen-v0", skill_model=skill_model, tasks="complete", noise=0.0)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert stack(again) == stack(env)
    assert stack(env).count("TimeLimit") == 1
    assert again.spec == env.spec
    assert again.unwrapped.world.subtasks == env.unwrapped.world.subtasks
    skill = np.full(10, 0.5, np.float32)
    env.reset(seed=3), again.reset(seed=3)
    np.testing.assert_array_equal(env.step(skill)[0], again.step(skill)[0])


def test_the_skill_model_may_be_a_path(skill_model: str) -> None:
    """A specification is JSON, which has no paths."""
    env = gym.make("SkillKitchen-v0", skill_model=Path(skill_model))
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))  # type: ignore[union-attr]
    assert again.spec == env.spec
    assert again.get_wrapper_attr("skill_name") == skill_model


@pytest.mark.parametrize("wrong", [None, 42, SMALL])
def test_what_is_no_skill_model_is_one_sentence(wrong: object) -> None:
    """Also through `gymnasium.make`, which makes new errors of TypeErrors."""
    for make in (gym.make, gym.make_vec):
        with pytest.raises(UnusableSkillModel, match=f"Got an? {type(wrong).__name__} as skill"):
            make("SkillKitchen-v0", skill_model=wrong)


@pytest.mark.parametrize(
    ("wrapper", "arguments"), [(SkillActions, ("discounted", 0.9)), (ResidualActions, (9.0, 0.5))]
)
def test_a_wrapper_around_a_registered_world_is_rebuilt_from_its_specification(
    wrapper: Any, arguments: tuple[Any, ...], skill_model: str
) -> None:
    env = wrapper(gym.make("skillgym/Kitchen-v0"), skill_model, *arguments)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert stack(again) == stack(env)
    assert again._saved_kwargs == env._saved_kwargs
    assert set(arguments) <= set(again._saved_kwargs.values())


def test_the_time_limit_counts_control_steps(skill_model: str) -> None:
    env = gym.make("SkillKitchen-v0", skill_model=skill_model)
    env.reset(seed=0)
    steps, truncated = 0, False
    while not truncated:
        *_, truncated, info = env.step(np.zeros(10, np.float32))
        steps += info["skill_steps"]
    assert steps == 280


def test_the_limit_of_an_episode_can_be_chosen_in_control_steps(skill_model: str) -> None:
    limit: dict[str, Any] = {"skill_model": skill_model, "control_steps": 25}
    single = gym.make("SkillKitchen-v0", **limit)
    vector = gym.make_vec("SkillKitchen-v0", 2, **limit)
    single.reset(seed=0), vector.reset(seed=0)
    skill = np.zeros(10, np.float32)
    for truncated in (False, False, True):
        assert single.step(skill)[3] is truncated
        assert vector.step(np.stack([skill] * 2))[3].tolist() == [truncated] * 2
    with pytest.raises(InvalidConfig, match="control_steps in its place"):
        gym.make_vec("SkillKitchen-v0", 2, skill_model=skill_model, max_episode_steps=25)
    with pytest.raises(InvalidConfig, match="an integer of at least 1"):
        gym.make("SkillKitchen-v0", skill_model=skill_model, control_steps=0)


def test_goal_dictionaries_are_refused_in_one_sentence() -> None:
    with pytest.raises(SkillgymError, match="observation"):
        gym.make("SkillFetchComplexHook-v0", goals=True)


def test_vector_entry_point(skill_model: str) -> None:
    env = gym.make_vec(
        "SkillKitchen-v0", 2, skill_model=skill_model, goal=True, autoreset_mode="SameStep"
    )
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observations, _ = env.reset(seed=1)
    single = gym.make("SkillKitchen-v0", skill_model=skill_model)
    np.testing.assert_array_equal(observations[1], single.reset(seed=2)[0])
    skill = np.full(10, 0.5, np.float32)
    np.testing.assert_allclose(
        env.step(np.stack([skill] * 2))[0][1], single.step(skill)[0], atol=1e-4
    )


@pytest.mark.filterwarnings("ignore")
def test_checks(skill_model: str) -> None:
    env = gym.make("SkillKitchen-v0", skill_model=skill_model)
    check_env(env)
    clone = pickle.loads(pickle.dumps(env.spec)).make()
    assert stack(clone) == stack(env)


def test_a_model_for_another_world_is_refused(skill_model: str) -> None:
    with pytest.raises(ForeignWorld, match="observation"):
        gym.make("SkillKitchen-v0", skill_model=skill_model, goal=False)
    with pytest.raises(ForeignWorld):
        SkillActions(gym.make("Pendulum-v1"), skill_model)


def test_importing_the_package_registers_without_torch() -> None:
    code = (
        "import skillgym, sys, gymnasium as gym; gym.spec('SkillKitchen-v0');"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("make", [gym.make, lambda *a, **k: gym.make_vec(*a, num_envs=2, **k)])
def test_misspelled_keywords_of_skills_are_recognised(make: Any) -> None:
    with pytest.raises(UnknownKeyword, match="did you mean 'skill_model'"):
        make("SkillKitchen-v0", skillmodel="spirl-kitchen")
    with pytest.raises(UnknownKeyword, match="did you mean 'render_mode'"):
        make("SkillFetchCleanUp-v0", rendermode="rgb_array")


@pytest.mark.parametrize("env_id", ["skillgym/Kitchen-v0", "skillgym/FetchPlace-v0"])
def test_misspelled_keywords_of_rendering_are_recognised(env_id: str) -> None:
    with pytest.raises(UnknownKeyword, match="did you mean 'width'"):
        gym.make(env_id, widht=3)


@pytest.mark.parametrize("env_id", ["SkillMaze-v0", "skillgym/Maze-v0", "skillgym/FetchPlace-v0"])
def test_frames_are_collected_as_gymnasium_does(
    env_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")  # needs no OpenGL
    env = gym.make(env_id, render_mode="rgb_array_list", width=32, height=24)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    frames = env.render()
    env.close()
    assert [frame.shape for frame in frames] == [(24, 32, 3)] * 2
