"""A Gymnasium vector environment as a vectorised environment of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from skillgym.errors import InvalidConfig
from skillgym.wrappers.errors import WrongAutoresetMode


class GymnasiumVecEnv(VecEnv):
    """Makes a `gymnasium.vector.VectorEnv` usable by any algorithm of SB3, without extra processes.

    Episode statistics come from SB3's `VecMonitor` around it, as for every `VecEnv`. Attributes and
    methods are looked up in the vector environment, in what it wraps and, for a `SyncVectorEnv`, in
    its environments. Those in the processes of an `AsyncVectorEnv` are not found; use SB3's
    `SubprocVecEnv` for these.

    Args:
        env: Vector environment with `autoreset_mode` SAME_STEP, which is how SB3's environments
            reset.

    Raises:
        WrongAutoresetMode: If it resets in another way.

    Example:
        >>> env = gym.make_vec("SkillKitchen-v0", num_envs=8,
        ...                    autoreset_mode=AutoresetMode.SAME_STEP)  # doctest: +SKIP
        >>> agent = PriorSAC("SkillPriorPolicy", VecMonitor(GymnasiumVecEnv(env)))  # doctest: +SKIP
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        if (mode := env.metadata.get("autoreset_mode")) is not AutoresetMode.SAME_STEP:
            raise WrongAutoresetMode("GymnasiumVecEnv", mode, AutoresetMode.SAME_STEP.name)
        self.env = env
        self.spec = env.spec
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions: np.ndarray | None = None

    def reset(self) -> VecEnvObs:
        """Start episodes in all environments, with the seeds and options given before.

        Raises:
            InvalidConfig: If environments were given different options.
        """
        seed, options = self._seeds[0], self._options[0]
        if any(other != options for other in self._options):
            raise InvalidConfig("options", self._options, "the same for all environments")
        observations, infos = self.env.reset(seed=seed, options=dict(options) or None)
        self.reset_infos = split_infos(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Store the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step all environments with the stored actions."""
        observations, rewards, terminated, truncated, infos = self.env.step(self._actions)
        dones = terminated | truncated
        listed = split_infos(infos, self.num_envs)
        for i in range(self.num_envs):
            if dones[i]:
                # Everything else in this info belongs to the next episode.
                final_obs, final_info = listed[i].pop("final_obs"), listed[i].pop("final_info")
                if "episode" in listed[i]:  # that of Gymnasium's vector RecordEpisodeStatistics
                    final_info["episode"] = listed[i].pop("episode")
                self.reset_infos[i] = listed[i]
                listed[i] = {**final_info, "terminal_observation": final_obs}
            listed[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        return observations, rewards.astype(np.float32), dones, listed

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """One frame of every environment."""
        frames = self.env.render()
        return [None] * self.num_envs if frames is None else list(frames)  # type: ignore[arg-type]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of each environment, or of the vector environment that they share."""
        return [_attribute(owner, attr_name) for owner in self._owners(attr_name, indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of each environment, or of the vector environment that they share."""
        for owner in dict.fromkeys(self._owners(attr_name, indices)):
            if isinstance(owner, gym.Env):
                owner.set_wrapper_attr(attr_name, value)
            else:
                setattr(owner, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each environment, or that of the vector environment once."""
        owners = self._owners(method_name, indices)
        results = {
            owner: _attribute(owner, method_name)(*method_args, **method_kwargs)
            for owner in dict.fromkeys(owners)
        }
        return [results[owner] for owner in owners]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """False: wrappers of single environments are not visible here."""
        return [False for _ in self._get_indices(indices)]

    def _owners(self, name: str, indices: Any) -> list[Any]:
        """The object that has an attribute, for each of these environments."""
        env: Any = self.env
        while not hasattr(env, name):
            if isinstance(env, SyncVectorEnv) and all(e.has_wrapper_attr(name) for e in env.envs):
                return [env.envs[index] for index in self._get_indices(indices)]
            if not hasattr(env, "env"):
                raise AttributeError(f"{self.env} and what it wraps have no attribute {name!r}.")
            env = env.env
        return [env for _ in self._get_indices(indices)]


def _attribute(owner: Any, name: str) -> Any:
    """An attribute of an environment and its wrappers, or of a vector environment."""
    return owner.get_wrapper_attr(name) if isinstance(owner, gym.Env) else getattr(owner, name)


def split_infos(infos: dict[str, Any], num_envs: int) -> list[dict[str, Any]]:
    """One dictionary per environment, from infos whose values are arrays with `_key` masks."""
    listed: list[dict[str, Any]] = [{} for _ in range(num_envs)]
    for name, value in infos.items():
        if name.startswith("_") and name[1:] in infos:
            continue
        if isinstance(value, dict):
            value = split_infos(value, num_envs)
        for i in _present(infos.get(f"_{name}"), num_envs):
            listed[i][name] = value[i]
    return listed


def _present(mask: Any, num_envs: int) -> Iterable[int]:
    indices: Iterable[int] = range(num_envs) if mask is None else np.flatnonzero(mask).tolist()
    return indices
