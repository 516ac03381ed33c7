"""Recordings of the original projects, in their true formats, become Minari datasets."""

from __future__ import annotations

import gzip
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import minari
import numpy as np
import pytest

from skillgym.cli import main as cli
from skillgym.data import load_windows
from skillgym.data.errors import (
    ForeignTrajectories,
    MixedTrajectories,
    UnknownWorld,
    UnreadableDataset,
    UntrustedPickle,
)
from skillgym.data.legacy import convert, read_trajectories
from skillgym_envs.collect.errors import DatasetExists
from skillgym_envs.core.errors import InvalidConfig
from skillgym_envs.core.files import PREVIOUS, sibling

RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(8, 4)).astype(np.float32)
ACTIONS = RNG.uniform(-1, 1, (8, 2)).astype(np.float32)


@pytest.fixture(autouse=True)
def minari_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def write_spirl(
    path: Path,
    valid: int = 7,
    images: int | None = 2,
    rewards: np.ndarray | None = None,
    states: np.ndarray = STATES,
    actions: np.ndarray = ACTIONS,
    pictures: int = 8,
) -> None:
    """One trajectory of eight rows, as SPiRL's samplers write it; `images` is their width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["traj_per_file"] = 1
        group = file.create_group("traj0")
        group["states"], group["actions"] = states, actions
        if images is not None:
            group["images"] = np.arange(pictures, dtype=np.uint8)[:, None, None, None] + np.zeros(
                (pictures, images, images, 3), np.uint8
            )
        group["pad_mask"] = (np.arange(8) < valid).astype(np.float64)
        if rewards is not None:
            group["rewards"] = rewards


def write_skimo(path: Path) -> None:
    items = [{"obs": STATES, "actions": ACTIONS, "dones": np.arange(8) == 7}] * 2
    with gzip.open(path, "wb") as file:
        pickle.dump(items, file)


def write_reskill(path: Path) -> None:
    demos = np.empty(2, object)
    for index in range(2):
        demos[index] = {"obs": list(STATES.astype(float)), "actions": list(ACTIONS.astype(float))}
    np.save(path / "demos.npy", demos, allow_pickle=True)


def write_calvin(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    robot, scene = RNG.normal(size=(8, 15)), RNG.normal(size=(8, 24))
    actions = RNG.uniform(-1, 1, (8, 7))
    for step in range(8):
        np.savez(
            folder / f"episode_{step + 100:07d}.npz",
            rgb_static=np.zeros((4, 4, 3), np.uint8),
            actions=np.zeros(7),
            rel_actions=actions[step],
            robot_obs=robot[step],
            scene_obs=scene[step],
        )
    np.save(folder / "ep_start_end_ids.npy", np.array([[100, 102], [103, 107]]))
    return np.concatenate([robot, scene], axis=1), actions


def test_spirl_files_end_with_the_terminal_row(tmp_path: Path) -> None:
    write_spirl(tmp_path / "b" / "rollout_0.h5", valid=7)
    write_spirl(tmp_path / "a" / "rollout_1.h5", valid=4)
    cut, whole = read_trajectories(tmp_path, "spirl")  # in the order of their paths
    np.testing.assert_array_equal(whole.observations, STATES)
    np.testing.assert_array_equal(whole.actions, ACTIONS[:7])
    np.testing.assert_array_equal(cut.observations, STATES[:5])
    assert whole.images is None  # two pixels are a placeholder
    assert not whole.rewards.any() and not whole.terminated


def test_the_reward_of_an_end_is_kept(tmp_path: Path) -> None:
    """The office's last subtask is rewarded in the terminal row."""
    write_spirl(tmp_path / "ended" / "rollout_0.h5", valid=7, rewards=np.arange(8.0))
    write_spirl(tmp_path / "stopped" / "rollout_0.h5", valid=8, rewards=np.arange(8.0))
    ended, stopped = read_trajectories(tmp_path, "spirl")
    np.testing.assert_array_equal(ended.observations, [*STATES, STATES[-1]])
    np.testing.assert_array_equal(ended.actions, ACTIONS)
    np.testing.assert_array_equal(ended.rewards, np.arange(8.0))
    np.testing.assert_array_equal(stopped.rewards, np.arange(7.0))  # not known where it led
    assert (ended.terminated, stopped.terminated) == (True, False)
    convert(tmp_path / "ended", "spirl", "legacy/office-v0")
    episode = next(iter(minari.load_dataset("legacy/office-v0").iterate_episodes()))
    assert episode.rewards.sum() == 28.0
    assert np.flatnonzero(episode.terminations).tolist() == [7] and not episode.truncations.any()


