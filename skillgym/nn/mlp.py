"""The multi-layer perceptron of which all networks of SPiRL and SkiLD consist.

Shapes: `...` any leading axes (flattened for normalisation), `I` input, `O` output.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LEAKY_SLOPE = 0.2


def initialise_linear(module: nn.Module) -> None:
    """Give every linear layer of `module` Xavier-normal weights and zero biases, in place."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def normalise_layers(network: nn.Sequential) -> None:
    """Add a LayerNorm after every linear layer of `network` but the last, in place."""
    linear = [i for i, layer in enumerate(network) if isinstance(layer, nn.Linear)]
    for i in reversed(linear[:-1]):
        network.insert(i + 1, nn.LayerNorm(network[i].out_features))


class MLP(nn.Sequential):
    """Input layer, `num_hidden` square layers and a linear head: `num_hidden + 2` linear layers.

    All but the head are followed by LeakyReLU(0.2). With `batch_norm` the square layers have no
    bias and a BatchNorm1d before the activation; input layer and head never have one.

    Paper: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors"; arXiv:2010.11944.

    Args:
        input_size: I.
        hidden_size: Width of all hidden layers.
        output_size: O.
        num_hidden: Number of square (hidden to hidden) layers.
        batch_norm: True for skill models, False for policies, critics and discriminators.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        num_hidden: int,
        batch_norm: bool = True,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["input"] = nn.Linear(input_size, hidden_size)
        layers["input_act"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        for i in range(num_hidden):
            layers[f"hidden{i}"] = nn.Linear(hidden_size, hidden_size, bias=not batch_norm)
            if batch_norm:
                layers[f"norm{i}"] = nn.BatchNorm1d(hidden_size)
            layers[f"act{i}"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        layers["head"] = nn.Linear(hidden_size, output_size)
        super().__init__(layers)
        initialise_linear(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., I) to (..., O); the normalisation treats all leading axes as batch."""
        y: Tensor = super().forward(x.reshape(-1, x.shape[-1]))
        return y.reshape(*x.shape[:-1], -1)


class FoldedMLP:
    """A frozen NumPy copy of a network in evaluation mode, for control at batch size 1 to 64.

    BatchNorm's running statistics are folded into the linear layers, and small float32 products
    take about half as long in NumPy as in torch. `refresh` only copies again when a tensor of the
    source has changed. A row of the result does not depend on the other rows, bit for bit, so that
    one environment of many acts as it would alone.

    Args:
        source: The network to follow: linear layers, all but the last followed by an optional
            BatchNorm and a LeakyReLU, all with the same slope.
    """

    def __init__(self, source: nn.Sequential) -> None:
        self._source = source
        slopes = [layer.negative_slope for layer in source if isinstance(layer, nn.LeakyReLU)]
        self._slope = slopes[0] if slopes else 1.0
        self._tensors = [*source.parameters(), *source.buffers()]
        self._version = -1
        self._layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def refresh(self) -> None:
        """Fold the current weights, if they changed since the last call."""
        version = weights_version(self._tensors)
        if version != self._version:
            self._layers = fold_layers(self._source)
            self._version = version

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map (B, I) to (B, O), both float32."""
        self.refresh()
        # A stack of vector-matrix products: the rounding of one large product depends on B.
        x = x[:, None, :]
        for weight, bias in self._layers[:-1]:
            x = x @ weight
            x += bias
            np.maximum(x, self._slope * x, out=x)
        weight, bias = self._layers[-1]
        out: NDArray[np.float32] = x @ weight + bias
        return out[:, 0]


def weights_version(tensors: Iterable[Tensor]) -> int:
    """A number that changes when one of the tensors is modified."""
    return sum(tensor._version for tensor in tensors)


def sha256(*modules: nn.Module) -> str:
    """Digest of the names, shapes and values of the modules' tensors, in hexadecimal digits."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            array = tensor.detach().cpu().contiguous().numpy()
            digest.update(f"{name}{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


@torch.no_grad()
def fold_layers(network: nn.Sequential) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights (I, O) and biases (O,) of an equal network without BatchNorm, as float32 copies.

    For a convolution, I runs over input channels, rows and columns of its kernel.
    """
    folded: list[list[Tensor]] = []
    for layer in network:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            bias = layer.bias.cpu().double() if layer.bias is not None else torch.zeros(1)
            folded.append([layer.weight.flatten(1).t().cpu().double(), bias])
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            mean, var = _running_statistics(layer)
            scale = layer.weight.cpu().double() / torch.sqrt(var + layer.eps)
            weight, bias = folded[-1]
            folded[-1] = [weight * scale, (bias - mean) * scale + layer.bias.cpu().double()]
    return [(_float32(weight), _float32(bias)) for weight, bias in folded]


def _running_statistics(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Running mean and variance in double precision."""
    mean, var = norm.running_mean, norm.running_var
    if mean is None or var is None:  # pragma: no cover - MLP always tracks them
        raise RuntimeError("BatchNorm without running statistics cannot be folded.")
    return mean.cpu().double(), var.cpu().double()  # on the CPU first: MPS has no doubles


def _float32(tensor: Tensor) -> NDArray[np.float32]:
    """A contiguous float32 copy that shares no memory with the tensor."""
    return np.ascontiguousarray(tensor.numpy().astype(np.float32))


def count_parameters(module: nn.Module) -> int:
    """Number of scalar parameters (buffers not included)."""
    return sum(parameter.numel() for parameter in module.parameters())
