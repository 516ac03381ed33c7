"""DiscretePriorSAC and PriorPPO: exact sums, the prior in policy and objective, saving, loading."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete
from gymnasium.wrappers import ReshapeObservation, TimeLimit
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from skillgym.errors import InvalidConfig, NormalizedObservations, UnsupportedSpace
from skillgym.evaluation.checkpoints import load_run, save_run
from skillgym.nn.distributions import Categorical
from skillgym.nn.priors import CategoricalMLP, UniformPrior
from skillgym.rl import DiscretePriorSAC, PriorPPO, SkillReplayBuffer
from skillgym.rl.common.losses import actor_loss
from skillgym.rl.discrete_prior_sac.losses import FLOOR, divergence, expected_value, values_of
from skillgym.rl.errors import ForeignAgent, ForeignPrior, NoPrior, UnusablePrior
from skillgym.wrappers import SkillActions
from tests.skill_stubs import CountingEnv, StubCodes, StubSkills

SMALL = {"learning_starts": 8, "batch_size": 16, "buffer_size": 1000, "seed": 0, "device": "cpu"}
PPO_SMALL = {"n_steps": 20, "batch_size": 10, "n_epochs": 2, "seed": 0, "device": "cpu"}
DISCRETE_PPO: dict[str, Any] = {"policy": "SkillPriorPolicy", **PPO_SMALL}


class Bounded(CountingEnv):
    """Observations stay small; the reward is the code that is played, times ten."""

    def step(self, action: np.ndarray) -> Any:
        observation, _, *rest = super().step(action)
        return observation, float(np.round(10 * action[0] - 0.4)), *rest

    def _observe(self, action: float) -> np.ndarray:
        return super()._observe(action) * np.float32(0.01)


def make_env(seed: int = 0, model: Any = None) -> gym.Env[Any, Any]:
    env = SkillActions(TimeLimit(Bounded(), 35), model or StubCodes())
    env.reset(seed=seed)
    return env


def make_agent(**keywords: Any) -> DiscretePriorSAC:
    keywords = {"policy_kwargs": {"critic_arch": (16, 16)}, **SMALL, **keywords}
    policy = keywords.pop("policy", "SkillPriorPolicy")
    return DiscretePriorSAC(policy, keywords.pop("env", None) or make_env(), **keywords)


def make_ppo(**keywords: Any) -> PriorPPO:
    keywords = {**DISCRETE_PPO, **keywords}
    return PriorPPO(env=keywords.pop("env", None) or make_env(), **keywords)


class Masked(nn.Module):
    """A prior that knows that the last skill is impossible."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)
        self.register_buffer("mask", torch.tensor([0.0, 0.0, 0.0, -torch.inf]))

    def forward(self, observations: torch.Tensor) -> Categorical:
        return Categorical.from_logits(self.net(observations) + self.mask)


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def categorical(*shape: int, seed: int = 0) -> Categorical:
    logits = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return Categorical.from_logits(logits)


def test_expectations_are_what_samples_converge_to() -> None:
    policy, prior = categorical(3, 6), categorical(3, 6, seed=1)
    q_values = torch.randn(2, 3, 6)
    many = Categorical(policy.log_probs.expand(50_000, 3, 6))
    skills = many.sample(torch.Generator().manual_seed(0))  # (S, B)
    smallest = q_values.min(0).values.expand(50_000, 3, 6)
    sampled = smallest.gather(-1, skills[..., None])[..., 0].mean(0)
    torch.testing.assert_close(expected_value(policy, q_values), sampled, atol=0.03, rtol=0)
    sampled = (many.log_prob(skills) - prior.log_probs.expand_as(many.log_probs).gather(
        -1, skills[..., None])[..., 0]).mean(0)  # fmt: skip
    exact = divergence(policy, prior, "policy-prior")
    torch.testing.assert_close(exact, sampled, atol=0.03, rtol=0)


def test_directions_of_the_divergence() -> None:
    policy = Categorical(torch.tensor([[0.5, 0.5]]).log())
    prior = Categorical(torch.tensor([[0.9, 0.1]]).log())
    forward = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    backward = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)
    assert divergence(policy, prior, "prior-policy").item() == pytest.approx(forward, abs=1e-6)
    assert divergence(policy, prior, "policy-prior").item() == pytest.approx(backward, abs=1e-6)


