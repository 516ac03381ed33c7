"""What `evaluate` and `watch` act with: a trained agent, or the prior of a skill model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from skillgym.cli.errors import NoRun, NothingToRun, UnusableAgent
from skillgym.cli.options import parse_options, world_id
from skillgym.cli.pretrain_presets import PRESETS
from skillgym.errors import MissingFile, SkillgymError, UnknownSkill
from skillgym.evaluation.experiment import policy_of
from skillgym.evaluation.prior import prior_policy
from skillgym.evaluation.rollouts import Policy
from skillgym.hub import list_skills, load_skill
from skillgym.rl import GymnasiumVecEnv
from skillgym.rl.presets import load_agent, make_env, skill_vec_env
from skillgym.runs.folder import checkpoint_path, read_config
from skillgym.skills.base import SkillModule


@dataclass(frozen=True)
class Acting:
    """A policy and the environments in which it acts.

    Attributes:
        name: Name of the method or skill model.
        policy: The policy.
        env: The environments.
        world: Id of their world.
        options: Keywords of the world; all others have their defaults.
    """

    name: str
    policy: Policy
    env: GymnasiumVecEnv
    world: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        """What acts where, for example `spirl-kitchen in skillgym/Kitchen-v0 (tasks=kbts)`."""
        keywords = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name} in {self.world}" + (f" ({keywords})" if keywords else "")


def open_agent(
    what: str,
    num_envs: int,
    seed: int,
    options: Mapping[str, Any],
    deterministic: bool = False,
    **others: Any,
) -> Acting:
    """Open the agent of a run folder or, if it is none, a skill model whose prior acts.

    The world has the keywords of the agent's run, or those that the skill model was trained for.

    Args:
        what: Run folder of `skillgym train`, or name or folder of a skill model.
        num_envs: Number of environments.
        seed: Seed of a prior's samples.
        options: Keywords of the world, which override those of the run or of the model.
        deterministic: Take the most likely actions, even if the method is evaluated by sampling.
        others: Keywords of the environments that do not change the task, such as `render_mode`.

    Raises:
        NothingToRun: If there is neither a run nor a skill model.
        UntoldWorld: If the skill model does not say which world it is for.
        NoRun: If the run folder has no checkpoint yet.
        UnusableAgent: If the agent's file is damaged, or the agent does not fit the environments.
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
        options = {**trained_options(what, model, world), **options}
        env = skill_vec_env(world, model, num_envs, **options, **others)
        return Acting(what, prior_policy(model, seed, deterministic), env, world, options)
    checkpoint = checkpoint_path(folder)
    if not checkpoint.exists():
        raise NoRun(folder, "a checkpoint")
    method, world = config["method"], config["world"]
    options = {**config["options"], **options}
    env = make_env(method, world, num_envs, skill_model=config["skill_model"], **options, **others)
    path = checkpoint / "agent.zip"
    try:
        agent = load_agent(method, path, env)
    except SkillgymError:  # such as other skills
        raise
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise UnusableAgent(path, error) from error
    return Acting(method, policy_of(agent, method, deterministic), env, world, options)


def trained_options(what: str, model: SkillModule, world: str) -> dict[str, Any]:
    """Keywords of the world that a skill model was trained for.

    Bundled models and runs of earlier versions do not store them. For these, they are those of the
    preset with the same name.

    Args:
        what: Name or folder of the model.
        model: The model.
        world: Id of its world.
    """
    if model.world_options is not None:
        return model.world_options
    preset = PRESETS.get(re.sub(r"-seed\d+$", "", Path(what).absolute().name))
    return {} if preset is None or preset.world != world else parse_options(preset.env)
