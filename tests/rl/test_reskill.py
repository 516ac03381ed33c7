"""ReSkill: skills as a semi-Markov process, the two levels, their weights, saving and loading."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from stable_baselines3 import PPO, HerReplayBuffer
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import (
    CategoricalDistribution,
    StateDependentNoiseDistribution,
)
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from skillgym.cli.pretrain import PRESETS as MODELS
from skillgym.errors import InvalidConfig, NormalizedObservations, UnsupportedSpace
from skillgym.evaluation.checkpoints import (
    buffer_arrays,
    load_run,
    restore_buffer,
    save_run,
)
from skillgym.hub import save_skill
from skillgym.rl import GymnasiumVecEnv, PriorSAC, ReSkill, ReskillPPO
from skillgym.rl.errors import ForeignAgent, ForeignPrior, NoResiduals, UnusablePrior
from skillgym.rl.presets import PRESETS, make_agent, make_env
from skillgym.rl.reskill import presets
from skillgym.rl.reskill.buffers import RewardToGoBuffer, SkillRolloutBuffer
from skillgym.rl.reskill.policies import ReskillActorCritic
from skillgym.skills.reskill import ReskillConfig, ReskillModel
from skillgym.wrappers import ResidualActions, SkillActions, VectorResidualActions
from skillgym.wrappers.residual_control import logistic
from skillgym_envs.core.errors import UnknownKeyword
from skillgym_envs.core.vector_env import WorldVectorEnv
from tests.skill_stubs import CountingEnv, StubCodes, StubSkills
from tests.toy_world import ToyWorld

H, LIMIT = 4, 20
SMALL = {"rollout_steps": 2 * LIMIT, "n_epochs": 2, "seed": 0, "device": "cpu"}
RNG = np.random.default_rng(0)


class Target(CountingEnv):
    """The action is to be -0.6; reward 1 minus the distance."""

    def step(self, action: Any) -> Any:
        observation, _, *rest = super().step(action)
        return observation, 1.0 - abs(float(action[0]) + 0.6), *rest

    def _observe(self, action: float) -> np.ndarray:
        return super()._observe(action) * np.array([0.01, 1.0, 0.0], np.float32)


def make_model(seed: int = 0) -> ReskillModel:
    sizes = {"skill_horizon": H, "latent_size": 2, "encoder_size": 8, "layer_sizes": (8,)}
    config = ReskillConfig(**sizes, flow_layers=2, flow_size=8)
    spaces = Target.observation_space, Target.action_space
    return ReskillModel.create(*spaces, config, seed=seed).eval()


def residual_env(model: Any = None, limit: int = LIMIT) -> gym.Env[Any, Any]:
    return ResidualActions(TimeLimit(Target(), limit), model or make_model())


def vector_env(model: Any, num_envs: int, limit: int = LIMIT) -> GymnasiumVecEnv:
    world, mode = ToyWorld(max_episode_steps=limit), AutoresetMode.SAME_STEP
    inner = WorldVectorEnv(world, num_envs, autoreset_mode=mode, max_episode_steps=limit)
    return GymnasiumVecEnv(VectorResidualActions(inner, model))


def make_agent_(**keywords: Any) -> ReSkill:
    return ReSkill(
        "MlpPolicy", keywords.pop("env", None) or residual_env(), **{**SMALL, **keywords}
    )


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten().double() for value in module.state_dict().values()])


def filled(kind: type[RolloutBuffer], due: np.ndarray | None = None) -> tuple[Any, dict[str, Any]]:
    """A buffer of random numbers, and these."""
    size, envs = 30, 3
    rng = np.random.default_rng(1)
    spaces = Box(-9, 9, (2,), np.float32), Box(-9, 9, (1,), np.float32)
    buffer = kind(size, *spaces, device="cpu", gae_lambda=0.9, gamma=0.8, n_envs=envs)
    starts = rng.random((size + 1, envs)) < 0.15
    starts[size, 0] = True  # one episode ends with the roll-out
    data = {
        "reward": rng.normal(size=(size, envs)).astype(np.float32),
        "value": rng.normal(size=(size, envs)).astype(np.float32),
        "starts": starts,
        "last": rng.normal(size=envs).astype(np.float32),
        "due": np.ones((size, envs), bool) if due is None else due | starts[:size],
    }
    for t in range(size):
        row = np.stack([np.arange(envs), np.full(envs, t)], axis=1)
        value, zeros = torch.from_numpy(data["value"][t]), torch.zeros(envs)
        extra = {} if due is None else {"due": data["due"][t]}
        buffer.add(row, row[:, :1], data["reward"][t], starts[t], value, zeros, **extra)
    buffer.compute_returns_and_advantage(torch.from_numpy(data["last"]), starts[size])
    return buffer, data


def transitions(data: dict[str, Any], env: int) -> list[dict[str, Any]]:
    """Skills of an environment one after the other: value, sum of rewards, what follows."""
    found: list[dict[str, Any]] = []
    size = len(data["due"])
    for t in range(size):
        if data["due"][t, env]:
            found.append({"t": t, "value": data["value"][t, env], "reward": 0.0})
        if found:
            found[-1]["reward"] += data["reward"][t, env]
            found[-1]["ended"] = bool(data["starts"][t + 1, env])
    return found


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_transitions_of_skills_are_those_of_a_semi_markov_process(share: float) -> None:
    due = np.random.default_rng(2).random((30, 3)) < share
    buffer, data = filled(SkillRolloutBuffer, due)
    for env in range(3):
        value, advantage, to_go = data["last"][env], 0.0, data["last"][env]
        for skill in reversed(transitions(data, env)):
            if skill["ended"]:
                value, advantage, to_go = 0.0, 0.0, 0.0
            delta = skill["reward"] + 0.8 * value - skill["value"]
            advantage, to_go = delta + 0.8 * 0.9 * advantage, skill["reward"] + 0.8 * to_go
            value = skill["value"]
            assert buffer.advantages[skill["t"], env] == pytest.approx(advantage, abs=1e-4)
            assert buffer.returns[skill["t"], env] == pytest.approx(to_go, abs=1e-4)


def test_where_every_step_is_a_skill_both_buffers_agree() -> None:
    skills, steps = filled(SkillRolloutBuffer)[0], filled(RewardToGoBuffer)[0]
    np.testing.assert_allclose(skills.advantages, steps.advantages, atol=1e-5)
    np.testing.assert_allclose(skills.returns, steps.returns, atol=1e-5)
    plain = filled(RolloutBuffer)[0]
    np.testing.assert_array_equal(steps.advantages, plain.advantages)
    assert np.abs(steps.returns - plain.returns).max() > 0.1


def test_batches_hold_every_chosen_skill_once() -> None:
    due = np.random.default_rng(2).random((30, 3)) < 0.3
    buffer, data = filled(SkillRolloutBuffer, due)
    returns = buffer.returns.copy()
    for _ in range(2):
        batches = list(buffer.get(7))
        rows = np.concatenate([batch.observations.numpy() for batch in batches]).astype(int)
        assert sorted(map(tuple, rows)) == sorted((e, t) for t, e in np.argwhere(data["due"]))
        found = np.concatenate([batch.returns.numpy() for batch in batches])
        np.testing.assert_array_equal(found, returns[rows[:, 1], rows[:, 0]])
    assert len(buffer.values) == data["due"].sum() and len(list(buffer.get())) == 1


def test_the_weight_follows_the_papers_curve() -> None:
    for name, (midpoint, steepness), first in (
        ("slippery-push", (18_000, 1e-3), 1.5e-8),
        ("pyramid-stack", (45_000, 1.25e-4), 0.0036),
    ):
        preset = PRESETS[f"reskill-{name}"].agent
        curve = preset["weight_midpoint"], preset["weight_steepness"]
        for worker_steps in (10, 9_000, midpoint, 30_000):
            expected = 1 / (1 + np.exp(-steepness * (worker_steps - midpoint)))
            assert logistic(15 * worker_steps, *curve) == pytest.approx(expected, rel=1e-6)
        assert logistic(150, *curve) == pytest.approx(first, rel=0.03)
        assert logistic(15 * midpoint, *curve) == 0.5
    rise = 15 * 2197
    assert logistic(15 * 18_000 + rise, 270_000, 1e-3 / 15) == pytest.approx(0.9, abs=1e-3)
    assert logistic(10**9, 270_000, 1e-3) == 1.0


def test_sizes_and_numbers_are_those_of_the_authors() -> None:
    agent = ReSkill(env=residual_env(), device="cpu")
    for level, seen, target_kl in (
        (agent.skill_level, 3, 0.3),
        (agent.residual_level, 3 + 2 + 1, 0.9),
    ):
        policy = level.policy
        layers = [m for m in policy.modules() if isinstance(m, torch.nn.Linear)]
        assert {layer.in_features for layer in layers} == {seen, 64}
        assert [layer.out_features for layer in layers[:4]] == [64] * 4
        assert policy.activation_fn is torch.nn.Tanh
        assert (level.gamma, level.gae_lambda, level.clip_range(1.0)) == (0.99, 0.97, 0.3)
        assert (level.n_epochs, level.target_kl, level.ent_coef) == (180, target_kl, 0.0)
        assert level.batch_size is None  # the whole roll-out
        rates = [group["lr"] for group in policy.optimizer.param_groups]
        assert rates == pytest.approx([1e-4, 1e-3])
        std = policy.get_distribution(torch.zeros(1, seen)).distribution.stddev
        torch.testing.assert_close(std, torch.full_like(std, 0.6065), rtol=1e-4, atol=0)
    assert agent.skill_level.policy.action_space.shape == (2,)
    assert agent.residual_level.policy.action_space.shape == (1,)


def test_standard_deviations_stay_inside_their_bounds() -> None:
    policy = make_agent_().skill_level.policy
    for log_std, expected in ((-3.0, 0.2), (2.0, 1.0)):
        policy.log_std.data.fill_(log_std)
        _, log_prob, _ = policy.evaluate_actions(torch.zeros(1, 3), torch.ones(1, 2))
        std = policy.get_distribution(torch.zeros(1, 3)).distribution.stddev
        torch.testing.assert_close(std.detach(), torch.full((1, 2), expected))
        policy.zero_grad()
        log_prob.sum().backward()
        assert policy.log_std.grad.abs().sum() == 0.0


def test_a_chosen_skill_is_decoded_as_the_environment_decodes_it() -> None:
    model = make_model()
    env = residual_env(model)
    agent = make_agent_(env=env)
    policy, layout = agent.policy, agent.policy.layout
    policy.residual_weight.fill_(0.25)
    seen, _ = env.reset(seed=0)
    for t in range(10):
        before = seen.copy()
        decision = policy.decide(obs_as_tensor(seen[None], "cpu"))
        np.testing.assert_array_equal(seen, before)
        assert decision.due.tolist() == [t % H == 0]
        np.testing.assert_allclose(
            decision.actions[:, layout.residual], 0.25 * decision.residuals, rtol=1e-6
        )
        if not decision.due[0]:
            np.testing.assert_array_equal(decision.inputs[0], seen[layout.inputs])
        executed = decision.inputs[0, layout.decoded] + decision.actions[0, layout.residual]
        seen, *_ = env.step(decision.actions[0])
        np.testing.assert_allclose(seen[layout.latent], decision.inputs[0, layout.latent])
        assert seen[1] == pytest.approx(executed.clip(-1, 1)[0], abs=1e-6)
    first = policy.decide(obs_as_tensor(seen[None], "cpu"), deterministic=True)
    second = policy.decide(obs_as_tensor(seen[None], "cpu"), deterministic=True)
    np.testing.assert_array_equal(first.actions, second.actions)
    np.testing.assert_array_equal(agent.predict(seen, deterministic=True)[0], first.actions[0])


def test_a_skill_outside_its_space_is_clipped_before_it_is_decoded() -> None:
    env = residual_env()
    agent = make_agent_(env=env)
    layout = agent.policy.layout
    with torch.no_grad():
        agent.skill_level.policy.action_net.bias.fill_(9.0)
    decision = agent.policy.decide(obs_as_tensor(env.reset(seed=0)[0][None], "cpu"))
    assert decision.skills.min() > 5.0 and (decision.actions[:, layout.skill] == 5.0).all()
    seen, *_ = env.step(decision.actions[0])
    np.testing.assert_allclose(seen[layout.latent], decision.inputs[0, layout.latent], rtol=1e-5)


class Probe(BaseCallback):
    """Copies of both buffers at the end of a roll-out, before the update; and what is logged."""

    def _on_training_start(self) -> None:
        self.steps: list[tuple[float, dict[str, Any]]] = []

    def _on_step(self) -> bool:
        self.steps.append((float(self.locals["rewards"][0]), self.locals["infos"][0]))
        return True

    def _on_rollout_end(self) -> None:
        levels = self.model.skill_level, self.model.residual_level
        self.buffers = [deepcopy(level.rollout_buffer) for level in levels]
        self.training = [level.policy.training for level in levels]
        self.weight = self.model.logger.name_to_value["rollout/residual_weight"]


def test_rewards_of_skills_and_the_values_at_time_limits() -> None:
    """An episode of 18 steps: four skills of 4 and one of 2, whose value goes on."""
    limit, probe = 18, Probe()
    agent = make_agent_(env=residual_env(limit=limit), rollout_steps=limit + 6)
    agent.learn(4, callback=probe)
    skills, residuals = probe.buffers
    assert skills.due[:, 0].nonzero()[0].tolist() == [0, 4, 8, 12, 16, 18, 22]
    cut = skills.rewards[:, 0] - residuals.rewards[:, 0]
    assert np.flatnonzero(cut).tolist() == [limit - 1]  # there the two levels add their values
    assert skills.observations.shape[2] == 3 and residuals.observations.shape[2] == 6
    data = {
        "due": skills.due,
        "value": skills.values,
        "reward": skills.rewards,
        "starts": np.concatenate([skills.episode_starts, np.zeros((1, 1))]),
    }
    found = transitions(data, 0)
    assert [skill["ended"] for skill in found] == [False] * 4 + [True, False, False]
    for before, after in pairwise(found[:4]):
        to_go = skills.returns[:, 0]
        assert to_go[before["t"]] == pytest.approx(
            before["reward"] + 0.99 * to_go[after["t"]], abs=1e-4
        )
    assert skills.returns[16, 0] == pytest.approx(found[4]["reward"], abs=1e-5)


def test_each_level_discounts_its_own_value_after_a_time_limit() -> None:
    limit, probe = 18, Probe()
    gammas = {"skill_kwargs": {"gamma": 0.9}, "residual_kwargs": {"gamma": 0.5}}
    agent = make_agent_(env=residual_env(limit=limit), rollout_steps=limit + 6, **gammas)
    agent.train = lambda: None
    agent.learn(4, callback=probe)
    last = torch.as_tensor(probe.steps[limit - 1][1]["terminal_observation"])[None]
    for buffer, gamma, value in zip(
        probe.buffers, (0.9, 0.5), agent.policy.values(last), strict=True
    ):
        expected = np.array([reward for reward, _ in probe.steps])
        expected[limit - 1] += gamma * value.item()
        np.testing.assert_allclose(buffer.rewards[:, 0], expected, rtol=1e-5)


def test_a_terminal_state_has_no_value() -> None:
    probe, agent = Probe(), make_agent_(env=ResidualActions(Target(end=18), make_model()))
    agent.learn(4, callback=probe)
    for buffer in probe.buffers:
        assert buffer.episode_starts[18, 0] == 1.0
        np.testing.assert_allclose(buffer.rewards[:, 0], [reward for reward, _ in probe.steps])


def test_each_level_continues_with_its_own_value_after_a_roll_out() -> None:
    probe, agent = Probe(), make_agent_(env=residual_env(limit=18), rollout_steps=24)
    agent.train = lambda: None
    agent.learn(4, callback=probe)
    skills, residuals = probe.buffers
    values = [value.item() for value in agent.policy.values(torch.from_numpy(agent._last_obs))]
    cut = skills.rewards[22:].sum()  # a skill that began two steps before
    assert skills.returns[22, 0] == pytest.approx(cut + 0.99 * values[0], rel=1e-5)
    last = residuals.rewards[23, 0]
    assert residuals.returns[23, 0] == pytest.approx(last + 0.99 * values[1], rel=1e-5)


def test_buffers_hold_what_was_chosen_before_it_is_clipped_and_weighted() -> None:
    """Else the old log-probabilities would not be those of the actions."""
    probe, agent = Probe(), make_agent_()
    agent.skill_level.policy.action_net.bias.data.fill_(9.0)
    agent.train = lambda: None
    agent.learn(2 * LIMIT, callback=probe)
    for level, buffer in zip((agent.skill_level, agent.residual_level), probe.buffers, strict=True):
        np.testing.assert_allclose(buffer.returns[-1], buffer.rewards[-1])  # the episode ended
        batch = next(buffer.get())
        _, log_probs, _ = level.policy.evaluate_actions(batch.observations, batch.actions)
        torch.testing.assert_close(log_probs.detach(), batch.old_log_prob)
        assert len(batch.actions.unique()) > 1


def test_same_seed_same_agent() -> None:
    first, second, other = (weights(make_agent_(seed=seed).learn(40).policy) for seed in (0, 0, 1))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_the_value_after_a_time_limit_is_that_of_the_last_state() -> None:
    agent = make_agent_()
    final = RNG.normal(size=7).astype(np.float32)
    infos = [{}, {"TimeLimit.truncated": True, "terminal_observation": final}, {}]
    found = agent._values_of_time_limits(infos, np.array([True, True, False]))
    tensor = torch.from_numpy(final)[None]
    expected = (
        agent.skill_level.policy.predict_values(tensor[:, :3]),
        agent.residual_level.policy.predict_values(tensor[:, :6]),
    )
    for values, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, [0.0, value.item(), 0.0], rtol=1e-6)


def test_both_levels_learn_and_the_skills_stay() -> None:
    model = make_model()
    agent = make_agent_(env=residual_env(model), n_epochs=3)
    levels = agent.skill_level, agent.residual_level
    before, probe = [weights(model), *(weights(level.policy) for level in levels)], Probe()
    agent.learn(80, callback=probe)
    after = [weights(model), *(weights(level.policy) for level in levels)]
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [True, False, False]
    assert agent._n_updates == 2 * 2 * 3 and agent.residual_steps == 80
    assert [episode["l"] for episode in agent.ep_info_buffer] == [LIMIT] * 4
    assert probe.training == [False, False]  # layers such as dropout are for the updates
    logged = agent.logger.name_to_value
    for level in ("skill", "residual"):
        for name in (
            "value_loss",
            "policy_gradient_loss",
            "approx_kl",
            "std",
            "explained_variance",
        ):
            assert np.isfinite(logged[f"train/{level}_{name}"])
    weight = logistic(79, 270_000, 1e-3 / 15)  # at the last control step
    assert agent.policy.residual_weight.item() == probe.weight == pytest.approx(weight)
    for level in levels:
        rates = [group["lr"] for group in level.policy.optimizer.param_groups]
        assert rates == pytest.approx([1e-4, 1e-3])


def test_both_levels_follow_the_schedule_of_the_learning_rate() -> None:
    agent = make_agent_(learning_rate=lambda remaining: 1e-3 * (1.0 + remaining)).learn(80)
    for level in (agent.skill_level, agent.residual_level):
        rates = [group["lr"] for group in level.policy.optimizer.param_groups]
        assert rates == pytest.approx([1e-3, 1e-2])  # nothing remains


def test_only_the_actor_stops_when_it_has_moved_too_far() -> None:
    targets = {"skill_kwargs": {"target_kl": 0.02}, "residual_kwargs": {"target_kl": None}}
    rates = {"policy_kwargs": {"critic_rate": 1.0}, "learning_rate": 5e-4}
    probe, agent = Probe(), make_agent_(n_epochs=60, **rates, **targets)
    level, taken = agent.skill_level, []
    step = level._actor_step
    level._actor_step = lambda batch: taken.append(step(batch)) or taken[-1]
    agent.learn(40, callback=probe)
    *before, after = [step.divergence for step in taken]
    assert 0.02 < max(before) <= 1.5 * 0.02 < after
    batch = next(probe.buffers[0].get())
    with torch.no_grad():
        _, log_probs, _ = level.policy.evaluate_actions(batch.observations, batch.actions)
    divergence = (batch.old_log_prob - log_probs).mean().item()
    assert divergence > 1.5 * 0.02  # the step that went too far was the last one
    logged = agent.logger.name_to_value
    assert logged["train/skill_approx_kl"] == pytest.approx(divergence, rel=1e-4)
    actor, critic = (group["params"][0] for group in level.policy.optimizer.param_groups)
    steps = [level.policy.optimizer.state[weight]["step"].item() for weight in (actor, critic)]
    assert steps == [logged["train/skill_actor_steps"], 60] and 0 < steps[0] < 60
    assert logged["train/residual_actor_steps"] == 60


def test_residuals_begin_at_zero_and_wait_for_their_weight() -> None:
    """Until then the actor stays, and the critic learns."""
    kwargs = {"policy_kwargs": {"zero_mean": True, "log_std_init": -3.0, "std_bounds": (1e-3, 1.0)}}
    agent = make_agent_(
        weight_midpoint=4 * LIMIT, weight_steepness=1.0, weight_to_learn=0.5, residual_kwargs=kwargs
    )
    level = agent.residual_level.policy
    inputs = torch.randn(7, *agent.residual_level.observation_space.shape)
    assert level.get_distribution(inputs).mode().abs().max() == 0.0
    assert level.get_distribution(inputs).distribution.stddev.unique().item() == pytest.approx(
        np.exp(-3.0)
    )
    parts = level.action_net, level.value_net
    before = [weights(part) for part in parts]
    agent.learn(4 * LIMIT - 1)  # two roll-outs; the second ends with a weight below a half
    after = [weights(part) for part in parts]
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])
    assert agent.logger.name_to_value["train/residual_actor_steps"] == 0
    agent.learn(2 * LIMIT, reset_num_timesteps=False)
    assert not torch.equal(after[0], weights(parts[0]))
    eager = make_agent_(weight_midpoint=1e9, weight_steepness=1.0).learn(2 * LIMIT)
    assert eager.policy.residual_weight == 0.0  # learns nevertheless, as nothing else is asked for
    assert eager.logger.name_to_value["train/residual_actor_steps"] > 0


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
@pytest.mark.parametrize(("batch_size", "normalize"), [(5, False), (19, True)])
def test_an_update_is_that_of_stable_baselines(batch_size: int, normalize: bool) -> None:
    """Minibatches, entropy bonus, clipped values and gradients included, if nothing stops early."""
    keywords = {"n_epochs": 3, "ent_coef": 0.1, "normalize_advantage": normalize}
    keywords |= dict.fromkeys(("clip_range", "clip_range_vf"), lambda remaining: 0.1 + remaining)
    agent = ReskillPPO(
        "MlpPolicy",
        SkillActions(TimeLimit(Target(), LIMIT), make_model()),
        **keywords,
        rollout_steps=20,
        batch_size=batch_size,  # 19 leaves one transition, which is not normalised
        max_grad_norm=0.1,
        vf_coef=0.3,
        learning_rate=1e-2,
        target_kl=None,
        seed=0,
        device="cpu",
    )
    agent.train = lambda: None
    agent.learn(20)
    after, logged = [], []
    for train in (PPO.train, ReskillPPO.train):
        twin = deepcopy(agent)
        np.random.seed(3)  # noqa: NPY002  (SB3's stream)
        train(twin)
        assert twin.policy.training  # for layers such as dropout
        after.append(weights(twin.policy))
        names = "clip_fraction", "explained_variance", "std", "value_loss", "policy_gradient_loss"
        logged.append([float(twin.logger.name_to_value[f"train/{name}"]) for name in names])
    assert logged[0] == pytest.approx(logged[1], rel=1e-4) and logged[0][0] > 0.0
    torch.testing.assert_close(after[0], after[1], rtol=1e-4, atol=1e-5)
    assert (after[0] - weights(agent.policy)).abs().max() > 1e-2


def test_roll_outs_end_with_whole_skills() -> None:
    agent = make_agent_(env=vector_env(StubSkills(max_steps=H), 3), rollout_steps=71)
    assert (agent.n_steps, agent.rollout_buffer.buffer_size) == (20, 20)
    assert agent.skill_level.rollout_buffer.buffer_size == 20
    with pytest.raises(InvalidConfig, match=f"expected at least {3 * H}, a skill in each"):
        make_agent_(env=vector_env(StubSkills(max_steps=H), 3), rollout_steps=3 * H - 1)
    for keywords in ({"rollout_steps": 100}, {"device": "cpu"}, {"lr": 1.0}, {"use_sde": True}):
        with pytest.raises(UnknownKeyword, match=f"{next(iter(keywords))!r} for ReskillPPO"):
            make_agent_(skill_kwargs=keywords)


def test_it_learns() -> None:
    keywords = {"rollout_steps": 100, "n_epochs": 10, "batch_size": 50, "learning_rate": 1e-2}
    critics = {"critic_rate": 1.0}
    agent = make_agent_(
        weight_midpoint=-1e9, weight_steepness=1.0, policy_kwargs=critics, **keywords
    )
    assert score(agent) < 0.2
    agent.learn(1_000)
    assert agent.policy.residual_weight == 1.0
    assert score(agent) > 0.6


def score(agent: ReSkill) -> float:
    """Mean reward of an episode of most likely actions."""
    env, rewards = residual_env(), []
    observation, _ = env.reset(seed=7)
    for _ in range(LIMIT):
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, *_ = env.step(action)
        rewards.append(reward)
    return float(np.mean(rewards))


def test_several_environments_and_any_skill_model_with_a_box_of_skills() -> None:
    env = vector_env(StubSkills(max_steps=H), 3)
    agent = make_agent_(env=env, rollout_steps=61)
    layout, decision = agent.policy.layout, agent.policy.decide(obs_as_tensor(env.reset(), "cpu"))
    first = 0.1 * decision.actions[:, layout.skill][:, :1]  # at the first of its control steps
    np.testing.assert_allclose(decision.inputs[:, layout.decoded], first, rtol=1e-6)
    assert agent.n_steps == 20
    agent.learn(60)
    due = agent.skill_level.rollout_buffer.due
    assert due.shape == (20, 3) and due.sum() == 15
    assert agent.num_timesteps == agent.residual_steps == 60


def test_skills_begin_at_different_times_in_several_environments() -> None:
    makers = [lambda end=end: TimeLimit(Target(), end) for end in (6, 9)]
    worlds = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    env = GymnasiumVecEnv(VectorResidualActions(worlds, make_model()))
    agent = make_agent_(env=env, rollout_steps=72)
    layout, seen, masks = agent.policy.layout, env.reset(), set()
    for _ in range(20):
        decision = agent.policy.decide(obs_as_tensor(seen, "cpu"))
        masks.add(tuple(decision.due.tolist()))
        seen, _, dones, infos = env.step(decision.actions)
        for row in range(2):
            after = infos[row]["terminal_observation"] if dones[row] else seen[row]
            latents = after[layout.latent], decision.inputs[row, layout.latent]
            np.testing.assert_allclose(*latents, rtol=1e-5)
    assert masks == {(True, True), (True, False), (False, True), (False, False)}
    agent.learn(72)
    due = agent.skill_level.rollout_buffer.due
    assert due.sum(axis=0).tolist() == [12, 12]  # skills of 4 and 2; of 4, 4 and 1


def test_save_and_load_go_on_where_they_stopped(tmp_path: Path) -> None:
    agent = make_agent_(n_epochs=3, skill_kwargs={"target_kl": 0.7}).learn(80)
    agent.save(tmp_path / "agent")
    loaded = ReSkill.load(tmp_path / "agent", env=residual_env(), device="cpu")
    assert (loaded.residual_steps, loaded.num_timesteps, loaded._n_updates) == (80, 80, 12)
    assert loaded.skill_level.target_kl == 0.7 and loaded.residual_level.target_kl == 0.9
    observation = agent.env.reset()
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0],
        agent.predict(observation, deterministic=True)[0],
    )
    for other in (agent, loaded):
        other.set_logger(configure(None, []))
        other.env.seed(5)
        other._last_obs = None
        torch.manual_seed(3)
        np.random.seed(3)  # noqa: NPY002  (SB3's stream)
        other.learn(40, reset_num_timesteps=False)
    assert torch.equal(weights(agent.policy), weights(loaded.policy))
    states = [
        [
            level.policy.optimizer.state_dict()["state"]
            for level in (a.skill_level, a.residual_level)
        ]
        for a in (agent, loaded)
    ]
    for mine, theirs in zip(*states, strict=True):
        for key, value in mine.items():
            assert torch.equal(value["exp_avg"], theirs[key]["exp_avg"])
    assert loaded.residual_steps == 120


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    agent = make_agent_().learn(40)
    counters = {"control_steps": 40, "reached": 40, "seconds": 1.0}
    save_run(tmp_path / "last", agent, counters)
    found = load_run(tmp_path / "last", make_agent_(), residual_env())
    assert found is not None and found[1] == counters
    assert torch.equal(weights(found[0].policy), weights(agent.policy))
    assert found[0].residual_steps == 40


def test_an_agent_is_not_loaded_with_other_skills(tmp_path: Path) -> None:
    make_agent_().save(tmp_path / "agent")
    with pytest.raises(ForeignPrior, match="sha256"):
        ReSkill.load(tmp_path / "agent", env=residual_env(make_model(seed=1)))


def test_an_agent_of_another_class_is_not_loaded(tmp_path: Path) -> None:
    agent = make_agent_()
    agent.agent_class = "SkiLD"
    agent.save(tmp_path / "agent")
    with pytest.raises(ForeignAgent, match="SkiLD"):
        ReSkill.load(tmp_path / "agent", env=residual_env())


def test_other_environments_have_the_same_skills() -> None:
    agent = make_agent_()
    agent.set_env(residual_env())
    agent.learn(40)
    kept = agent.env, agent._last_obs
    with pytest.raises(ForeignPrior, match="sha256"):
        agent.set_env(residual_env(make_model(seed=1)))
    assert agent.env is kept[0] and agent._last_obs is kept[1]  # it can go on


def test_a_run_with_other_skills_says_so(tmp_path: Path) -> None:
    """Also those of agents that know nothing of skills; not a damaged file."""
    for make in (make_agent_, partial(PPO, "MlpPolicy", n_steps=8, batch_size=8)):
        folder = tmp_path / str(make)
        agent = make(env=residual_env())
        save_run(folder, agent, {"control_steps": 0, "reached": 0, "seconds": 0.0})
        assert load_run(folder, agent, DummyVecEnv([residual_env])) is not None
        with pytest.raises(ForeignPrior, match="those that the agent was trained with"):
            load_run(folder, agent, DummyVecEnv([lambda: residual_env(make_model(seed=1))]))


def test_keywords_of_load_reach_both_levels(tmp_path: Path) -> None:
    make_agent_(residual_kwargs={"gamma": 0.8}).save(tmp_path / "agent")
    given = {"learning_rate": 1e-6, "n_epochs": 7, "gamma": 0.5, "clip_range": 0.1}
    loaded = ReSkill.load(tmp_path / "agent", env=residual_env(), device="cpu", **given)
    upper, lower = loaded.skill_level, loaded.residual_level
    assert (upper.n_epochs, lower.n_epochs) == (7, 7)
    assert (upper.gamma, lower.gamma) == (0.5, 0.8)  # its own comes first
    for level in (upper, lower):
        assert level.lr_schedule(1) == 1e-6 and level.clip_range(1) == 0.1


def test_keywords_of_both_policies_reach_a_level_with_its_own() -> None:
    own = {"policy_kwargs": {"zero_mean": True, "net_arch": [4]}}
    agent = make_agent_(policy_kwargs={"net_arch": [8]}, residual_kwargs=own)
    for level, width in ((agent.skill_level, 8), (agent.residual_level, 4)):
        assert level.policy.mlp_extractor.policy_net[0].out_features == width
    assert agent.residual_level.policy.zero_mean and not agent.skill_level.policy.zero_mean
    assert make_agent_(skill_kwargs={"policy_kwargs": None}).skill_level.policy_kwargs == {}


def test_a_policy_alone_can_be_saved(tmp_path: Path) -> None:
    agent = make_agent_().learn(40)
    agent.policy.save(tmp_path / "policy")
    loaded = type(agent.policy).load(tmp_path / "policy", device="cpu")
    observation = agent.env.reset()
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0],
        agent.policy.predict(observation, deterministic=True)[0],
    )


def test_a_level_alone_keeps_its_bounds(tmp_path: Path) -> None:
    own = {"critic_rate": 2.0, "std_bounds": (0.3, 0.4), "zero_mean": True}
    policy = make_agent_(policy_kwargs=own).skill_level.policy
    policy.save(tmp_path / "policy")
    loaded = ReskillActorCritic.load(tmp_path / "policy", device="cpu")
    assert {name: getattr(loaded, name) for name in own} == own
    std = loaded.get_distribution(torch.zeros(1, 3)).distribution.stddev
    torch.testing.assert_close(std.detach(), torch.full((1, 2), 0.4))


def test_a_callback_that_stops_leaves_the_observation_where_the_environment_is() -> None:
    agent = make_agent_()
    agent.learn(40, callback=StopAfter(H + 2))
    seen, layout = agent._last_obs[0], agent.policy.layout
    assert seen[0] == pytest.approx(0.01 * agent.env.envs[0].unwrapped.t)
    assert seen[layout.due] == 0.0 and np.abs(seen[layout.latent]).max() > 0.0
    assert agent.residual_steps == 0  # what was not learned from does not count


class StopAfter(BaseCallback):
    """Ends the training after some control steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def _on_step(self) -> bool:
        return self.num_timesteps < self.steps


