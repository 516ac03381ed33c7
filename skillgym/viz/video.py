"""Videos of agents: every control step is a frame, including those within skills."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skillgym.rl.vec_env import GymnasiumVecEnv
from skillgym_envs.core import progress

Frame = NDArray[np.uint8]


def record_episodes(
    policy: Callable[[NDArray[Any]], NDArray[Any]],
    env: GymnasiumVecEnv,
    path: Path,
    seed: int,
    episodes: int = 1,
    fps: float = 12.5,
    progress_bar: bool = False,
) -> list[tuple[str, ...]]:
    """Write a video of a policy's episodes; the last frame of each is held for a second.

    Args:
        policy: Maps observations (1, O) to actions (1, ...).
        env: One environment with `render_mode="rgb_array"`.
        path: The file (`.mp4` or `.gif`).
        seed: Seed of the environment.
        episodes: Number of episodes.
        fps: Control steps shown per second; 12.5 is real time in the kitchen.
        progress_bar: Whether to show a progress bar.

    Returns:
        The subtasks completed in each episode.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    outcomes: list[tuple[str, ...]] = []
    env.seed(seed)
    observation: Any = env.reset()
    try:
        with _Recorder(env, temporary, fps, progress_bar) as recorder:
            recorder.start()
            while len(outcomes) < episodes:
                observation, _, dones, infos = env.step(policy(observation))
                completed = tuple(infos[0].get("subtasks_completed", ()))
                recorder.caption = ", ".join(completed)
                if not dones[0]:
                    recorder.after_step()
                    continue
                recorder.hold()
                outcomes.append(completed)
                if len(outcomes) < episodes:
                    recorder.start()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return outcomes


class _Recorder:
    """Records frames within skills if actions are skills, else after each step."""

    def __init__(self, env: GymnasiumVecEnv, path: Path, fps: float, progress_bar: bool) -> None:
        self.caption = ""
        self._held = max(1, round(fps))  # a second
        self._last: Any = None
        self._env: Any = env.env
        self._inside = hasattr(self._env, "frame_callback")
        options: dict[str, Any] = {"macro_block_size": 2} if path.suffix == ".mp4" else {"loop": 0}
        self._writer = imageio.get_writer(path, fps=fps, **options)
        self._bar = progress.progress_bar(unit="frame", disable=not progress_bar, leave=False)

    def __enter__(self) -> _Recorder:
        if self._inside:
            self._env.frame_callback = self._add
        return self

    def __exit__(self, *error: object) -> None:
        if self._inside:
            self._env.frame_callback = None
        self._writer.close()
        self._bar.close()

    def start(self) -> None:
        """Start an episode."""
        self.caption = ""
        self.after_step()

    def after_step(self) -> None:
        """Record a frame of an environment without skills."""
        if not self._inside:
            self._add(self._env.render())

    def hold(self) -> None:
        """End an episode: repeat its last frame, with all completed subtasks.

        The environment is already in its next episode, so the last recorded frame is used.
        """
        for _ in range(self._held):
            self._add(self._last)

    def _add(self, frames: Any) -> None:
        self._last = frames
        self._bar.update()
        self._writer.append_data(captioned(frames[0], self.caption))


def captioned(frame: Frame, text: str) -> Frame:
    """A frame with text in its lower left corner, in as many lines as necessary.

    Args:
        frame: Image (height, width, 3).
        text: Comma-separated names; nothing is drawn if it is empty.
    """
    if not text:
        return frame
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    first, *names = text.split(", ")
    lines = [first]
    for name in names:
        line = f"{lines[-1]}, {name}"
        if draw.textlength(line, font_size=14) > frame.shape[1] - 20:
            lines.append(name)
        else:
            lines[-1] = line
    place, text = (8, frame.shape[0] - 8), ",\n".join(lines)
    box = draw.textbbox(place, text, anchor="ld", font_size=14)
    draw.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill=(20, 24, 28))
    draw.text(place, text, fill=(240, 240, 240), anchor="ld", font_size=14)
    return np.asarray(image)
