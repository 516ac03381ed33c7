from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import gymnasium_robotics
import h5py
import minari
import numpy as np
import pytest
from gymnasium.vector.utils import create_empty_array
from minari.data_collector import EpisodeBuffer

import skillgym_envs  # noqa: F401  (registers the kitchen)
from skillgym.data import (
    DatasetFileNotFound,
    DatasetNotFound,
    InvalidTrajectories,
    SimulatorVersionWarning,
    UnreadableDataset,
    WindowDataset,
    load_transitions,
    load_windows,
)
from skillgym.errors import InvalidConfig
from skillgym_envs.kitchen.tasks import goal_half

GOAL_HALF = goal_half().astype(np.float32)
OURS, D4RL_V2 = "skillgym/kitchen/test-v0", "D4RL/kitchen/mixed-v2"


class Trajectory:
    """A made-up episode with everything that the three formats hold."""

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        self.qpos = rng.normal(size=(steps + 1, 30)).astype(np.float32)
        self.qvel = rng.normal(size=(steps + 1, 29)).astype(np.float32)
        self.actions = rng.uniform(-1, 1, (steps, 9)).astype(np.float32)

    @property
    def flat(self) -> np.ndarray:
        return np.concatenate((self.qpos, np.tile(GOAL_HALF, (len(self.qpos), 1))), axis=1)

    @property
    def nested(self) -> dict[str, object]:
        parts = (self.qpos[:, :9], self.qvel[:, :9], self.qpos[:, 9:], self.qvel[:, 9:])
        goals = {
            "microwave": self.qpos[:, 22:23].astype(float),
            "kettle": self.qpos[:, 23:30].astype(float),
        }
        return {
            "observation": np.concatenate(parts, axis=1).astype(float),
            "achieved_goal": goals,
            "desired_goal": {name: np.ones_like(values) for name, values in goals.items()},
        }

    def buffer(self, observations: object) -> EpisodeBuffer:
        steps = len(self.actions)
        ends = [False] * (steps - 1) + [True]
        return EpisodeBuffer(
            observations=observations,
            actions=self.actions,
            rewards=[float(t) for t in range(steps)],
            terminations=ends,
            truncations=[False] * steps,
        )


@pytest.fixture
def trajectories() -> list[Trajectory]:
    rng = np.random.default_rng(0)
    return [Trajectory(rng, steps) for steps in (17, 12, 30)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def ours(root: Path, trajectories: list[Trajectory]) -> str:
    env = gym.make("skillgym/Kitchen-v0")
    buffers = [trajectory.buffer(trajectory.flat) for trajectory in trajectories]
    minari.create_dataset_from_buffers(OURS, buffers, env=env)
    return OURS


@pytest.fixture
def d4rl_v2(root: Path, trajectories: list[Trajectory]) -> str:
    gym.register_envs(gymnasium_robotics)
    env = gym.make("FrankaKitchen-v1", tasks_to_complete=["microwave", "kettle"])
    buffers = [trajectory.buffer(trajectory.nested) for trajectory in trajectories]
    minari.create_dataset_from_buffers(D4RL_V2, buffers, env=env)
    return D4RL_V2


@pytest.fixture
def d4rl_v0(root: Path, trajectories: list[Trajectory]) -> Path:
    observations = np.concatenate([trajectory.flat for trajectory in trajectories])
    observations[:, 30:] = 7.0  # the goals of another task
    actions = [np.append(t.actions, np.ones((1, 9)), axis=0) for t in trajectories]
    terminals = np.zeros(len(observations), bool)
    terminals[np.cumsum([len(t.qpos) for t in trajectories]) - 1] = True
    with h5py.File(root / "kitchen-mixed-v0.hdf5", "w") as file:
        file["observations"], file["actions"] = observations, np.concatenate(actions)
        file["terminals"], file["rewards"] = terminals, np.zeros(len(observations))
        file["infos/probs"] = np.zeros(len(observations))
    return root / "kitchen-mixed-v0.hdf5"


def test_transitions_have_rewards_and_ends(ours: str, trajectories: list[Trajectory]) -> None:
    data = load_transitions(ours)
    assert len(data) == 17 + 12 + 30
    assert data.observations.dtype == data.rewards.dtype == np.float32
    row = 17 + 3  # the fourth step of the second episode
    np.testing.assert_array_equal(data.observations[row], trajectories[1].flat[3])
    np.testing.assert_array_equal(data.next_observations[row], trajectories[1].flat[4])
    np.testing.assert_array_equal(data.actions[row], trajectories[1].actions[3])
    assert data.rewards[row] == 3.0
    assert np.flatnonzero(data.terminations).tolist() == [16, 28, 58]
    np.testing.assert_array_equal(data.next_observations[16], trajectories[0].flat[17])


def test_the_first_episodes_by_name(ours: str, trajectories: list[Trajectory]) -> None:
    data = load_windows(f"{ours}[:2]")
    assert data.num_episodes == 2
    np.testing.assert_array_equal(data.episode(1)[1], trajectories[1].actions)
    assert len(load_transitions(f"{ours}[:2]")) == 17 + 12
    for load in (load_windows, load_transitions):
        with pytest.raises(InvalidTrajectories, match=r"first 4 episodes .* expected 1 to 3"):
            load(f"{ours}[:4]")
        for end in ("[1:2]", "[2]", "[:-1]", "[]"):
            with pytest.raises(InvalidConfig, match=r"\[:N\] for the first N episodes"):
                load(f"{ours}{end}")


def assert_same_windows(one: WindowDataset, other: WindowDataset) -> None:
    np.testing.assert_array_equal(one.episode_ends, other.episode_ends)
    for index in range(one.num_episodes):
        for array, same in zip(one.episode(index), other.episode(index), strict=True):
            np.testing.assert_array_equal(array, same)
    for horizon in (1, 10, 12):
        first, second = (
            data.sample(np.random.default_rng(1), 64, horizon) for data in (one, other)
        )
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


def test_three_formats_give_the_same_windows(
    ours: str, d4rl_v2: str, d4rl_v0: Path, trajectories: list[Trajectory]
) -> None:
    expected = WindowDataset.from_episodes([(t.flat, t.actions) for t in trajectories])
    for source in (ours, d4rl_v2, d4rl_v0):
        assert_same_windows(load_windows(source), expected)


def test_d4rl_episodes_end_at_timeouts_and_with_the_file_too(
    d4rl_v0: Path, trajectories: list[Trajectory]
) -> None:
    expected = load_windows(d4rl_v0)
    first, second, last = expected.episode_ends - 1
    with h5py.File(d4rl_v0, "r+") as file:
        file["timeouts"] = np.arange(last + 1) == second
        file["terminals"][:] = np.arange(last + 1) == first
    assert_same_windows(load_windows(d4rl_v0), expected)


def test_goal_half_is_that_of_the_world() -> None:
    env = gym.make("skillgym/Kitchen-v0", tasks="kbts")
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation[30:], GOAL_HALF)


