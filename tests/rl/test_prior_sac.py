"""PriorSAC: the prior in policy and objective, equality with SAC, saving and loading."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import FrameStackObservation, TimeLimit
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn
from torch.distributions import Normal, kl_divergence

from skillgym.errors import InvalidConfig, NormalizedObservations, UnsupportedSpace
from skillgym.hub import save_skill
from skillgym.nn.distributions import Gaussian
from skillgym.nn.priors import CategoricalMLP, GaussianMLP, MixtureMLP
from skillgym.rl import PriorSAC, SkillReplayBuffer, SuccessReplayBuffer
from skillgym.rl.errors import ForeignPrior, NoPrior, UnusablePrior
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import SkillActions
from tests.skill_stubs import CountingEnv, StubSkills

SMALL = {"learning_starts": 8, "batch_size": 16, "buffer_size": 1000, "seed": 0, "device": "cpu"}
TINY_CRITIC = {"critic_arch": (16, 16)}


class Bounded(CountingEnv):
    """Observations stay small, so that networks do."""

    def _observe(self, action: float) -> np.ndarray:
        return super()._observe(action) * np.float32(0.01)


def make_env(seed: int = 0, model: Any = None) -> gym.Env[Any, Any]:
    env = SkillActions(TimeLimit(Bounded(), 35), model or StubSkills(max_steps=5))
    env.reset(seed=seed)
    return env


def make_agent(**keywords: Any) -> PriorSAC:
    keywords = {"policy_kwargs": TINY_CRITIC, **SMALL, **keywords}
    return PriorSAC("SkillPriorPolicy", keywords.pop("env", None) or make_env(), **keywords)


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def buffers(module: nn.Module) -> torch.Tensor:
    return torch.cat([b.detach().flatten().double() for b in module.buffers()])


@pytest.mark.parametrize("off", [{"prior": None}, {"kl": None}])
def test_without_divergence_it_equals_sac_bit_for_bit(off: dict[str, Any]) -> None:
    settings = {**SMALL, "policy_kwargs": {"net_arch": [16, 16]}, "learning_starts": 100}
    sac = SAC("MlpPolicy", make_env(), **settings).learn(200)
    ours = PriorSAC("MlpPolicy", make_env(), **off, **settings).learn(200)
    assert ours._n_updates == sac._n_updates == 100
    for name, value in sac.policy.state_dict().items():
        assert torch.equal(value, ours.policy.state_dict()[name]), name
    assert torch.equal(sac.log_ent_coef, ours.log_ent_coef)
    np.testing.assert_array_equal(sac.replay_buffer.actions, ours.replay_buffer.actions)


def test_the_policy_starts_as_the_prior_and_warms_up_with_it() -> None:
    agent = make_agent(learning_starts=400)
    model = agent.env.get_attr("skill_model")[0]
    observations = torch.randn(5, 3)
    mean, log_std, _ = agent.actor.get_action_dist_params(observations)
    prior = model.prior(observations)
    torch.testing.assert_close(2.0 * mean, prior.mean)
    torch.testing.assert_close(2.0 * log_std.exp(), prior.std)
    agent.learn(400)
    skills = torch.as_tensor(agent.replay_buffer.actions[:400, 0])
    latents = 2.0 * torch.atanh(skills.clamp(-0.9999, 0.9999))
    prior = model.prior(torch.as_tensor(agent.replay_buffer.observations[:400, 0]))
    standardised = (latents - prior.mean) / prior.std
    assert standardised.mean().abs() < 0.15
    assert (standardised.std() - 1.0).abs() < 0.15


@pytest.mark.parametrize(("latent_scale", "divisor"), [(None, 2.0), (1.0, 1.0)])
def test_executed_skills_are_the_squashed_latents(
    latent_scale: float | None, divisor: float
) -> None:
    agent = make_agent(latent_scale=latent_scale)
    skill, _ = agent.predict(np.zeros(3, np.float32), deterministic=True)
    latent = agent.env.get_attr("skill_model")[0].prior(torch.zeros(1, 3)).mean
    expected = 2.0 * torch.tanh(latent[0] / divisor)
    np.testing.assert_allclose(skill, expected.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize("kl", ["sampled", "analytic"])
def test_training_moves_the_policy_but_neither_prior_nor_running_statistics(kl: str) -> None:
    agent = make_agent(kl=kl)
    model_before = deepcopy(agent.env.get_attr("skill_model")[0].prior)
    actor, prior = weights(agent.actor), weights(agent.prior)
    statistics = buffers(agent.actor.network)
    agent.learn(60)
    assert not torch.equal(weights(agent.actor), actor)
    assert torch.equal(weights(agent.prior), prior)
    assert torch.equal(weights(model_before), weights(agent.env.get_attr("skill_model")[0].prior))
    assert torch.equal(buffers(agent.actor.network), statistics)
    norms = [m for m in agent.actor.modules() if isinstance(m, nn.BatchNorm1d)]
    assert norms and not any(norm.weight.eq(1).all() for norm in norms)


def test_alpha_falls_near_the_prior_and_can_be_fixed() -> None:
    learned = make_agent().learn(60)
    assert learned.log_ent_coef.item() < 0.0
    tight = make_agent(target_divergence=0.0, kl="analytic").learn(60)
    assert tight.log_ent_coef.item() > 0.0
    fixed = make_agent(alpha=0.3).learn(60)
    assert fixed.ent_coef_tensor.item() == pytest.approx(0.3)


def test_a_large_alpha_keeps_the_policy_at_the_prior() -> None:
    divergences = []
    for alpha in (100.0, 0.0):
        agent = make_agent(alpha=alpha, learning_rate=3e-3).learn(150)
        observations = torch.as_tensor(agent.replay_buffer.observations[:150, 0])
        mean, *_ = agent.actor.get_action_dist_params(observations)
        prior = agent.prior(observations)
        divergences.append((((mean - prior.mean) / prior.std).square().sum(-1)).mean().item())
    assert divergences[0] < 0.1 * divergences[1]


def test_logged_metrics() -> None:
    agent = make_agent().learn(20)
    logged = agent.logger.name_to_value
    for name in ("alpha", "alpha_loss", "actor_loss", "critic_loss", "prior_divergence"):
        assert np.isfinite(logged[f"train/{name}"])
    assert logged["train/target_divergence"] == 5.0
    # Means over those updates that have a value.
    agent._record([{"a": torch.tensor(1.0)}, {"a": torch.tensor(3.0), "b": torch.tensor(5.0)}])
    assert (logged["train/a"], logged["train/b"]) == (2.0, 5.0)


def test_updates_follow_the_number_of_skills() -> None:
    assert make_agent().learn(50)._n_updates == 42
    env = DummyVecEnv([make_env, make_env])
    assert make_agent(env=env).learn(50)._n_updates == 42


def scattered(batch: ReplayBufferSamples) -> ReplayBufferSamples:
    """Transitions between unlike states, of which every other one is an end."""
    states = torch.randn(2, *batch.observations.shape)
    dones, rewards = torch.arange(len(batch.dones)) % 2.0, torch.randn_like(batch.rewards)
    batch = batch._replace(observations=states[0], next_observations=states[1], rewards=rewards)
    return batch._replace(dones=dones[:, None])


def test_the_gradients_of_an_update_are_those_of_the_papers_losses() -> None:
    """With the new alpha; from the target critics, through which no gradient reaches the actor."""
    rate, replay = 1e-2, {"replay_buffer_kwargs": {"gamma": 0.9}}
    keywords = {"kl": "analytic", "alpha": "auto_0.3", "learning_rate": rate, **replay}
    agent = make_agent(replay_buffer_class=SkillReplayBuffer, learning_starts=100, **keywords)
    batch = scattered(agent.learn(30).replay_buffer.sample(16))
    with torch.no_grad():  # neither is what it started as
        for parameter in (*agent.actor.parameters(), *agent.critic_target.parameters()):
            parameter += 0.1 * torch.randn_like(parameter)

    def act(observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_std, _ = agent.actor.get_action_dist_params(observations)
        prior, std = agent.prior(observations), log_std.exp()
        gap = kl_divergence(Normal(mean, std), Normal(prior.mean, prior.std)).sum(-1)
        return torch.tanh(mean + std * torch.randn_like(mean)), gap

    torch.manual_seed(3)
    action, gap = act(batch.observations)
    alpha = 0.3 * np.exp(rate if gap.mean() > 5.0 else -rate)  # the first step of Adam
    with torch.no_grad():
        next_action, next_gap = act(batch.next_observations)
        next_q = torch.minimum(*agent.critic_target(batch.next_observations, next_action))
        value = next_q - alpha * next_gap[:, None]
        target = batch.rewards + 0.9**5 * (1.0 - batch.dones) * value
    q_of_policy = torch.minimum(*agent.critic(batch.observations, action))[:, 0]
    actor_loss = (alpha * gap - q_of_policy).mean()
    errors = [q - target for q in agent.critic(batch.observations, batch.actions)]
    critic_loss = sum(0.5 * error.square().mean() for error in errors)
    expected = [
        torch.autograd.grad(loss, list(network.parameters()))
        for loss, network in ((actor_loss, agent.actor), (critic_loss, agent.critic))
    ]
    torch.manual_seed(3)
    agent._update(batch)
    for network, gradients in zip((agent.actor, agent.critic), expected, strict=True):
        found = [parameter.grad for parameter in network.parameters()]
        torch.testing.assert_close(found, list(gradients), rtol=1e-4, atol=1e-6)


def test_the_target_critics_follow_by_tau_in_their_interval() -> None:
    """Critics that stand still: the distance falls by 1 - tau with updates 0 and 3 of four."""
    settings = {"learning_rate": 0.0, "tau": 0.1, "learning_starts": 100}
    agent = make_agent(target_update_interval=3, **settings).learn(20)
    with torch.no_grad():
        for parameter in agent.critic_target.parameters():
            parameter += torch.randn_like(parameter)
    before = weights(agent.critic_target) - weights(agent.critic)
    agent.train(4, 16)
    after = weights(agent.critic_target) - weights(agent.critic)
    torch.testing.assert_close(after, 0.9**2 * before)


def test_the_sampled_divergence_is_a_mean_of_as_many_samples_as_asked_for() -> None:
    agent = make_agent(num_kl_samples=20_000)
    observations = torch.randn(5, 3)
    policy, prior = Gaussian(torch.ones(5, 2), torch.zeros(5, 2)), agent.prior(observations)
    torch.testing.assert_close(
        agent._divergence(policy, prior), policy.kl(prior).sum(-1), rtol=0.05, atol=0.0
    )


def test_a_schedule_of_the_learning_rate_reaches_every_optimizer() -> None:
    agent = make_agent(learning_rate=lambda remaining: 1e-3 * remaining).learn(20)
    optimizers = agent.actor.optimizer, agent.critic.optimizer, agent.ent_coef_optimizer
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    assert rates == pytest.approx([1e-3 * agent._current_progress_remaining] * 3)
    assert rates[0] < 1e-4


def test_semi_markov_discounts_are_used() -> None:
    keywords = {"replay_buffer_class": SkillReplayBuffer, "replay_buffer_kwargs": {"gamma": 0.9}}
    agent = make_agent(**keywords).learn(20)
    batch = agent.replay_buffer.sample(4)
    torch.testing.assert_close(batch.discounts, torch.full((4, 1), 0.9**5))


@pytest.mark.parametrize(("own", "expected"), [({}, 0.9**3), ({"gamma": 0.8}, 0.8**3)])
def test_returns_over_several_skills_have_the_agents_discount(
    own: dict[str, float], expected: float, tmp_path: Path
) -> None:
    keywords = {"n_steps": 3, **own}
    agent = make_agent(
        gamma=0.9, replay_buffer_class=SuccessReplayBuffer, replay_buffer_kwargs=keywords
    ).learn(20)
    agent.save(tmp_path / "agent")
    loaded = PriorSAC.load(tmp_path / "agent", env=make_env(), device="cpu").learn(20)
    for each in (agent, loaded):
        discounts = each.replay_buffer.sample(200).discounts
        assert discounts.min().item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("goes_on", "other_env", "steps"), [(False, False, 1), (True, False, 3), (True, True, 1)]
)
def test_returns_do_not_run_into_the_episodes_that_a_second_call_of_learn_begins(
    goes_on: bool, other_env: bool, steps: int
) -> None:
    keywords = {"n_steps": 3, "gamma": 0.9}
    agent = make_agent(
        gamma=0.9, replay_buffer_class=SuccessReplayBuffer, replay_buffer_kwargs=keywords
    )
    agent.learn(3)  # an episode has seven skills
    if other_env:
        agent.set_env(make_env(seed=1))
    agent.learn(3, reset_num_timesteps=not goes_on)
    last = agent.replay_buffer._get_samples(np.array([2]))
    assert last.discounts.item() == pytest.approx(0.9**steps)
    assert last.dones.item() == 0.0


class Normalising(FlattenExtractor):
    """Features with running statistics."""

    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space)
        self.flatten = nn.Sequential(self.flatten, nn.BatchNorm1d(self.features_dim))


def test_target_critics_have_the_running_statistics_of_the_critics() -> None:
    networks = {"net_arch": [16], "features_extractor_class": Normalising}
    settings = {**SMALL, "policy_kwargs": networks}
    agent = PriorSAC("MlpPolicy", make_env(), **settings).learn(20)
    assert buffers(agent.critic).abs().max() > 1.0  # they have moved
    assert torch.equal(buffers(agent.critic_target), buffers(agent.critic))


def test_save_and_load_go_on_where_they_stopped(tmp_path: Path) -> None:
    agent = make_agent().learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    loaded = PriorSAC.load(tmp_path / "agent", env=make_env(), device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer")
    for name, value in agent.policy.state_dict().items():
        assert torch.equal(value, loaded.policy.state_dict()[name]), name
    assert loaded.num_timesteps == 40
    assert loaded.kl == "sampled"
    for other in (agent, loaded):
        other.set_random_seed(3)
        other.set_logger(configure(None, []))
        other.train(5, 16)
    torch.testing.assert_close(weights(agent.policy), weights(loaded.policy), rtol=0, atol=0)
    torch.testing.assert_close(agent.log_ent_coef, loaded.log_ent_coef, rtol=0, atol=0)
    loaded.learn(10, reset_num_timesteps=False)
    assert loaded.num_timesteps == 50


def test_the_saved_agent_refers_to_the_prior_instead_of_repeating_it(tmp_path: Path) -> None:
    agent = make_agent()
    agent.save(tmp_path / "agent")
    other = StubSkills(max_steps=5)
    other.prior.net.head.bias.data.add_(1.0)
    with pytest.raises(ForeignPrior, match="sha256"):
        PriorSAC.load(tmp_path / "agent", env=make_env(model=other))
    with pytest.raises(NoPrior, match="no name"):
        PriorSAC.load(tmp_path / "agent")


def test_without_an_environment_the_prior_is_found_by_the_name_of_its_skill_model(
    tmp_path: Path,
) -> None:
    config = SpirlConfig(hidden_size=8, encoder_size=8, decoder_layers=0, prior_layers=1)
    spaces = CountingEnv.observation_space, CountingEnv.action_space
    name = str(save_skill(ClosedLoopSpirl(*spaces, config).eval(), tmp_path / "skills"))
    agent = make_agent(env=SkillActions(TimeLimit(Bounded(), 35), name)).learn(20)
    agent.save(tmp_path / "agent")
    loaded = PriorSAC.load(tmp_path / "agent")
    observation = np.ones(3, np.float32)
    expected = agent.predict(observation, deterministic=True)[0]
    np.testing.assert_array_equal(loaded.predict(observation, deterministic=True)[0], expected)


def test_an_explicit_prior_needs_no_skill_model(tmp_path: Path) -> None:
    prior = StubSkills(observation_size=3, action_size=2).prior
    env = gym.make("Pendulum-v1")
    with pytest.raises(NoPrior, match="SkillActions"):
        PriorSAC("MlpPolicy", env)
    with pytest.raises(UnusablePrior, match=r"\(2,\), skills have \(1,\)"):
        PriorSAC("SkillPriorPolicy", env, prior=prior)
    agent = make_agent(env=TimeLimit(Bounded(), 35), prior=narrow(prior)).learn(20)
    agent.save(tmp_path / "agent")
    loaded = PriorSAC.load(tmp_path / "agent")
    observation = np.zeros(3, np.float32)
    expected = agent.predict(observation, deterministic=True)[0]
    np.testing.assert_array_equal(loaded.predict(observation, deterministic=True)[0], expected)


def narrow(prior: nn.Module) -> nn.Module:
    """The prior over the first dimension only."""
    prior = deepcopy(prior)
    head = prior.net.head
    smaller = nn.Linear(head.in_features, 2)
    prior.net.head = smaller
    return prior


def test_normalised_critics_bound_what_they_expect(tmp_path: Path) -> None:
    agent = make_agent(policy_kwargs={**TINY_CRITIC, "critic_layer_norm": True})
    observation = torch.randn(5, 3)
    assert all((q == 0.0).all() for q in agent.critic(observation, torch.randn(5, 2)))
    agent.learn(20)
    near, far = torch.randn(5, 2), 1e6 * torch.randn(5, 2)
    for critic in (agent.critic, agent.critic_target):
        for network in critic.q_networks:
            assert [type(layer).__name__ for layer in network] == [
                *("Linear", "LayerNorm", "LeakyReLU") * 2,
                "Linear",
            ]
            # |Q| <= |w| sqrt(width) |gain| + |bias|, wherever the skill is.
            head, norm = network[-1], network[-3]
            bound = head.weight.norm() * (4 * norm.weight.abs().max() + norm.bias.norm())
            for skill in (near, far):
                value = network(torch.cat([observation, skill], 1))
                assert (value.abs() <= bound + head.bias.abs()).all()
    assert not torch.equal(agent.critic.qf0[1].weight, torch.ones(16)), "gains are trained"
    agent.save(tmp_path / "agent")
    loaded = PriorSAC.load(tmp_path / "agent", env=make_env(), device="cpu")
    torch.testing.assert_close(weights(loaded.critic), weights(agent.critic), rtol=0, atol=0)


def test_other_policies_and_priors() -> None:
    model = StubSkills(max_steps=5)
    model.prior = MixtureMLP(3, 2, 16, 1)
    with pytest.raises(UnusablePrior, match="GaussianMixture"):
        make_agent(env=make_env(model=model))
    settings = {**SMALL, "policy_kwargs": {"net_arch": [16]}}
    with pytest.raises(UnusablePrior, match="GaussianMixture"):
        PriorSAC("MlpPolicy", make_env(model=model), kl="analytic", **deepcopy(settings))
    agent = PriorSAC("MlpPolicy", make_env(model=model), **settings).learn(20)
    assert np.isfinite(agent.logger.name_to_value["train/prior_divergence"])


class TorchPrior(nn.Module):
    """A prior that gives a distribution of torch."""

    def forward(self, obs: torch.Tensor) -> torch.distributions.Distribution:
        zeros = obs.new_zeros(*obs.shape[:-1], 2)
        return torch.distributions.Independent(torch.distributions.Normal(zeros, zeros + 1.0), 1)


def test_distributions_of_torch_regularise_but_no_policy_starts_as_one() -> None:
    model = StubSkills(max_steps=5)
    model.prior = TorchPrior()
    expected = r"gives an Independent, .* skillgym\.nn\.distributions\.Gaussian\(mean, log_std\)"
    with pytest.raises(UnusablePrior, match=expected):
        make_agent(env=make_env(model=model))
    agent = PriorSAC("MlpPolicy", make_env(model=model), **SMALL).learn(20)
    assert np.isfinite(agent.logger.name_to_value["train/prior_divergence"])


@pytest.mark.parametrize("policy", ["MlpPolicy", "SkillPriorPolicy"])
def test_a_skill_model_without_prior_is_not_blamed_for_lacking_demonstrations(policy: str) -> None:
    model = StubSkills(max_steps=5)
    del model.prior
    with pytest.raises(NoPrior, match=r"a StubSkills without prior, .* give the skill model a"):
        PriorSAC(policy, make_env(model=model), **SMALL)
    PriorSAC("MlpPolicy", make_env(model=model), prior=None, **SMALL).learn(20)


def test_other_environments_have_the_same_skills() -> None:
    """`set_env` refuses what `load` refuses, and leaves the agent as it was."""
    agent = make_agent(env=make_env(model=spirl_model())).learn(20)
    same = make_env(seed=1, model=spirl_model())
    agent.set_env(same)
    agent.learn(10, reset_num_timesteps=False)
    other = spirl_model()
    with torch.no_grad():  # not part of the prior
        next(other.decoder.parameters()).add_(0.1)
    before, reached = agent.env, agent._last_obs
    normalised = VecNormalize(DummyVecEnv([lambda: make_env(model=spirl_model())]))
    for env, error in ((make_env(model=other), ForeignPrior), (normalised, NormalizedObservations)):
        with pytest.raises(error):
            agent.set_env(env)
        assert agent.env is before and agent.get_vec_normalize_env() is None
        assert agent._last_obs is reached  # the running episode goes on
    agent.learn(10, reset_num_timesteps=False)


def test_an_agent_is_not_loaded_with_another_decoder(tmp_path: Path) -> None:
    make_agent(env=make_env(model=spirl_model())).save(tmp_path / "agent")
    other = spirl_model()
    with torch.no_grad():
        next(other.decoder.parameters()).add_(0.1)
    PriorSAC.load(tmp_path / "agent", env=make_env(model=spirl_model()), device="cpu")
    with pytest.raises(ForeignPrior, match="those that the agent was trained with"):
        PriorSAC.load(tmp_path / "agent", env=make_env(model=other), device="cpu")


def spirl_model() -> ClosedLoopSpirl:
    config = SpirlConfig(
        skill_horizon=5, latent_size=2, hidden_size=8, encoder_size=8, decoder_layers=1
    )
    spaces = Bounded.observation_space, Bounded.action_space
    return ClosedLoopSpirl.create(*spaces, config, seed=0).eval()


@pytest.mark.parametrize("name", ["alpha", "prior", "ent_coef"])
def test_what_saved_tensors_depend_on_cannot_change_on_loading(name: str, tmp_path: Path) -> None:
    make_agent().save(tmp_path / "agent")
    with pytest.raises(InvalidConfig, match=f"Got {name}=0.2, expected no other {name} than"):
        PriorSAC.load(tmp_path / "agent", env=make_env(), **{name: 0.2})


def test_wrong_settings() -> None:
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(InvalidConfig, match="target_divergence="):
            make_agent(target_divergence=wrong)
    with pytest.raises(InvalidConfig, match=r"ent_coef=0.1, expected that .* alpha"):
        make_agent(ent_coef=0.1)
    with pytest.raises(InvalidConfig, match=r"prior=0.1, expected 'auto', .*network or None"):
        make_agent(prior=0.1)
    with pytest.raises(TypeError, match="positional"):  # SB3 has the learning rate there
        PriorSAC("MlpPolicy", make_env(), 3e-4)  # type: ignore[misc]
    with pytest.raises(InvalidConfig, match="kl="):
        make_agent(kl="reverse")
    with pytest.raises(InvalidConfig, match="use_sde"):
        make_agent(use_sde=True)
    with pytest.raises(InvalidConfig, match=r"target_entropy=-3\.0, expected target_divergence"):
        make_agent(target_entropy=-3.0)
    make_agent(target_entropy=-3.0, kl=None)  # SB3's objective has it
    for scale in (0.0, -1.0, np.inf, np.nan, "a"):
        with pytest.raises(InvalidConfig, match="latent_scale="):
            make_agent(latent_scale=scale)
    with pytest.raises(InvalidConfig, match=r"net_arch=\[8\], expected critic_arch"):
        make_agent(policy_kwargs={"net_arch": [8]})
    with pytest.raises(NormalizedObservations, match="norm_obs=False"):
        make_agent(env=VecNormalize(DummyVecEnv([make_env])))
    make_agent(env=VecNormalize(DummyVecEnv([make_env]), norm_obs=False)).learn(20)


def test_critics_see_the_first_entries_also_with_a_shared_extractor() -> None:
    kwargs = {**TINY_CRITIC, "critic_inputs": 1, "share_features_extractor": True}
    agent = make_agent(policy_kwargs=kwargs)
    for critic in (agent.critic, agent.critic_target):
        assert critic.qf0[0].in_features == 1 + 2
    agent.learn(20)


def test_same_seed_same_agent() -> None:
    first, second = (weights(make_agent().learn(30).policy) for _ in range(2))
    assert torch.equal(first, second)


class Flat(nn.Module):
    """A prior that gives numbers."""

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return obs


@pytest.mark.parametrize(
    ("prior", "expected"),
    [
        (GaussianMLP(6, 2, 8, 1), r"fails for observations of shape \(3,\)"),
        (GaussianMLP(3, 1, 8, 1), r"latents of shape \(1,\), skills have \(2,\)"),
        (MixtureMLP(3, 5, 8, 1), "without densities of skills"),
        (CategoricalMLP(3, 2, 8, 1), "Categorical without densities of skills"),
        (Flat(), "Tensor without densities of skills"),
    ],
)
def test_a_prior_that_cannot_regularise_is_refused_at_once(prior: nn.Module, expected: str) -> None:
    """Not in the first update, after the warm-up."""
    with pytest.raises(UnusablePrior, match=expected):
        PriorSAC("MlpPolicy", make_env(), prior=prior.eval(), **SMALL)


def test_priors_see_single_observations_that_are_arrays() -> None:
    settings = {**SMALL, "policy_kwargs": {"net_arch": [16]}}
    stacked = FrameStackObservation(make_env(), 2)
    with pytest.raises(UnusablePrior, match=r"latents of shape \(2, 2\)"):
        PriorSAC("MlpPolicy", stacked, **deepcopy(settings))
    goals = gym.make("skillgym/FetchPlace-v0", goals=True)
    prior = GaussianMLP(31, 4, 8, 1).eval()
    with pytest.raises(UnsupportedSpace, match=r"Dict.*FlattenObservation"):
        PriorSAC("MultiInputPolicy", goals, prior=prior, **deepcopy(settings))
    PriorSAC("MultiInputPolicy", goals, prior=None, **settings)
