"""Checkpoints of a training run: agent, replay buffer and random generators, complete or absent.

A resumed run continues from the last checkpoint with new episodes; everything else is restored.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from skillgym.errors import CorruptFile, SkillgymError
from skillgym.files import atomic_directory, write_json
from skillgym.nn.devices import gpus_in_use
from skillgym.nn.mlp import sha256
from skillgym.rl.buffers import cut_episodes
from skillgym.rl.common.priors import find_skill_model
from skillgym.rl.errors import ForeignPrior, NoPrior
from skillgym.runs.folder import read_state, state_path
from skillgym_envs.core.files import recover

AGENT, BUFFER, GENERATORS = "agent.zip", "replay.npz", "generators.npz"


def save_run(folder: Path, agent: BaseAlgorithm, state: dict[str, Any]) -> None:
    """Replace the checkpoint in a folder.

    Args:
        folder: Checkpoint folder.
        agent: The agent.
        state: Counters of the run: `control_steps`, `reached`, `seconds`.
    """
    with atomic_directory(folder) as temporary:
        agent.save(temporary / AGENT)
        if (buffer := getattr(agent, "replay_buffer", None)) is not None:
            np.savez(temporary / BUFFER, **buffer_arrays(buffer))  # type: ignore[arg-type]
        np.savez(temporary / GENERATORS, **generator_states())  # type: ignore[arg-type]
        # The generator of the uniform actions of a warm-up.
        actions = agent.action_space.np_random.bit_generator.state
        _, skills = _skills_of(agent.get_env())
        stored = {**state, "action_space": actions, "skill_model_sha256": skills}
        write_json(state_path(temporary), stored)


def load_run(
    folder: Path, agent: BaseAlgorithm, env: VecEnv
) -> tuple[BaseAlgorithm, dict[str, Any]] | None:
    """The agent and counters of a checkpoint; restores the global random generators.

    Args:
        folder: Checkpoint folder.
        agent: An agent made as at the start of the run; its class is the one to load.
        env: The agent's environments.

    Returns:
        Agent and counters, or None if there is no checkpoint.

    Raises:
        CorruptFile: If a file of the checkpoint cannot be read.
        ForeignPrior: If the agent was trained with other skills than those of the environments.
    """
    recover(folder)
    if not folder.exists():
        return None
    try:
        state = read_state(folder)
        name, skills = _skills_of(env)
        trained = state.pop("skill_model_sha256", None)
        if skills is not None and trained not in (None, skills):
            raise ForeignPrior(name, skills, trained)
        loaded = type(agent).load(folder / AGENT, env=env, device=agent.device)
        if (buffer := getattr(loaded, "replay_buffer", None)) is not None:
            restore_buffer(buffer, dict(np.load(folder / BUFFER)))
        restore_generators(dict(np.load(folder / GENERATORS)))
        if (actions := state.pop("action_space", None)) is not None:  # not of earlier versions
            loaded.action_space.np_random.bit_generator.state = actions
    except SkillgymError:  # such as other skills
        raise
    except (OSError, ValueError, TypeError, EOFError, KeyError, BadZipFile) as error:
        raise CorruptFile(folder, error) from error
    return loaded, state


def _skills_of(env: VecEnv | None) -> tuple[str | None, str | None]:
    """Name and digest of the skills of environments; None for what they do not have."""
    try:
        model, name = find_skill_model(env, None)
    except NoPrior:
        return None, None
    return name, sha256(model) if isinstance(model, nn.Module) else None


def buffer_arrays(buffer: ReplayBuffer) -> dict[str, NDArray[Any]]:
    """The filled rows of every array of a replay buffer, including dictionaries, and its position.

    Args:
        buffer: Replay buffer of SB3 or a subclass that stores one row per transition.
    """
    filled = buffer.buffer_size if buffer.full else buffer.pos
    arrays = {name: value[:filled] for name, value in _per_transition(buffer).items()}
    return {**arrays, "_pos": np.array([buffer.pos, buffer.full])}


def restore_buffer(buffer: ReplayBuffer, arrays: dict[str, NDArray[Any]]) -> None:
    """Restore the arrays from `buffer_arrays`.

    Args:
        buffer: An empty replay buffer of the same size.
        arrays: The arrays.
    """
    for name, value in _per_transition(buffer).items():
        value[: len(arrays[name])] = arrays[name]
    position, full = arrays["_pos"].tolist()
    buffer.pos, buffer.full = position, bool(full)
    cut_episodes(buffer)
    if isinstance(buffer, HerReplayBuffer):  # unfinished episodes are never sampled
        buffer._current_ep_start[:] = buffer.pos


def _per_transition(buffer: ReplayBuffer) -> dict[str, NDArray[Any]]:
    parts: dict[str, Any] = {}
    for name, value in vars(buffer).items():
        inside = value.items() if isinstance(value, dict) else ()
        parts |= {name: value, **{f"{name}/{key}": part for key, part in inside}}
    return {
        name: value
        for name, value in parts.items()
        if isinstance(value, np.ndarray)
        and value.dtype != object
        and value.shape[:1] == (buffer.buffer_size,)
    }


def generator_states() -> dict[str, NDArray[Any]]:
    """States of the global generators of Python, NumPy and torch, all of which SB3 draws from."""
    version, internal, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "python": np.array(internal, np.uint64),
        "python_rest": np.array([version, np.nan if gauss is None else gauss]),
        "numpy": np.asarray(keys),
        "numpy_rest": np.array([position, has_gauss, cached], np.float64),
        "torch": torch.get_rng_state().numpy(),
        **{f"cuda{i}": torch.cuda.get_rng_state(i).numpy() for i in gpus_in_use()},
    }


def restore_generators(states: dict[str, NDArray[Any]]) -> None:
    """Restore the states from `generator_states`.

    Args:
        states: The states.
    """
    version, gauss = states["python_rest"].tolist()
    random.setstate(
        (int(version), tuple(states["python"].tolist()), None if np.isnan(gauss) else gauss)
    )
    position, has_gauss, cached = states["numpy_rest"].tolist()
    np.random.set_state(  # noqa: NPY002
        ("MT19937", states["numpy"], int(position), int(has_gauss), cached)
    )
    torch.set_rng_state(torch.from_numpy(states["torch"]))
    for index in gpus_in_use():
        if (state := states.get(f"cuda{index}")) is not None:  # may be from another machine
            torch.cuda.set_rng_state(torch.from_numpy(state), index)
