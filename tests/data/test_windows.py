from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from skillgym.data import InvalidTrajectories, NoWindows, WindowDataset
from skillgym.errors import InvalidConfig


def numbered(lengths: list[int]) -> WindowDataset:
    """Observations (episode, step); the action of a step is its number in the whole dataset."""
    episodes, count = [], 0
    for episode, length in enumerate(lengths):
        steps = np.arange(length + 1)
        observations = np.stack((np.full(length + 1, episode), steps), axis=1)
        episodes.append((observations, count + np.arange(length)[:, None]))
        count += length
    return WindowDataset.from_episodes(episodes)


@pytest.mark.parametrize("weighting", ["episodes", "windows"])
def test_windows_are_consecutive_and_stay_in_one_episode(weighting: str) -> None:
    data = numbered([12, 7, 30])
    observations, actions = data.sample(np.random.default_rng(0), 1000, 5, weighting)
    assert observations.shape == (1000, 6, 2) and actions.shape == (1000, 5, 1)
    assert (observations[:, :, 0] == observations[:, :1, 0]).all()
    assert (np.diff(observations[:, :, 1], axis=1) == 1).all()
    first_action = np.array([0, 12, 19])[observations[:, 0, 0].astype(int)]
    assert (actions[:, :, 0] == first_action[:, None] + observations[:, :-1, 1]).all()


def test_every_window_is_drawn_including_the_last_two() -> None:
    data = numbered([7, 5])
    observations, _ = data.sample(np.random.default_rng(0), 500, 5)
    assert set(map(tuple, observations[:, 0])) == {(0, 0), (0, 1), (0, 2), (1, 0)}


def test_rows_belong_to_the_episode_that_they_are_of() -> None:
    data = numbered([3, 2])  # four and three rows
    np.testing.assert_array_equal(data.episodes_of(np.arange(7)), data.observations[:, 0])


def test_weighting_by_episodes_and_by_windows() -> None:
    data = numbered([100, 10])
    rng = np.random.default_rng(0)
    by_episode = data.sample(rng, 20_000, 10, "episodes")[0][:, 0, 0].mean()
    by_window = data.sample(rng, 20_000, 10, "windows")[0][:, 0, 0].mean()
    assert by_episode == pytest.approx(1 / 2, abs=0.02)
    assert by_window == pytest.approx(1 / 92, abs=0.005)


def test_another_weighting_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="weighting='x'; known: 'episodes', 'windows'"):
        numbered([10]).sample(np.random.default_rng(0), 4, 5, weighting="x")


def test_starts_are_uniform_within_an_episode() -> None:
    starts = numbered([13]).sample(np.random.default_rng(0), 40_000, 10)[0][:, 0, 1]
    assert np.bincount(starts.astype(int)) / 40_000 == pytest.approx(np.full(4, 0.25), abs=0.01)


def test_same_generator_state_gives_the_same_batch() -> None:
    data = numbered([50, 60])
    first, second = (data.sample(np.random.default_rng(3), 32, 10) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_samples_do_not_alias_the_data() -> None:
    data = numbered([20])
    observations, actions = data.sample(np.random.default_rng(0), 4, 5)
    observations[:], actions[:] = -1.0, -1.0
    assert data.observations.min() == 0 and data.actions.min() == 0


def test_split_by_episode_has_the_sizes_of_the_paper() -> None:
    data = numbered([3] * 603)
    train, validation = data.split()
    assert (train.num_episodes, validation.num_episodes) == (596, 7)
    assert validation.episode(0)[0][0, 0] == 596
    shuffled = data.split(rng=np.random.default_rng(1))
    numbers = np.concatenate([part.observations[::4, 0] for part in shuffled])
    assert sorted(numbers) == list(range(603)) and list(numbers) != list(range(603))


def test_subset_keeps_the_given_order() -> None:
    subset = numbered([4, 5, 6]).subset([2, 0])
    assert subset.num_episodes == 2 and subset.num_transitions == 10
    assert [subset.episode(i)[0][0, 0] for i in range(2)] == [2, 0]
    assert subset.episode(1)[1].ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("horizon", [0, 8])
def test_horizon_without_windows_is_explained(horizon: int) -> None:
    with pytest.raises(NoWindows, match=f"horizon of {horizon} actions, expected 1 to 7"):
        numbered([7, 3]).sample(np.random.default_rng(0), 4, horizon)


def test_arrays_that_do_not_fit_are_explained() -> None:
    observations, actions = np.zeros((5, 2)), np.zeros((5, 1))
    with pytest.raises(InvalidTrajectories, match="expected"):
        WindowDataset(observations, actions[:-1], [5])
    with pytest.raises(InvalidTrajectories, match="rows up to 5"):
        WindowDataset(observations, actions, [3])
    with pytest.raises(InvalidTrajectories, match="no empty episode"):
        WindowDataset(observations, actions, [3, 3, 5])
    with pytest.raises(InvalidTrajectories, match="episode 0"):
        WindowDataset.from_episodes([(observations, actions)])
    with pytest.raises(InvalidTrajectories, match="no episodes"):
        WindowDataset.from_episodes([])
    with pytest.raises(InvalidTrajectories, match="validation share"):
        numbered([5]).split()
    observations[2, 1] = np.nan
    with pytest.raises(InvalidTrajectories, match="observations at row 2"):
        WindowDataset(observations, actions, [5])


def test_episodes_of_different_sizes_are_explained() -> None:
    pairs = [(np.zeros((5, 3)), np.zeros((4, 2))), (np.zeros((5, 3)), np.zeros((4, 1)))]
    with pytest.raises(InvalidTrajectories, match=r"episode 1 .* \(3, 1\), expected \(3, 2\)"):
        WindowDataset.from_episodes(pairs)


def test_episodes_may_be_objects() -> None:
    observations, actions = np.ones((5, 3)), np.zeros((4, 2))
    episode = SimpleNamespace(observations=observations, actions=actions, rewards=np.zeros(4))
    data = WindowDataset.from_episodes([episode, (observations, actions)])
    for index in (0, 1):
        np.testing.assert_array_equal(data.episode(index)[0], observations)
        np.testing.assert_array_equal(data.episode(index)[1], actions)


@pytest.mark.parametrize(
    ("episode", "kind"),
    [
        ({"observations": np.ones((5, 3)), "actions": np.zeros((4, 2))}, "dict"),
        (SimpleNamespace(observations={"a": np.ones(5)}, actions=np.zeros((4, 2))), "SimpleName"),
        ((np.ones((5, 3)), np.zeros((4, 2)), np.zeros(4)), "tuple"),
        (3, "int"),
    ],
)
def test_other_episodes_are_explained(episode: object, kind: str) -> None:
    pair = (np.ones((5, 3)), np.zeros((4, 2)))
    with pytest.raises(InvalidTrajectories, match=f"episode 1 as {kind}.*, expected a pair of"):
        WindowDataset.from_episodes([pair, episode])


def test_discrete_actions_are_explained() -> None:
    expected = (
        r"shape \(4,\), expected continuous actions \(T, A\), as skills need a Box action space"
    )
    with pytest.raises(InvalidTrajectories, match=f"episode 0 with actions of {expected}"):
        WindowDataset.from_episodes([(np.ones((5, 3)), np.zeros(4, int))])
    with pytest.raises(InvalidTrajectories, match=expected):
        WindowDataset(np.ones((4, 3)), np.zeros(4), [4])
