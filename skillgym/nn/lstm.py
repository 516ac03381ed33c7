"""The LSTM of SPiRL: linear embedding, LSTM, linear output.

Shapes: `B` batch, `T` time, `I` input, `W` width, `O` output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skillgym.nn.mlp import initialise_linear

LSTMState = tuple[Tensor, Tensor]
"""Hidden and cell state, each (B, W)."""


class EmbeddedLSTM(nn.Module):
    """Linear (I to W), one LSTM layer (W to W), linear (W to O).

    The forget-gate quarter of both bias vectors starts at 1, so the effective forget bias is 2.
    `nn.LSTM` has the same function and parameters (two bias vectors) as the authors' LSTM cell, and
    runs a sequence in one call.

    Paper: Pertsch et al. 2020; arXiv:2010.11944.

    Args:
        input_size: I.
        hidden_size: W.
        output_size: O.
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(input_size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, output_size)
        initialise_linear(self)
        with torch.no_grad():
            for name, parameter in self.lstm.named_parameters():
                if name.startswith("bias"):  # gate order: in, forget, cell, out
                    parameter[hidden_size : 2 * hidden_size] = 1.0

    def last(self, x: Tensor) -> Tensor:
        """Output (B, O) of the last step of x (B, T, I), starting from the zero state."""
        hidden, _ = self.lstm(self.embed(x))
        output: Tensor = self.head(hidden[:, -1])
        return output

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Output (B, O) of one step with input x (B, I), and the next state."""
        hidden, cell = torch.lstm_cell(self.embed(x), state, *self.lstm.parameters())
        return self.head(hidden), (hidden, cell)