@pytest.mark.parametrize("direction", ["prior-policy", "policy-prior"])
def test_divergences_are_bounded_with_gradients_that_lead_back(direction: Any) -> None:
    logits = torch.tensor([[0.5, 0.2, -0.3], [0.1, 0.0, 0.0], [0.0, -400.0, 0.0]])
    logits.requires_grad_()
    masked = torch.tensor([[0.1, -0.4, -torch.inf], [0.3, 0.2, 0.1], [-400.0, 0.0, -torch.inf]])
    policy, prior = Categorical.from_logits(logits), Categorical.from_logits(masked)
    gap = divergence(policy, prior, direction)
    assert gap.isfinite().all() and gap.max() <= 100
    torch.testing.assert_close(gap[1:2], divergence(  # rows do not depend on each other
        Categorical(policy.log_probs[1:2]), Categorical(prior.log_probs[1:2]), direction
    ))  # fmt: skip
    gap.sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    assert logits.grad[0, 2] > 0  # a descent step leaves the skill that the prior excludes


def test_an_agent_has_the_direction_that_it_is_given() -> None:
    policy, prior = categorical(5, 4), categorical(5, 4, seed=1)
    for direction, first, second in (
        ("prior-policy", prior, policy),
        ("policy-prior", policy, prior),
    ):
        gap = make_agent(kl_direction=direction)._divergence(policy, prior)
        torch.testing.assert_close(gap, first.kl(second))
    agent, observations = (
        make_ppo(policy="MlpPolicy", kl_direction="prior-policy"),
        torch.ones(2, 3),
    )
    policy = Categorical.from_logits(
        agent.policy.get_distribution(observations).distribution.logits.detach()
    )
    gap = agent.prior(observations).kl(policy)
    torch.testing.assert_close(agent.divergence(observations), gap)


def test_a_divergence_is_exact_beside_one_that_is_infinite() -> None:
    prior = Categorical(torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log())
    policy = Categorical(torch.tensor([[0.0, -torch.inf], [0.0, -150.0]]))
    expected = [0.5 * 100 + np.log(0.5), 0.1 * (np.log(0.1) + 150) + 0.9 * np.log(0.9)]
    assert divergence(policy, prior, "prior-policy").tolist() == pytest.approx(expected)


def test_literally_probabilities_have_a_floor() -> None:
    """KL(prior || policy + 1e-8), which is at most -log(1e-8)."""
    policy = Categorical.from_logits(torch.tensor([[0.0, 0.3], [0.0, -400.0], [0.0, -torch.inf]]))
    prior = Categorical(torch.tensor([[0.5, 0.5], [0.0, 1.0], [0.1, 0.9]]).log())
    q, p = prior.probs, policy.probs
    expected = (q * ((q + 1e-30).log() - (p + 1e-8).log())).sum(-1)
    gap = divergence(policy, prior, "prior-policy", FLOOR)
    torch.testing.assert_close(gap, expected)
    assert gap[1].item() == pytest.approx(18.42, abs=0.01)
    agent = make_agent(literal=True)
    torch.testing.assert_close(agent._divergence(policy, prior), expected)
    agent.literal = False
    assert agent._divergence(policy, prior)[1].item() == 100.0


@pytest.mark.parametrize("direction", ["prior-policy", "policy-prior"])
@pytest.mark.parametrize("policy", ["MlpPolicy", "SkillPriorPolicy"])
@pytest.mark.parametrize("algorithm", [DiscretePriorSAC, PriorPPO])
def test_agents_train_with_a_prior_that_excludes_skills(
    algorithm: Any, policy: str, direction: Any
) -> None:
    keywords = {"prior": Masked(), "kl_direction": direction, "policy": policy}
    if algorithm is PriorPPO:
        agent = make_ppo(**keywords).learn(60)
        gap = agent.logger.name_to_value["rollout/prior_divergence"]
    else:
        agent = make_agent(**keywords, policy_kwargs={}).learn(40)
        gap = agent.logger.name_to_value["train/prior_divergence"]
    assert 0 <= gap <= 100
    assert weights(agent.policy).isfinite().all()


@pytest.mark.parametrize("direction", ["prior-policy", "policy-prior"])
def test_gradients_in_closed_form(direction: Any) -> None:
    logits = torch.randn(4, 5, requires_grad=True)
    policy, prior = Categorical.from_logits(logits), categorical(4, 5, seed=1)
    divergence(policy, prior, direction).sum().backward()
    pi, p = policy.probs.detach(), prior.probs
    expected = pi - p
    if direction == "policy-prior":
        ratio = (pi / p).log()
        expected = pi * (ratio - (pi * ratio).sum(-1, keepdim=True))
    torch.testing.assert_close(logits.grad, expected)
    # The gradient of an expectation is the policy gradient with the mean value as baseline.
    q_values = torch.randn(2, 4, 5)
    logits.grad = None
    policy = Categorical.from_logits(logits)
    loss = actor_loss(expected_value(policy, q_values)[:, None], torch.zeros(4))
    loss.backward()
    smallest = q_values.min(0).values
    advantage = smallest - (pi * smallest).sum(-1, keepdim=True)
    torch.testing.assert_close(logits.grad, -pi * advantage / 4)