@pytest.mark.parametrize(
    ("world", "widths", "number", "images", "rewards"),
    [
        ("Maze", (4, 2), np.float32, 32, None),
        ("Maze", (4, 2), np.float32, 2, None),  # a placeholder
        # No images; the reward of the last subtask is in the terminal row.
        ("Office", (97, 8), np.float64, None, (np.arange(8) % 3 == 1).astype(np.float64)),
    ],
)
def test_files_of_the_authors_worlds(
    tmp_path: Path,
    world: str,
    widths: tuple[int, int],
    number: type[np.floating[Any]],
    images: int | None,
    rewards: np.ndarray | None,
) -> None:
    """Two files with the widths, the precision and the keys of those of SPiRL and SkiLD."""
    states = RNG.normal(size=(2, 8, widths[0])).astype(number)
    actions = RNG.uniform(-0.9, 0.9, (2, 8, widths[1])).astype(number)
    for index, arrays in enumerate(zip(states, actions, strict=True)):
        path = tmp_path / "data" / f"rollout_{index}.h5"
        write_spirl(path, 7, images, rewards, *arrays)
    name = f"legacy/{world.lower()}-v0"
    convert(tmp_path / "data", "spirl", name, f"skillgym/{world}-v0")
    windows, dataset = load_windows(name), minari.load_dataset(name)
    assert windows.num_episodes == 2
    steps = 7 if rewards is None else 8
    for index, episode in enumerate(dataset.iterate_episodes()):
        given = windows.episode(index)
        assert [array.dtype for array in given] == [np.float32, np.float32]
        np.testing.assert_array_equal(given[0][:8], states[index].astype(np.float32))
        np.testing.assert_array_equal(given[1], actions[index, :steps].astype(np.float32))
        np.testing.assert_array_equal(episode.rewards, np.zeros(7) if rewards is None else rewards)
        assert episode.terminations[-1] == (rewards is not None)
        assert isinstance(episode.observations, dict) == (images == 32)


@pytest.mark.parametrize("kind", ["skimo", "reskill"])
def test_pickles_are_read_only_if_trusted(tmp_path: Path, kind: str) -> None:
    write_skimo(tmp_path / "maze.gz")
    write_reskill(tmp_path)
    with pytest.raises(UntrustedPickle, match="--trust"):
        next(read_trajectories(tmp_path, kind))
    first, second = read_trajectories(tmp_path, kind, trust=True)
    for each in (first, second):
        np.testing.assert_array_equal(each.observations, STATES)
        np.testing.assert_array_equal(each.actions, ACTIONS[:7])


def test_records_are_of_a_class_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in ReSkill's own files: its dictionaries have a class of its package."""

    class AttrDict(dict[str, Any]):
        __qualname__ = "AttrDict"

        def __getstate__(self) -> Any:
            return self

        def __setstate__(self, state: Any) -> None:
            pass

    module = ModuleType("skills_of_others")
    AttrDict.__module__, module.AttrDict = module.__name__, AttrDict  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        demos = [AttrDict(obs=list(STATES), actions=list(ACTIONS))] * 2
        np.save(tmp_path / "demos.npy", np.array(demos), allow_pickle=True)
    with pytest.raises(ModuleNotFoundError):
        np.load(tmp_path / "demos.npy", allow_pickle=True)
    for each in read_trajectories(tmp_path, "reskill", trust=True):
        np.testing.assert_array_equal(each.observations, STATES)
        np.testing.assert_array_equal(each.actions, ACTIONS[:7])


