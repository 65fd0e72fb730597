"""``resnet1d_attn``: a residual network with attention pooling, 417,892 parameters.

The seed's "ResNet1D Attn": multi-scale features by residual blocks, aggregated by attention.
"""

from __future__ import annotations

import torch
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
    "stem": (32,),
    "stages": (32, 64, 128),
    "inner": (32, 32, 64, 64, 128, 128),
    "attention": (128,),
}
BLOCKS: Blocks = {f"stages.{i}.1": (("inner", 2 * i + 1),) for i in range(3)}
RECIPE = _recipes.BEATS.model_copy(update={"model": "resnet1d_attn"})

_STEM_KERNEL = 7
_KERNELS = (7, 5, 5)
_BLOCKS = 2


class ResidualBlock(nn.Module):
    """conv - norm - ReLU - conv - norm, added to its input (projected where the shape changes)."""

    def __init__(self, before: int, inner: int, after: int, kernel: int, stride: int) -> None:
        """Build the layers.

        Args:
            before: Channels of the input.
            inner: Channels between the two convolutions.
            after: Channels of the output.
            kernel: Width of both convolutions, odd.
            stride: Stride of the first convolution; above 1 the input is projected by 1x1.
        """
        super().__init__()
        pad = kernel // 2
        self.conv1 = nn.Conv1d(before, inner, kernel, stride=stride, padding=pad, bias=False)
        self.norm1 = nn.BatchNorm1d(inner)
        self.conv2 = nn.Conv1d(inner, after, kernel, padding=pad, bias=False)
        self.norm2 = nn.BatchNorm1d(after)
        self.skip: nn.Module = nn.Identity()
        if stride > 1:
            self.skip = nn.Sequential(
                nn.Conv1d(before, after, 1, stride=stride, bias=False), nn.BatchNorm1d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, before, positions)`` to ``(batch, after, positions / stride)``."""
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.skip(x))


class ResNet1DAttn(nn.Module):
    """A stem of stride 2, three stages of two blocks (each stage halves the length), attention.

    Lengths for 256 samples: 128 after the stem, then 64 - 32 - 16.
    """

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``stem``; ``stages``: channels on the residual path of each stage; ``inner``:
                channels inside each block, 0 for a second block that has gone; ``attention``:
                hidden units of the pooling.
        """
        super().__init__()
        (stem,) = widths["stem"]
        pad = _STEM_KERNEL // 2
        self.stem = nn.Conv1d(INPUT_SHAPE[0], stem, _STEM_KERNEL, stride=2, padding=pad, bias=False)
        self.norm = nn.BatchNorm1d(stem)
        inner = iter(widths["inner"])
        self.stages = nn.ModuleList()
        before = stem
        for after, kernel in zip(widths["stages"], _KERNELS, strict=True):
            blocks: list[nn.Module] = []
            for block in range(_BLOCKS):
                stride, width = 2 if block == 0 else 1, next(inner)
                blocks.append(
                    ResidualBlock(before, width, after, kernel, stride) if width else nn.Identity()
                )
                before = after
            self.stages.append(nn.Sequential(*blocks))
        self.pooling = AttentionPooling(before, widths["attention"][0])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(before, len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        found = [block for stage in self.stages for block in stage.children()]
        blocks = [block if isinstance(block, ResidualBlock) else None for block in found]
        return {
            "stem": (self.stem.out_channels,),
            "stages": tuple(block.conv2.out_channels for block in blocks[::_BLOCKS] if block),
            "inner": tuple(block.conv1.out_channels if block else 0 for block in blocks),
            "attention": (self.pooling.hidden.out_channels,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``(batch, 1, 256)`` to logits ``(batch, 3)``."""
        features = torch.relu(self.norm(self.stem(x)))
        for stage in self.stages:
            features = stage(features)
        return self.head(self.dropout(self.pooling(features)))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``resnet1d_attn`` with these widths."""
    return ResNet1DAttn(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``resnet1d_attn``, read from its layers."""
    assert isinstance(model, ResNet1DAttn)
    return model.widths()
