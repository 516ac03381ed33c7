"""SkiLD: its limits are PriorSAC, what is frozen, the discriminator, saving and loading."""

from __future__ import annotations

import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit, TransformReward
from stable_baselines3.common.logger import configure
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from skillgym.data.errors import DatasetNotFound
from skillgym.errors import InvalidConfig, ShapeMismatch
from skillgym.hub import save_skill
from skillgym.rl import PriorSAC, SkiLD
from skillgym.rl.buffers import SkillReplayBuffer
from skillgym.rl.errors import ForeignAgent, ForeignPrior, NoDemonstrations, NoPrior
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import SkillActions
from tests.skill_stubs import CountingEnv, StubSkills

SMALL = {
    "learning_starts": 8,
    "batch_size": 16,
    "buffer_size": 1000,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"critic_arch": (16, 16)},
}
OBSERVATIONS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


class Bounded(CountingEnv):
    """Observations stay small, so that networks do."""

    def _observe(self, action: float) -> np.ndarray:
        return super()._observe(action) * np.float32(0.01)


def make_model(logit: float | None = None) -> SkildModel:
    """A small model; with a logit, its discriminator gives it everywhere."""
    sizes = {"skill_horizon": 5, "latent_size": 2, "hidden_size": 16, "encoder_size": 8}
    config = SpirlConfig(**sizes, decoder_layers=1, prior_layers=1)
    spaces = CountingEnv.observation_space, CountingEnv.action_space
    model = SkildModel.from_embedding(ClosedLoopSpirl.create(*spaces, config))
    with torch.no_grad():
        model.posterior.net.head.bias += 0.5
        if logit is not None:
            model.discriminator.net.head.weight.zero_()
            model.discriminator.net.head.bias.fill_(logit)
    return model.eval()


def make_env(model: Any = None, reward: Any = None) -> gym.Env[Any, Any]:
    env: gym.Env[Any, Any] = TimeLimit(Bounded(), 35)
    env = SkillActions(env, model or make_model())
    return env if reward is None else TransformReward(env, reward)


def make_agent(**keywords: Any) -> SkiLD:
    env = keywords.pop("env", None) or make_env(keywords.pop("model", None))
    return SkiLD("SkillPriorPolicy", env, **{**SMALL, **keywords})


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten().double() for value in module.state_dict().values()])


def test_an_agent_of_another_class_is_named(tmp_path: Path) -> None:
    """What differs between their skills and tensors would be said in its place. Own names count."""

    class Mine(SkiLD):
        pass

    env = make_env()
    Mine("SkillPriorPolicy", env, **SMALL).save(tmp_path / "skild")
    make_agent(env=env).save(tmp_path / "own")
    for kind in (SkiLD, Mine):
        for name in ("skild", "own"):
            assert type(kind.load(tmp_path / name, env=env, device="cpu")) is kind
    with pytest.raises(ForeignAgent, match=r"class SkiLD, expected a PriorSAC; load it with SkiLD"):
        PriorSAC.load(tmp_path / "skild", env=env, device="cpu")
    PriorSAC("SkillPriorPolicy", env, **SMALL).save(tmp_path / "spirl")
    with pytest.raises(ForeignAgent, match=r"class PriorSAC, expected a SkiLD; load it with Prior"):
        SkiLD.load(tmp_path / "spirl", env=env, device="cpu")