def test_without_an_environment_the_model_is_found_by_its_name(tmp_path: Path) -> None:
    name = str(save_skill(make_model(), tmp_path / "skills"))
    agent = make_agent_(env=residual_env(name))
    agent.save(tmp_path / "agent")
    loaded = ReSkill.load(tmp_path / "agent")
    observation = agent.env.reset()
    expected = agent.predict(observation, deterministic=True)[0]
    np.testing.assert_array_equal(loaded.predict(observation, deterministic=True)[0], expected)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(NoResiduals, match="ResidualActions"):
        ReSkill(env=SkillActions(Target(), make_model()))
    with pytest.raises(NormalizedObservations, match="norm_obs=False"):
        make_agent_(env=VecNormalize(DummyVecEnv([residual_env])))
    with pytest.raises(InvalidConfig, match="rollout_steps"):
        make_agent_(env=vector_env(StubSkills(), 3), rollout_steps=2)
    with pytest.raises(InvalidConfig, match="n_steps=8, expected rollout_steps"):
        ReskillPPO("MlpPolicy", "Pendulum-v1", n_steps=8)
    weighing = ResidualActions(TimeLimit(Target(), LIMIT), make_model(), weight_midpoint=100.0)
    with pytest.raises(InvalidConfig, match=r"weight_midpoint=100\.0, expected None"):
        make_agent_(env=weighing)
    for field, value in (("weight_to_learn", "abc"), ("residual_kwargs", 3), ("skill_kwargs", "a")):
        with pytest.raises(InvalidConfig, match=f"Got {field}="):
            make_agent_(**{field: value})
    for keywords in ({"use_sde": True}, {"n_steps": 8}, {"ent_coef": 0.1}, {"lr": 1.0}):
        with pytest.raises(UnknownKeyword, match=f"{next(iter(keywords))!r} for ReSkill"):
            make_agent_(**keywords)
    for steps in ("a", 80.5):
        with pytest.raises(InvalidConfig, match="rollout_steps="):
            make_agent_(rollout_steps=steps)
    for keywords in ({"rollout_steps": 1}, {"rollout_steps": 9.5}, {"n_epochs": 0}):
        with pytest.raises(InvalidConfig, match=f"Got {next(iter(keywords))}="):
            ReskillPPO("MlpPolicy", "Pendulum-v1", **keywords)
    for bounds in ((0.0, 1.0), (1.0, 0.2)):
        with pytest.raises(InvalidConfig, match="std_bounds="):
            make_agent_(policy_kwargs={"std_bounds": bounds})
    with pytest.raises(InvalidConfig, match="policy='ReskillActorCritic', expected 'MlpPolicy'"):
        ReSkill(ReskillActorCritic, residual_env())
    goals = gym.make("skillgym/FetchPlace-v0", goals=True)
    with pytest.raises(UnsupportedSpace, match=r"Dict.*FlattenObservation"):
        ReskillPPO("MultiInputPolicy", goals)