def test_minari_dataset_is_found_by_path_too(ours: str, root: Path) -> None:
    assert_same_windows(load_windows(root / OURS), load_windows(ours))


def test_missing_dataset_names_the_nearest_one_and_the_command(ours: str) -> None:
    made = "`skillgym collect kitchen-play` gives 'skillgym/kitchen/play-v0'"
    with pytest.raises(DatasetNotFound, match=made) as failure:
        load_windows("skillgym/kitchen/play-v1")
    assert "did you mean" not in str(failure.value)  # of other data that are there
    with pytest.raises(DatasetNotFound, match="minari download D4RL/kitchen/partial-v2"):
        load_windows("D4RL/kitchen/partial-v2")


@pytest.mark.parametrize("name", ["my/own-v0", "my/kitchen/play-v0", "./play-v0", "skillgym/x"])
def test_a_command_is_named_only_for_what_it_can_make(ours: str, root: Path, name: str) -> None:
    with pytest.raises(DatasetNotFound, match=f"nor in {root}; set MINARI_DATA") as failure:
        load_windows(name)
    assert "collect" not in str(failure.value) and f"'{OURS}'" in str(failure.value)


def test_only_what_a_command_makes_is_to_be_deleted(root: Path) -> None:
    for name, advice in (
        ("skillgym/kitchen/play-v0", "; delete it and run `skillgym collect kitchen-play`."),
        ("skillgym/kitchen/plays-v0", "; copy or record it again."),
        ("my/own-v0", "; copy or record it again."),
    ):
        (root / name / "data").mkdir(parents=True)
        with pytest.raises(UnreadableDataset) as failure:
            load_windows(name)
        assert str(failure.value).endswith(advice)


def test_missing_dataset_in_an_empty_folder(root: Path) -> None:
    with pytest.raises(DatasetNotFound, match="holds no dataset"):
        load_windows("my/own-v0")


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_truncated_minari_file_is_explained(ours: str, root: Path, size: int) -> None:
    file = root / OURS / "data" / "main_data.hdf5"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(UnreadableDataset, match=r"cannot be read \(.+\); copy or record it again"):
        load_windows(ours)


@pytest.mark.parametrize("content", [None, "", '{"total_epis', "{}"])
def test_damaged_metadata_is_explained(ours: str, root: Path, content: str | None) -> None:
    file = root / OURS / "data" / "metadata.json"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(UnreadableDataset, match=r"cannot be read \(.+\); copy or record it again"):
        load_windows(ours)


