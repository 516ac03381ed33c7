"""Checkpoints of agents: a resumed run is as if nothing had happened."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv

from skillgym.errors import CorruptFile
from skillgym.evaluation.checkpoints import (
    BUFFER,
    buffer_arrays,
    generator_states,
    load_run,
    restore_buffer,
    restore_generators,
    save_run,
)

GOALS = ("observation", "achieved_goal", "desired_goal")
STATE = {"control_steps": 60, "reached": 60, "seconds": 1.0}


def make_agent(**keywords: Any) -> SAC:
    env = DummyVecEnv([lambda: gym.make("Pendulum-v1")])
    small = {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 500, "learning_starts": 20}
    return SAC("MlpPolicy", env, **{**small, "seed": 0, **keywords})


def trained() -> SAC:
    return make_agent().learn(60)


def test_generators_go_on_where_they_were() -> None:
    random.gauss(0, 1)  # leaves a cached second value
    np.random.standard_normal()  # noqa: NPY002
    states = generator_states()
    first = random.gauss(0, 1), np.random.standard_normal(3).tolist(), torch.rand(3).tolist()  # noqa: NPY002
    restore_generators(states)
    again = random.gauss(0, 1), np.random.standard_normal(3).tolist(), torch.rand(3).tolist()  # noqa: NPY002
    assert first == again


def test_checkpoint_restores_agent_buffer_and_counters(tmp_path: Path) -> None:
    agent = trained()
    save_run(tmp_path / "last", agent, STATE)
    fresh = make_agent()
    found = load_run(tmp_path / "last", fresh, fresh.get_env())
    assert found is not None
    loaded, state = found
    assert state == STATE
    assert (loaded.num_timesteps, loaded._n_updates) == (60, agent._n_updates)
    assert loaded.replay_buffer.pos == 60
    for name in ("observations", "next_observations", "actions", "rewards", "dones", "timeouts"):
        stored = getattr(loaded.replay_buffer, name)
        np.testing.assert_array_equal(stored[:60], getattr(agent.replay_buffer, name)[:60])
    for name, tensor in agent.policy.state_dict().items():
        torch.testing.assert_close(loaded.policy.state_dict()[name], tensor, rtol=0, atol=0)


def test_gradient_steps_after_a_resume_equal_those_without(tmp_path: Path) -> None:
    agent = trained()
    save_run(tmp_path / "last", agent, STATE)
    agent.train(5, batch_size=16)
    fresh = make_agent()
    found = load_run(tmp_path / "last", fresh, fresh.get_env())
    assert found is not None
    found[0]._logger = agent.logger
    found[0].train(5, batch_size=16)
    for mine, theirs in zip(agent.policy.parameters(), found[0].policy.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def resumed(agent: SAC, folder: Path, **keywords: Any) -> SAC:
    """The agent after a checkpoint, with new episodes."""
    save_run(folder / "last", agent, STATE)
    fresh = make_agent(**keywords)
    found = load_run(folder / "last", fresh, fresh.get_env())
    assert found is not None
    return found[0]


def test_returns_over_several_steps_end_where_a_session_ended(tmp_path: Path) -> None:
    """The row after the last one is of another episode, although that one has no end."""
    keywords = {"n_steps": 5}
    agent = resumed(make_agent(**keywords).learn(60), tmp_path, **keywords)
    agent.learn(10, reset_num_timesteps=False)
    buffer = agent.replay_buffer
    assert buffer.pos == 70 and not buffer.dones[:70].any()
    sample = buffer._get_samples(np.array([58]))
    rewards = buffer.rewards[58:60, 0]
    assert sample.rewards.item() == pytest.approx(rewards[0] + 0.99 * rewards[1])
    assert (sample.discounts.item(), sample.dones.item()) == (pytest.approx(0.99**2), 0.0)
    np.testing.assert_array_equal(sample.next_observations[0], buffer.next_observations[59, 0])


def test_an_end_in_the_last_row_of_a_session_stays_one(tmp_path: Path) -> None:
    agent = make_agent(n_steps=5).learn(60)
    agent.replay_buffer.dones[59] = 1.0
    sample = resumed(agent, tmp_path, n_steps=5).replay_buffer._get_samples(np.array([58]))
    assert sample.dones.item() == 1.0


def test_a_full_buffer_goes_on_where_it_overwrites(tmp_path: Path) -> None:
    agent = make_agent(buffer_size=50).learn(60)
    buffer = resumed(agent, tmp_path, buffer_size=50).replay_buffer
    assert (buffer.pos, buffer.full, buffer.size()) == (10, True, 50)
    np.testing.assert_array_equal(buffer.rewards, agent.replay_buffer.rewards)


def test_an_unfinished_episode_with_goals_does_not_run_into_the_next_one() -> None:
    def add(buffer: HerReplayBuffer, steps: int, ends: bool) -> None:
        obs = {name: np.zeros((1, 1)) for name in GOALS}
        for step in range(steps):
            done = np.array([ends and step == steps - 1])
            buffer.add(obs, obs, np.zeros((1, 1)), np.zeros(1), done, [{}])

    box: Any = gym.spaces.Box(-1.0, 1.0, (1,))
    spaces = gym.spaces.Dict(dict.fromkeys(GOALS, box)), box
    old, new = (HerReplayBuffer(20, *spaces, env=make_agent().get_env()) for _ in range(2))
    add(old, 3, ends=True)
    add(old, 2, ends=False)
    restore_buffer(new, buffer_arrays(old))
    add(new, 4, ends=True)
    assert new.ep_length[:9, 0].tolist() == [3, 3, 3, 0, 0, 4, 4, 4, 4]


def test_a_warm_up_goes_on_with_other_actions(tmp_path: Path) -> None:
    keywords = {"learning_starts": 100}
    whole = make_agent(**keywords).learn(40).replay_buffer.actions[:40]
    agent = resumed(make_agent(**keywords).learn(20), tmp_path, **keywords)
    agent.learn(20, reset_num_timesteps=False)
    np.testing.assert_array_equal(agent.replay_buffer.actions[:40], whole)


def test_a_run_killed_between_the_renames_goes_on(tmp_path: Path) -> None:
    agent = trained()
    save_run(tmp_path / "last", agent, STATE)
    (tmp_path / "last").rename(tmp_path / ".last.old")
    found = load_run(tmp_path / "last", agent, agent.get_env())
    assert found is not None and found[1] == STATE


def test_no_checkpoint(tmp_path: Path) -> None:
    agent = make_agent()
    assert load_run(tmp_path / "last", agent, agent.get_env()) is None


def test_truncated_file_is_one_sentence(tmp_path: Path) -> None:
    agent = trained()
    save_run(tmp_path / "last", agent, STATE)
    path = tmp_path / "last" / BUFFER
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorruptFile, match="last"):
        load_run(tmp_path / "last", agent, agent.get_env())


def test_a_checkpoint_without_its_replay_buffer_is_not_resumed_with_an_empty_one(
    tmp_path: Path,
) -> None:
    agent = trained()
    save_run(tmp_path / "last", agent, STATE)
    (tmp_path / "last" / BUFFER).unlink()
    with pytest.raises(CorruptFile, match=BUFFER):
        load_run(tmp_path / "last", agent, agent.get_env())


@pytest.mark.parametrize("name", ["control_steps", "reached", "seconds", "action_space"])
def test_damaged_counters_are_told(name: str, tmp_path: Path) -> None:
    save_run(tmp_path / "last", trained(), STATE)
    path = tmp_path / "last" / "state.json"
    content = json.loads(path.read_text())
    rest = {key: value for key, value in content.items() if key != name}
    needed = name in ("control_steps", "seconds")  # earlier versions did not write the others
    for damaged in (rest, {**rest, name: "x"})[not needed :]:
        path.write_text(json.dumps(damaged))
        with pytest.raises(CorruptFile):
            load_run(tmp_path / "last", make_agent(), make_agent().get_env())


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    save_run(tmp_path / "last", trained(), STATE)
    path = tmp_path / "last" / "state.json"
    path.write_text(json.dumps({"control_steps": 60, "seconds": 1.0}))
    found = load_run(tmp_path / "last", make_agent(), make_agent().get_env())
    assert found is not None and found[1] == STATE


def test_failed_save_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = trained()
    save_run(tmp_path / "last", agent, STATE)

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        save_run(tmp_path / "last", agent, {**STATE, "reached": 61})
    found = load_run(tmp_path / "last", agent, agent.get_env())
    assert found is not None and found[1] == STATE
