"""A 40-step rollout of every world against arrays stored per MuJoCo minor version.

An accidental change of physics, noise, observation or reset distribution fails here; a wanted one
needs a new version of the environment's id and `python -m tests.conformance.test_fingerprint`.
"""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import skillgym_envs  # noqa: F401  registers the environments

FOLDER = Path(__file__).parent / "fingerprints"
MINOR = ".".join(mujoco.__version__.split(".")[:2])
WORLD_IDS = [spec.id for spec in gym.registry.values() if spec.namespace == "skillgym"]
TOLERANCE = 2e-3  # other processors round differently, and contacts amplify it
STEPS = 40


def file_of(env_id: str) -> Path:
    return FOLDER / f"{env_id.split('/')[1]}-mujoco-{MINOR}.npz"


def rollout(env_id: str) -> dict[str, np.ndarray]:
    env = gym.make(env_id)
    rng = np.random.default_rng(0)
    observations, rewards = [env.reset(seed=0)[0]], [0.0]
    for _ in range(STEPS):
        low, high = env.action_space.low, env.action_space.high
        observation, reward, *_ = env.step(rng.uniform(low, high))
        observations.append(observation)
        rewards.append(reward)
    env.close()
    return {"observations": np.array(observations), "rewards": np.array(rewards)}


@pytest.mark.parametrize("env_id", WORLD_IDS)
def test_fingerprint(env_id):
    if not file_of(env_id).exists():
        pytest.skip(f"no fingerprint of {env_id} for MuJoCo {MINOR}")
    stored, got = np.load(file_of(env_id)), rollout(env_id)
    np.testing.assert_array_equal(got["rewards"], stored["rewards"])
    np.testing.assert_allclose(got["observations"][0], stored["observations"][0], atol=1e-6)
    np.testing.assert_allclose(got["observations"], stored["observations"], atol=TOLERANCE)


@pytest.mark.parametrize("env_id", WORLD_IDS)
def test_every_world_has_a_fingerprint(env_id):
    stem = env_id.split("/")[1]
    assert list(FOLDER.glob(f"{stem}-mujoco-*.npz")), (
        "run python -m tests.conformance.test_fingerprint"
    )


def main() -> None:
    """Write the fingerprints of the installed MuJoCo."""
    FOLDER.mkdir(exist_ok=True)
    for env_id in WORLD_IDS:
        np.savez_compressed(file_of(env_id), **rollout(env_id))


if __name__ == "__main__":
    main()