@pytest.mark.parametrize(("logit", "prior"), [(-1e4, "auto"), (1e4, "posterior")])
def test_with_a_certain_discriminator_it_is_prior_sac(logit: float, prior: Any) -> None:
    """D = 0: SPiRL with the reward lambda R + constant. D = 1: the same with the posterior."""
    model = make_model(logit)
    start: Any = "posterior" if prior == "posterior" else "prior"
    targets = {"target_divergence": 1.5, "posterior_target_divergence": 1.5}
    ours = make_agent(
        model=model, start=start, kl="analytic", alpha="auto", posterior_alpha="auto", **targets
    ).learn(60)
    constant = 0.1 * np.copysign(46.0517, logit)
    env = make_env(model, lambda reward: 0.9 * float(reward) + constant)
    keywords = {**SMALL, "target_divergence": 1.5}
    spirl = PriorSAC("SkillPriorPolicy", env, prior=prior, kl="analytic", **keywords).learn(60)
    assert ours._n_updates == spirl._n_updates == 52
    for name, value in spirl.policy.state_dict().items():
        torch.testing.assert_close(ours.policy.state_dict()[name], value, rtol=1e-3, atol=1e-5)
    log_alphas = ours.log_ent_coef.detach(), ours.posterior_temperature.log_value.detach()
    used, unused = log_alphas if prior == "auto" else log_alphas[::-1]
    torch.testing.assert_close(used, spirl.log_ent_coef.detach())
    assert used.abs() > 1e-3 and unused.item() == 0.0


def test_an_undecided_discriminator_gives_no_reward() -> None:
    agent = make_agent(model=make_model(0.0)).learn(20)
    logged = agent.logger.name_to_value
    assert logged["train/discriminator_reward"] == 0.0
    assert logged["train/demonstration_weight"] == 0.5
    batch = agent.replay_buffer.sample(8)
    torch.testing.assert_close(agent._rewards(batch), 0.9 * batch.rewards)


def batch_of(observations: torch.Tensor, next_observations: torch.Tensor) -> ReplayBufferSamples:
    column = torch.ones(len(observations), 1)
    return ReplayBufferSamples(
        observations, torch.zeros(len(observations), 2), next_observations, 0 * column, column
    )


@pytest.mark.parametrize("target_weights", ["next", "current"])
def test_whose_discriminator_the_target_takes(target_weights: Any) -> None:
    agent = make_agent(kl="analytic", target_weights=target_weights, alpha=0.3)
    batch = batch_of(OBSERVATIONS, OBSERVATIONS.flip(0) * 3)
    weighing = batch.next_observations if target_weights == "next" else batch.observations
    policy, _ = agent._act(batch.next_observations)
    share = torch.sigmoid(agent.discriminator(weighing))
    kls = [
        policy.kl(network(batch.next_observations)).sum(-1)
        for network in (agent.prior, agent.posterior)
    ]
    expected = 0.3 * (1 - share) * kls[0] + 0.1 * share * kls[1]
    torch.testing.assert_close(agent._next_penalty(batch, policy), expected)
    assert share.std() > 1e-3


def test_gradients_of_the_penalty_reach_only_the_policy() -> None:
    agent = make_agent(kl="sampled", start="prior", alpha="auto", posterior_alpha="auto")
    policy, _ = agent._act(OBSERVATIONS)
    penalty, _ = agent._penalty(batch_of(OBSERVATIONS, OBSERVATIONS), policy)
    assert penalty.shape == (6,)
    penalty.mean().backward()
    assert all(p.grad is not None for p in agent.actor.network.parameters())
    for frozen in (agent.prior, agent.posterior, agent.discriminator):
        assert all(p.grad is None for p in frozen.parameters())


@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_the_policy_starts_as_posterior_or_prior(start: Any) -> None:
    model = make_model()
    agent = make_agent(model=model, start=start)
    mean, log_std, _ = agent.actor.get_action_dist_params(OBSERVATIONS)
    source = getattr(model, start)(OBSERVATIONS)
    torch.testing.assert_close(3.0 * mean, source.mean)
    torch.testing.assert_close(3.0 * log_std.exp(), source.std)


def test_training_moves_only_the_policy() -> None:
    model = make_model()
    agent = make_agent(model=model)
    frozen = agent.prior, agent.posterior, agent.discriminator, model
    before = [weights(module) for module in frozen]
    actor, statistics = weights(agent.actor), deepcopy(list(agent.actor.network.buffers()))
    agent.learn(60)
    assert not torch.equal(weights(agent.actor), actor)
    for module, value in zip(frozen, before, strict=True):
        assert torch.equal(weights(module), value)
    for old, new in zip(statistics, agent.actor.network.buffers(), strict=True):
        assert torch.equal(old, new)