def test_skimo_leaves_out_what_lacks_observations(tmp_path: Path) -> None:
    whole = {"obs": STATES, "actions": ACTIONS, "dones": np.arange(8) == 7}
    with gzip.open(tmp_path / "maze.gz", "wb") as file:
        pickle.dump([{**whole, "obs": STATES[:5]}, whole], file)
    (only,) = read_trajectories(tmp_path, "skimo", trust=True)
    np.testing.assert_array_equal(only.observations, STATES)


def test_skimo_trajectories_end_where_they_are_done(tmp_path: Path) -> None:
    """Two trajectories in one item, the second with a padded tail."""
    item = {"obs": STATES, "actions": ACTIONS, "dones": np.isin(np.arange(8), (2, 6, 7))}
    with gzip.open(tmp_path / "maze.gz", "wb") as file:
        pickle.dump([item], file)
    first, second = read_trajectories(tmp_path, "skimo", trust=True)
    np.testing.assert_array_equal(first.observations, STATES[:3])
    np.testing.assert_array_equal(first.actions, ACTIONS[:2])
    np.testing.assert_array_equal(second.observations, STATES[3:7])
    np.testing.assert_array_equal(second.actions, ACTIONS[3:6])


def test_calvin_data_become_those_of_skimos_task(tmp_path: Path) -> None:
    """Robot, furniture and lights: the tabletop's default observation."""
    states, _ = write_calvin(tmp_path)
    source, name, world = tmp_path, "legacy/calvin-v0", "skillgym/Tabletop-v0"
    with pytest.raises(ForeignTrajectories, match="39"):
        convert(source, "calvin", name, world)
    whole = {"observation": "full", "scene": "A"}
    convert(source, "calvin", "legacy/calvin-full-v0", world, world_options=whole)
    kept = minari.load_dataset("legacy/calvin-full-v0").recover_environment()
    assert kept.unwrapped.world.scene_name == "A" and kept.observation_space.shape == (39,)
    with pytest.raises(DatasetExists, match="the keywords of its world"):
        convert(
            source, "calvin", "legacy/calvin-full-v0", world, world_options=whole | {"scene": "B"}
        )
    with pytest.raises(InvalidConfig, match="world_options"):
        convert(source, "calvin", "legacy/calvin-none-v0", world_options=whole)
    convert(source, "calvin", name, world, observation_size=21)
    observations, _ = load_windows(name).episode(1)
    np.testing.assert_allclose(observations, states[3:, :21], rtol=1e-6)
    with pytest.raises(DatasetExists, match="its content"):
        convert(source, "calvin", name)
    for size in (0, 40, "all"):
        with pytest.raises(InvalidConfig, match="observation_size"):
            convert(source, "calvin", name, observation_size=size)


def test_calvin_sessions_are_trajectories(tmp_path: Path) -> None:
    states, actions = write_calvin(tmp_path)
    first, second = read_trajectories(tmp_path, "calvin")
    np.testing.assert_allclose(first.observations, states[:3], rtol=1e-6)
    np.testing.assert_allclose(second.actions, actions[3:7], rtol=1e-6)


@pytest.mark.parametrize("images", [2, 32])
def test_conversion_is_repeatable_and_read_like_any_dataset(tmp_path: Path, images: int) -> None:
    write_spirl(tmp_path / "data" / "rollout_0.h5", images=images)

    def run(**options: Any) -> Path:
        world = "skillgym/Maze-v0"
        return convert(tmp_path / "data", "spirl", "legacy/maze-v0", world, **options)

    path = run()
    written = (path / "data" / "main_data.hdf5").stat().st_mtime_ns
    assert run() == path
    assert (path / "data" / "main_data.hdf5").stat().st_mtime_ns == written
    observations, actions = load_windows("legacy/maze-v0").episode(0)
    np.testing.assert_array_equal(observations, STATES)
    np.testing.assert_array_equal(actions, ACTIONS[:7])
    episode = minari.load_dataset("legacy/maze-v0")[0]
    if images == 32:
        assert episode.observations["image"].shape == (8, 32, 32, 3)
        assert (episode.observations["image"][5] == 5).all()
    write_spirl(tmp_path / "data" / "rollout_1.h5", valid=3, images=images)
    with pytest.raises(DatasetExists, match="its content"):
        run()
    run(overwrite=True)
    assert load_windows("legacy/maze-v0").num_episodes == 2
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


