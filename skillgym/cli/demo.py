"""`skillgym demo`."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skillgym.evaluation import Episodes
    from skillgym.viz.report import Video

WORLD = "skillgym/Kitchen-v0"
SUBTASKS = 4
EPISODES = 20
FRAME = {"render_mode": "rgb_array", "width": 400, "height": 300}
AGENT = {"gradient_steps": 2, "learning_starts": 500}
BASELINE = ("train_freq=2",)


def main(
    *,
    from_scratch: bool = False,
    steps: int = 60_000,
    minutes: float = 6.5,
    seed: int = 0,
    folder: Path = Path("runs/demo"),
    restart: bool = False,
) -> None:
    """The whole way in ten minutes on two cores, without network; leaves report.html.

    Shows what the bundled skills do by themselves, trains an agent that chooses skills and, at the
    same time, one that chooses single actions, and compares them.

    Args:
        from_scratch: Also collect the data and train the skill model (an hour on two cores).
        steps: Training budget of each agent in control steps.
        minutes: Time budget of each training.
        seed: Seed of everything.
        folder: Folder of the demo; a stopped demo goes on.
        restart: Delete what an earlier demo left in the folder.
    """
    os.environ.setdefault("SKILLGYM_RENDERER", "auto")  # machines without OpenGL get a picture too
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    demo = Demo(folder, steps, minutes, seed)
    if from_scratch:
        demo.make_skills()
    print(demo.run())


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
        from skillgym.evaluation.benchmark import stop_trainings

        say("The baseline, SAC with single actions, trains in the background.")
        baseline = self.start_baseline()
        try:
            say(f"What the skills of {self.skills} do by themselves, drawn from their prior:")
            videos, prior = self.show_prior()
            say(f"PriorSAC learns to choose skills, {self.steps:,} control steps:")
            result = self.train()
            videos.append(self.show_agent())
            say("Waiting for the baseline to end its budget ...")
            baseline.wait()
        finally:
            stop_trainings([baseline])
        return self.report(prior, result, videos)

    def make_skills(self) -> None:
        """Collect the data and train the skill model."""
        from skillgym.cli.pretrain import PRESETS, pretrain
        from skillgym_envs.collect import collect

        say("The scripted expert records 603 episodes of play:")
        data = collect("kitchen-play", self.folder / "datasets", progress=True)
        say("The skill model learns from them:")
        from dataclasses import replace

        preset = replace(PRESETS["spirl-kitchen"][1], dataset=str(data))
        pretrain(preset, self.folder / "skills")
        self.skills = str(self.folder / "skills")

    def start_baseline(self) -> subprocess.Popen[bytes]:
        """Train SAC with single actions in another process."""
        from skillgym.evaluation.benchmark import start_training

        return start_training(
            [
                *("train", "sac", "--agent", *BASELINE, "--seed", str(self.seed)),
                *("--steps", str(self.steps), "--minutes", str(self.minutes)),
                *("--eval-every", str(self.steps // 6), "--eval-episodes", "5"),
                *("--final-episodes", str(EPISODES), "--checkpoint-every", str(self.steps // 3)),
            ],
            self.folder / "sac",
        )

    def show_prior(self) -> tuple[list[Video], Episodes]:
        """Video and measurement of the skill model's prior."""
        from skillgym.cli.agents import open_agent
        from skillgym.evaluation import rollout
        from skillgym.viz.report import Video
        from skillgym.viz.video import record_episodes

        path = self.folder / "videos" / "prior.mp4"
        acting = open_agent(self.skills, 1, self.seed, FRAME)
        (subtasks,) = record_episodes(acting.policy, acting.env, path, self.seed, progress=True)
        acting.env.close()
        acting = open_agent(self.skills, 10, self.seed, {"num_threads": 1})
        episodes = rollout(acting.policy, acting.env, EPISODES, self.seed, progress=True)
        acting.env.close()
        say(f"  {episodes.num_subtasks.mean():.2f} subtasks on average; video: {path}")
        caption = f"Before training: skills drawn from the prior. Completed: {names(subtasks)}."
        return [Video(path=path, caption=caption)], episodes

    def train(self) -> dict[str, Any]:
        """Train the agent that chooses skills."""
        from skillgym.cli.train import tell
        from skillgym.evaluation.experiment import Experiment, ExperimentConfig

        config = ExperimentConfig(
            method="spirl-cl",
            skill_model=self.skills,
            agent=AGENT,
            seed=self.seed,
            steps=self.steps,
            num_threads=1,
            eval_every=self.steps // 6,
            eval_episodes=10,
            final_episodes=EPISODES,
            checkpoint_every=self.steps // 6,
        )
        experiment = Experiment(config, self.folder / "spirl-cl", on_evaluation=tell)
        return experiment.run(seconds=60.0 * self.minutes)

    def show_agent(self) -> Video:
        """Video of the trained agent."""
        from skillgym.cli.agents import open_agent
        from skillgym.viz.report import Video
        from skillgym.viz.video import record_episodes

        path = self.folder / "videos" / "agent.mp4"
        acting = open_agent(str(self.folder / "spirl-cl"), 1, self.seed, FRAME)
        (subtasks,) = record_episodes(acting.policy, acting.env, path, self.seed, progress=True)
        acting.env.close()
        return Video(path=path, caption=f"After training. Completed: {names(subtasks)}.")

    def report(self, prior: Episodes, result: dict[str, Any], videos: list[Video]) -> Path:
        """Write the page."""
        from skillgym.evaluation.benchmark import learning_curve, result_of
        from skillgym.viz import plots
        from skillgym.viz.report import Report, Row

        start = {
            "subtasks": float(prior.num_subtasks.mean()),
            "episodes": EPISODES,
            "steps": 0,
            "seconds": 0.0,
            "rates": prior.rates(),
        }
        rows = [Row.of("PriorSAC, choosing skills", result), Row.of("the skills' prior", start)]
        steps, values = learning_curve(self.folder / "spirl-cl")
        curves = {"PriorSAC": [([0.0, *steps], [start["subtasks"], *values])]}
        notes = [
            "Skills are ten control steps long. Evaluations are on separate episodes, "
            "with the policies' own randomness."
        ]
        baseline = result_of(self.folder / "sac")
        if baseline is None:
            notes.append(f"The baseline did not end; {self.folder}/sac/log.txt tells why.")
        else:
            rows.insert(1, Row.of("SAC, choosing single actions", baseline))
            curves["SAC"] = [learning_curve(self.folder / "sac")]
            notes.append(
                "To end in time, the baseline updates its networks once every two control steps."
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


def names(subtasks: tuple[str, ...]) -> str:
    """Subtasks as text."""
    return ", ".join(subtasks) or "nothing"


def say(sentence: str) -> None:
    """Print a line at once, also into a pipe."""
    print(sentence, flush=True)
