"""Recordings of the original projects, and their conversion to Minari datasets."""

from __future__ import annotations

from skillgym.data.legacy.conversion import convert
from skillgym.data.legacy.formats import FORMATS, Trajectory, read_trajectories

__all__ = ["FORMATS", "Trajectory", "convert", "read_trajectories"]
