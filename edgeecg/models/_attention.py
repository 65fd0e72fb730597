"""Self-attention whose heads and widths can be pruned: four plain linear layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention over positions (Vaswani et al. 2017, eq. 1).

    Four separate ``Linear`` layers (query, key, value, output) instead of one fused tensor:
    removing a head removes the same rows of the first three and the same columns of the fourth, and
    the embedding can be narrowed independently of the heads.
    """

    def __init__(self, embedding: int, heads: int, head_width: int) -> None:
        """Build the layers.

        Args:
            embedding: Width of the input and of the output.
            heads: Number of heads.
            head_width: Width of each head's queries, keys and values.
        """
        super().__init__()
        self.heads = heads
        inner = heads * head_width
        self.query = nn.Linear(embedding, inner)
        self.key = nn.Linear(embedding, inner)
        self.value = nn.Linear(embedding, inner)
        self.output = nn.Linear(inner, embedding)

    @property
    def head_width(self) -> int:
        """Width of each head's queries, keys and values."""
        return self.query.out_features // self.heads

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, positions, embedding)`` to the same shape."""
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self.value(x)
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        mixed = torch.softmax(scores, dim=3) @ self._split(value)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """Return ``(batch, heads, positions, head width)``."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class EncoderBlock(nn.Module):
    """Attention and a feed-forward layer, each normalised before and added to its input.

    The "pre-norm" order (Xiong et al. 2020, arXiv:2002.04745), which trains without a warm-up.
    """

    def __init__(self, embedding: int, heads: int, head_width: int, feedforward: int) -> None:
        """Build the layers.

        Args:
            embedding: Width of the input and of the output.
            heads: Number of attention heads.
            head_width: Width of each head.
            feedforward: Hidden units of the feed-forward layer.
        """
        super().__init__()
        self.norm1 = nn.LayerNorm(embedding)
        self.attention = SelfAttention(embedding, heads, head_width)
        self.norm2 = nn.LayerNorm(embedding)
        self.expand = nn.Linear(embedding, feedforward)
        self.contract = nn.Linear(feedforward, embedding)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, positions, embedding)`` to the same shape."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.contract(torch.relu(self.expand(self.norm2(x)))))


class PositionEncoding(nn.Module):
    """Adds a fixed table of sines and cosines (Vaswani et al. 2017, section 3.5).

    The table is not trained, but it is saved with the weights: when dimensions of the embedding are
    removed, the others keep the frequency that they were trained with.
    """

    table: Tensor

    def __init__(self, positions: int, embedding: int) -> None:
        """Compute the table ``(1, positions, embedding)``.

        Args:
            positions: Number of positions.
            embedding: Width of the input.
        """
        super().__init__()
        index = torch.arange(positions)[:, None]
        pair = torch.arange(embedding)[None, :] // 2
        angle = index / 10000 ** (2 * pair / embedding)
        even = torch.arange(embedding)[None, :] % 2 == 0
        self.register_buffer("table", torch.where(even, torch.sin(angle), torch.cos(angle))[None])

    def forward(self, x: Tensor) -> Tensor:
        """Add the table to ``(batch, positions, embedding)``."""
        return x + self.table