def test_values_of_the_executed_skills() -> None:
    q_values = torch.arange(24.0).reshape(2, 3, 4)
    skills = torch.tensor([[1], [3], [0]])
    assert values_of(q_values, skills).tolist() == [[1, 13], [7, 19], [8, 20]]


def test_the_policy_starts_as_the_prior_and_warms_up_with_it() -> None:
    agent = make_agent(learning_starts=300)
    model = agent.env.get_attr("skill_model")[0]
    observations = torch.randn(50, 3)
    policy = agent.actor.distribution(observations)
    prior = model.prior(observations)
    assert torch.equal(policy.log_probs, prior.log_probs)
    assert divergence(policy, prior, "prior-policy").abs().max() == 0
    agent.learn(300)
    chosen = np.bincount(agent.replay_buffer.actions[:300, 0, 0], minlength=4) / 300
    expected = model.prior(torch.as_tensor(agent.replay_buffer.observations[:300, 0])).probs
    np.testing.assert_allclose(chosen, expected.mean(0).detach(), atol=0.09)


def test_the_replay_holds_the_executed_skill_with_its_own_states() -> None:
    agent = make_agent(learning_starts=100).learn(7)
    replay = agent.replay_buffer
    for i in range(7):
        np.testing.assert_allclose(replay.observations[i, 0, 0], 0.05 * i, atol=1e-6)
        np.testing.assert_allclose(replay.next_observations[i, 0, 0], 0.05 * (i + 1), atol=1e-6)
        code = int(replay.actions[i, 0, 0])
        np.testing.assert_allclose(
            replay.next_observations[i, 0, 1] * 100, 0.1 * code + 0.04, atol=2e-3
        )
    assert replay.timeouts[6, 0] == 1


def test_literally_a_transition_holds_the_skill_that_was_chosen_after_it() -> None:
    """And states one control step later. The last one of an episode (7 skills) holds its own."""
    executed, stored = (
        make_agent(literal=literal, learning_starts=100).learn(14).replay_buffer
        for literal in (False, True)
    )
    assert stored.pos == 14
    own, start = executed.actions[:14, 0, 0], np.arange(14) % 7 == 0
    after = np.where(np.arange(14) % 7 == 6, own, np.roll(own, -1))
    np.testing.assert_array_equal(stored.actions[:14, 0, 0], after)
    assert (after != own).any()
    later = executed.observations[:14, 0, 0] + np.where(start, 0.0, 0.01)
    np.testing.assert_allclose(stored.observations[:14, 0, 0], later, atol=1e-6)
    assert stored.dones[:14, 0].tolist() == [0, 0, 0, 0, 0, 0, 1] * 2


def test_literally_the_gradients_of_each_critic_are_clipped_by_themselves() -> None:
    norms = {}
    for literal in (False, True):
        agent = make_agent(literal=literal, learning_starts=1, max_grad_norm=1e-3).learn(20)
        agent._update(agent.replay_buffer.sample(16))
        norms[literal] = [
            torch.stack([each.grad.norm() for each in network.parameters()]).norm().item()
            for network in agent.critic.networks
        ]
    assert np.hypot(*norms[False]) == pytest.approx(1e-3, rel=1e-2)
    assert norms[True] == pytest.approx([1e-3, 1e-3], rel=1e-2)


def test_literally_the_buffer_is_a_shifted_one() -> None:
    with pytest.raises(InvalidConfig, match=r"ShiftedReplayBuffer, or literal=False"):
        make_agent(literal=True, replay_buffer_class=SkillReplayBuffer)


def test_literally_the_next_value_is_that_of_one_skill() -> None:
    agent = make_agent(literal=True).learn(40)
    batch = agent.replay_buffer.sample(16)
    _, next_prior = agent._priors(batch)
    alpha = torch.zeros(())
    q_values = agent.critic_target(batch.next_observations).detach()
    discounts = agent.gamma if batch.discounts is None else batch.discounts
    targets = torch.stack([agent._target(batch, alpha, next_prior) for _ in range(400)])
    possible = batch.rewards + (1 - batch.dones) * discounts * q_values.min(dim=0).values
    assert (targets[..., None] - possible[:, None]).abs().min(dim=-1).values.max() < 1e-5
    agent.literal = False
    expected = agent._target(batch, alpha, next_prior)
    torch.testing.assert_close(targets.mean(0), expected, rtol=0.1, atol=0.05)