def test_fixed_temperatures_stay_and_are_those_given() -> None:
    logged = make_agent(alpha=0.3, posterior_alpha=0.2).learn(40).logger.name_to_value
    assert logged["train/alpha"] == pytest.approx(0.3)
    assert logged["train/posterior_alpha"] == pytest.approx(0.2)


def test_logged_metrics_and_the_sum_of_the_rewards() -> None:
    agent = make_agent().learn(30)
    logged = agent.logger.name_to_value
    names = ("prior_divergence", "posterior_divergence", "prior_penalty", "posterior_penalty")
    for name in (*names, "env_reward", "discriminator_reward", "demonstration_weight"):
        assert np.isfinite(logged[f"train/{name}"]), name
    batch = agent.replay_buffer.sample(5)
    logit = agent.discriminator(batch.observations)[:, None]
    torch.testing.assert_close(agent._rewards(batch), 0.9 * batch.rewards + 0.1 * logit.detach())


def test_a_certain_discriminator_does_not_outweigh_the_environment_if_it_is_bounded() -> None:
    agent = make_agent(model=make_model(-1e4), max_log_odds=5.0).learn(20)
    assert agent.logger.name_to_value["train/discriminator_reward"] == pytest.approx(-0.5)
    batch = agent.replay_buffer.sample(8)
    torch.testing.assert_close(agent._rewards(batch), 0.9 * batch.rewards - 0.5)
    with pytest.raises(InvalidConfig, match="max_log_odds=0"):
        make_agent(max_log_odds=0.0)


def test_a_schedule_of_the_learning_rate_reaches_temperatures_and_discriminator() -> None:
    learned = {"alpha": "auto", "posterior_alpha": "auto", "discriminator_updates": 1.0}
    states = np.zeros((2, 3), np.float32)
    schedule = {"learning_rate": lambda remaining: 1e-3 * remaining, "demonstrations": states}
    agent = make_agent(**schedule, **learned).learn(20)
    optimizers = (
        *(agent.ent_coef_optimizer, agent.posterior_temperature.optimizer),
        agent.tuning.optimizer,
    )
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    assert rates == pytest.approx([1e-3 * agent._current_progress_remaining] * 3)
    assert rates[0] < 1e-4


def test_imitation_ignores_the_environment() -> None:
    agent = make_agent(env_reward_weight=0.0, discriminator_reward_weight=1.0).learn(20)
    assert agent.logger.name_to_value["train/env_reward"] == 0.0
    batch = agent.replay_buffer.sample(5)
    torch.testing.assert_close(
        agent._rewards(batch)[:, 0], agent.discriminator(batch.observations).detach()
    )


@pytest.mark.parametrize("n_steps", [1, 3])
def test_an_end_lasts_for_ever(n_steps: int) -> None:
    """Its value is that of the last state's reward, summed without end."""
    keywords = {"env_reward_weight": 0.5, "discriminator_reward_weight": 0.25}
    plain, absorbing = (make_agent(absorbing_ends=on, **keywords) for on in (False, True))
    obs, following = torch.randn(2, 4, absorbing.observation_space.shape[0])
    batch = batch_of(obs, following)._replace(dones=torch.tensor([[1.0], [0.0], [1.0], [0.0]]))
    if n_steps > 1:
        batch = batch._replace(discounts=torch.full((4, 1), absorbing.gamma**n_steps))
    gain = (absorbing._rewards(batch) - plain._rewards(batch))[:, 0]
    log_odds = 0.25 * absorbing._logits(following)
    expected = sum(absorbing.gamma**step * log_odds for step in range(n_steps, 5000))
    torch.testing.assert_close(gain, batch.dones[:, 0] * expected, rtol=1e-4, atol=1e-4)
    assert (gain[[0, 2]] != 0).all()
    with pytest.raises(InvalidConfig, match=r"Got gamma=1\.0, .*absorbing_ends=False"):
        make_agent(absorbing_ends=True, gamma=1.0)