@pytest.mark.parametrize("env", ["codes", "states"])
def test_other_distributions_than_gaussians_are_those_of_stable_baselines(env: str) -> None:
    skills = SkillActions(
        TimeLimit(Target(), LIMIT), StubCodes() if env == "codes" else make_model()
    )
    agent = ReskillPPO("MlpPolicy", skills, rollout_steps=10, n_epochs=2, use_sde=env == "states")
    before = weights(agent.policy)
    assert not torch.equal(weights(agent.learn(10).policy), before)
    kind = CategoricalDistribution if env == "codes" else StateDependentNoiseDistribution
    assert isinstance(agent.policy.get_distribution(torch.zeros(1, 3)), kind)


def test_the_upper_level_alone_is_ppo_on_skills(tmp_path: Path) -> None:
    env = SkillActions(TimeLimit(Target(), LIMIT), make_model())
    agent = ReskillPPO("MlpPolicy", env, rollout_steps=10, n_epochs=2, device="cpu").learn(20)
    assert isinstance(agent.rollout_buffer, RewardToGoBuffer) and agent._n_updates == 4
    agent.save(tmp_path / "agent")
    loaded = ReskillPPO.load(tmp_path / "agent", env=env)
    assert torch.equal(weights(loaded.policy), weights(agent.policy))
    assert loaded.rollout_steps == 10
    longer = ReskillPPO.load(tmp_path / "agent", env=env, rollout_steps=30)
    longer.set_logger(configure(None, []))
    longer.learn(30)  # a step is on the whole roll-out, also on a longer one
    assert longer.policy.optimizer.state[longer.policy.log_std]["step"] == 4 + 2


