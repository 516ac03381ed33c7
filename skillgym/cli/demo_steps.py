"""What `skillgym demo` does, step by step."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

from skillgym.cli.agents import open_agent
from skillgym.cli.pretrain import PRESETS, pretrain
from skillgym.cli.train import tell
from skillgym.evaluation import Episodes, rollout
from skillgym.evaluation.benchmark import evaluations, start_training, stop_trainings
from skillgym.evaluation.experiment import Experiment, ExperimentConfig
from skillgym.runs.folder import read_result
from skillgym.viz import plots
from skillgym.viz.report import Report, Row, Video
from skillgym.viz.video import record_episodes
from skillgym_envs.collect import collect
from skillgym_envs.core.rendering import BACKEND_VARIABLE, RenderingUnavailable

SUBTASKS = 4
EPISODES, EPISODES_ON_THE_WAY = 20, 10
AGENT = {"gradient_steps": 2, "learning_starts": 500}
BASELINE = ("train_freq=4",)


@dataclass
class Demo:
    """The steps of the demo.

    Attributes:
        folder: Where everything goes.
        steps: Training budget [control steps].
        minutes: Time budget of each training [min].
        seed: Seed of everything.
        skills: Skill model.
    """

    folder: Path
    steps: int
    minutes: float
    seed: int
    skills: str = "spirl-kitchen"

    def run(self) -> Path:
        """All steps; returns the path of the report."""
        self.folder.mkdir(parents=True, exist_ok=True)
        say("The baseline, SAC with single actions, trains in the background.")
        baseline = self.start_baseline()
        try:
            say(f"What the skills of {self.skills} do by themselves, drawn from their prior:")
            videos, prior = self.show_prior()
            say(f"PriorSAC learns to choose skills, {self.steps:,} control steps:")
            result = self.train()
            videos.append(self.show_agent())
            say("Waiting for the baseline to finish its budget ...")
            baseline.wait()
        finally:
            stop_trainings([baseline])
        return self.report(prior, result, videos)

    def make_skills(self) -> None:
        """Collect the data and train the skill model."""
        say("The scripted expert records 603 episodes of play:")
        data = collect("kitchen-play", self.folder / "datasets", progress=True)
        say("The skill model learns from them:")
        preset = replace(PRESETS["spirl-kitchen"], dataset=str(data))
        pretrain(preset, self.folder / "skills")
        self.skills = str(self.folder / "skills")

    def start_baseline(self) -> subprocess.Popen[bytes]:
        """Train SAC with single actions in another process."""
        eval_every, checkpoint_every = max(1, self.steps // 6), max(1, self.steps // 3)
        return start_training(
            [
                *("train", "sac", "--agent", *BASELINE, "--seed", str(self.seed)),
                *("--steps", str(self.steps), "--minutes", str(self.minutes)),
                *("--eval-every", str(eval_every), "--eval-episodes", str(EPISODES_ON_THE_WAY)),
                *("--final-episodes", str(EPISODES), "--checkpoint-every", str(checkpoint_every)),
            ],
            self.folder / "sac",
        )

    def show_prior(self) -> tuple[list[Video], Episodes]:
        """Video and evaluation of the skill model's prior."""
        path = self.folder / "videos" / "prior.mp4"
        acting = open_agent(self.skills, 1, self.seed, frame_options())
        (subtasks,) = record_episodes(acting.policy, acting.env, path, self.seed, progress_bar=True)
        acting.env.close()
        acting = open_agent(self.skills, min(10, EPISODES), self.seed, {"num_threads": 1})
        episodes = rollout(acting.policy, acting.env, EPISODES, self.seed, progress_bar=True)
        acting.env.close()
        say(f"  {episodes.num_subtasks.mean():.2f} subtasks on average; video: {path}")
        caption = f"Before training: skills drawn from the prior. Completed: {names(subtasks)}."
        return [Video(path=path, caption=caption)], episodes

    def train(self) -> dict[str, Any]:
        """Train the agent that chooses skills."""
        config = ExperimentConfig(
            method="spirl-cl",
            skill_model=self.skills,
            agent=AGENT,
            seed=self.seed,
            steps=self.steps,
            num_threads=1,
            eval_every=max(1, self.steps // 6),
            eval_episodes=EPISODES_ON_THE_WAY,
            final_episodes=EPISODES,
            checkpoint_every=max(1, self.steps // 6),
        )
        experiment = Experiment(config, self.folder / "spirl-cl", on_evaluation=tell)
        return experiment.run(seconds=60.0 * self.minutes)

    def show_agent(self) -> Video:
        """Video of the trained agent."""
        path = self.folder / "videos" / "agent.mp4"
        acting = open_agent(str(self.folder / "spirl-cl"), 1, self.seed, frame_options())
        (subtasks,) = record_episodes(acting.policy, acting.env, path, self.seed, progress_bar=True)
        acting.env.close()
        return Video(path=path, caption=f"After training. Completed: {names(subtasks)}.")

    def curve(self, run: str, result: dict[str, Any]) -> tuple[list[float], list[float]]:
        """Evaluations of a run, with the final one if training went on after the last."""
        points = evaluations(self.folder / run)
        steps, values = [point[0] for point in points], [point[1] for point in points]
        if not steps or steps[-1] < result["steps"]:
            return [*steps, result["steps"]], [*values, result["subtasks"]]
        return steps, values

    def report(self, prior: Episodes, result: dict[str, Any], videos: list[Video]) -> Path:
        """Write the page."""
        before = float(prior.num_subtasks.mean())
        start = {
            "subtasks": before,
            "episodes": EPISODES,
            "steps": 0,
            "seconds": 0.0,
            "rates": prior.rates(),
        }
        rows = [Row.of("PriorSAC, choosing skills", result), Row.of("the skills' prior", start)]
        steps, values = self.curve("spirl-cl", result)
        curves = {"PriorSAC": [([0.0, *steps], [before, *values])]}
        notes = [
            "Skills are ten control steps long. Evaluations are on separate episodes, "
            "with the policies' own randomness. "
            "With its most likely skills, PriorSAC completes "
            f"{result['subtasks_deterministic']:.2f}."
        ]
        baseline = read_result(self.folder / "sac")
        if baseline is None:
            notes.append(f"The baseline did not finish; {self.folder}/sac/log.txt says why.")
        else:
            rows.insert(1, Row.of("SAC, choosing single actions", baseline))
            curves["SAC"] = [self.curve("sac", baseline)]
            notes.append(
                "To finish in time, the baseline updates its networks once every four control "
                "steps; PriorSAC does so twice per skill."
            )
        if any(row.steps < self.steps for row in rows[:-1]):
            notes.append(
                f"A run that did not reach {self.steps:,} control steps was stopped by its time "
                f"budget of {self.minutes:g} min."
            )
        path = self.folder / "report.html"
        Report(
            title="A kitchen agent that acts with skills",
            lead=(
                "The Franka kitchen, mixed task: microwave, kettle, bottom burner and light switch "
                f"within 280 control steps. An agent learned for {result['steps']:,} control steps "
                f"to choose skills of the model {self.skills}."
            ),
            rows=rows,
            num_subtasks=SUBTASKS,
            plot=plots.to_svg(plots.learning_curves(curves)),
            videos=videos,
            notes=notes,
            commands=[
                f"skillgym demo --steps {self.steps} --minutes {self.minutes:g} --seed {self.seed}"
            ],
        ).write(path)
        return path


def frame_options() -> dict[str, Any]:
    """Keywords of an environment for a video; without OpenGL, a small one drawn by ray casting."""
    options: dict[str, Any] = {"render_mode": "rgb_array", "width": 400, "height": 300}
    env = gym.make("skillgym/Kitchen-v0", **options)
    env.reset()
    try:
        env.render()
    except RenderingUnavailable:
        os.environ[BACKEND_VARIABLE] = "ray"
        options |= {"width": 240, "height": 180}
    finally:
        env.close()
    return options


def names(subtasks: tuple[str, ...]) -> str:
    """Subtasks as text."""
    return ", ".join(subtasks) or "nothing"


def say(sentence: str) -> None:
    """Print a line and flush it, so that it appears at once in a pipe, too."""
    print(sentence, flush=True)
