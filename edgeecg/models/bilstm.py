"""``bilstm``: two bidirectional LSTM layers on the raw samples, 530,947 parameters.

The reference study's "BiLSTM ECG". The mean of every four samples is taken first, which quarters
the number of steps and the time of an inference, and adds no parameter.
"""

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
WIDTHS: dict[str, tuple[int, ...]] = {"hidden": (128, 128)}
BLOCKS: Blocks = {}
RECIPE = _recipes.BEATS.model_copy(update={"model": "bilstm", "epochs": 5})

_PER_STEP = 4


class BiLSTM(nn.Module):
    """Two LSTM layers over 64 steps in both directions; mean and maximum over time; one layer."""

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``hidden``: units of each LSTM layer in each direction.
        """
        super().__init__()
        first, second = widths["hidden"]
        self.average = nn.AvgPool1d(_PER_STEP)
        self.lstm1 = nn.LSTM(INPUT_SHAPE[0], first, batch_first=True, bidirectional=True)
        self.lstm2 = nn.LSTM(2 * first, second, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(4 * second, len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        return {"hidden": (self.lstm1.hidden_size, self.lstm2.hidden_size)}

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``(batch, 1, 256)`` to logits ``(batch, 3)``."""
        steps, _ = self.lstm1(self.average(x).transpose(1, 2))
        steps, _ = self.lstm2(steps)
        pooled = torch.cat([steps.mean(dim=1), steps.amax(dim=1)], dim=1)
        return self.head(self.dropout(pooled))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``bilstm`` with these widths."""
    return BiLSTM(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``bilstm``, read from its layers."""
    assert isinstance(model, BiLSTM)
    return model.widths()