def test_the_entropy_bonus_of_ppo_may_change_on_loading(tmp_path: Path) -> None:
    """No tensor depends on it."""
    make_ppo().save(tmp_path / "agent")
    assert PriorPPO.load(tmp_path / "agent", env=make_env(), ent_coef=0.02).ent_coef == 0.02


def test_an_agent_with_other_tensors_is_one_sentence(tmp_path: Path) -> None:
    """As one of an earlier version; SB3 itself would say `KeyError: 'policy.optimizer'`."""

    class Earlier(DiscretePriorSAC):
        def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
            modules, tensors = super()._get_torch_save_params()
            return modules[1:], tensors

    Earlier("SkillPriorPolicy", make_env(), **SMALL).save(tmp_path / "agent")
    with pytest.raises(ForeignAgent, match="other tensors than a DiscretePriorSAC has"):
        DiscretePriorSAC.load(tmp_path / "agent", env=make_env(), device="cpu")


def test_a_mistake_in_code_of_ones_own_is_not_blamed_on_the_saved_agent(tmp_path: Path) -> None:
    class Own(DiscretePriorSAC):
        def _initial_policy(self) -> nn.Module:
            return {}["own"]

    make_agent().save(tmp_path / "agent")
    with pytest.raises(KeyError, match="own"):
        Own.load(tmp_path / "agent", env=make_env(), device="cpu")


@pytest.mark.parametrize("policy", ["SkillPriorPolicy", "MlpPolicy"])
def test_a_policy_alone_can_be_saved(policy: str, tmp_path: Path) -> None:
    agent = make_agent(policy=policy, policy_kwargs={}).learn(20)
    agent.policy.save(tmp_path / "policy")
    loaded = type(agent.policy).load(tmp_path / "policy", device="cpu")
    observation = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0],
        agent.policy.predict(observation, deterministic=True)[0],
    )


def test_skills_that_do_not_count_from_zero_are_refused() -> None:
    """SB3's agents, too, would choose others than those that are executed."""
    model = StubCodes()
    model.skill_space = Discrete(3, start=5)
    for make in (make_agent, make_ppo):
        with pytest.raises(UnsupportedSpace, match="starts at 0"):
            make(env=make_env(model=model))


def test_weights_that_cannot_work_are_refused() -> None:
    for value in (-1.0, np.nan):
        with pytest.raises(InvalidConfig, match="kl_coef="):
            make_ppo(kl_coef=value)
        with pytest.raises(InvalidConfig, match="target_divergence="):
            make_agent(target_divergence=value)


@pytest.mark.parametrize("kl_direction", ["prior-policy", "policy-prior"])
def test_training_moves_the_policy_but_neither_prior_nor_running_statistics(
    kl_direction: Any,
) -> None:
    agent = make_agent(kl_direction=kl_direction)
    actor, prior = weights(agent.actor), weights(agent.prior)
    statistics = {k: v.clone() for k, v in agent.actor.network.named_buffers()}
    agent.learn(60)
    assert not torch.equal(weights(agent.actor), actor)
    assert torch.equal(weights(agent.prior), prior)
    assert all(torch.equal(v, statistics[k]) for k, v in agent.actor.network.named_buffers())
    logged = agent.logger.name_to_value
    for name in ("alpha", "alpha_loss", "actor_loss", "critic_loss", "prior_divergence"):
        assert np.isfinite(logged[f"train/{name}"])
    assert agent._n_updates == 52


def test_it_learns_the_best_code_unless_alpha_holds_it_at_the_prior() -> None:
    best, gap = [], []
    for alpha in (0.0, 1000.0):
        settings = {"learning_rate": 3e-3, "gamma": 0.0, "tau": 0.05, "alpha": alpha}
        agent = make_agent(**settings).learn(400)
        observations = torch.as_tensor(agent.replay_buffer.observations[:400, 0])
        policy = agent.actor.distribution(observations)
        best.append(policy.probs[:, 3].mean().item())
        gap.append(divergence(policy, agent.prior(observations), "prior-policy").mean().item())
    assert best[0] > 0.9 and gap[1] < 0.01 < gap[0]


