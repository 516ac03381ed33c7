"""ReSkill: PPO over the noise of skills, and PPO over residuals on their actions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from skillgym.errors import InvalidConfig
from skillgym.rl.common.keywords import check_keywords
from skillgym.rl.common.priors import PriorAlgorithm, find_skill_model, refuse_normalized
from skillgym.rl.errors import NoResiduals
from skillgym.rl.reskill.buffers import RewardToGoBuffer, SkillRolloutBuffer
from skillgym.rl.reskill.levels import LevelLogger, level_spaces, make_level
from skillgym.rl.reskill.policies import Decision, ReSkillPolicy
from skillgym.rl.reskill.ppo import ReskillPPO, steps_per_env
from skillgym.wrappers.residual_control import ResidualLayout, logistic
from skillgym_envs.core.checks import check_count, check_range

OF_BOTH_LEVELS = (
    *("policy", "env", "rollout_steps", "rollout_buffer_class", "device", "n_steps"),
    *("use_sde", "sde_sample_freq"),
)
"""Keywords of `ReskillPPO` that cannot be set per level."""

FlatArray = np.ndarray[Any, np.dtype[np.float32]]


class ReSkill(PriorAlgorithm, OnPolicyAlgorithm):
    """Two levels of PPO, trained together: one chooses skills, the other corrects their actions.

    The upper level chooses a skill (for a `ReskillModel`, noise), which is decoded with every
    observation until it is over. At every control step the lower level sees state, latent and
    decoded action, and adds a residual. A weight lets the residual in slowly, along a logistic
    curve of control steps: first the skills explore, then they are refined. Both levels are a
    `ReskillPPO`.

    The reward of a skill is the undiscounted sum of its control steps' rewards. `gamma` applies per
    skill on the upper level, per control step on the lower one. A time limit is not terminal: both
    levels bootstrap from the value of the last state, the lower one with the skill that ran last.

    Paper: Rana et al. 2022, "Residual Skill Policies: Learning an Adaptable Skill-based Action
    Space for Reinforcement Learning for Robotics", Sec. 4.2; arXiv:2211.02231. Numbers are those of
    the authors' code for slippery push, clean-up and the hook.

    Deviation: the weight follows the control steps of all environments together, so that their
        number does not matter. The authors count those of one of 15 workers (C = 18 000,
        k = 0.001), and hold the weight during a skill. Roll-outs have 30 000 control steps like
        theirs, but every transition has its own advantage: in their code the last skill of each
        roll-out has a stale one.

    Args:
        policy: `"MlpPolicy"`.
        env: `ResidualActions`, or vector environments of it.
        rollout_steps: Control steps per roll-out, of all environments together; in each
            environment, a roll-out has a whole number of skills.
        weight_midpoint: Control steps, of all environments together, after which the weight is 1/2.
        weight_steepness: Steepness of the logistic curve, per control step.
        weight_to_learn: Weight from which on the lower level's actor learns. Below it, residuals
            hardly matter, and their advantages are noise that would move the actor at random. The
            authors' actor learns from the first step on.
        learning_rate: Learning rate of the actors; that of the critics is ten times as high.
        batch_size: Transitions per step, for both levels; the whole roll-out if None.
        n_epochs: Passes over a roll-out, for both levels.
        gamma: Discount per skill on the upper level, per control step on the lower one.
        gae_lambda: Lambda of the generalised advantages of both levels.
        clip_range: Clip range of the ratio, for both levels.
        skill_kwargs: Keywords of `ReskillPPO` for the upper level that override these; by default
            `target_kl=0.3`.
        residual_kwargs: Likewise for the lower level; by default `target_kl=0.9`.
        policy_kwargs: Keywords of the actor-critics of both levels; a level's own `policy_kwargs`
            override them.
        kwargs: `verbose`, `seed`, `device`, `tensorboard_log`, `stats_window_size`.

    Attributes:
        skill_level: PPO of the upper level.
        residual_level: PPO of the lower level.
        residual_steps: Control steps so far, which the weight follows.

    Raises:
        InvalidConfig: If a keyword has an invalid value, or the environment weights the residuals.
        UnknownKeyword: If the agent, or one of its levels, does not have one of the keywords.
        NoResiduals: If the environment is not wrapped with `ResidualActions`.
        ForeignPrior: If a saved agent is loaded with other skills than it was trained with.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": ReSkillPolicy}
    policy: ReSkillPolicy  # type: ignore[assignment]

    def __init__(
        self,
        policy: str | type[BasePolicy] = "MlpPolicy",
        env: GymEnv | str | None = None,
        rollout_steps: int = 30_000,
        weight_midpoint: float = 15 * 18_000,
        weight_steepness: float = 1e-3 / 15,
        weight_to_learn: float = 0.0,
        learning_rate: float | Schedule = 1e-4,
        batch_size: int | None = None,
        n_epochs: int = 180,
        gamma: float = 0.99,
        gae_lambda: float = 0.97,
        clip_range: float | Schedule = 0.3,
        skill_kwargs: dict[str, Any] | None = None,
        residual_kwargs: dict[str, Any] | None = None,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        if isinstance(policy, type) and not issubclass(policy, ReSkillPolicy):
            raise InvalidConfig("policy", policy.__name__, "'MlpPolicy', which has both levels")
        check_range("weight_to_learn", weight_to_learn, 0, 1)
        check_range("weight_steepness", weight_steepness, 0.0)
        check_range("weight_midpoint", weight_midpoint, -math.inf)
        check_count("n_epochs", n_epochs)
        levels = {"skill_kwargs": skill_kwargs, "residual_kwargs": residual_kwargs}
        for name, given in levels.items():
            if given is not None and not isinstance(given, Mapping):
                raise InvalidConfig(name, given, "keywords in a dictionary, or None")
            check_keywords(ReskillPPO, given or {}, OF_BOTH_LEVELS)
        self.rollout_steps = rollout_steps
        self.weight_midpoint = weight_midpoint
        self.weight_steepness = weight_steepness
        self.weight_to_learn = weight_to_learn
        self.residual_steps = 0
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.clip_range = clip_range
        self.skill_kwargs = skill_kwargs or {}
        self.residual_kwargs = residual_kwargs or {}
        # Required by SB3's class; the levels have their own.
        fixed: dict[str, Any] = {
            "n_steps": rollout_steps,
            "ent_coef": 0.0,
            "vf_coef": 1.0,
            "max_grad_norm": math.inf,
            "use_sde": False,
            "sde_sample_freq": -1,
            "supported_action_spaces": (spaces.Box,),
        }
        check_keywords(type(self), kwargs, fixed)
        super().__init__(
            policy,  # type: ignore[arg-type]
            env,  # type: ignore[arg-type]
            learning_rate=learning_rate,
            gamma=gamma,
            gae_lambda=gae_lambda,
            _init_setup_model=_init_setup_model,
            **fixed,
            **kwargs,
        )

    def _setup_model(self) -> None:
        self._check_class()
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        model, layout = self._find_skills()
        steps = steps_per_env(self.rollout_steps, self.n_envs)
        if steps < model.max_steps:
            least = f"at least {model.max_steps * self.n_envs}, a skill in each environment"
            raise InvalidConfig("rollout_steps", self.rollout_steps, least)
        self.n_steps = steps - steps % model.max_steps
        seen: Any = self.observation_space
        chosen: Any = self.action_space
        skills, residuals = level_spaces(seen, chosen, layout)
        keywords = self._level_keywords(0.3, self.skill_kwargs)
        self.skill_level = make_level(skills, SkillRolloutBuffer, **keywords)
        keywords = self._level_keywords(0.9, self.residual_kwargs)
        self.residual_level = make_level(residuals, RewardToGoBuffer, **keywords)
        self.rollout_buffer = self.residual_level.rollout_buffer
        networks = self.skill_level.policy, self.residual_level.policy
        self.policy = ReSkillPolicy(seen, chosen, *networks, model, layout).to(self.device)
        self._update_weight()

    def _level_keywords(self, target_kl: float, own: Mapping[str, Any]) -> dict[str, Any]:
        """Keywords of a level: those of both levels, overridden by its own."""
        names = "learning_rate", "batch_size", "n_epochs", "gamma", "gae_lambda", "clip_range"
        return {
            **{name: getattr(self, name) for name in names},
            "target_kl": target_kl,
            "num_envs": self.n_envs,
            "rollout_steps": self.n_steps * self.n_envs,
            "device": self.device,
            **own,
            "policy_kwargs": {**self.policy_kwargs, **(own.get("policy_kwargs") or {})},
        }

    def _check_skills(self) -> None:
        self._find_skills()

    def _find_skills(self) -> tuple[Any, ResidualLayout]:
        """The skill model, which is identified by its digest, and the environment's layout."""
        refuse_normalized(self)
        layout: ResidualLayout | None = None
        if self.env is not None:
            try:
                layout = self.env.get_attr("residual_layout")[0]
                midpoint = self.env.get_attr("weight_midpoint")[0]
            except AttributeError:
                raise NoResiduals from None
            if midpoint is not None:
                expected = "None in the environment, as ReSkill weights the residuals itself"
                raise InvalidConfig("weight_midpoint", midpoint, expected)
        model, name = find_skill_model(self.env, self.prior_reference)
        if layout is None:
            sizes = model.observation_space.shape[0], model.action_space.shape[0]
            layout = ResidualLayout.of(model, *sizes)
        # The model is the only network: its digest is enough.
        self._check_reference(name, None, *[model] if isinstance(model, nn.Module) else [])
        return model, layout

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "skill_level", "residual_level"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        levels = "skill_level", "residual_level"
        return ["policy", *(f"{level}.policy.optimizer" for level in levels)], []

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Fill the buffers of both levels (see SB3's `OnPolicyAlgorithm`)."""
        self.policy.set_training_mode(False)
        levels = self.skill_level, self.residual_level
        for level in levels:
            level.rollout_buffer.reset()
        callback.on_rollout_start()
        began = self.residual_steps
        for _ in range(n_rollout_steps):
            self._update_weight()
            decision = self.policy.decide(self._tensor(self._last_obs))
            starts: Any = self._last_episode_starts
            new_obs, rewards, dones, infos = env.step(decision.actions)
            self.num_timesteps += env.num_envs
            self.residual_steps += env.num_envs
            # Before the callback, which may stop here: the next roll-out starts where this ended.
            self._last_obs, self._last_episode_starts = new_obs, dones  # type: ignore[assignment]
            callback.update_locals(locals())
            if not callback.on_step():
                self.residual_steps = began  # what was collected is lost
                return False
            self._update_info_buffer(infos, dones)
            self._store(decision, starts, rewards, self._values_of_time_limits(infos, dones))
        ended: Any = self._last_episode_starts
        last = self.policy.values(self._tensor(self._last_obs))
        for level, values in zip(levels, last, strict=True):
            level.rollout_buffer.compute_returns_and_advantage(values, ended)
        self.logger.record("rollout/residual_weight", self.policy.residual_weight.item())
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Update both levels; metrics are `train/skill_*` and `train/residual_*`."""
        weight = self.policy.residual_weight.item()
        self.residual_level.actor_learns = weight >= self.weight_to_learn
        for name, level in (("skill", self.skill_level), ("residual", self.residual_level)):
            before = level._n_updates
            level._current_progress_remaining = self._current_progress_remaining
            level.set_logger(LevelLogger(self.logger, name))  # type: ignore[arg-type]
            level.train()
            self._n_updates += level._n_updates - before
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _store(
        self,
        decision: Decision,
        starts: FlatArray,
        rewards: FlatArray,
        last_values: tuple[FlatArray, FlatArray],
    ) -> None:
        """Add one control step to both buffers; at a time limit, bootstrap from the last state."""
        skills, residuals = self.skill_level, self.residual_level
        states = decision.inputs[:, self.policy.layout.state]
        skills.rollout_buffer.add(
            states,
            decision.skills,
            rewards + skills.gamma * last_values[0],
            starts,
            decision.skill_values,
            decision.skill_log_probs,
            due=decision.due,  # type: ignore[call-arg]
        )
        residuals.rollout_buffer.add(
            decision.inputs,
            decision.residuals,
            rewards + residuals.gamma * last_values[1],
            starts,
            decision.residual_values,
            decision.residual_log_probs,
        )

    def _values_of_time_limits(
        self, infos: list[dict[str, Any]], dones: np.ndarray
    ) -> tuple[FlatArray, FlatArray]:
        """Values (N,) of both levels in the last states of truncated episodes; else 0."""
        found = np.zeros((2, len(dones)), np.float32)
        rows = [row for row in np.flatnonzero(dones) if infos[row].get("TimeLimit.truncated")]
        if rows:
            last = np.stack([infos[row]["terminal_observation"] for row in rows])
            found[:, rows] = torch.stack(self.policy.values(self._tensor(last))).cpu().numpy()
        return found[0], found[1]

    def _update_weight(self) -> None:
        weight = logistic(self.residual_steps, self.weight_midpoint, self.weight_steepness)
        self.policy.residual_weight.fill_(weight)

    def _tensor(self, observation: Any) -> Tensor:
        tensor: Any = obs_as_tensor(observation, self.device)
        return tensor
