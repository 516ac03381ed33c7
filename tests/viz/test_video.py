"""Videos of agents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from PIL import Image, ImageSequence

from skillgym.rl import GymnasiumVecEnv
from skillgym.rl.presets import make_env
from skillgym.viz.video import captioned, record_episodes

SECOND = 12  # frames that the last picture of an episode is held


def shown(path: Path) -> list[np.ndarray]:
    """The pictures of a file, one for each frame's time: GIF joins equal ones."""
    with Image.open(path) as file:
        pictures = [
            (np.asarray(picture.convert("RGB")), picture.info["duration"])
            for picture in ImageSequence.Iterator(file)
        ]
    return [picture for picture, duration in pictures for _ in range(round(duration / 80))]


def test_caption_changes_the_lower_left_corner_only() -> None:
    frame = np.full((120, 160, 3), 200, np.uint8)
    drawn = captioned(frame, "kettle")
    assert captioned(frame, "") is frame
    assert (drawn[:90] == 200).all() and (drawn[90:, :60] != 200).any()


def test_names_that_do_not_fit_begin_new_lines_above() -> None:
    frame = np.full((240, 320, 3), 200, np.uint8)
    names = ["open_drawer", "turn_on_lightbulb", "move_slider_left", "turn_on_led"]
    drawn = captioned(frame, ", ".join(names)) != frame
    rows, columns = np.flatnonzero(drawn.any((1, 2))), np.flatnonzero(drawn.any((0, 2)))
    assert rows[0] < 240 - 2 * 14 and rows[-1] < 239  # two lines, both whole
    assert columns[-1] < 319
    one = np.flatnonzero((captioned(frame, ", ".join(names[:2])) != frame).any((1, 2)))
    assert one[0] > rows[0] + 10  # one line
    narrow = np.full((320, 160, 3), 200, np.uint8)
    drawn = captioned(narrow, ", ".join(names[:2])) != narrow
    assert np.flatnonzero(drawn.any((0, 2)))[-1] < 159


def test_every_control_step_is_a_frame(
    tmp_path: Path, kitchen_skills: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")  # needs no OpenGL
    env = make_env(
        "spirl-cl", skill_model=str(kitchen_skills), render_mode="rgb_array", width=32, height=24,
        max_episode_steps=23,
    )  # fmt: skip
    outcomes = record_episodes(lambda _: np.zeros((1, 10)), env, tmp_path / "a.gif", seed=0)
    assert env.env.frame_callback is None  # nothing is recorded any more
    env.close()
    assert outcomes == [()]
    frames = shown(tmp_path / "a.gif")
    assert len(frames) == 23 + SECOND and frames[0].shape[:2] == (24, 32)


class Countdown(gym.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Pictures are as bright as the time; the only subtask is complete at the end, at time 3."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    num_envs = 1
    single_observation_space = single_action_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: Any = None, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.time, self.given_seed = 0, seed
        return np.zeros((1, 1), np.float32), {}

    def step(self, actions: Any) -> tuple[Any, ...]:
        self.time += 1
        over, infos = np.array([self.time == 3]), {}
        if over[0]:
            infos = {
                "final_obs": np.zeros((1, 1)),
                "final_info": {"subtasks_completed": [("kettle",)]},
            }
            self.time = 0
        return np.zeros((1, 1), np.float32), np.zeros(1), over, np.array([False]), infos

    def render(self) -> tuple[np.ndarray, ...]:
        return (np.full((64, 128, 3), 60 * self.time, np.uint8),)


def test_an_episode_ends_with_its_last_picture_and_all_that_was_completed(tmp_path: Path) -> None:
    env = GymnasiumVecEnv(Countdown())
    path = tmp_path / "c.gif"
    assert record_episodes(lambda _: np.zeros((1, 1)), env, path, 7, 2) == [("kettle",)] * 2
    assert env.env.given_seed == 7
    frames = shown(path)
    assert len(frames) == 2 * (3 + SECOND)
    # The picture after the last step is that of the next episode, which is not shown as the end.
    brightness = [round(float(frame[:30].mean()), -1) for frame in frames]
    assert brightness == [0.0, 60.0, *[120.0] * (1 + SECOND)] * 2
    has_caption = [bool(frame[40:, :60].std() > 5.0) for frame in frames]
    assert has_caption == [*[False] * 3, *[True] * SECOND] * 2


def test_a_slow_video_ends_with_what_was_completed_too(tmp_path: Path) -> None:
    path = tmp_path / "e.gif"
    record_episodes(lambda _: np.zeros((1, 1)), GymnasiumVecEnv(Countdown()), path, 0, fps=0.4)
    with Image.open(path) as file:
        last = [np.asarray(picture.convert("RGB")) for picture in ImageSequence.Iterator(file)][-1]
    assert last[40:, :60].std() > 5.0  # the caption


def test_flat_agents_are_recorded_after_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")
    env = make_env("sac", render_mode="rgb_array", width=32, height=24, max_episode_steps=8)
    policy = lambda _: np.zeros((1, 9))  # noqa: E731
    record_episodes(policy, env, tmp_path / "b.gif", seed=0, episodes=2)
    env.close()
    assert len(shown(tmp_path / "b.gif")) == 2 * (8 + SECOND)
    with Image.open(tmp_path / "b.gif") as picture:
        assert picture.info["loop"] == 0  # for ever


def test_an_interrupted_video_leaves_nothing(tmp_path: Path) -> None:
    calls = iter(range(2))

    def policy(_: Any) -> np.ndarray:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return np.zeros((1, 1))

    with pytest.raises(KeyboardInterrupt):
        record_episodes(policy, GymnasiumVecEnv(Countdown()), tmp_path / "d.mp4", seed=0)
    assert list(tmp_path.iterdir()) == []