def test_impossible_weights_and_priors() -> None:
    for alpha in (-1.0, "foo", "auto_x", "auto_0"):
        with pytest.raises(InvalidConfig, match="Got alpha="):
            make_agent(alpha=alpha)
    for make in (make_agent, make_ppo):
        with pytest.raises(InvalidConfig, match="prior='foo'"):
            make(prior="foo")


def test_keywords_that_cannot_work_are_refused() -> None:
    for norm in (0.0, -1.0, np.nan, "a"):  # the first would hold the networks still
        with pytest.raises(InvalidConfig, match="max_grad_norm="):
            make_agent(max_grad_norm=norm)
    with pytest.raises(InvalidConfig, match=r"action_noise=.*, expected None for discrete"):
        make_agent(action_noise=NormalActionNoise(np.zeros(1), np.ones(1)))
    for make, name in ((make_agent, "critic_arch"), (make_ppo, "value_arch")):
        with pytest.raises(InvalidConfig, match=rf"net_arch=\[8\], expected {name}"):
            make(policy_kwargs={"net_arch": [8]})


def test_alpha_falls_near_the_prior_and_can_be_fixed_or_bounded() -> None:
    assert make_agent().learn(60).temperature.log_value.item() < 0.0
    assert make_agent(target_divergence=0.0).learn(60).temperature.log_value.item() > 0.0
    fixed = make_agent(alpha=0.3).learn(60)
    assert (
        fixed.temperature.log_value.exp().item() == pytest.approx(0.3)
        and fixed.temperature.optimizer is None
    )
    assert make_agent(alpha="auto_0.1").temperature.log_value.exp().item() == pytest.approx(0.1)
    bounded = make_agent(min_alpha=0.995).learn(60)
    assert bounded.temperature.log_value.exp().item() == pytest.approx(0.995)


def test_semi_markov_discounts_are_used() -> None:
    keywords = {"replay_buffer_class": SkillReplayBuffer, "replay_buffer_kwargs": {"gamma": 0.9}}
    agent = make_agent(**keywords).learn(20)
    batch = agent.replay_buffer.sample(4)
    torch.testing.assert_close(batch.discounts, torch.full((4, 1), 0.9**5))


def test_the_target_is_the_expected_value_of_the_next_state() -> None:
    agent = make_agent(learning_starts=100, gamma=0.5).learn(50)
    batch = agent.replay_buffer.sample(8)
    policy = agent.actor.distribution(batch.next_observations)
    q = torch.stack([net(batch.next_observations) for net in agent.critic_target.networks])
    prior, next_prior = agent._priors(batch)
    torch.testing.assert_close(prior.log_probs, agent.prior(batch.observations).log_probs)
    gap = divergence(policy, agent.prior(batch.next_observations), "prior-policy")
    value = (policy.probs * q.min(0).values).sum(-1) - 2.0 * gap
    expected = batch.rewards[:, 0] + 0.5 * (1 - batch.dones[:, 0]) * value
    target = agent._target(batch, torch.tensor(2.0), next_prior)
    torch.testing.assert_close(target[:, 0], expected)


def test_a_schedule_of_the_learning_rate_reaches_every_optimizer() -> None:
    agent = make_agent(learning_rate=lambda remaining: 1e-3 * remaining).learn(20)
    optimizers = agent.actor.optimizer, agent.critic.optimizer, agent.temperature.optimizer
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    assert rates == pytest.approx([1e-3 * agent._current_progress_remaining] * 3)
    assert rates[0] < 1e-4


