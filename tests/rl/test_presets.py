"""The methods of the paper as presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from skillgym.errors import InvalidConfig, UnsupportedSpace
from skillgym.rl import DiscretePriorSAC, PriorPPO, SkiLD
from skillgym.rl.common.keywords import check_keywords
from skillgym.rl.errors import UnknownPreset
from skillgym.rl.presets import PRESETS, load_agent, make_agent, make_env
from skillgym.skills.ptgm import Ptgm, PtgmConfig
from skillgym.skills.spirl import (
    ClosedLoopSpirl,
    FlatPrior,
    FlatPriorConfig,
    OpenLoopSpirl,
    SpirlConfig,
)
from skillgym_envs.kitchen import KitchenWorld

SMALL = SpirlConfig(hidden_size=16, encoder_size=16, decoder_layers=1, prior_layers=1)
QUICK = {"learning_starts": 4, "batch_size": 8, "buffer_size": 100, "device": "cpu"}
QUICK_PPO = {"n_steps": 2, "batch_size": 4, "n_epochs": 1, "device": "cpu"}


def model(name: str) -> nn.Module | None:
    world = KitchenWorld()
    spaces = world.layout.space(), world.action_space
    if name == "flat-kitchen":
        return FlatPrior(*spaces, FlatPriorConfig(hidden_size=16, num_layers=1)).eval()
    if name == "ptgm-kitchen":
        goals = Ptgm(*spaces, PtgmConfig(hidden_size=16, num_layers=1)).eval()
        goals.codes.normal_()
        return goals
    kind = OpenLoopSpirl if name == "spirl-kitchen-open" else ClosedLoopSpirl
    return kind(*spaces, SMALL).eval()


KITCHEN = ("spirl-cl", "spirl-ol", "ssp", "flat-prior", "bc-sac", "sac", "ptgm", "ptgm-ppo")


@pytest.mark.parametrize("name", KITCHEN)
def test_every_method_learns_saves_and_loads(name: str, tmp_path: Path) -> None:
    preset = PRESETS[name]
    skills = None if preset.skill_model is None else model(preset.skill_model)
    env = make_env(name, num_envs=2, num_threads=1, skill_model=skills, tasks="mixed")
    on_policy = preset.algorithm is PriorPPO
    agent = make_agent(name, env, seed=1, **(QUICK_PPO if on_policy else QUICK))
    start = {key: value.clone() for key, value in agent.policy.state_dict().items()}
    agent.learn(12)
    assert agent._n_updates == (3 if on_policy else 8)
    part = "action_net" if on_policy else "actor"
    moved = getattr(agent.policy, part).state_dict()
    assert any(not torch.equal(value, start[f"{part}.{key}"]) for key, value in moved.items())
    agent.save(tmp_path / "agent")
    loaded = load_agent(name, tmp_path / "agent", env)
    observation = env.reset()
    np.testing.assert_array_equal(
        loaded.predict(observation, deterministic=True)[0],
        agent.predict(observation, deterministic=True)[0],
    )
    env.close()


@pytest.mark.parametrize("bootstrap", [False, True])
def test_a_time_limit_ends_the_value_unless_it_is_bootstrapped(bootstrap: bool) -> None:
    env = make_env("spirl-cl", num_threads=1, skill_model=model("spirl-kitchen"))
    keywords: dict[str, Any] = {"learning_starts": 100, "buffer_size": 100, "batch_size": 8}
    if bootstrap:  # as SB3 does by itself
        keywords["replay_buffer_kwargs"] = {}
    agent = make_agent("spirl-cl", env, seed=0, device="cpu", **keywords)
    agent.learn(30)  # an episode of 28 skills, and two more
    replay = agent.replay_buffer
    assert np.flatnonzero(replay.dones[:30]).tolist() == [27]
    samples = replay._get_samples(np.array([26, 27, 28]))
    assert samples.dones.flatten().tolist() == [0.0, 0.0 if bootstrap else 1.0, 0.0]
    env.close()


def linear_layers(network: nn.Module) -> list[tuple[int, int]]:
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return [(layer.in_features, layer.out_features) for layer in layers]


def test_sizes_and_objectives_are_those_of_the_paper() -> None:
    world = KitchenWorld()
    spaces = world.layout.space(), world.action_space
    closed = ClosedLoopSpirl(*spaces).eval()
    agent = make_agent("spirl-cl", make_env("spirl-cl", skill_model=closed), device="cpu")
    assert linear_layers(agent.critic.qf0) == [(70, 256)] + [(256, 256)] * 5 + [(256, 1)]
    assert len(linear_layers(agent.actor)) == 8
    assert (agent.target_divergence, agent.kl) == (2.5, "sampled")  # deviation: the paper has 5
    assert (agent.gamma, agent.tau) == (0.99, 0.005)
    assert (agent.batch_size, agent.learning_rate) == (256, 3e-4)

    goals = Ptgm(*spaces).eval()
    agent = make_agent("ptgm", make_env("ptgm", skill_model=goals), device="cpu")
    assert isinstance(agent, DiscretePriorSAC)
    assert linear_layers(agent.critic.networks[1]) == [(60, 256)] + [(256, 256)] * 5 + [(256, 50)]
    assert linear_layers(agent.actor) == [(60, 128)] + [(128, 128)] * 3 + [(128, 50)]
    assert agent.max_grad_norm == 10.0
    # Deviations: the paper has KL(prior || policy), as is the class's default, and 5.
    assert (agent.kl_direction, agent.target_divergence) == ("policy-prior", 1.0)
    assert (agent.alpha, agent.n_steps) == ("auto", 5)  # returns over five codes: deviation
    assert isinstance(agent.critic.networks[0][1], nn.LayerNorm)  # deviation, too
    assert (agent.gamma, agent.tau, agent.batch_size) == (0.99, 0.005, 256)

    agent = make_agent("ptgm-ppo", make_env("ptgm-ppo", skill_model=goals), device="cpu")
    assert isinstance(agent, PriorPPO)
    assert (agent.kl_direction, agent.kl_coef, agent.vf_coef) == ("policy-prior", 0.05, 1.0)
    assert (agent.n_steps, agent.batch_size, agent.n_epochs) == (560, 56, 5)  # the paper: 40, 40
    assert (agent.learning_rate, agent.gamma) == (1e-4, 0.999)

    flat = FlatPrior(*spaces).eval()
    agent = make_agent("flat-prior", make_env("flat-prior", skill_model=flat), device="cpu")
    assert linear_layers(agent.critic.qf0) == [(69, 256)] + [(256, 256)] * 2 + [(256, 1)]
    assert agent.target_divergence == 1.0

    agent = make_agent("bc-sac", make_env("bc-sac", skill_model=flat), device="cpu")
    assert agent.kl is None
    assert agent.target_entropy == -9.0

    agent = make_agent("sac", make_env("sac"), device="cpu")
    assert agent.prior is None
    assert len(linear_layers(agent.actor)) == 8  # seven and the second head
    assert agent.action_space.shape == (9,)

    open_loop = model("spirl-kitchen-open")
    agent = make_agent("ssp", make_env("ssp", skill_model=open_loop), device="cpu")
    assert agent.prior is None
    assert agent.target_entropy == -10.0


def test_unknown_method() -> None:
    with pytest.raises(UnknownPreset, match="did you mean 'spirl-cl'"):
        make_env("spirl-cll")
    with pytest.raises(UnknownPreset, match=r"acts with it: spirl-cl, .*spirl-kitchen-kbts"):
        make_env("spirl-kitchen")


def test_no_skill_model_is_ignored(kitchen_skills: Path) -> None:
    with pytest.raises(InvalidConfig, match="expected None, as sac chooses single"):
        make_env("sac", skill_model=str(kitchen_skills))


@pytest.mark.parametrize(
    ("name", "skills", "sentence"),
    [
        ("spirl-cl", "ptgm-kitchen", r"Discrete\(50\), expected a Box for PriorSAC; .* as ptgm\."),
        ("ptgm", "spirl-kitchen", r"Box\(.*, expected a Discrete for DiscretePriorSAC; .*spirl-cl"),
        ("ptgm-ppo", "spirl-kitchen", r"Box\(.*, expected a Discrete for PriorPPO; .* spirl-cl"),
    ],
)
def test_skills_of_the_wrong_kind(name: str, skills: str, sentence: str) -> None:
    env = make_env(name, skill_model=model(skills))
    with pytest.raises(UnsupportedSpace, match=sentence):
        make_agent(name, env)
    env.close()


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"policy_kwargs": 3}, "'int' object does not"),
        ({"train_freq": None}, "must be an integer and not None"),
        ({"learning_rate": None}, "must be a float or a callable, not None"),
        ({"device": "x"}, "device string: x"),
    ],
)
def test_overrides_that_cannot_work_are_named(overrides: dict[str, object], reason: str) -> None:
    env = make_env("sac")
    with pytest.raises(InvalidConfig, match=reason) as caught:
        make_agent("sac", env, **overrides)
    assert str(caught.value).startswith(f"Got agent={overrides}, expected values that PriorSAC")
    with pytest.raises(InvalidConfig, match="alpha='foo'"):
        make_agent("sac", env, alpha="foo")
    env.close()


@pytest.mark.parametrize("method", ["sac", "reskill-slippery-push"])
def test_a_word_in_place_of_a_number_is_refused_before_the_first_update(method: str) -> None:
    env = make_env(method)
    with pytest.raises(InvalidConfig, match=r"gamma='foo', expected a number such as .* 0\.99;"):
        make_agent(method, env, gamma="foo")  # SB3 itself would multiply by it much later
    env.close()


def test_weights_may_be_learned_where_their_default_is_a_number() -> None:
    check_keywords(SkiLD, {"posterior_alpha": "auto", "alpha": "auto_0.5"})
    with pytest.raises(InvalidConfig, match=r"target_divergence='x', expected a number"):
        check_keywords(SkiLD, {"target_divergence": "x"})
    with pytest.raises(InvalidConfig, match="train_freq='x', expected a number"):
        check_keywords(SkiLD, {"train_freq": "x"})