def test_other_agents_choose_noise_too() -> None:
    """The prior over noise regularises, but is no network that a policy could start as."""
    env = SkillActions(TimeLimit(Target(), LIMIT), make_model())
    with pytest.raises(UnusablePrior, match="'MlpPolicy'"):
        PriorSAC("SkillPriorPolicy", env)
    quick = {"learning_starts": 4, "batch_size": 4, "buffer_size": 50, "device": "cpu"}
    agent = PriorSAC("MlpPolicy", env, **quick).learn(8)
    assert np.isfinite(agent.logger.name_to_value["train/prior_divergence"])


def test_every_task_has_its_methods_and_every_method_its_model() -> None:
    methods = {"reskill", "reskill-gaussian", "reskill-unit", "reskill-no-residual"}
    methods |= {"spirl", "ppo", "sac"}
    for task in presets.TASKS:
        more = {"sac-her"} if task.name in ("slippery-push", "complex-hook") else set()
        assert set(presets.presets_of(task)) == {f"{m}-{task.name}" for m in methods | more}
    assert PRESETS["spirl-complex-hook"].skill_model == "spirl-fetch-hook"
    for task, total in (("slippery-push", 30_000), ("pyramid-stack", 20_000)):
        assert PRESETS[f"reskill-{task}"].agent["rollout_steps"] == total
        assert PRESETS[f"reskill-no-residual-{task}"].agent["rollout_steps"] == total // 10
    assert PRESETS["reskill-complex-hook"].skill_model == "reskill-fetch-hook"
    assert PRESETS["reskill-unit-clean-up"].skill_model == "reskill-fetch-block-unit"
    assert {f"reskill-fetch-block{end}" for end in ("", "-gaussian", "-unit")} <= set(MODELS)