def test_agents_with_returns_over_several_skills_are_loaded_without_a_warning(
    tmp_path: Path,
) -> None:
    make_agent(n_steps=3).save(tmp_path / "agent")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = SkiLD.load(tmp_path / "agent", env=make_env(), device="cpu")
    assert loaded.replay_buffer.n_steps == 3


def test_ends_last_for_ever_in_skills_whose_discount_counts_control_steps() -> None:
    """With a constant reward r for each skill, every state is worth r / (1 - gamma^H)."""
    agent = make_agent(
        model=make_model(0.5),
        absorbing_ends=True,
        env_reward_weight=0.0,
        discriminator_reward_weight=1.0,
        replay_buffer_class=SkillReplayBuffer,
        replay_buffer_kwargs={"gamma": 0.9},
    )
    batch = batch_of(OBSERVATIONS, OBSERVATIONS)
    ended = batch._replace(dones=torch.ones(6, 1), discounts=torch.full((6, 1), 0.9**5))
    torch.testing.assert_close(agent._rewards(ended), torch.full((6, 1), 0.5 / (1 - 0.9**5)))


@pytest.mark.parametrize("absorbing_ends", [False, True])
def test_returns_over_several_skills_have_the_discriminators_reward_of_each(
    absorbing_ends: bool,
) -> None:
    """Against sums by hand of the rewards of one-step transitions of the same episodes."""
    keywords = {"absorbing_ends": absorbing_ends, "learning_starts": 100}
    one, several = (make_agent(n_steps=n, **keywords).learn(17) for n in (1, 3))
    rows = np.arange(17)
    plain, summed = one.replay_buffer, several.replay_buffer
    np.testing.assert_array_equal(plain.observations[:17], summed.observations[:17])
    samples = plain._get_samples(rows)
    rewards, over = one._rewards(samples)[:, 0], plain.dones[:17, 0] > 0
    assert over.any() and not over.all() and rewards.std() > 0.01
    for row in rows[:14]:
        batch = summed._get_samples(rows[row : row + 1])
        expected, factor = 0.0, 1.0
        for step in range(row, row + 3):
            expected += factor * rewards[step]
            factor *= several.gamma
            if over[step]:
                break
        torch.testing.assert_close(several._rewards(batch)[0, 0], expected, rtol=1e-4, atol=1e-4)


def test_rewards_that_are_stored_are_those_of_each_environment() -> None:
    model = make_model()
    agent = make_agent(
        env=DummyVecEnv([lambda: make_env(model)] * 2),
        n_steps=3,
        learning_starts=100,
        env_reward_weight=0.0,
        discriminator_reward_weight=1.0,
    ).learn(10)
    buffer = agent.replay_buffer
    expected = agent._logits(torch.as_tensor(buffer.observations[:5].reshape(10, 3)))
    np.testing.assert_allclose(buffer.rewards[:5].flatten(), expected, rtol=1e-5)
    assert (buffer.rewards[:5, 0] != buffer.rewards[:5, 1]).any()


def test_rewards_that_are_stored_include_an_end_that_lasts_for_ever() -> None:
    agent = make_agent(
        env=SkillActions(Bounded(13), make_model()),  # skills of 5, 5 and 3 steps
        n_steps=3,
        learning_starts=100,
        absorbing_ends=True,
        env_reward_weight=0.0,
        discriminator_reward_weight=1.0,
    ).learn(3)
    buffer = agent.replay_buffer
    assert buffer.dones[:3, 0].tolist() == [0.0, 0.0, 1.0]
    expected = agent._logits(torch.as_tensor(buffer.observations[:3, 0]))
    end = agent._logits(torch.as_tensor(buffer.next_observations[2]))
    expected[2] += 0.99 * end[0] / (1 - 0.99)
    np.testing.assert_allclose(buffer.rewards[:3, 0], expected, rtol=1e-4)


