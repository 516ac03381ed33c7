from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium as gym
import minari
import mujoco
import numpy as np
import pytest

import skillgym_envs
from skillgym_envs.collect import (
    DatasetExists,
    DatasetSpec,
    DiskFull,
    ExpertFailed,
    StaleEpisodes,
    UnknownDataset,
    WorkerDied,
    collect,
    dataset_spec,
)
from skillgym_envs.collect import spec as spec_module
from skillgym_envs.collect.assembly import install, success_table
from skillgym_envs.collect.episodes import Episode, Recorder
from skillgym_envs.collect.staging import differences
from skillgym_envs.core.errors import InvalidConfig
from tests.envs import random_expert
from tests.envs.random_expert import (
    RandomExpert,
    ends_its_process,
    impossible,
    random_dataset,
)

SMALL = random_dataset(plans=(("long", "done"),) * 6)
STAGING = "skillgym/kitchen/.random-v0.collecting"


def content(dataset: Path) -> bytes:
    return (dataset / "data" / "main_data.hdf5").read_bytes()


def metadata(dataset: Path) -> dict[str, object]:
    return json.loads((dataset / "data" / "metadata.json").read_text())


def reseeded(spec: DatasetSpec, seed: int) -> DatasetSpec:
    return random_dataset(plans=spec.plans, seed=seed)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect(SMALL, tmp_path_factory.mktemp("datasets"), workers=1)


def test_dataset_is_one_that_minari_knows(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(small.parents[2]))
    assert list(minari.list_local_datasets()) == [SMALL.dataset_id]
    dataset = minari.load_dataset(SMALL.dataset_id)
    assert dataset.total_episodes == 6
    for episode in dataset:
        steps = len(episode.actions)
        assert episode.observations.shape == (steps + 1, 60)
        assert episode.observations.dtype == episode.actions.dtype == np.float32
        assert episode.truncations.tolist() == [False] * (steps - 1) + [True]
    env = dataset.recover_environment()
    assert env.unwrapped.world.subtasks[0] == "kettle"
    assert not list(small.parent.glob(".*"))  # nothing is left of the staging


def test_actions_replay_from_the_episode_seeds(small: Path) -> None:
    dataset = minari.MinariDataset(small / "data")
    env = dataset.recover_environment()
    for episode, facts in zip(dataset, dataset.storage.get_episode_metadata(range(6)), strict=True):
        observation, _ = env.reset(seed=facts["seed"])
        for expected, action in zip(episode.observations, episode.actions, strict=False):
            np.testing.assert_array_equal(observation, expected)
            observation = env.step(action)[0]
        np.testing.assert_array_equal(observation, episode.observations[-1])


def test_metadata_tells_how_it_was_made(small: Path) -> None:
    facts = metadata(small)
    assert facts["mujoco"] == mujoco.__version__
    assert facts["versions"]["skillgym"] == skillgym_envs.__version__
    assert facts["seed"] == 0 and facts["requirements"] == ["mujoco>=3.10,<3.12"]
    assert json.loads(facts["env_spec"])["kwargs"] == {"tasks": "kbts"}
    assert sum(len(block["labels"]) for block in facts["observation_layout"]) == 60
    table = facts["success"]
    attempts = table["attempts"]
    assert table["episodes"] == 6 and attempts > 6  # some attempts are too short
    assert table["subtasks"]["long"] == {"attempts": attempts, "successes": attempts}
    assert table["subtasks"]["done"] == {"attempts": attempts, "successes": 6}
    assert table["sequences"] == {"long -> done": {"attempts": attempts, "successes": 6}}
    episodes = [*minari.MinariDataset(small / "data").storage.get_episode_metadata(range(6))]
    assert sum(episode["attempts"] for episode in episodes) == attempts
    assert all(episode["success"] for episode in episodes)  # at the last attempt