@pytest.mark.parametrize("method", ["reskill", "reskill-no-residual", "sac-her"])
def test_methods_learn_in_their_world(method: str) -> None:
    name = f"{method}-slippery-push"
    world = gym.make("skillgym/FetchSlipperyPush-v0")
    config = ReskillConfig(encoder_size=8, flow_size=8)
    model = ReskillModel.create(world.observation_space, world.action_space, config).eval()
    skills = {} if method == "sac-her" else {"skill_model": model}
    env = make_env(name, num_envs=2, num_threads=1, **skills)
    quick = {
        "reskill": {"rollout_steps": 200, "n_epochs": 1},
        "reskill-no-residual": {"rollout_steps": 20, "n_epochs": 1},
        "sac-her": {"learning_starts": 101, "batch_size": 8, "buffer_size": 200},
    }[method]
    agent = make_agent(name, env, seed=1, device="cpu", **quick)
    agent.learn(104 if method == "sac-her" else quick["rollout_steps"])
    assert agent._n_updates > 0
    if method == "sac-her":
        check_her_checkpoint(agent)
    env.close()


def check_her_checkpoint(agent: Any) -> None:
    """A restored buffer holds the complete episodes, and new ones can follow."""
    buffer = agent.replay_buffer
    assert isinstance(buffer, HerReplayBuffer)
    arrays = buffer_arrays(buffer)
    assert {"observations/achieved_goal", "next_observations/desired_goal", "ep_length"} <= set(
        arrays
    )
    agent.replay_buffer = None
    agent._setup_model()
    fresh = agent.replay_buffer
    assert not fresh.ep_length.any()
    restore_buffer(fresh, arrays)
    np.testing.assert_array_equal(fresh.ep_length, buffer.ep_length)
    np.testing.assert_array_equal(
        fresh.observations["achieved_goal"], buffer.observations["achieved_goal"]
    )
    assert (fresh._current_ep_start == fresh.pos).all() and fresh.pos == buffer.pos
    assert fresh.sample(8).rewards.shape == (8, 1)