def test_fine_tuning_tells_the_policy_from_the_demonstrations() -> None:
    model = make_model()
    states = np.full((50, 3), -1.0, np.float32)
    agent = make_agent(
        model=model, discriminator_updates=2.0, demonstrations=states, learning_rate=3e-3
    ).learn(80)
    visited = torch.as_tensor(agent.replay_buffer.observations[:80, 0])
    demonstrated = torch.as_tensor(states)
    assert agent.discriminator.probability(demonstrated).min() > 0.6
    assert agent.discriminator.probability(visited).max() < 0.4
    assert agent.logger.name_to_value["train/discriminator_accuracy"] == 1.0
    torch.testing.assert_close(weights(model.discriminator), weights(make_model().discriminator))


def test_fine_tuning_takes_the_states_in_which_skills_began() -> None:
    states = torch.ones(16, 3)
    agent = make_agent(discriminator_updates=1.0, demonstrations=states.numpy(), learning_rate=1e-2)
    for _ in range(30):
        metrics = agent._update(batch_of(-states, states))
    assert metrics["discriminator_accuracy"] == 1.0


def test_a_fraction_of_updates_is_a_probability() -> None:
    agent = make_agent(discriminator_updates=1.25, demonstrations=np.zeros((2, 3), np.float32))
    torch.manual_seed(0)
    numbers = [agent.tuning.draw_number() for _ in range(2000)]
    assert set(numbers) == {1, 2} and np.mean(numbers) == pytest.approx(1.25, abs=0.03)


