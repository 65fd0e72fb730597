"""Additive attention pooling over time, shared by the attention models."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionPooling(nn.Module):
    """Weighted mean over time with learned weights: softmax over v^T tanh(W h_t + b) + c.

    Bahdanau et al. 2015 (arXiv:1409.0473), with a learned query in place of a decoder state. W and
    v are convolutions of width 1, so that the hidden units can be pruned like other channels.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        """Build the two layers.

        Args:
            channels: Channels of the input.
            hidden: Units of the tanh layer.
        """
        super().__init__()
        self.hidden = nn.Conv1d(channels, hidden, 1)
        self.score = nn.Conv1d(hidden, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(batch, channels, positions)`` to ``(batch, channels)``."""
        weights = torch.softmax(self.score(torch.tanh(self.hidden(x))), dim=-1)
        return torch.sum(x * weights, dim=-1)
