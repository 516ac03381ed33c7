"""The mathematics that SkiLD adds to PriorSAC."""

from __future__ import annotations

import pytest
import torch

from skillgym.errors import InvalidConfig
from skillgym.rl.common.losses import temperature_loss
from skillgym.rl.common.temperature import Temperature
from skillgym.rl.skild import losses

CPU = torch.device("cpu")


def test_penalty_by_hand() -> None:
    prior, posterior = losses.guided_penalty(
        torch.tensor([0.0, 0.25, 1.0]),
        torch.tensor([2.0, 4.0, 8.0]),
        torch.tensor([1.0, 2.0, 3.0]),
        torch.tensor(0.5),
        torch.tensor(10.0),
    )
    assert prior.tolist() == [1.0, 1.5, 0.0]
    assert posterior.tolist() == [0.0, 5.0, 30.0]


def test_reward_by_hand() -> None:
    rewards = torch.tensor([[1.0], [0.0], [2.0]])
    logits = torch.tensor([0.0, torch.logit(torch.tensor(0.9)).item(), -2.0])
    mixed = losses.mixed_reward(rewards, logits, 0.9, 0.1)
    expected = [0.9, 0.1 * torch.tensor(9.0).log().item(), 1.8 - 0.2]
    assert mixed.flatten().tolist() == pytest.approx(expected, rel=1e-5)
    assert mixed.shape == (3, 1)


def test_bound_of_the_log_odds() -> None:
    logits = torch.tensor([-300.0, -3.0, 4.0, 300.0])
    for bound, expected in (((), [-4.605, -0.3, 0.4, 4.605]), ((5.0,), [-0.5, -0.3, 0.4, 0.5])):
        mixed = losses.mixed_reward(torch.ones(4, 1), logits, 0.0, 0.1, *bound)
        assert mixed.flatten().tolist() == pytest.approx(expected, abs=1e-3)


def test_weighted_mean() -> None:
    values = torch.tensor([1.0, 5.0])
    assert losses.weighted_mean(values, torch.tensor([3.0, 1.0])).item() == 2.0
    assert losses.weighted_mean(values, torch.zeros(2)).item() == 0.0


def test_a_temperature_looks_only_at_the_states_that_count() -> None:
    divergence = torch.tensor([9.0, 1.0])
    for weights, direction in ((torch.tensor([1.0, 0.0]), 1.0), (torch.tensor([0.0, 1.0]), -1.0)):
        log_alpha = torch.zeros(1, requires_grad=True)
        loss = temperature_loss(log_alpha, divergence, 5.0, weights)
        assert loss.item() == pytest.approx(-direction * 4.0 / 2)
        loss.backward()
        assert log_alpha.grad is not None
        assert torch.sign(-log_alpha.grad).item() == direction


def test_learned_and_fixed_temperatures() -> None:
    divergence, weights = torch.full((4,), 9.0), torch.ones(4)
    learned = Temperature("alpha", "auto_0.5", 5.0, 1e-2, CPU)
    assert learned.value.item() == pytest.approx(0.5)
    for _ in range(3):
        learned.update(divergence, weights)
    assert learned.value.item() == pytest.approx(0.5 * torch.tensor(0.03).exp().item(), rel=1e-3)
    assert Temperature("alpha", "auto", 5.0, 1e-2, CPU).value.item() == 1.0
    fixed = Temperature("alpha", 0.1, 5.0, 1e-2, CPU)
    assert fixed.update(divergence, weights).item() == 0.0
    assert fixed.value.item() == pytest.approx(0.1)


@pytest.mark.parametrize("value", [0.5, "0.5", 0.0, "0"])
def test_numbers_are_fixed_weights_also_as_words(value: str | float) -> None:
    """As in SB3's `ent_coef`."""
    fixed = Temperature("alpha", value, 5.0, 1e-2, CPU)
    assert fixed.optimizer is None and fixed.value.item() == float(value)


@pytest.mark.parametrize("value", ["automatic", "auto_x", -1.0, "auto_0", "auto_-1"])
def test_impossible_temperatures(value: object) -> None:
    with pytest.raises(InvalidConfig, match="posterior_alpha="):
        Temperature("posterior_alpha", value, 1.0, 1e-3, CPU)  # type: ignore[arg-type]
