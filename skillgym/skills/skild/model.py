"""SkiLD's model: a frozen skill embedding, the skills of demonstrations, and where they are used.

Shapes: `B` batch, `H` skill horizon, `O` observation, `A` action, `Z` latent.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.errors import ForeignEmbedding, UnusableEmbedding
from skillgym.nn.mlp import sha256
from skillgym.skills.base import Batch, Scalars
from skillgym.skills.skild.config import SkildConfig
from skillgym.skills.skild.discriminator import Discriminator
from skillgym.skills.skild.losses import accuracy, discriminator_loss
from skillgym.skills.spirl.image import PictureSpirl
from skillgym.skills.spirl.losses import prior_nll
from skillgym.skills.spirl.model import ClosedLoopSpirl
from skillgym_envs.core.checks import check_choice

if TYPE_CHECKING:
    from skillgym.data import Demonstrations


class SkildModel(ClosedLoopSpirl):
    """Closed-loop skills with a prior, a posterior of demonstrations, and a discriminator.

    * `prior`: skills of the task-agnostic data, p_a(z | s), part of the embedding.
    * `posterior`: skills of the demonstrations, p_d(z | s); a new network (the authors), or the
      prior, fine-tuned.
    * `discriminator`: D(s), the probability that a state is from a demonstration.

    Encoder, decoder and prior are those of a trained `ClosedLoopSpirl` (`from_embedding`). They are
    frozen, together with their BatchNorm statistics, and identified by a digest: a checkpoint whose
    parts come from different embeddings does not load.

    Trained on batches of demonstration windows (B, H+1, O) and (B, H, A), demonstration states
    (B, O) and task-agnostic states (B, O).

    Paper: Pertsch et al. 2021, "Demonstration-Guided Reinforcement Learning with Learned Skills",
    Sec. 4; arXiv:2107.10253.

    Deviation: posterior and discriminator, which share nothing, are trained in one run by one
    optimiser instead of two. The statistics of the frozen decoder do not drift, unlike in the
    authors' code.

    Deviation: with `fallback_weight` the posterior is near the prior where there are no
    demonstrations. Without it, the posterior is confident of arbitrary skills there, so far from
    the prior that no policy can be near both.

    Args:
        observation_space: One-dimensional Box of size O.
        action_space: One-dimensional Box of size A.
        config: That of the embedding, with the sizes of the discriminator.
    """

    type_tag: ClassVar[str] = "skild"
    config_class: ClassVar[type] = SkildConfig
    # Not the likelihood: on the few held-out demonstrations it gets worse while the posterior's
    # roll-outs get better.
    selection_metric: ClassVar[str] = "discriminator_loss"
    independent: ClassVar[tuple[str, ...]] = ("posterior",)  # independent of the discriminator
    config: SkildConfig

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: SkildConfig | None = None,
    ) -> None:
        config = config or SkildConfig()
        super().__init__(observation_space, action_space, config)
        observation_size = self.observation_space.shape[0]
        self.posterior = self.make_prior()
        self.discriminator = Discriminator(
            observation_size, config.discriminator_size, config.discriminator_layers
        )
        for part in self.embedding_parts():
            part.requires_grad_(False)
        self.train()

    @classmethod
    def from_embedding(
        cls,
        embedding: nn.Module,
        seed: int = 0,
        posterior: Literal["random", "prior"] = "random",
        **options: Any,
    ) -> Self:
        """A model with a trained embedding, whose posterior and discriminator are not trained yet.

        Args:
            embedding: The skills: a `ClosedLoopSpirl`, which is copied.
            seed: Seed of the new networks.
            posterior: Whether the posterior starts as a `"random"` network, as the authors' does,
                or as the `"prior"`, which has seen more data than a few demonstrations.
            options: Fields of `SkildConfig` about the discriminator.

        Raises:
            UnusableEmbedding: If the skills are not a `ClosedLoopSpirl`.
            InvalidConfig: If `posterior` is neither.
        """
        check_choice("posterior", posterior, ("random", "prior"))
        if not isinstance(embedding, ClosedLoopSpirl) or isinstance(embedding, PictureSpirl):
            raise UnusableEmbedding(type(embedding).__name__, ClosedLoopSpirl.__name__)
        digest = sha256(embedding.encoder, embedding.decoder, embedding.prior)
        fields = asdict(embedding.config) | {"target_kl": None, "embedding": digest}
        config = SkildConfig(**{**fields, **options})
        model = cls.create(embedding.observation_space, embedding.action_space, config, seed)
        sources = embedding.encoder, embedding.decoder, embedding.prior
        for part, source in zip(model.embedding_parts(), sources, strict=True):
            part.load_state_dict(source.state_dict())
        if posterior == "prior":
            model.posterior.load_state_dict(embedding.prior.state_dict())
        model.world = embedding.world
        return model

    @property
    def behaviour(self) -> nn.Module:
        """The posterior, which imitates the demonstrations."""
        return self.posterior

    def embedding_parts(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        """Encoder, decoder and prior."""
        return self.encoder, self.decoder, self.prior

    def verify(self) -> None:
        """Check that encoder, decoder and prior are those that the rest was trained with.

        Raises:
            ForeignEmbedding: If they are not.
        """
        if self.config.embedding is None:
            return
        digest = sha256(*self.embedding_parts())
        if digest != self.config.embedding:
            raise ForeignEmbedding(digest, self.config.embedding)

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode, except for the embedding, whose running statistics are fixed."""
        super().train(mode)
        for part in self.embedding_parts():
            part.eval()
        return self

    def draw(
        self, data: Demonstrations, rng: np.random.Generator, batch_size: int
    ) -> tuple[NDArray[Any], ...]:
        """Windows and states of demonstrations, and task-agnostic states.

        Raises:
            ShapeMismatch: If either data do not fit the model's spaces.
        """
        windows = super().draw(data.demonstrations, rng, batch_size)
        demonstrated, _ = data.demonstrations.sample(rng, batch_size, 1)
        others, actions = data.task_agnostic.sample(rng, batch_size, 1)
        self.check_sizes(others, actions, "task-agnostic data")
        return *windows, demonstrated[:, 0], others[:, 0]

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Scalars]:
        """Negative log-likelihood of encoded skills, plus the discriminator's cross-entropy.

        With a `fallback_weight`, also (1 - D(s)) KL(p_d || p_a) in task-agnostic states.
        """
        observations, actions, demonstrated, others = batch
        with torch.no_grad():
            latents = self.encode(observations, actions).sample(generator)
        logits = self.discriminator(demonstrated), self.discriminator(others)
        entropy = discriminator_loss(*logits)
        starts, scalars = self._with_noise(observations[:, 0], generator), {}
        if self.config.fallback_weight:
            foreign = 1.0 - torch.sigmoid(logits[1].detach())
            nll, fallback = self._guided(starts, latents, others, foreign, generator)
            scalars["posterior_fallback"] = fallback
            total = nll + entropy + self.config.fallback_weight * fallback
        else:
            nll = prior_nll(self.posterior(starts), latents)
            total = nll + entropy
        scalars |= {
            "loss": total,
            "posterior_nll": nll,
            "discriminator_loss": entropy,
            "discriminator_accuracy": accuracy(*logits),
        }
        return total, {name: value.detach() for name, value in scalars.items()}

    def _guided(
        self,
        starts: Tensor,
        latents: Tensor,
        others: Tensor,
        foreign: Tensor,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Both terms of the posterior: likelihood of latents, and divergence from the prior.

        Both kinds of states (B, O) share one pass, because BatchNorm has one set of statistics.
        """
        posterior, count = self.posterior(torch.cat([starts, others])), len(starts)
        samples = posterior.sample(generator)[count:]
        log_prob = posterior.log_prob(torch.cat([latents, samples]))
        divergence = log_prob[count:] - self.prior(others).log_prob(samples)
        return -log_prob[:count].mean(), (foreign * divergence).mean()

    @torch.no_grad()
    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        """The losses, and the best action MSE of 100 draws from the posterior."""
        _, scalars = self.loss(batch, generator)
        posterior = self.posterior(batch[0][:, 0])
        mse = self._best_mse(batch[:2], lambda: posterior.sample(generator))
        return {**scalars, "posterior_best_mse": mse}