def test_missing_episode_is_explained(ours: str, root: Path) -> None:
    with h5py.File(root / OURS / "data" / "main_data.hdf5", "a") as file:
        del file["episode_1"]
    with pytest.raises(UnreadableDataset, match="episode_1"):
        load_windows(ours)


def test_truncated_d4rl_file_is_explained(d4rl_v0: Path) -> None:
    d4rl_v0.write_bytes(d4rl_v0.read_bytes()[:3000])
    with pytest.raises(UnreadableDataset, match="copy or download it again"):
        load_windows(d4rl_v0)


def test_missing_file_is_explained(tmp_path: Path) -> None:
    for name in ("absent.hdf5", "absent.h5", "nowhere/absent.hdf5[:2]"):
        with pytest.raises(DatasetFileNotFound, match="there is no such file") as failure:
            load_windows(tmp_path / name)
        assert "download" not in str(failure.value)


def test_the_home_folder_is_expanded(
    ours: str, d4rl_v0: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setenv("USERPROFILE", str(root))
    assert_same_windows(load_windows(f"~/{d4rl_v0.name}"), load_windows(d4rl_v0))
    assert_same_windows(load_windows(Path("~") / OURS), load_windows(ours))
    assert load_windows(f"~/{d4rl_v0.name}[:2]").num_episodes == 2
    assert len(load_transitions(f"~/{OURS}")) == 17 + 12 + 30


def test_open_datasets_are_read(ours: str, d4rl_v2: str, trajectories: list[Trajectory]) -> None:
    for name in (ours, d4rl_v2):
        assert_same_windows(load_windows(minari.load_dataset(name)), load_windows(name))
    assert_same_windows(WindowDataset.from_episodes(minari.load_dataset(ours)), load_windows(ours))
    np.testing.assert_array_equal(
        load_transitions(minari.load_dataset(ours)).rewards, load_transitions(ours).rewards
    )


def test_filtered_datasets_stay_filtered(ours: str, trajectories: list[Trajectory]) -> None:
    dataset = minari.load_dataset(ours)
    short = dataset.filter_episodes(lambda episode: len(episode) == 12)
    data = load_windows(short)
    assert data.num_episodes == 1 and len(load_transitions(short)) == 12
    np.testing.assert_array_equal(data.episode(0)[1], trajectories[1].actions)
    none = dataset.filter_episodes(lambda episode: len(episode) == 13)
    for load in (load_windows, load_transitions):
        with pytest.raises(InvalidTrajectories, match="no episodes"):
            load(none)


def test_damaged_open_dataset_is_explained(ours: str, root: Path) -> None:
    dataset = minari.load_dataset(ours)
    with h5py.File(root / OURS / "data" / "main_data.hdf5", "a") as file:
        del file["episode_1"]
    with pytest.raises(UnreadableDataset, match=f"{OURS}.*episode_1"):
        load_windows(dataset)


def test_discrete_actions_are_explained(root: Path) -> None:
    env = gym.make("CartPole-v1")
    buffer = EpisodeBuffer(
        observations=np.zeros((6, 4), np.float32),
        actions=np.array([0, 1, 1, 0, 1]),
        rewards=[1.0] * 5,
        terminations=[False] * 4 + [True],
        truncations=[False] * 5,
    )
    minari.create_dataset_from_buffers("cartpole/test-v0", [buffer], env=env)
    for load in (load_windows, load_transitions):
        with pytest.raises(InvalidTrajectories, match=r"Discrete\(2\), .* need a Box") as failure:
            load("cartpole/test-v0")
        assert "check how" not in str(failure.value)


def record(
    name: str, observation_space: gym.Space, action_space: gym.Space, episodes: int = 1
) -> str:
    """A dataset of episodes of five steps in which nothing happens."""
    steps = 5
    buffer = EpisodeBuffer(
        observations=create_empty_array(observation_space, steps + 1, np.zeros),
        actions=create_empty_array(action_space, steps, np.zeros),
        rewards=[0.0] * steps,
        terminations=[False] * steps,
        truncations=[False] * (steps - 1) + [True],
    )
    minari.create_dataset_from_buffers(
        name, [buffer] * episodes, observation_space=observation_space, action_space=action_space
    )
    return name


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.MultiDiscrete([3, 3]),
        gym.spaces.MultiBinary(4),
        gym.spaces.Dict({"arm": gym.spaces.Box(-1, 1, (2,))}),
        gym.spaces.Tuple((gym.spaces.Box(-1, 1, (2,)),)),
        gym.spaces.Box(-1, 1, (2, 3)),
    ],
)
def test_actions_that_are_no_vectors_are_refused(root: Path, space: gym.Space) -> None:
    name = record("other/actions-v0", gym.spaces.Box(-1, 1, (4,)), space)
    for load in (load_windows, load_transitions):
        with pytest.raises(InvalidTrajectories, match=r"\(T, A\)"):
            load(name)


