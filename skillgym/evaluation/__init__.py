"""Evaluation of agents: roll-outs on separate episodes, and statistics over seeds."""

from __future__ import annotations

from skillgym.evaluation.prior import prior_policy
from skillgym.evaluation.rollouts import Episodes, rollout
from skillgym.evaluation.statistics import Interval, iqm, stratified_bootstrap

__all__ = ["Episodes", "Interval", "iqm", "prior_policy", "rollout", "stratified_bootstrap"]