@pytest.mark.parametrize("discount", [None, 0.9**5])
def test_the_gradients_of_an_update_are_those_of_the_papers_losses(discount: float | None) -> None:
    """With the new alpha; gradients of actor and critics are bounded apart."""
    keywords = {"alpha": "auto_0.3", "learning_rate": 1e-2, "gamma": 0.5}
    agent = make_agent(learning_starts=100, max_grad_norm=None, **keywords)
    assert torch.equal(weights(agent.critic), weights(agent.critic_target))
    batch = agent.learn(30).replay_buffer.sample(16)
    states, rewards = torch.randn(2, *batch.observations.shape), torch.randn_like(batch.rewards)
    batch = batch._replace(observations=states[0], next_observations=states[1], rewards=rewards)
    batch = batch._replace(dones=torch.arange(16.0)[:, None] % 2)
    if discount is not None:
        batch = batch._replace(discounts=torch.full((16, 1), discount))
    with torch.no_grad():  # neither is what it started as
        for parameter in (*agent.actor.parameters(), *agent.critic_target.parameters()):
            parameter += 0.1 * torch.randn_like(parameter)

    def look(observations: torch.Tensor, critic: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        policy, prior = agent.actor.distribution(observations), agent.prior(observations)
        gap = (prior.probs * (prior.log_probs - policy.log_probs)).sum(-1)
        q_values = critic(observations).detach().min(dim=0).values
        return (policy.probs * q_values).sum(-1), gap

    value, gap = look(batch.observations, agent.critic)
    alpha = 0.3 * np.exp(1e-2 if gap.mean() > 5.0 else -1e-2)  # the first step of Adam
    with torch.no_grad():
        next_value, next_gap = look(batch.next_observations, agent.critic_target)
        factor = (discount or 0.5) * (1.0 - batch.dones[:, 0])
        target = batch.rewards[:, 0] + factor * (next_value - alpha * next_gap)
    chosen = agent.critic(batch.observations)[:, torch.arange(16), batch.actions[:, 0]]
    losses = (alpha * gap - value).mean(), (chosen - target).square().mean(1).sum() / 2
    networks = agent.actor, agent.critic
    expected = [
        torch.autograd.grad(loss, list(network.parameters()))
        for loss, network in zip(losses, networks, strict=True)
    ]
    bounded = deepcopy(agent)
    agent._update(batch)
    for network, gradients in zip(networks, expected, strict=True):
        found = [parameter.grad for parameter in network.parameters()]
        torch.testing.assert_close(found, list(gradients), rtol=1e-4, atol=1e-6)
    bounded.max_grad_norm = 1e-3
    bounded._update(batch)
    for network in (bounded.actor, bounded.critic):
        norm = torch.cat([p.grad.flatten() for p in network.parameters()]).norm()
        assert norm.item() == pytest.approx(1e-3, rel=1e-2)


def test_normalised_critics_start_at_zero_and_bound_what_they_expect(tmp_path: Path) -> None:
    agent = make_agent(policy_kwargs={"critic_arch": (16, 16), "critic_layer_norm": True})
    observations = torch.randn(5, 3)
    assert (agent.critic(observations) == 0.0).all()
    agent.learn(20)
    for network in agent.critic.networks:
        names = [type(layer).__name__ for layer in network]
        assert names == [*("Linear", "LayerNorm", "LeakyReLU") * 2, "Linear"]
        # |Q| <= |w| sqrt(width) |gain| + |bias|, wherever the state is.
        head, norm = network[-1], network[-3]
        bound = head.weight.norm(dim=1) * (4 * norm.weight.abs().max() + norm.bias.norm())
        assert (network(1e6 * observations).abs() <= bound + head.bias.abs()).all()
        assert head.weight.abs().max() > 0
    agent.save(tmp_path / "agent")
    loaded = DiscretePriorSAC.load(tmp_path / "agent", env=make_env(), device="cpu")
    torch.testing.assert_close(weights(loaded.critic), weights(agent.critic), rtol=0, atol=0)


def test_save_and_load_go_on_where_they_stopped(tmp_path: Path) -> None:
    agent = make_agent().learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    loaded = DiscretePriorSAC.load(tmp_path / "agent", env=make_env(), device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer")
    assert loaded.num_timesteps == 40 and loaded.kl_direction == "prior-policy"
    for other in (agent, loaded):
        other.set_random_seed(3)
        other.set_logger(configure(None, []))
        other.train(5, 16)
    torch.testing.assert_close(weights(agent.policy), weights(loaded.policy), rtol=0, atol=0)
    torch.testing.assert_close(
        agent.temperature.log_value, loaded.temperature.log_value, rtol=0, atol=0
    )
    loaded.learn(10, reset_num_timesteps=False)
    assert loaded.num_timesteps == 50
    assert loaded.temperature.log_value < agent.temperature.log_value


@pytest.mark.parametrize("make", [make_agent, make_ppo])
def test_the_prior_must_be_that_of_the_training_and_over_the_skills(
    make: Any, tmp_path: Path
) -> None:
    agent = make()
    agent.save(tmp_path / "agent")
    other = StubCodes()
    other.prior.net.head.bias.data.add_(torch.arange(4.0))
    with pytest.raises(ForeignPrior, match="sha256"):
        type(agent).load(tmp_path / "agent", env=make_env(model=other))
    with pytest.raises(NoPrior, match="no name"):
        type(agent).load(tmp_path / "agent")
    with pytest.raises(UnusablePrior, match=r"over skills \(3,\) instead of \(4,\)"):
        make(prior=CategoricalMLP(3, 3, 8, 1))
    with pytest.raises(UnusablePrior, match=r"gives a Gaussian, expected .* Categorical"):
        make(prior=StubSkills().prior)
    with pytest.raises(UnusablePrior, match=r"fails for observations of shape \(3,\)"):
        make(prior=CategoricalMLP(5, 4, 8, 1))
    with pytest.raises(UnusablePrior, match="without parameters"):
        make(prior=None)
    with pytest.raises(InvalidConfig, match="kl_direction="):
        make(kl_direction="reverse")
    with pytest.raises(NormalizedObservations):
        make(env=VecNormalize(DummyVecEnv([make_env])))


@pytest.mark.parametrize("kind", [DiscretePriorSAC, PriorPPO])
def test_any_environment_with_discrete_actions(kind: Any, tmp_path: Path) -> None:
    settings = SMALL if kind is DiscretePriorSAC else PPO_SMALL
    agent = kind("MlpPolicy", "CartPole-v1", prior=None, **settings).learn(60)
    assert isinstance(agent.prior, UniformPrior)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent")
    observation = np.ones(4, np.float32)
    expected = agent.predict(observation, deterministic=True)[0]
    assert loaded.predict(observation, deterministic=True)[0] == expected
    with pytest.raises(NoPrior, match="SkillActions"):
        kind("MlpPolicy", "CartPole-v1", **settings)
    with pytest.raises((UnsupportedSpace, AssertionError)):
        kind("MlpPolicy", "Pendulum-v1", prior=None, **settings)


@pytest.mark.parametrize("kind", [DQN, PPO])
def test_sb3_trains_on_codes_unmodified(kind: Any) -> None:
    settings = {**PPO_SMALL} if kind is PPO else {**SMALL}
    agent = kind("MlpPolicy", make_env(), **settings)
    before = weights(agent.policy)
    agent.learn(60)
    assert not torch.equal(weights(agent.policy), before)


def test_same_seed_same_agent() -> None:
    for make in (make_agent, make_ppo):
        first, second = (weights(make().learn(40).policy) for _ in range(2))
        assert torch.equal(first, second)


def test_without_weight_ppo_is_that_of_sb3_bit_for_bit() -> None:
    ours = PriorPPO("MlpPolicy", make_env(), kl_coef=0.0, **PPO_SMALL).learn(60)
    theirs = PPO("MlpPolicy", make_env(), **PPO_SMALL).learn(60)
    for name, value in theirs.policy.state_dict().items():
        assert torch.equal(value, ours.policy.state_dict()[name]), name


def test_ppo_starts_as_the_prior_and_keeps_running_statistics() -> None:
    agent = make_ppo(policy_kwargs={"value_arch": (8,), "optimizer_kwargs": {"eps": 0.1}})
    observations = torch.randn(20, 3)
    model = agent.env.get_attr("skill_model")[0]
    assert all(weight.requires_grad for weight in model.prior.parameters())  # a copy is frozen
    prior = model.prior(observations)
    policy = agent.policy.get_distribution(observations).distribution
    torch.testing.assert_close(policy.probs, prior.probs)
    assert agent.divergence(observations).abs().max() < 1e-6
    assert [m.out_features for m in agent.policy.mlp_extractor.value_net[::2]] == [8]
    assert agent.policy.optimizer.defaults["eps"] == 0.1
    statistics = {k: v.clone() for k, v in agent.policy.named_buffers()}
    before, value = weights(agent.policy.action_net), weights(agent.policy.value_net)
    agent.learn(40)
    assert all(torch.equal(v, statistics[k]) for k, v in agent.policy.named_buffers())
    assert not torch.equal(weights(agent.policy.action_net), before)
    assert not torch.equal(weights(agent.policy.value_net), value)


def test_the_divergence_is_in_the_reward_of_ppo() -> None:
    rollouts = []
    for coefficient in (0.0, 0.5):
        agent = PriorPPO("MlpPolicy", make_env(), kl_coef=coefficient, **PPO_SMALL)
        agent.train = lambda: None  # type: ignore[method-assign]
        agent.learn(20)
        rollouts.append((agent, deepcopy(agent.rollout_buffer)))
    (_, free), (agent, charged) = rollouts
    np.testing.assert_array_equal(free.actions, charged.actions)
    observations = torch.as_tensor(charged.observations)
    policy = Categorical.from_logits(
        agent.policy.get_distribution(observations[:, 0]).distribution.logits
    )
    gap = policy.kl(agent.prior(observations[:, 0])).detach().numpy()
    assert gap.min() > 1e-3
    np.testing.assert_allclose(charged.rewards[:, 0], free.rewards[:, 0] - 0.5 * gap, rtol=1e-5)
    # Advantages by hand, backwards in time.
    values, starts = charged.values[:, 0], charged.episode_starts[:, 0]
    last = agent.policy.predict_values(torch.as_tensor(agent._last_obs)).item()
    next_value, ended, advantage = last, float(agent._last_episode_starts[0]), 0.0
    for t in reversed(range(20)):
        delta = charged.rewards[t, 0] + 0.99 * (1 - ended) * next_value - values[t]
        advantage = delta + 0.99 * 0.95 * (1 - ended) * advantage
        assert charged.advantages[t, 0] == pytest.approx(advantage, rel=1e-3, abs=1e-4)
        next_value, ended = values[t], starts[t]
    np.testing.assert_allclose(charged.returns[:, 0], charged.advantages[:, 0] + values, rtol=1e-5)


def test_nothing_follows_an_episode_that_ends_with_a_roll_out_of_ppo() -> None:
    agent = make_ppo(policy="MlpPolicy", n_steps=7, batch_size=7, kl_coef=0.5)
    agent.train = lambda: None  # type: ignore[method-assign]
    agent.learn(7, log_interval=None)
    buffer = agent.rollout_buffer
    assert agent._last_episode_starts[0]
    assert buffer.returns[-1, 0] == pytest.approx(buffer.rewards[-1, 0], rel=1e-5)
    gap = agent.divergence(torch.as_tensor(buffer.observations)).mean().item()
    assert agent.logger.name_to_value["rollout/prior_divergence"] == pytest.approx(gap) != 0.0


def test_ppo_does_not_learn_from_a_roll_out_that_a_callback_stops() -> None:
    agent = make_ppo()
    agent.learn(40, callback=lambda found, _: found["self"].num_timesteps < 30)
    assert agent.num_timesteps == 30 and agent._n_updates == 2


def test_ppo_saves_loads_and_goes_on(tmp_path: Path) -> None:
    agent = make_ppo(policy_kwargs={"value_arch": (8,)}).learn(40)
    agent.policy.save(tmp_path / "policy")
    alone = type(agent.policy).load(tmp_path / "policy", device="cpu")
    assert torch.equal(weights(agent.policy), weights(alone))
    agent.save(tmp_path / "agent")
    loaded = PriorPPO.load(tmp_path / "agent", env=make_env(), device="cpu")
    assert torch.equal(weights(agent.policy), weights(loaded.policy))
    assert (loaded.kl_coef, loaded.kl_direction) == (0.05, "policy-prior")
    loaded.learn(20, reset_num_timesteps=False)
    assert loaded.num_timesteps == 60


@pytest.mark.parametrize("make", [make_agent, make_ppo])
def test_checkpoints_of_a_run(make: Any, tmp_path: Path) -> None:
    agent = make().learn(40)
    counters = {"control_steps": 200, "reached": 200, "seconds": 1.0}
    save_run(tmp_path / "last", agent, counters)
    found = load_run(tmp_path / "last", make(), DummyVecEnv([make_env]))
    assert found is not None
    loaded, state = found
    assert state == counters and loaded.num_timesteps == 40
    assert torch.equal(weights(agent.policy), weights(loaded.policy))
    if isinstance(agent, DiscretePriorSAC):
        np.testing.assert_array_equal(agent.replay_buffer.actions, loaded.replay_buffer.actions)


def test_each_environment_is_charged_for_its_own_divergence() -> None:
    agent, observations = make_ppo(policy="MlpPolicy"), torch.randn(5, 2, 3)
    with torch.no_grad():
        agent.policy.action_net.bias.copy_(torch.arange(4.0))
    own = torch.stack([agent.divergence(observations[:, env]) for env in range(2)], dim=1)
    torch.testing.assert_close(agent.divergence(observations), own)
    assert own.std() > 0.0


def test_a_prior_of_ones_own_may_see_observations_of_any_shape() -> None:
    env = ReshapeObservation(gym.make("CartPole-v1"), (2, 2))
    prior = nn.Sequential(nn.Flatten(), CategoricalMLP(4, 2, 8, 1))
    agent = PriorPPO("MlpPolicy", env, prior=prior, **PPO_SMALL).learn(20)
    assert agent.divergence(torch.randn(5, 3, 2, 2)).shape == (5, 3)
