"""Speed of the agents' updates, compared with the nearest algorithms of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete

from benchmarks.simulation import pieces
from benchmarks.timing import Row, compare, interleaved

OBSERVATION, ACTION, LATENT, CODES = 60, 9, 10, 50
"""Sizes of the kitchen."""

Q_ARCH = [256] * 6
"""Hidden layers of the critics in the kitchen."""


class RandomEnv(gym.Env[np.ndarray, Any]):
    """Random numbers to learn from, at no cost, as only the updates are timed.

    Args:
        observation_size: Size of the observations.
        action_space: Actions.
        skill_model: Skill model, for agents that need one.
    """

    skill_name = None

    def __init__(
        self, observation_size: int, action_space: gym.Space[Any], skill_model: Any = None
    ) -> None:
        self.observation_space = Box(-np.inf, np.inf, (observation_size,), np.float32)
        self.action_space = action_space
        self.skill_model = skill_model

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """A random observation."""
        super().reset(seed=seed)
        return self.np_random.normal(size=self.observation_space.shape).astype(np.float32), {}

    def step(self, action: Any) -> Any:
        """A random observation and reward."""
        return self.reset()[0], float(self.np_random.random()), False, False, {}


def box(size: int) -> Box:
    """Actions (size,) between -2 and 2."""
    return Box(-2.0, 2.0, (size,), np.float32)


def off_policy(
    what: str, agents: dict[str, Any], batch_size: int, repeats: int, target: str, updates: int = 60
) -> list[Row]:
    """Updates of the first agent against those of the others, on batches of replay buffers."""
    _fill(agents, 1000)

    def run(agent: Any) -> Iterator[int]:
        yield 0
        for piece in pieces(range(updates), 5):
            agent.train(len(piece), batch_size=batch_size)
            yield len(piece)

    return _compared(f"{what}, batch {batch_size}", agents, run, repeats, target)


def on_policy(
    what: str, agents: dict[str, Any], steps: int, batch_size: int, repeats: int, target: str
) -> list[Row]:
    """Updates of an agent against those of the second, five epochs on a roll-out."""
    _fill(agents, steps)

    def run(agent: Any) -> Iterator[int]:
        yield 0
        for _ in range(5):
            agent.train()
            yield 5 * steps // batch_size

    return _compared(f"{what}, batch {batch_size}", agents, run, repeats, target)


def _compared(
    what: str,
    agents: dict[str, Any],
    run: Callable[[Any], Iterator[int]],
    repeats: int,
    target: str,
) -> list[Row]:
    speeds = interleaved({name: partial(run, agent) for name, agent in agents.items()}, repeats)
    ours, *references = agents
    return [compare(what, speeds, ours, other, "updates/s", target) for other in references]


def _fill(agents: dict[str, Any], steps: int) -> None:
    from stable_baselines3.common.logger import configure

    for agent in agents.values():
        agent.set_logger(configure(None, []))
        agent.learning_starts = 2 * steps  # for those that have it: nothing is learned yet
        agent.learn(steps)


def prior_sac(repeats: int) -> list[Row]:
    """PriorSAC against SB3's SAC with networks of the same sizes."""
    from stable_baselines3 import SAC

    from skillgym.nn.priors import PRIORS
    from skillgym.rl import PriorSAC
    from skillgym.skills.spirl.config import SpirlConfig

    config = SpirlConfig()
    env = RandomEnv(OBSERVATION, box(LATENT))
    prior = PRIORS["gaussian"](OBSERVATION, LATENT, config.hidden_size, config.prior_layers).eval()
    agents = {
        "PriorSAC": PriorSAC("SkillPriorPolicy", env, prior=prior, device="cpu"),
        "SB3's SAC": SAC("MlpPolicy", env, policy_kwargs=_sac_networks(Q_ARCH), device="cpu"),
    }
    what = "PriorSAC, kitchen sizes, sampled divergence"
    return off_policy(what, agents, 256, repeats, ">= 0.9")


def skild(repeats: int) -> list[Row]:
    """SkiLD against SB3's SAC with an actor and critics of the same sizes.

    SkiLD also evaluates prior, posterior and discriminator.
    """
    from stable_baselines3 import SAC

    from skillgym.rl import SkiLD
    from skillgym.skills.skild import SkildModel

    observations = Box(-np.inf, np.inf, (OBSERVATION,), np.float32)
    model = SkildModel(observations, Box(-1.0, 1.0, (ACTION,), np.float32)).eval()
    env = RandomEnv(OBSERVATION, model.skill_space, model)
    agents = {
        "SkiLD": SkiLD("SkillPriorPolicy", env, device="cpu"),
        "SB3's SAC": SAC("MlpPolicy", env, policy_kwargs=_sac_networks(Q_ARCH[:3]), device="cpu"),
    }
    return off_policy("SkiLD, kitchen sizes", agents, 128, repeats, ">= 0.8")


