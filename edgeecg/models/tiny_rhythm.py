"""``tiny_rhythm``: the rhythm as numbers beside a short beat, for an int8 file of 15 KB.

The other beat models read the rhythm strip as a part of the signal. Here a small dense layer reads
the last two RR intervals as two numbers, and convolutions read the beat and its difference from the
patient's mean beat as two channels. So the window holds what those of the other models hold, and
their answers can be learned. With an even kernel and a stride of 2, PyTorch's padding is TFLite's
``SAME``, so that the file needs no padding operations: each operation takes some hundred bytes,
whatever it computes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models import Blocks, Widths, _recipes
from edgeecg.schema import Preprocessing, Reference, Rhythm, Task

WINDOW = Preprocessing(
    window=194, r_index=52, rhythm=Rhythm(beats=2, hold=1), reference=Reference()
)
"""Two RR intervals, 0.75 s of signal at 128 Hz, and as much of difference from the mean beat."""

DATASET = "mitdb"
TASK: Task = "beats"
CLASSES = ("N", "S", "V")
INPUT_SHAPE = (1, WINDOW.window)
FIXED: tuple[str, ...] = ("head",)
WIDTHS: dict[str, tuple[int, ...]] = {"conv": (12, 16, 24), "rhythm": (12,), "dense": (20,)}
BLOCKS: Blocks = {}
RECIPE = _recipes.BEATS.model_copy(
    update={
        "model": "tiny_rhythm",
        "preprocessing": WINDOW,
        "epochs": 90,
        "learning_rate": 4e-3,
        "weight_decay": 0.01,
    }
)

_KERNELS = (6, 4, 4)
_STRIDE = 2
_POSITIONS = 4


class TinyRhythm(nn.Module):
    """Three strided convolutions on the beat, a dense layer on the rhythm, and one on both.

    Lengths for 96 samples of signal: 48 - 24 - 12, then averaged to 4.
    """

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``conv``: channels of the three convolutions; ``rhythm``: units of the layer on
                the RR intervals; ``dense``: units of the layer on both.
        """
        super().__init__()
        channels = (2, *widths["conv"])
        blocks: list[nn.Module] = []
        for before, after, kernel in zip(channels, channels[1:], _KERNELS, strict=False):
            padding = (kernel - _STRIDE) // 2
            blocks += [
                nn.Conv1d(before, after, kernel, stride=_STRIDE, padding=padding, bias=False),
                nn.BatchNorm1d(after),
                nn.ReLU(),
            ]
        self.features = nn.Sequential(*blocks)
        left = WINDOW.signal_samples // _STRIDE ** len(_KERNELS)
        self.pool = nn.AvgPool1d(left // _POSITIONS)
        (rhythm,), (dense,) = widths["rhythm"], widths["dense"]
        # A convolution over all positions: as a linear layer it would need a transposition before.
        self.beat = nn.Conv1d(channels[-1], dense, _POSITIONS)
        self.intervals = nn.Linear(WINDOW.signal_start, rhythm)
        self.rhythm = nn.Linear(rhythm, dense)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(dense, len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        convs = [layer for layer in self.features if isinstance(layer, nn.Conv1d)]
        return {
            "conv": tuple(conv.out_channels for conv in convs),
            "rhythm": (self.intervals.out_features,),
            "dense": (self.beat.out_channels,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``(batch, 1, 194)`` to logits ``(batch, 3)``."""
        intervals, signal = x[:, 0, : WINDOW.signal_start], x[:, 0, WINDOW.signal_start :]
        pair = signal.unflatten(1, (2, WINDOW.signal_samples))
        beat = self.beat(self.pool(self.features(pair))).flatten(1)
        rhythm = self.rhythm(torch.relu(self.intervals(intervals)))
        return self.head(self.dropout(torch.relu(beat + rhythm)))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``tiny_rhythm`` with these widths."""
    return TinyRhythm(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``tiny_rhythm``, read from its layers."""
    assert isinstance(model, TinyRhythm)
    return model.widths()
