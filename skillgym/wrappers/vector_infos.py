"""Infos of vector environments: dictionaries of arrays whose first axis is the environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym.types import BoolArray


def merge_rows(infos: dict[str, Any], other: dict[str, Any], rows: BoolArray) -> dict[str, Any]:
    """Infos with the chosen environments' values taken from other infos.

    Args:
        infos: Infos of the environments that are not chosen; left unchanged.
        other: Infos of the chosen environments.
        rows: Chosen environments, shape (N,).

    Returns:
        New infos. Values that only `other` has are empty (zero, False or None) for the others.
    """
    merged = dict(infos)
    for name, value in other.items():
        if isinstance(value, dict):
            merged[name] = merge_rows(infos.get(name, {}), value, rows)
            continue
        value = np.asarray(value)
        empty = None if value.dtype == object else 0
        merged[name] = np.array(infos.get(name, np.full_like(value, empty)))
        merged[name][rows] = value[rows]
    return merged


def object_rows(values: Any, rows: BoolArray) -> NDArray[np.object_]:
    """Array (N,) of objects: the values of the chosen environments, None for the others."""
    objects = np.full(len(rows), None, dtype=object)
    for row in np.flatnonzero(rows).tolist():
        objects[row] = values[row]
    return objects
