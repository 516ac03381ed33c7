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
from skillgym.skills.base import Batch, SkillModule
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl import ImageClosedLoopSpirl, ImageOpenLoopSpirl, ImageSpirlConfig
from tests.skills.models import (
    ACTION_SIZE,
    MODELS,
    SMALL,
    random_batch,
    random_skills,
    small_model,
    spaces,
)

DIRECTORY = Path(__file__).parent
IMAGE_MODELS: tuple[type[SkillModule], ...] = (ImageClosedLoopSpirl, ImageOpenLoopSpirl)


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


def tiny_model(cls: type[SkillModule]) -> SkillModule:
    """An untrained model; of the image models with two pictures of 8 x 8."""
    if cls not in IMAGE_MODELS:
        return small_model(cls)
    layers = {"decoder_layers": 1, "prior_layers": 1, "conv_channels": 2, "picture_features": 4}
    config = ImageSpirlConfig(**SMALL, **layers, image_size=8)  # type: ignore[arg-type]
    size = config.state_size + config.image_channels * config.image_size**2
    return cls.create(*spaces(size, ACTION_SIZE), config)


def tiny_batch(model: SkillModule, seed: int) -> Batch:
    """Something to learn from; windows of image models have one action more, in front."""
    if type(model) not in IMAGE_MODELS:
        return random_batch(model, 32, seed)
    rng, length = np.random.default_rng(seed), model.max_steps + 1
    shape = (32, 1 if isinstance(model, ImageOpenLoopSpirl) else length)
    observations = rng.uniform(size=(*shape, *model.observation_space.shape))
    actions = rng.normal(size=(32, length, ACTION_SIZE))
    return torch.tensor(observations).float(), torch.tensor(actions).float()


def main() -> None:
    """Write one checkpoint for each type of model that has none, after some training."""
    for cls in (*MODELS, *IMAGE_MODELS):
        target = DIRECTORY / f"{cls.type_tag}-{sys.argv[1]}"
        if target.exists():  # golden checkpoints are never changed
            continue
        model, generator = tiny_model(cls), torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for seed in range(20):
            optimizer.zero_grad()
            model.loss(tiny_batch(model, seed), generator)[0].backward()
            optimizer.step()
        rng = np.random.default_rng(0)
        obs = rng.normal(size=(3, *model.observation_space.shape)).astype(np.float32)
        skill = random_skills(model, rng, 3).astype(model.skill_space.dtype)
        save_skill(model.eval(), target, world="toy")
        inputs = {"obs": obs, "skill": skill}
        save_file({**inputs, **outputs(model, obs, skill)}, target / "golden.safetensors")


if __name__ == "__main__":
    main()
