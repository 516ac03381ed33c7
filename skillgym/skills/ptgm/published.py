"""Reads the kitchen checkpoints that the authors of PTGM published, without running their code.

They are torch files with a `state_dict` of `net.input.linear`, `net.pyramid-i.{linear,norm}` and
`net.head.linear`, and a pickled NumPy array of codes.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor

from skillgym.skills.ptgm.config import KITCHEN_GOAL, PtgmConfig
from skillgym.skills.ptgm.errors import UnreadablePublished
from skillgym.skills.ptgm.model import Ptgm

_ARRAY_PARTS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}
"""The only names that a pickled array may contain."""

_LAYER = re.compile(r"(?:.*\.)?(?:(input|head)|pyramid-(\d+))\.(linear|norm)\.(\w+)")


def read_published(
    prior: str | Path,
    policy: str | Path,
    codebook: str | Path,
    code_observations: str | Path | None = None,
    goal: tuple[int, ...] = KITCHEN_GOAL,
    skill_horizon: int = 10,
) -> Ptgm:
    """The published model of the kitchen, ready for `skillgym/Kitchen-v0`.

    Its networks see the 60 numbers of D4RL, whose constant goal half (entries 30 to 59) must be
    exactly as in the authors' data, as is that of `skillgym/Kitchen-v0`. Sizes are taken from the
    files.

    Args:
        prior: Torch file of the goal prior.
        policy: Torch file of the low-level policy.
        codebook: Codes (K, F), a pickled array or a `.npy` file.
        code_observations: The states of the codes, (K, O), in the same form.
        goal: Entries of the observation that make up the goal.
        skill_horizon: Control steps of one code.

    Returns:
        The model, in evaluation mode; `skillgym.save_skill` saves it as a checkpoint.

    Raises:
        UnreadablePublished: If a file is damaged, has other tensors, or does not fit the others.
    """
    codes = read_array(Path(codebook))
    weights = {"prior": read_network(Path(prior)), "policy": read_network(Path(policy))}
    hidden_size, observation_size = weights["prior"]["input.weight"].shape
    action_size = len(weights["policy"]["head.bias"]) // 2
    config = PtgmConfig(
        skill_horizon=skill_horizon,
        num_codes=len(codes),
        goal=goal,
        hidden_size=hidden_size,
        num_layers=sum(name.startswith("hidden") for name in weights["prior"]),
    )
    model = Ptgm(*kitchen_spaces(observation_size, action_size), config)
    for name, path in (("prior", Path(prior)), ("policy", Path(policy))):
        _load(getattr(model, name).net, weights[name], path)
    _copy(model.codes, codes, Path(codebook))
    if code_observations is not None:
        path = Path(code_observations)
        _copy(model.code_observations, read_array(path), path)
    model.world = "kitchen"
    return model.eval()


def kitchen_spaces(observation_size: int, action_size: int) -> tuple[Box, Box]:
    """Observation and action space of the authors' environment."""
    return (
        Box(-np.inf, np.inf, (observation_size,), np.float32),
        Box(-1.0, 1.0, (action_size,), np.float32),
    )


def read_network(path: Path) -> dict[str, Tensor]:
    """Tensors of one published network under the names of `skillgym.nn.mlp.MLP`.

    Only tensors and plain values are read (`weights_only`), so that no code of the file runs.

    Raises:
        UnreadablePublished: If the file is damaged or has other tensors.
    """
    expected = "a torch file of tensors under net.input, net.pyramid-i and net.head"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise UnreadablePublished(path, f"the error {error}", expected) from error
    tensors = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict):
        raise UnreadablePublished(path, f"a {type(content).__name__}", expected)
    parts = {name: _LAYER.fullmatch(name) for name in tensors}
    if unknown := [name for name, match in parts.items() if match is None]:
        raise UnreadablePublished(path, f"the tensor {unknown[0]!r}", expected)
    # The names give the order of the square layers, but not the first number.
    numbers = sorted({int(match[2]) for match in parts.values() if match and match[2]})
    network = {}
    for name, match in parts.items():
        outer, number, kind, what = match.groups()  # type: ignore[union-attr]
        layer = outer or f"{'hidden' if kind == 'linear' else 'norm'}{numbers.index(int(number))}"
        network[f"{layer}.{what}"] = tensors[name]
    if missing := {"input.weight", "head.bias"} - network.keys():
        raise UnreadablePublished(path, f"no {min(missing)}", expected)
    return network


def read_array(path: Path) -> NDArray[np.float32]:
    """A two-dimensional array from a `.npy` file or a pickle that holds nothing else.

    Raises:
        UnreadablePublished: If it holds anything else.
    """
    expected = "a pickled or saved array (K, size) of finite numbers"
    try:
        if path.suffix == ".npy":
            array = np.load(path, allow_pickle=False)
        else:
            with path.open("rb") as file:
                array = _ArrayUnpickler(file).load()
        array = np.asarray(array, np.float32)
    except (OSError, EOFError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UnreadablePublished(path, f"the error {error}", expected) from error
    except (pickle.UnpicklingError, IndexError, ImportError) as error:
        raise UnreadablePublished(path, f"the error {error}", expected) from error
    if array.ndim != 2 or not np.isfinite(array).all():
        raise UnreadablePublished(path, f"an array of shape {array.shape}", expected)
    return array


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays, and refuses to look up anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The few functions that construct arrays."""
        if (module, name) not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return super().find_class(module, name)


def _load(network: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load strictly: no tensor may be missing or unexpected."""
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        problem = " ".join(str(error).split())
        raise UnreadablePublished(path, problem, "tensors that fit the other files") from error


def _copy(buffer: Tensor, array: NDArray[np.float32], path: Path) -> None:
    if array.shape != tuple(buffer.shape):
        expected = f"the shape {tuple(buffer.shape)} that fits the other files"
        raise UnreadablePublished(path, f"an array of shape {array.shape}", expected)
    buffer.copy_(torch.from_numpy(array))