def test_a_subtask_is_asked_for_once_those_before_it_are_done() -> None:
    """Two attempts; the first one fails at the second subtask."""
    none = np.zeros((0, 1), np.float32)
    facts = {"plan": ["a", "b", "c"], "attempts": [["a", "c"], ["a", "b", "c", "d"]]}
    table = success_table([Episode(none, none, np.zeros(0), False, facts)])
    assert (table["episodes"], table["attempts"]) == (1, 2)
    assert table["subtasks"] == {
        "a": {"attempts": 2, "successes": 2},
        "b": {"attempts": 2, "successes": 1},
        "c": {"attempts": 1, "successes": 1},
    }
    assert table["sequences"] == {"a -> b -> c": {"attempts": 2, "successes": 1}}


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"plans": (("done", "long"),) * 6}, "plans_sha256"),
        ({"env_kwargs": {"tasks": "mixed"}}, "env"),
        ({"env_kwargs": {"tasks": "kbts", "noise": 0.0}}, "env"),
        ({"seed_keyword": "noise"}, "env"),
        ({"plan_keyword": "tasks"}, "env"),
        ({"seed": 1}, "seed"),
    ],
)
def test_whatever_changes_the_episodes_makes_another_dataset(
    change: dict[str, object], fact: str
) -> None:
    other = random_dataset(**({"plans": SMALL.plans} | change))
    (found,) = differences(SMALL.identity(), other.identity())
    assert found.startswith(f"{fact} (")


@pytest.mark.parametrize(("done", "kept"), [(("b", "a"), 2), (("a", "b", "c"), 1), (("a",), 2)])
def test_an_attempt_counts_if_it_begins_with_its_plan(done: tuple[str, ...], kept: int) -> None:
    """In its order; then it need not be tried again. Nor if it is just long enough."""
    outcomes = iter([done, ("a", "b")])

    class FiveSteps(RandomExpert):
        def reset(self, data: mujoco.MjData) -> None:
            self._steps_left = 5

    recorder = Recorder(
        random_dataset(
            plans=(("a", "b"),),
            make_expert=FiveSteps,
            achieved=lambda observations: next(outcomes),
            min_steps=5,
        )
    )
    assert len(recorder.record(0).facts["attempts"]) == kept
    recorder.env.close()


def test_metadata_have_the_return_of_an_episode(small: Path) -> None:
    """The number that agents are compared with."""
    returns = [episode.rewards.sum() for episode in minari.MinariDataset(small / "data")]
    assert metadata(small)["mean_return"] == pytest.approx(np.mean(returns))


def test_number_of_workers_does_not_change_the_dataset(small: Path, tmp_path: Path) -> None:
    assert content(collect(SMALL, tmp_path, workers=3)) == content(small)


def test_seed_changes_the_dataset(small: Path, tmp_path: Path) -> None:
    assert content(collect(reseeded(SMALL, 1), tmp_path, workers=1)) != content(small)


def test_complete_dataset_is_left_alone_and_others_are_protected(tmp_path: Path) -> None:
    path = collect(SMALL, tmp_path, workers=1)
    before = (path / "data" / "main_data.hdf5").stat().st_mtime_ns
    assert collect(SMALL, tmp_path, workers=1) == path
    assert (path / "data" / "main_data.hdf5").stat().st_mtime_ns == before
    with pytest.raises(DatasetExists, match=r"seed \(0 there, 1 now\).*overwrite"):
        collect(reseeded(SMALL, 1), tmp_path, workers=1)
    collect(reseeded(SMALL, 1), tmp_path, workers=1, overwrite=True)
    assert metadata(path)["seed"] == 1


