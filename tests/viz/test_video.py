"""Videos of agents."""

from __future__ import annotations

from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from skillgym.rl.presets import make_env
from skillgym.viz.video import captioned, record_episodes


def test_caption_changes_the_lower_left_corner_only() -> None:
    frame = np.full((120, 160, 3), 200, np.uint8)
    drawn = captioned(frame, "kettle")
    assert captioned(frame, "") is frame
    assert (drawn[:90] == 200).all() and (drawn[90:, :60] != 200).any()


def test_every_control_step_is_a_frame(
    tmp_path: Path, kitchen_skills: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")  # needs no OpenGL
    env = make_env(
        "spirl-cl", skill_model=str(kitchen_skills), render_mode="rgb_array", width=32, height=24,
        max_episode_steps=23,
    )  # fmt: skip
    outcomes = record_episodes(lambda _: np.zeros((1, 10)), env, tmp_path / "a.gif", seed=0)
    env.close()
    frames = imageio.mimread(tmp_path / "a.gif")
    assert outcomes == [()]
    assert len(frames) == 23 and frames[0].shape[:2] == (24, 32)


def test_flat_agents_are_recorded_after_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKILLGYM_RENDERER", "ray")
    env = make_env("sac", render_mode="rgb_array", width=32, height=24, max_episode_steps=8)
    policy = lambda _: np.zeros((1, 9))  # noqa: E731
    record_episodes(policy, env, tmp_path / "b.gif", seed=0, episodes=2)
    env.close()
    assert len(imageio.mimread(tmp_path / "b.gif")) == 16
    with Image.open(tmp_path / "b.gif") as picture:
        assert picture.info["loop"] == 0  # for ever
