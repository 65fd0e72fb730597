"""``cnn1d``: three convolutions and two dense layers, 188,035 parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models import Blocks, Widths, _recipes
from edgeecg.schema import Task

DATASET = "mitdb"
TASK: Task = "beats"
CLASSES = ("N", "S", "V")
INPUT_SHAPE = (1, 256)
FIXED: tuple[str, ...] = ("head",)
WIDTHS: dict[str, tuple[int, ...]] = {"conv": (32, 64, 128), "dense": (128,)}
BLOCKS: Blocks = {}
RECIPE = _recipes.BEATS.model_copy(update={"model": "cnn1d"})

_KERNELS = (15, 7, 5)
_POSITIONS = 8


class CNN1D(nn.Module):
    """Three blocks of convolution, batch norm, ReLU and max-pooling; 8 positions; two dense layers.

    Lengths for 256 samples: 256 - 128 - 64 - 32, then averaged to 8.
    """

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``conv``: channels of the three convolutions; ``dense``: hidden units.
        """
        super().__init__()
        channels = (INPUT_SHAPE[0], *widths["conv"])
        blocks: list[nn.Module] = []
        for before, after, kernel in zip(channels, channels[1:], _KERNELS, strict=False):
            blocks += [
                nn.Conv1d(before, after, kernel, padding=kernel // 2),
                nn.BatchNorm1d(after),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AvgPool1d(INPUT_SHAPE[1] // 2 ** len(_KERNELS) // _POSITIONS)
        self.dense = nn.Linear(channels[-1] * _POSITIONS, widths["dense"][0])
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(widths["dense"][0], len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        convs = [layer for layer in self.features if isinstance(layer, nn.Conv1d)]
        return {
            "conv": tuple(conv.out_channels for conv in convs),
            "dense": (self.dense.out_features,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``(batch, 1, 256)`` to logits ``(batch, 3)``."""
        pooled = torch.flatten(self.pool(self.features(x)), 1)
        return self.head(self.dropout(torch.relu(self.dense(pooled))))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``cnn1d`` with these widths."""
    return CNN1D(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``cnn1d``, read from its layers."""
    assert isinstance(model, CNN1D)
    return model.widths()