def test_another_world_is_another_dataset(tmp_path: Path) -> None:
    """Repeating the command with --world did nothing and said nothing."""
    write_spirl(tmp_path / "rollout_0.h5")
    convert(tmp_path, "spirl", "legacy/maze-v0")
    convert(tmp_path, "spirl", "legacy/maze-v0", world=None)
    world = "skillgym/Maze-v0"
    with pytest.raises(DatasetExists, match=r"differs in its world; .*--overwrite"):
        convert(tmp_path, "spirl", "legacy/maze-v0", world)
    convert(tmp_path, "spirl", "legacy/maze-v0", world, overwrite=True)
    assert minari.load_dataset("legacy/maze-v0").env_spec.id == world
    convert(tmp_path, "spirl", "legacy/maze-v0", world)


def test_recordings_of_another_world_are_refused(tmp_path: Path) -> None:
    write_spirl(tmp_path / "rollout_0.h5")
    with pytest.raises(ForeignTrajectories, match=r"\(\(4,\), \(2,\)\)"):
        convert(tmp_path, "spirl", "legacy/kitchen-v0", "skillgym/Kitchen-v0")


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDataset, match="check the path"):
        list(read_trajectories(tmp_path / "nowhere", "calvin"))
    with pytest.raises(UnreadableDataset, match="nothing of this kind"):
        list(read_trajectories(tmp_path, "spirl"))
    (tmp_path / "half.h5").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(UnreadableDataset, match="'spirl'"):
        list(read_trajectories(tmp_path, "spirl"))
    (tmp_path / "half.gz").write_bytes(gzip.compress(b"\x80\x04}")[:-4])
    with pytest.raises(UnreadableDataset, match="'skimo'"):
        list(read_trajectories(tmp_path, "skimo", trust=True))
    write_spirl(tmp_path / "short" / "rollout_0.h5", valid=0)
    with pytest.raises(UnreadableDataset, match="two rows"):
        convert(tmp_path / "short", "spirl", "legacy/short-v0")
    with pytest.raises(UnreadableDataset, match="ep_start_end_ids"):
        list(read_trajectories(tmp_path, "calvin"))


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"states": np.zeros((8, 97)), "actions": np.zeros((8, 8))}, r"\(97,\), actions \(8,\)"),
        ({"states": np.zeros((8, 5))}, r"\(5,\), actions \(2,\)"),
        ({"images": 2}, "images None"),
        ({"images": 16}, r"images \(16, 16, 3\)"),
    ],
)
def test_mixed_recordings_are_refused(tmp_path: Path, other: dict[str, Any], found: str) -> None:
    write_spirl(tmp_path / "rollout_0.h5", images=32)
    write_spirl(tmp_path / "rollout_1.h5", **{"images": 32} | other)
    for size in (None, 4):
        with pytest.raises(MixedTrajectories, match=rf"\(32, 32, 3\); .*{found}.*separately"):
            convert(tmp_path, "spirl", "legacy/x-v0", "skillgym/Maze-v0", observation_size=size)
    assert not (tmp_path / "minari" / "legacy").exists()


