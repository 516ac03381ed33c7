"""Write the golden checkpoints: tiny skill models with the outputs that later versions must give.

Run `python -m tests.golden.make_golden VERSION` once per release or new model type.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from skillgym.hub import save_skill
from skillgym.skills.base import SkillModule
from skillgym.skills.skild import SkildModel
from tests.skills.models import MODELS, OBSERVATION_SIZE, random_batch, random_skills, small_model

DIRECTORY = Path(__file__).parent


def outputs(model: SkillModule, obs: np.ndarray, skill: np.ndarray) -> dict[str, np.ndarray]:
    """What a golden checkpoint fixes: all actions of one skill, and the prior's parameters."""
    state = model.begin(obs, skill)
    actions = [model.act(obs, state, t) for t in range(model.max_steps)]
    with torch.no_grad():
        prior = model.prior(torch.from_numpy(obs))
    parameters = {f"prior_{name}": value.numpy() for name, value in vars(prior).items()}
    found = {
        **demonstration_outputs(model, torch.from_numpy(obs)),
        "actions": np.stack(actions, axis=1),
        **parameters,
    }
    # safetensors writes the memory of an array as it lies, without regard to its strides
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


@torch.no_grad()
def demonstration_outputs(model: SkillModule, obs: torch.Tensor) -> dict[str, np.ndarray]:
    """What a model has learned from demonstrations, if it has."""
    if not isinstance(model, SkildModel):
        return {}
    posterior = model.posterior(obs)
    return {
        "posterior_mean": posterior.mean.numpy(),
        "posterior_log_std": posterior.log_std.numpy(),
        "logits": model.discriminator(obs).numpy(),
    }


def main() -> None:
    """Write one checkpoint for each type of model that has none, after some training."""
    for cls in MODELS:
        target = DIRECTORY / f"{cls.type_tag}-{sys.argv[1]}"
        if target.exists():  # golden checkpoints are never changed
            continue
        model, generator = small_model(cls), torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for seed in range(20):
            optimizer.zero_grad()
            model.loss(random_batch(model, 32, seed), generator)[0].backward()
            optimizer.step()
        rng = np.random.default_rng(0)
        obs = rng.normal(size=(3, OBSERVATION_SIZE)).astype(np.float32)
        skill = random_skills(model, rng, 3).astype(model.skill_space.dtype)
        save_skill(model.eval(), target, world="toy")
        inputs = {"obs": obs, "skill": skill}
        save_file({**inputs, **outputs(model, obs, skill)}, target / "golden.safetensors")


if __name__ == "__main__":
    main()
