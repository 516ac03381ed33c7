"""The scripted office expert, its ways around the base, and its datasets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import minari
import numpy as np
import pytest

from benchmarks.office_expert import attempt
from skillgym_envs.collect import collect, dataset_spec, registered_datasets
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import InvalidTask, UnknownTask
from skillgym_envs.office import FIXED_TASK, PLACEMENTS, OfficeWorld
from skillgym_envs.office.expert import LIMIT, OfficeExpert
from skillgym_envs.office.route import around_base
from skillgym_envs.office.tasks import draw_task
from skillgym_envs.office.world import WORKSPACE

BASE = np.array([0.6, 0.0])


def started(task: tuple[str, ...], seed: int = 0, noise: float = 0.1) -> tuple:
    """An environment and its expert at the start of an episode."""
    env = WorldEnv(OfficeWorld(tasks=task))
    env.reset(seed=seed)
    expert = OfficeExpert(task, np.random.default_rng(seed), noise)
    expert.reset(env.data)
    return env, expert


@pytest.mark.parametrize(
    "task",
    [
        ("eraser in drawer", "shed in tray", "pepsi_bottle in box"),
        ("gatorade in box", "eraser_2 in drawer", "shed_2 in tray"),
        ("pepsi_bottle_2 in tray", "gatorade in drawer"),
        FIXED_TASK,
    ],
    ids=["drawer first", "drawer second", "drawer last", "fixed"],
)
def test_expert_does_every_order_with_every_object(task):
    """All subtasks, one after the other, within 350 control steps and with the data's noise."""
    env, expert = started(task)
    actions, rewards, terminated = [], [], False
    while not terminated and len(actions) < 350:
        assert not expert.done
        assert expert.current == env.world.subtasks[int(sum(rewards))]
        actions.append(expert.act(env.data))
        _, reward, terminated, _, info = env.step(actions[-1])
        rewards.append(reward)
    assert terminated and expert.done
    assert info["subtasks_completed"] == env.world.subtasks
    assert set(rewards) == {0.0, 1.0} and sum(rewards) == len(env.world.subtasks)
    assert np.abs(actions).max() == LIMIT
    # The last number is noise alone: 0.1, and 0.03 in careful motions.
    assert 0.05 < np.std(np.array(actions)[:, 7]) < 0.1


def test_expert_begins_again_when_it_loses_an_object():
    task = ("shed in tray",)
    env, expert = started(task)
    dropped, terminated, steps = False, False, 0
    while not terminated and steps < 350:
        env.step(expert.act(env.data))
        _, _, terminated, _, info = env.step(expert.act(env.data))
        steps += 2
        if not dropped and info["subtasks_completed"]:
            joint = env.data.joint("shed")
            turn = np.radians(125)  # it lies somewhere else, turned by 125 degrees
            joint.qpos[:] = 0.45, 0.15, -0.3863, np.cos(turn / 2), 0, 0, np.sin(turn / 2)
            joint.qvel[:], dropped = 0.0, True
    assert dropped and terminated


def test_expert_without_noise_depends_on_the_state_alone():
    paths = []
    for seed in (1, 2):
        env, expert = started(FIXED_TASK, noise=0.0)
        expert._rng = np.random.default_rng(seed)
        paths.append([env.step(expert.act(env.data))[0] for _ in range(15)])
    np.testing.assert_array_equal(*paths)


@pytest.mark.parametrize(
    ("plan", "error"),
    [(("eraser in the tray",), UnknownTask), (("eraser in tray", "eraser in box"), InvalidTask)],
)
def test_impossible_plans(plan, error):
    with pytest.raises(error):
        OfficeExpert(plan, np.random.default_rng(0))


@pytest.mark.slow
def test_expert_does_95_percent_of_random_tasks():
    tries = [attempt("rand", draw_task(np.random.default_rng(i)), i, 0.1) for i in range(100)]
    assert sum(each.steps > 0 for each in tries) >= 95


def test_ways_around_the_base():
    """Between any two places: they arrive, keep 15 cm away, and do not cross the waist's limit."""
    rng = np.random.default_rng(0)
    low, high = WORKSPACE[:, :2]
    ways = 0
    while ways < 60:
        start, goal = rng.uniform(low, high, (2, 2))
        radii = [np.linalg.norm(point - BASE) for point in (start, goal)]
        if min(radii) < 0.18 or max(radii) > 0.45:
            continue
        if any(point[0] > 0.7 and abs(point[1]) < 0.1 for point in (start, goal)):
            continue  # beside the limit, where a path has no room to turn back
        ways += 1
        at = np.array([*start, -0.2])
        angles = []
        for _ in range(120):
            step = around_base(at, np.array([*goal, -0.15])) - at
            at = at + step * min(1.0, 0.02 / max(np.linalg.norm(step), 1e-9))
            assert np.linalg.norm(at[:2] - BASE) > 0.15
            angles.append(np.arctan2(-at[1], -(at[0] - 0.6)))
            if np.linalg.norm(at[:2] - goal) < 1e-6:
                break
        np.testing.assert_allclose(at[:2], goal, atol=1e-6)
        assert np.abs(np.diff(angles)).max() < 1.0


# Datasets.


def test_sizes_and_tasks_of_the_datasets():
    names = [name for name in registered_datasets() if name.startswith("office")]
    specs = {name: dataset_spec(name) for name in names}
    sizes = {name: len(spec.plans) for name, spec in specs.items()}
    assert sizes == {
        "office-play": 2500,
        "office-play-mini": 12,
        "office-demos": 50,
    }
    assert set(specs["office-demos"].plans) == {FIXED_TASK}
    plans = specs["office-play"].plans
    turns = Counter([name.endswith("drawer") for name in plan].index(True) for plan in plans)
    assert all(0.29 < turns[turn] / 2500 < 0.38 for turn in range(3))
    assert {name for plan in plans for name in plan} == set(PLACEMENTS)
    assert dataset_spec("office-play", seed=1).plans != plans
    assert dataset_spec("office-play").plans == plans


def test_recorded_actions_replay(tmp_path: Path):
    spec = dataset_spec("office-play-mini")
    folder = collect(replace(spec, plans=(spec.plans[0][:1],)), tmp_path, workers=1)
    dataset = minari.MinariDataset(folder / "data")
    (facts,) = dataset.storage.get_episode_metadata([0])
    (episode,) = dataset
    assert episode.terminations.tolist() == [False] * (len(episode.actions) - 1) + [True]
    assert episode.observations.shape == (len(episode.actions) + 1, 97)
    env = gym.make(dataset.env_spec, tasks=spec.plans[0][:1])
    observation, _ = env.reset(seed=int(facts["seed"]))
    for index, action in enumerate(episode.actions):
        np.testing.assert_array_equal(observation, episode.observations[index])
        observation, reward, *_ = env.step(action)
        assert reward == episode.rewards[index]
    np.testing.assert_array_equal(observation, episode.observations[-1])
    env.close()
