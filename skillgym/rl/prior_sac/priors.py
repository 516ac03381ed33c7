"""Where an agent's prior comes from, and how it is told apart from another one."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import Any, Literal

import torch
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from skillgym.rl.errors import NoPrior


def find_prior(
    source: Literal["auto"] | nn.Module | None,
    env: VecEnv | None,
    reference: dict[str, Any] | None,
) -> tuple[nn.Module | None, str | None]:
    """The prior that an agent asks for, and the name of the skill model it belongs to.

    Args:
        source: `"auto"`, a network, or None for no prior.
        env: The agent's environment, if it has one.
        reference: For a loaded agent, the skill model that it was trained with.

    Returns:
        The prior and the skill model's name or path (None if it has none).

    Raises:
        NoPrior: If there is no skill model to take it from.
    """
    if not isinstance(source, str):
        return source, None
    if env is not None:
        try:
            model = env.get_attr("skill_model")[0]
        except AttributeError:
            raise NoPrior("an environment without a skill model") from None
        return model.prior, env.get_attr("skill_name")[0]
    if reference is None or reference["skill_model"] is None:
        raise NoPrior("no environment and no name of a skill model")
    # Only agents that are loaded without an environment come here.
    from skillgym.hub import load_skill

    name: str = reference["skill_model"]
    return load_skill(name).prior, name


def frozen_copy(prior: nn.Module, device: torch.device) -> nn.Module:
    """A copy in evaluation mode whose parameters take no gradient."""
    return deepcopy(prior).eval().requires_grad_(False).to(device)


def sha256(module: nn.Module) -> str:
    """Digest of the names, shapes and values of a module's tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
