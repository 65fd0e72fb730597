"""``cnn_lstm_attn``: convolutions, a bidirectional LSTM, attention pooling, 349,860 parameters.

The reference study's "CNN LSTM Attn": convolutions extract waveforms, the LSTM models their order.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgeecg.models import Blocks, Widths, _recipes
from edgeecg.models._pooling import AttentionPooling
from edgeecg.schema import Task

DATASET = "mitdb"
TASK: Task = "beats"
CLASSES = ("N", "S", "V")
INPUT_SHAPE = (1, 256)
FIXED: tuple[str, ...] = ("pooling.score", "head")
WIDTHS: dict[str, tuple[int, ...]] = {
    "conv": (32, 64, 128),
    "hidden": (128,),
    "attention": (128,),
}
BLOCKS: Blocks = {}
RECIPE = _recipes.BEATS.model_copy(update={"model": "cnn_lstm_attn"})

_KERNELS = (7, 5, 5)


class CNNLSTMAttn(nn.Module):
    """Three blocks of convolution, batch norm, ReLU and max-pooling; LSTM; attention over time.

    Lengths for 256 samples: 256 - 128 - 64 - 32; the LSTM runs over 32 steps in both directions.
    """

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``conv``: channels of the convolutions; ``hidden``: units of the LSTM in each
                direction; ``attention``: hidden units of the pooling.
        """
        super().__init__()
        channels = (INPUT_SHAPE[0], *widths["conv"])
        blocks: list[nn.Module] = []
        for before, after, kernel in zip(channels, channels[1:], _KERNELS, strict=False):
            blocks += [
                nn.Conv1d(before, after, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(after),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.features = nn.Sequential(*blocks)
        (hidden,) = widths["hidden"]
        self.lstm = nn.LSTM(channels[-1], hidden, batch_first=True, bidirectional=True)
        self.pooling = AttentionPooling(2 * hidden, widths["attention"][0])
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * hidden, len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        convs = [layer for layer in self.features if isinstance(layer, nn.Conv1d)]
        return {
            "conv": tuple(conv.out_channels for conv in convs),
            "hidden": (self.lstm.hidden_size,),
            "attention": (self.pooling.hidden.out_channels,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``(batch, 1, 256)`` to logits ``(batch, 3)``."""
        steps, _ = self.lstm(self.features(x).transpose(1, 2))
        return self.head(self.dropout(self.pooling(steps.transpose(1, 2))))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``cnn_lstm_attn`` with these widths."""
    return CNNLSTMAttn(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``cnn_lstm_attn``, read from its layers."""
    assert isinstance(model, CNNLSTMAttn)
    return model.widths()