def test_transitions_are_checked_like_windows(ours: str, root: Path) -> None:
    file = root / OURS / "data" / "main_data.hdf5"

    def damage(name: str, change: Callable[[np.ndarray], np.ndarray], sentence: str) -> None:
        intact = file.read_bytes()
        with h5py.File(file, "a") as content:
            array = change(content["episode_1"][name][:])
            del content["episode_1"][name]
            content["episode_1"][name] = array
        with pytest.raises(InvalidTrajectories, match=sentence):
            load_transitions(OURS)
        file.write_bytes(intact)

    damage("observations", lambda array: array[:-1], r"episode 1 with observations \(12, 60\)")
    damage("observations", lambda array: array * np.nan, "NaN or infinity in the observations")
    damage("actions", lambda array: array * np.inf, "NaN or infinity in the actions")
    damage("rewards", lambda array: array[:-1], r"episode 1 with rewards of shape \(11,\)")
    damage("rewards", lambda array: array * np.nan, "one finite number for each of its 12 actions")
    damage("terminations", lambda array: array[1:], "episode 1 with terminations")
    assert len(load_transitions(OURS)) == 17 + 12 + 30


def test_another_dictionary_of_the_kitchens_width_is_not_taken_for_it(root: Path) -> None:
    goal = gym.spaces.Box(-1, 1, (3,))
    parts = {"observation": gym.spaces.Box(-1, 1, (59,)), "achieved_goal": goal}
    name = record("other/goals-v0", gym.spaces.Dict(parts), gym.spaces.Box(-1, 1, (4,)))
    with pytest.raises(UnreadableDataset, match="observation space is Dict"):
        load_windows(name)


def test_pictures_beside_the_state_are_not_kept(root: Path) -> None:
    state, image = gym.spaces.Box(-1, 1, (4,)), gym.spaces.Box(0, 255, (256, 256, 3), np.uint8)
    space = gym.spaces.Dict({"state": state, "image": image})
    name = record("other/pictures-v0", space, gym.spaces.Box(-1, 1, (2,)), episodes=20)
    dataset = minari.load_dataset(name)
    pictures = dataset[0].observations["image"].nbytes
    load_windows(dataset)  # what is loaded by the first call does not count
    tracemalloc.start()
    assert load_windows(dataset).num_episodes == 20
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * pictures


def test_other_hdf5_files_are_explained(root: Path) -> None:
    path = root / "other.hdf5"
    with h5py.File(path, "w") as file:
        file["observations"] = np.zeros((3, 17))
    with pytest.raises(UnreadableDataset, match="lacks actions, terminals"):
        load_windows(path)
    with h5py.File(path, "a") as file:
        file["actions"], file["terminals"] = np.zeros((3, 6)), np.zeros(3)
    with pytest.raises(UnreadableDataset, match=r"shape \(3, 17\)"):
        load_windows(path)


def test_unknown_observation_space_is_explained(root: Path) -> None:
    space = gym.spaces.Dict({"pose": gym.spaces.Box(-1, 1, (3,))})
    buffer = EpisodeBuffer(
        observations={"pose": np.zeros((3, 3), np.float32)},
        actions=np.zeros((2, 1), np.float32),
        rewards=[0.0] * 2,
        terminations=[False] * 2,
        truncations=[False, True],
    )
    action_space = gym.spaces.Box(-1, 1, (1,))
    minari.create_dataset_from_buffers(
        "other/dict-v0", [buffer], observation_space=space, action_space=action_space
    )
    with pytest.raises(UnreadableDataset, match="observation space is Dict"):
        load_windows("other/dict-v0")


def test_other_mujoco_version_warns_with_both(ours: str, root: Path) -> None:
    import mujoco

    file = root / OURS / "data" / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "mujoco": "3.1.1"}))
    with pytest.warns(SimulatorVersionWarning, match=rf"MuJoCo 3\.1\.1, but {mujoco.__version__}"):
        load_windows(ours)


def test_hidden_folders_are_not_offered(ours: str, root: Path) -> None:
    shutil.copytree(root / OURS, root / "skillgym/kitchen/.play-v0.collecting/assembly/x")
    with pytest.raises(DatasetNotFound) as failure:
        load_windows("skillgym/kitchen/nothing-v0")
    assert "collecting" not in str(failure.value)


def test_folders_that_are_no_datasets_are_not_to_be_deleted(tmp_path: Path, root: Path) -> None:
    for name in (str(tmp_path), ""):
        with pytest.raises(DatasetNotFound) as caught:
            load_windows(name)
        assert "delete" not in str(caught.value)
