"""The convolutional encoder of SPiRL's image models, in torch and as a frozen NumPy copy.

Shapes: `...` any leading axes (flattened for normalisation), `C` channels, `S` rows and columns of
a picture [pixel], `F` features.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.nn.mlp import LEAKY_SLOPE, fold_layers, weights_version

KERNEL, STRIDE, PADDING = 4, 2, 1


class ConvEncoder(nn.Sequential):
    """Convolutions that halve a picture until 4 x 4 pixels are left, and one more to the features.

    All but the last are 4 x 4 with stride 2, followed by LeakyReLU(0.2); the number of channels
    doubles from one to the next. All but the first and last have no bias and a BatchNorm2d before
    the activation. Weights have PyTorch's default initialisation, as in the authors' code.

    Paper: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors"; arXiv:2010.11944.

    Args:
        channels: C.
        size: S, a power of two from 8 on.
        width: Channels after the first convolution.
        num_features: F.
    """

    def __init__(self, channels: int, size: int, width: int, num_features: int) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["input"] = nn.Conv2d(channels, width, KERNEL, STRIDE, PADDING)
        layers["input_act"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        for i in range(size.bit_length() - 4):
            layers[f"hidden{i}"] = nn.Conv2d(width, 2 * width, KERNEL, STRIDE, PADDING, bias=False)
            width *= 2
            layers[f"norm{i}"] = nn.BatchNorm2d(width)
            layers[f"act{i}"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        layers["head"] = nn.Conv2d(width, num_features, KERNEL)
        super().__init__(layers)
        self.channels, self.size = channels, size

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C, S, S) to (..., F); the normalisation treats all leading axes as batch."""
        pictures = x.reshape(-1, *x.shape[-3:])
        # A third less time on a CPU.
        y: Tensor = super().forward(pictures.contiguous(memory_format=torch.channels_last))
        return y.reshape(*x.shape[:-3], -1)


class FoldedConv:
    """A frozen NumPy copy of a `ConvEncoder` in evaluation mode, for control at small batch sizes.

    As in `FoldedMLP`, the copy follows the source, and a row of the result does not depend on the
    other rows, bit for bit.

    Args:
        source: The network to follow.
    """

    def __init__(self, source: ConvEncoder) -> None:
        self._source = source
        self._tensors = [*source.parameters(), *source.buffers()]
        self._version = -1
        self._layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        shape = source.size, source.size, source.channels
        # The pictures have their channels first, the results of products have them last.
        places = np.moveaxis(np.arange(np.prod(shape)).reshape(shape[2], *shape[:2]), 0, -1)
        self._indices = []
        for layer in source:
            if isinstance(layer, nn.Conv2d) and layer is not source.head:
                self._indices.append(_patches(places))
                shape = shape[0] // 2, shape[1] // 2, layer.out_channels
                places = np.arange(np.prod(shape)).reshape(shape)
        self._last = np.moveaxis(places, -1, 0).ravel()

    def refresh(self) -> None:
        """Fold the current weights, if they changed since the last call."""
        version = weights_version(self._tensors)
        if version != self._version:
            self._layers = fold_layers(self._source)
            self._version = version

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map (B, C, S, S) to (B, F), both float32."""
        self.refresh()
        x = x.reshape(len(x), -1)
        for index, (weight, bias) in zip(self._indices, self._layers[:-1], strict=True):
            x = np.concatenate([x, np.zeros((len(x), 1), np.float32)], axis=1)
            x = x.take(index, axis=1) @ weight  # a stack of products, one for each row
            x += bias
            np.maximum(x, LEAKY_SLOPE * x, out=x)
            x = x.reshape(len(x), -1)
        weight, bias = self._layers[-1]
        features: NDArray[np.float32] = x.take(self._last, axis=1)[:, None] @ weight + bias
        return features[:, 0]


def _patches(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices of the inputs of each application of a convolution.

    Args:
        places: Indices of a picture's numbers in a flat row, (S, S, C).

    Returns:
        Indices, (S*S/4, 16 C); the index after the last stands for the padding's zero.
    """
    margin = (PADDING, PADDING)
    padded = np.pad(places, (margin, margin, (0, 0)), constant_values=places.size)
    views = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), (0, 1))
    views = views[::STRIDE, ::STRIDE]  # (S/2, S/2, C, 4, 4)
    return views.reshape(views.shape[0] * views.shape[1], -1)