def gail(repeats: int) -> list[Row]:
    """GAIL against SB3's SAC with equal networks.

    GAIL also trains a discriminator, once per update, and evaluates it for the rewards.
    """
    from stable_baselines3 import SAC

    from skillgym.rl import GAIL

    env = RandomEnv(OBSERVATION, Box(-1.0, 1.0, (ACTION,), np.float32))
    states = np.random.default_rng(0).normal(size=(10_000, OBSERVATION)).astype(np.float32)
    common: dict[str, Any] = {"policy_kwargs": _sac_networks(Q_ARCH[:3]), "device": "cpu"}
    agents = {
        "GAIL": GAIL("MlpPolicy", env, demonstrations=states, **common),
        "SB3's SAC": SAC("MlpPolicy", env, **common),
    }
    return off_policy("GAIL, kitchen sizes", agents, 256, repeats, ">= 0.8")


def discrete_prior_sac(repeats: int) -> list[Row]:
    """DiscretePriorSAC against SB3's DQN with as many parameters, and SAC with equal networks.

    DQN has one network that learns; with six layers of width 384 it has as many parameters as the
    actor and the two critics of DiscretePriorSAC together. SAC chooses numbers, not codes, but has
    an actor and two critics, too.
    """
    from stable_baselines3 import DQN, SAC
    from torch import nn

    from skillgym.nn.priors import CategoricalMLP
    from skillgym.rl import DiscretePriorSAC
    from skillgym.skills.ptgm import PtgmConfig

    config = PtgmConfig()
    env = RandomEnv(OBSERVATION, Discrete(CODES))
    prior = CategoricalMLP(OBSERVATION, CODES, config.hidden_size, config.num_layers).eval()
    networks = {"net_arch": [384] * 6, "activation_fn": nn.LeakyReLU}
    agents = {
        "DiscretePriorSAC": DiscretePriorSAC("SkillPriorPolicy", env, prior=prior, device="cpu"),
        "SB3's DQN": DQN("MlpPolicy", env, policy_kwargs=networks, device="cpu"),
        "SB3's SAC": SAC(
            "MlpPolicy",
            RandomEnv(OBSERVATION, box(LATENT)),
            policy_kwargs=_sac_networks(Q_ARCH),
            device="cpu",
        ),
    }
    return off_policy("DiscretePriorSAC, kitchen sizes", agents, 256, repeats, ">= 0.8")


def reskill(repeats: int, steps: int = 2_000, batch_size: int = 250) -> list[Row]:
    """One level of ReSkill against SB3's PPO with the same networks."""
    from stable_baselines3 import PPO

    from skillgym.rl import ReskillPPO

    env = RandomEnv(33, box(4))  # state, latent and decoded action of the Fetch block tasks
    common: dict[str, Any] = {"batch_size": batch_size, "n_epochs": 5, "device": "cpu"}
    agents = {
        "ReskillPPO": ReskillPPO("MlpPolicy", env, rollout_steps=steps, target_kl=None, **common),
        "SB3's PPO": PPO("MlpPolicy", env, n_steps=steps, **common),
    }
    what = "a level of ReSkill, Fetch sizes"
    return on_policy(what, agents, steps, batch_size, repeats, ">= 0.8")


def prior_ppo(repeats: int, steps: int = 2_000, batch_size: int = 250) -> list[Row]:
    """PriorPPO against SB3's PPO with networks of the same sizes."""
    from stable_baselines3 import PPO
    from torch import nn

    from skillgym.nn.priors import CategoricalMLP
    from skillgym.rl import PriorPPO
    from skillgym.skills.ptgm import PtgmConfig

    config = PtgmConfig()
    env = RandomEnv(OBSERVATION, Discrete(CODES))
    prior = CategoricalMLP(OBSERVATION, CODES, config.hidden_size, config.num_layers).eval()
    widths = {"pi": [config.hidden_size] * (config.num_layers + 1), "vf": [64, 64]}
    networks = {"net_arch": widths, "activation_fn": nn.LeakyReLU}
    common: dict[str, Any] = {"n_steps": steps, "batch_size": batch_size, "n_epochs": 5}
    common["device"] = "cpu"
    agents = {
        "PriorPPO": PriorPPO("SkillPriorPolicy", env, prior=prior, **common),
        "SB3's PPO": PPO("MlpPolicy", env, policy_kwargs=networks, **common),
    }
    return on_policy("PriorPPO, kitchen sizes", agents, steps, batch_size, repeats, ">= 0.8")


def _sac_networks(critic: list[int]) -> dict[str, Any]:
    """SAC's actor in the sizes of SPiRL's prior, and its critics."""
    from torch import nn

    from skillgym.skills.spirl.config import SpirlConfig

    config = SpirlConfig()
    widths = {"pi": [config.hidden_size] * (config.prior_layers + 1), "qf": critic}
    return {"net_arch": widths, "activation_fn": nn.LeakyReLU}