def test_save_and_load_go_on_where_they_stopped(tmp_path: Path) -> None:
    options = {
        "alpha": "auto",
        "posterior_alpha": "auto_0.5",
        "discriminator_updates": 1.0,
        "demonstrations": np.ones((9, 3), np.float32),
    }
    agent = make_agent(**options).learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    loaded = SkiLD.load(tmp_path / "agent", env=make_env(), device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer")
    for other in (agent, loaded):
        other.set_random_seed(3)
        other.set_logger(configure(None, []))
        other.train(5, 16)
    for name in ("policy", "discriminator"):
        assert torch.equal(weights(getattr(agent, name)), weights(getattr(loaded, name)))
    temperatures = [a.posterior_temperature.log_value for a in (agent, loaded)]
    assert torch.equal(*temperatures) and temperatures[0].item() != np.log(0.5)
    assert torch.equal(agent.log_ent_coef, loaded.log_ent_coef)
    loaded.learn(10, reset_num_timesteps=False)
    assert loaded.num_timesteps == 50 and loaded.start == "posterior"


@pytest.mark.parametrize("part", ["prior", "posterior", "discriminator"])
def test_an_agent_is_not_loaded_with_other_skills(part: str, tmp_path: Path) -> None:
    make_agent().save(tmp_path / "agent")
    other = make_model()
    with torch.no_grad():
        getattr(other, part).net.head.bias += 1.0
    with pytest.raises(ForeignPrior, match="sha256"):
        SkiLD.load(tmp_path / "agent", env=make_env(other))
    with pytest.raises(NoPrior, match="no name"):
        SkiLD.load(tmp_path / "agent")


def test_other_environments_have_the_same_skills() -> None:
    agent = make_agent().learn(20)
    agent.set_env(make_env())
    other = make_model()
    with torch.no_grad():
        other.posterior.net.head.bias += 1.0
    other.max_steps = 99
    before = agent._skill_steps
    with pytest.raises(ForeignPrior, match="sha256"):
        agent.set_env(make_env(other))
    assert agent._skill_steps == before


@pytest.mark.parametrize("name", ["alpha", "posterior_alpha", "discriminator_updates"])
def test_what_saved_tensors_depend_on_cannot_change_on_loading(name: str, tmp_path: Path) -> None:
    make_agent().save(tmp_path / "agent")
    with pytest.raises(InvalidConfig, match=f"Got {name}=0.2, expected no other {name} than"):
        SkiLD.load(tmp_path / "agent", env=make_env(), **{name: 0.2})


def test_a_discriminator_of_another_shape_is_refused_at_once() -> None:
    model = make_model()
    model.discriminator = torch.nn.Linear(3, 1)
    with pytest.raises(ShapeMismatch, match=r"\(2, 1\), expected \(2,\)"):
        make_agent(model=model)


def test_without_an_environment_the_model_is_found_by_its_name(tmp_path: Path) -> None:
    name = str(save_skill(make_model(), tmp_path / "skills"))
    agent = make_agent(env=make_env(name)).learn(20)
    agent.save(tmp_path / "agent")
    loaded = SkiLD.load(tmp_path / "agent")
    observation = np.ones(3, np.float32)
    expected = agent.predict(observation, deterministic=True)[0]
    np.testing.assert_array_equal(loaded.predict(observation, deterministic=True)[0], expected)


def test_skills_without_demonstrations_are_refused() -> None:
    with pytest.raises(NoDemonstrations, match="Got a StubSkills without posterior"):
        make_agent(env=make_env(StubSkills(max_steps=5)))
    with pytest.raises(NoDemonstrations, match="skillgym pretrain"):
        PriorSAC("SkillPriorPolicy", make_env(StubSkills(max_steps=5)), prior="posterior")
    with pytest.raises(InvalidConfig, match="prior="):
        PriorSAC("SkillPriorPolicy", make_env(), prior="posteriori")  # type: ignore[arg-type]


def test_wrong_settings() -> None:
    for field, value in (("start", "random"), ("target_weights", "last"), ("kl", None)):
        with pytest.raises(InvalidConfig, match=f"Got {field}="):
            make_agent(**{field: value})
    with pytest.raises(InvalidConfig, match="demonstrations=None"):
        make_agent(discriminator_updates=0.2)
    for field, value in (
        ("posterior_target_divergence", -1.0),
        ("posterior_target_divergence", np.nan),
        ("env_reward_weight", "a"),
        ("discriminator_reward_weight", np.nan),
        ("absorbing_ends", "no"),
    ):
        with pytest.raises(InvalidConfig, match=f"Got {field}="):
            make_agent(**{field: value})
    tuned = {"discriminator_updates": 1.0, "demonstrations": np.zeros((4, 3), np.float32)}
    for wrong in (-1.0, np.nan, "a"):
        with pytest.raises(InvalidConfig, match="Got discriminator_updates="):
            make_agent(**{**tuned, "discriminator_updates": wrong})
    with pytest.raises(ShapeMismatch, match=r"demonstrations of shape \(0, 3\)"):
        make_agent(**{**tuned, "demonstrations": np.zeros((0, 3), np.float32)})
    with pytest.raises(InvalidConfig, match="demonstrations='NaN or infinity in a state'"):
        make_agent(**{**tuned, "demonstrations": np.full((4, 3), np.nan, np.float32)})
    with pytest.raises(InvalidConfig, match="n_steps=3"):
        make_agent(n_steps=3, **tuned)
    with pytest.raises(ShapeMismatch, match=r"demonstrations of shape \(4, 2\), expected \(N, 3\)"):
        make_agent(**{**tuned, "demonstrations": np.zeros((4, 2), np.float32)})
    with pytest.raises(DatasetNotFound):
        make_agent(**{**tuned, "demonstrations": "no/such-v0"})
    with pytest.raises(InvalidConfig, match="prior='posterior'"):
        make_agent(prior="posterior")
    for field in ("alpha", "posterior_alpha"):
        for value in (-1.0, "auto_0", "foo", float("nan")):
            with pytest.raises(InvalidConfig, match=f"Got {field}="):
                make_agent(**{field: value})


def test_a_weight_of_zero_switches_a_divergence_off() -> None:
    agent = make_agent(alpha=0.0, posterior_alpha=0.0).learn(30)
    logged = agent.logger.name_to_value
    assert logged["train/posterior_penalty"] == logged["train/prior_penalty"] == 0.0
    assert logged["train/posterior_divergence"] > 0.0


def test_same_seed_same_agent() -> None:
    first, second = (weights(make_agent().learn(30).policy) for _ in range(2))
    assert torch.equal(first, second)