def test_a_dataset_whose_replacement_fails_is_put_back(small: Path, tmp_path: Path) -> None:
    path = tmp_path / SMALL.dataset_id
    shutil.copytree(small, path)

    def build_nothing() -> None:
        """Then there is nothing to move to its place."""

    with pytest.raises(FileNotFoundError):
        install(SMALL.dataset_id, tmp_path, tmp_path / "work", [], 0, build_nothing)
    assert content(path) == content(small)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_dataset_is_put_back_if_the_process_is_killed_while_it_is_replaced(
    small: Path, tmp_path: Path
) -> None:
    path, work = tmp_path / SMALL.dataset_id, tmp_path / "work"
    shutil.copytree(small, path)
    if (child := os.fork()) == 0:
        rename = Path.replace

        def killed(self: Path, target: Path) -> Path:
            if target == path:
                os._exit(9)
            return rename(self, target)

        Path.replace = killed  # type: ignore[method-assign]
        install(SMALL.dataset_id, tmp_path, work, [], 0, lambda: None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not path.exists()
    with pytest.raises(DatasetExists):
        collect(reseeded(SMALL, 1), tmp_path, workers=1)
    assert content(path) == content(small)
    assert [each for each in path.parent.iterdir() if each.name.startswith(".")] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_explained_and_the_run_goes_on(small: Path, tmp_path: Path) -> None:
    fourth = tmp_path / STAGING / f".episode_00003.npz.{os.getpid()}.partial"

    def with_full_disk(plan: tuple[str, ...], rng: np.random.Generator) -> RandomExpert:
        if not fourth.is_symlink():
            fourth.symlink_to("/dev/full")  # where every write fails with ENOSPC
        return RandomExpert(plan, rng)

    spec = random_dataset(plans=SMALL.plans, make_expert=with_full_disk)
    with pytest.raises(DiskFull, match="3 of 6 episodes are safe; free some space"):
        collect(spec, tmp_path, workers=1)
    names = sorted(file.name for file in fourth.parent.iterdir())
    assert names == [*(f"episode_0000{i}.npz" for i in range(3)), "identity.json"]
    assert content(collect(SMALL, tmp_path, workers=1)) == content(small)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_disk_without_room_for_the_final_file_is_explained(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", no_space)
        with pytest.raises(DiskFull, match="6 of 6 episodes are safe"):
            collect(SMALL, tmp_path, workers=1)
    assert not (tmp_path / SMALL.dataset_id).exists()
    assert content(collect(SMALL, tmp_path, workers=1)) == content(small)


def test_declared_space_has_the_recorded_actions(small: Path, tmp_path: Path) -> None:
    class Strong(RandomExpert):
        def act(self, data: mujoco.MjData) -> np.ndarray:
            return 4.0 * super().act(data)

    strong = collect(random_dataset(plans=SMALL.plans, make_expert=Strong), tmp_path, workers=1)
    for path, bound in ((small, 1.0), (strong, np.inf)):
        dataset = minari.MinariDataset(path / "data")
        space, world = dataset.spec.action_space, dataset.recover_environment().action_space
        assert world == gym.spaces.Box(-1.0, 1.0, (9,), np.float32)
        assert space == gym.spaces.Box(-bound, bound, (9,), np.float32)
        assert all(space.contains(action) for action in dataset[0].actions)


def test_worker_that_the_system_ends_is_explained(tmp_path: Path) -> None:
    spec = random_dataset(plans=SMALL.plans, make_expert=ends_its_process)
    with pytest.raises(WorkerDied, match="same command with fewer workers"):
        collect(spec, tmp_path, workers=2)


def test_damaged_episode_file_is_collected_again(small: Path, tmp_path: Path) -> None:
    failing = random_dataset(plans=SMALL.plans, achieved=impossible)
    with pytest.raises(ExpertFailed):
        collect(failing, tmp_path, workers=1)  # leaves a staging folder
    (tmp_path / STAGING / "episode_00002.npz").write_bytes(b"PK not an archive")
    assert content(collect(SMALL, tmp_path, workers=1)) == content(small)


def test_unfinished_run_of_another_seed_is_not_mixed_in(tmp_path: Path) -> None:
    failing = random_dataset(plans=SMALL.plans, achieved=impossible)
    with pytest.raises(ExpertFailed):
        collect(failing, tmp_path, workers=1)
    with pytest.raises(StaleEpisodes, match=r"different seed \(0 there, 1 now\).*no-resume"):
        collect(reseeded(SMALL, 1), tmp_path, workers=1)
    assert collect(reseeded(SMALL, 1), tmp_path, workers=1, resume=False).exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_expert_that_cannot_do_it_is_explained(tmp_path: Path, workers: int) -> None:
    spec = random_dataset(plans=(("long", "done"),) * 2, achieved=impossible, max_attempts=2)
    with pytest.raises(ExpertFailed, match=r"2 attempts of episode [01], expected long"):
        collect(spec, tmp_path, workers=workers)


def test_unknown_dataset_names_the_nearest() -> None:
    with pytest.raises(UnknownDataset, match="did you mean 'kitchen-play'"):
        dataset_spec("kitchen-plai")


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": -1}, {"seed": -1}])
def test_numbers_that_cannot_work_are_explained(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidConfig, match=f"{next(iter(wrong))}="):
        collect("kitchen-play-mini", tmp_path, **wrong)


def test_episodes_stop_at_the_time_limit(tmp_path: Path) -> None:
    class Endless(RandomExpert):
        done = False  # type: ignore[assignment]

    spec = random_dataset(plans=(("long",),), make_expert=Endless)
    episode = minari.MinariDataset(collect(spec, tmp_path, workers=1) / "data")[0]
    assert len(episode.actions) == gym.spec("skillgym/Kitchen-v0").max_episode_steps
    assert episode.truncations[-1] and not episode.terminations[-1]


def run_and_kill(folder: Path, workers: int, episodes: int, delay: float = 0.0) -> bool:
    """Kill a run a moment after it has finished a number of episodes; no process may be left of it.

    Returns:
        Whether the run ended by itself before.
    """
    command = [sys.executable, "-m", random_expert.__name__, str(folder), str(workers)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, cwd=root, start_new_session=True)
    while process.poll() is None and len(list(folder.glob(f"{STAGING}/*.npz"))) < episodes:
        time.sleep(0.01)
    try:
        assert process.wait(delay) == 0
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    finally:
        deadline = time.monotonic() + 30.0
        while process_group_lives(process.pid):
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                pytest.fail("workers outlived the killed run")
            time.sleep(0.05)


def process_group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def kill_and_resume(tmp_path: Path, kills: int) -> None:
    """Kill runs at random moments, resuming each; what they finish equals an undisturbed run."""
    rng = np.random.default_rng(0)
    spec = random_dataset()
    total = len(spec.plans)
    whole = content(collect(spec, tmp_path / "whole", workers=1))
    folder = tmp_path / "broken"
    dataset = folder / spec.dataset_id
    while kills:
        finished = len(list(folder.glob(f"{STAGING}/*.npz")))
        more = int(rng.integers(finished, total + 1))
        kills -= not run_and_kill(folder, 1 + kills % 2, more, rng.uniform(0.0, 0.1))
        if dataset.exists():  # complete, or not there at all
            assert content(dataset) == whole
            shutil.rmtree(dataset)
    assert content(collect(spec, folder, workers=1)) == whole


def test_killed_run_resumes_to_the_same_dataset(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=1)


@pytest.mark.slow
def test_runs_killed_at_20_random_moments(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=20)


def test_a_dataset_depends_on_its_own_world_and_on_what_all_share(tmp_path, monkeypatch):
    copy = tmp_path / "skillgym_envs"
    shutil.copytree(
        Path(spec_module.__file__).parents[1], copy, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(spec_module, "__file__", str(copy / "collect" / "spec.py"))
    ids = ("skillgym/Kitchen-v0", "skillgym/Maze-v0", "Pendulum-v1")
    before = [spec_module.code_sha256(env_id) for env_id in ids]
    assert len(set(before)) == 3

    def changed(path: str) -> list[bool]:
        (copy / path).write_text((copy / path).read_text() + "\n# changed\n")
        after = [spec_module.code_sha256(env_id) for env_id in ids]
        flags = [one != other for one, other in zip(before, after, strict=True)]
        before[:] = after
        return flags

    assert changed("kitchen/expert.py") == [True, False, False]
    assert changed("maze/layouts.py") == [False, True, False]
    assert changed("core/batch.py") == [True, True, True]
