"""Checkpoints of every release still load and give the outputs that they gave then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from skillgym.hub import load_skill
from skillgym.hub.model_types import _ENTRY_POINTS
from tests.golden.make_golden import DIRECTORY, outputs

CHECKPOINTS = sorted(path.parent for path in DIRECTORY.glob("*/config.json"))


@pytest.mark.parametrize("directory", CHECKPOINTS, ids=lambda path: path.name)
def test_golden(directory: Path) -> None:
    stored = load_file(directory / "golden.safetensors")
    found = outputs(load_skill(directory), stored.pop("obs"), stored.pop("skill"))
    assert found.keys() == stored.keys()
    for name, array in stored.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5, err_msg=name)


def test_every_type_has_a_golden_checkpoint() -> None:
    tags = {path.name.rsplit("-", 1)[0] for path in CHECKPOINTS}
    own = {tag for tag, point in _ENTRY_POINTS.items() if point.startswith("skillgym.")}
    assert tags >= own  # not those that other tests register
