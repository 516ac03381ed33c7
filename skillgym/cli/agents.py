"""What `evaluate` and `watch` act with: a trained agent, or the prior of a skill model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillgym.cli.errors import NoRun, NothingToRun
from skillgym.cli.options import world_id
from skillgym.errors import MissingFile, UnknownSkill
from skillgym.evaluation.experiment import policy_of
from skillgym.evaluation.prior import prior_policy
from skillgym.evaluation.rollouts import Policy
from skillgym.files import read_json
from skillgym.hub import list_skills, load_skill
from skillgym.rl import GymnasiumVecEnv
from skillgym.rl.presets import load_agent, make_env, skill_vec_env
from skillgym.runs.folder import checkpoint_path


@dataclass(frozen=True)
class Acting:
    """A policy in its environments.

    Attributes:
        name: What acts.
        policy: Its policy.
        env: The environments.
    """

    name: str
    policy: Policy
    env: GymnasiumVecEnv


def open_agent(
    what: str, num_envs: int, seed: int, options: dict[str, Any], deterministic: bool = False
) -> Acting:
    """Find a run folder's agent, or else a skill model whose prior acts.

    Args:
        what: Run folder of `skillgym train`, or name or folder of a skill model.
        num_envs: Number of environments.
        seed: Seed of a prior's samples.
        options: Keywords of the world, which go before those of the run, if it is one.
        deterministic: Take the most likely actions, also of a method that is evaluated by samples.

    Raises:
        NothingToRun: If there is neither a run nor a skill model.
        NoRun: If the run folder has no checkpoint yet.
    """
    folder = Path(what)
    config = read_config(folder)
    if config is None:
        try:
            model = load_skill(what)
        except (UnknownSkill, MissingFile) as error:
            if any((folder / part).exists() for part in ("config.json", "checkpoints")):
                raise
            raise NothingToRun(what, list_skills()) from error
        world = world_id(model.world, model.observation_space.shape[0])
        env = skill_vec_env(world, model, num_envs, **options)
        return Acting(what, prior_policy(model, seed, deterministic), env)
    checkpoint = checkpoint_path(folder)
    if not checkpoint.exists():
        raise NoRun(folder, "a checkpoint")
    env = make_env(
        config["method"],
        config["world"],
        num_envs,
        skill_model=config["skill_model"],
        **{**config["options"], **options},
    )
    agent = load_agent(config["method"], checkpoint / "agent.zip", env)
    return Acting(config["method"], policy_of(agent, config["method"], deterministic), env)


def read_config(folder: Path) -> dict[str, Any] | None:
    """Configuration of a training run's folder; None if it is not one.

    Raises:
        CorruptFile: If it cannot be read.
    """
    path = folder / "config.json"
    if not path.exists():
        return None
    config = read_json(path)
    return config if "method" in config else None