@pytest.mark.parametrize("what", ["states", "actions"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, what: str, value: float) -> None:
    rows = {"states": STATES, "actions": ACTIONS}[what].copy()
    rows[-1] = value
    write_spirl(tmp_path / "rollout_0.h5", **{what: rows})
    if what == "actions":  # the last row is left out
        convert(tmp_path, "spirl", "legacy/x-v0")
        rows[3, 1] = value
        write_spirl(tmp_path / "rollout_0.h5", **{what: rows})
    with pytest.raises(UnreadableDataset, match=r"rollout_0\.h5.*not finite"):
        convert(tmp_path, "spirl", "legacy/y-v0")


def test_missing_pictures_are_told(tmp_path: Path) -> None:
    write_spirl(tmp_path / "rollout_0.h5", images=32, pictures=5)
    with pytest.raises(UnreadableDataset, match="5 images for 8 observations"):
        convert(tmp_path, "spirl", "legacy/x-v0")


def test_names_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for name in ("legacyx", "foo/bar", "../x-v0", ""):
        with pytest.raises(InvalidConfig, match=r"dataset_id=.*such as legacy/maze-v0"):
            convert(nowhere, "spirl", name)
    with pytest.raises(UnknownWorld, match="did you mean 'skillgym/Maze-v0'"):
        convert(nowhere, "spirl", "legacy/x-v0", "skillgym/Mazee-v0")
    with pytest.raises(InvalidConfig, match="kind='spirll'; did you mean 'spirl'"):
        convert(nowhere, "spirll", "legacy/x-v0")


def test_an_id_needs_no_namespace(tmp_path: Path) -> None:
    write_spirl(tmp_path / "rollout_0.h5")
    assert convert(tmp_path, "spirl", "maze-v0") == tmp_path / "minari" / "maze-v0"
    assert load_windows("maze-v0").num_episodes == 1


def test_a_failure_leaves_no_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("full")

    write_spirl(tmp_path / "rollout_0.h5")
    monkeypatch.setattr(minari, "create_dataset_from_buffers", full)
    with pytest.raises(OSError, match="full"):
        convert(tmp_path, "spirl", "legacy/x-v0")
    assert list((tmp_path / "minari" / "legacy").iterdir()) == []


def test_a_dataset_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spirl(tmp_path / "rollout_0.h5")
    final = convert(tmp_path, "spirl", "legacy/x-v0")
    write_spirl(tmp_path / "rollout_0.h5", actions=2 * ACTIONS)
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target == final and not self.name.endswith(PREVIOUS):
            raise OSError("full")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="full"):
        convert(tmp_path, "spirl", "legacy/x-v0", overwrite=True)
    np.testing.assert_array_equal(load_windows("legacy/x-v0").episode(0)[1], ACTIONS[:7])


def test_a_dataset_is_put_back_if_the_process_was_killed_while_it_was_replaced(
    tmp_path: Path,
) -> None:
    write_spirl(tmp_path / "rollout_0.h5")
    final = convert(tmp_path, "spirl", "legacy/x-v0")
    final.rename(sibling(final, PREVIOUS))
    write_spirl(tmp_path / "rollout_0.h5", actions=2 * ACTIONS)
    with pytest.raises(DatasetExists, match="its content"):
        convert(tmp_path, "spirl", "legacy/x-v0")
    np.testing.assert_array_equal(load_windows("legacy/x-v0").episode(0)[1], ACTIONS[:7])


def test_actions_outside_the_world_are_in_the_declared_space(tmp_path: Path) -> None:
    for name, scale in (("inside", 1), ("outside", 3)):
        source = tmp_path / name
        write_spirl(source / "rollout_0.h5", actions=scale * ACTIONS)
        convert(source, "spirl", f"legacy/{name}-v0", "skillgym/Maze-v0")
        dataset = minari.load_dataset(f"legacy/{name}-v0")
        world = dataset.recover_environment().action_space
        assert (dataset.action_space == world) == (scale == 1)
        assert all(map(dataset.action_space.contains, dataset[0].actions))
        np.testing.assert_array_equal(
            load_windows(f"legacy/{name}-v0").episode(0)[1], scale * ACTIONS[:7]
        )


def test_mistakes_of_the_command_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_spirl(tmp_path / "rollout_0.h5")
    for arguments, hint in (
        (["legacyx"], "such as legacy/maze-v0"),
        (["legacy/x-v0", "--world", "skillgym/Mazee-v0"], "did you mean 'skillgym/Maze-v0'"),
    ):
        assert cli.main(["convert", "spirl", str(tmp_path), *arguments]) == 1
        assert hint in capsys.readouterr().err


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_skimo(tmp_path / "maze.gz")
    arguments = ["convert", "skimo", str(tmp_path / "maze.gz"), "legacy/skimo-v0"]
    assert cli.main(arguments) == 1
    assert "if you trust its origin" in capsys.readouterr().err
    assert cli.main([*arguments, "--trust"]) == 0
    assert load_windows("legacy/skimo-v0").num_episodes == 2
