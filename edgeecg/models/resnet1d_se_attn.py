"""``resnet1d_se_attn``: residual blocks with squeeze-and-excitation, 1,661,126 parameters.

The seed's "ResNet1D SE Attn" for twelve leads: each block weighs its channels before it is added.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models import Blocks, Widths, _recipes
from edgeecg.models._pooling import AttentionPooling
from edgeecg.schema import Task

DATASET = "ptbxl"
TASK: Task = "records"
CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
INPUT_SHAPE = (12, 1000)
FIXED: tuple[str, ...] = ("pooling.score", "head")
WIDTHS: dict[str, tuple[int, ...]] = {
    "stem": (32,),
    "stages": (32, 64, 128, 256),
    "inner": (32, 32, 64, 64, 128, 128, 256, 256),
    "squeeze": (4, 4, 8, 8, 16, 16, 32, 32),
    "attention": (132,),
}
BLOCKS: Blocks = {f"stages.{i}.1": (("inner", 2 * i + 1), ("squeeze", 2 * i + 1)) for i in range(4)}
RECIPE = _recipes.RECORDS.model_copy(update={"model": "resnet1d_se_attn"})

_STEM_KERNEL = 17
_KERNEL = 5
_BLOCKS = 2


class SqueezeExcitation(nn.Module):
    """Channels weighed by what they hold on average (Hu et al. 2018, arXiv:1709.01507).

    Both layers are convolutions of width 1, so that their channels are cut like any others.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        """Build the layers.

        Args:
            channels: Channels of input and output.
            squeezed: Units between the two layers.
        """
        super().__init__()
        self.squeeze = nn.Conv1d(channels, squeezed, 1)
        self.excite = nn.Conv1d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``(batch, channels, positions)`` per channel."""
        inner = torch.relu(self.squeeze(x.mean(dim=2, keepdim=True)))
        return x * torch.sigmoid(self.excite(inner))


class SEBlock(nn.Module):
    """conv - norm - ReLU - conv - norm - squeeze-and-excitation, added to its input."""

    def __init__(self, before: int, inner: int, after: int, squeezed: int, stride: int) -> None:
        """Build the layers.

        Args:
            before: Channels of the input.
            inner: Channels between the two convolutions.
            after: Channels of the output.
            squeezed: Units of the squeeze-and-excitation.
            stride: Stride of the first convolution; above 1 the input is projected by 1x1.
        """
        super().__init__()
        pad = _KERNEL // 2
        self.conv1 = nn.Conv1d(before, inner, _KERNEL, stride=stride, padding=pad, bias=False)
        self.norm1 = nn.BatchNorm1d(inner)
        self.conv2 = nn.Conv1d(inner, after, _KERNEL, padding=pad, bias=False)
        self.norm2 = nn.BatchNorm1d(after)
        self.gate = SqueezeExcitation(after, squeezed)
        self.skip: nn.Module = nn.Identity()
        if stride > 1:
            self.skip = nn.Sequential(
                nn.Conv1d(before, after, 1, stride=stride, bias=False), nn.BatchNorm1d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, before, positions)`` to ``(batch, after, positions / stride)``."""
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.gate(self.norm2(self.conv2(inner))) + self.skip(x))


class ResNet1DSEAttn(nn.Module):
    """A stem of stride 2, four stages of two blocks (each stage halves the length), attention.

    Lengths for 1000 samples: 500 after the stem, then 250 - 125 - 63 - 32.
    """

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``stem``; ``stages``: channels on the residual path of each stage; ``inner``:
                channels inside each block; ``squeeze``: units of each block's
                squeeze-and-excitation, both 0 for a second block that has gone; ``attention``:
                hidden units of the pooling.
        """
        super().__init__()
        (stem,) = widths["stem"]
        pad = _STEM_KERNEL // 2
        self.stem = nn.Conv1d(INPUT_SHAPE[0], stem, _STEM_KERNEL, stride=2, padding=pad, bias=False)
        self.norm = nn.BatchNorm1d(stem)
        inner, squeeze = iter(widths["inner"]), iter(widths["squeeze"])
        self.stages = nn.ModuleList()
        before = stem
        for after in widths["stages"]:
            blocks: list[nn.Module] = []
            for block in range(_BLOCKS):
                stride, width, squeezed = 2 if block == 0 else 1, next(inner), next(squeeze)
                blocks.append(
                    SEBlock(before, width, after, squeezed, stride) if width else nn.Identity()
                )
                before = after
            self.stages.append(nn.Sequential(*blocks))
        self.pooling = AttentionPooling(before, widths["attention"][0])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(before, len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        found = [block for stage in self.stages for block in stage.children()]
        blocks = [block if isinstance(block, SEBlock) else None for block in found]
        return {
            "stem": (self.stem.out_channels,),
            "stages": tuple(block.conv2.out_channels for block in blocks[::_BLOCKS] if block),
            "inner": tuple(block.conv1.out_channels if block else 0 for block in blocks),
            "squeeze": tuple(block.gate.squeeze.out_channels if block else 0 for block in blocks),
            "attention": (self.pooling.hidden.out_channels,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map records ``(batch, 12, 1000)`` to logits ``(batch, 5)``."""
        features = torch.relu(self.norm(self.stem(x)))
        for stage in self.stages:
            features = stage(features)
        return self.head(self.dropout(self.pooling(features)))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``resnet1d_se_attn`` with these widths."""
    return ResNet1DSEAttn(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``resnet1d_se_attn``, read from its layers."""
    assert isinstance(model, ResNet1DSEAttn)
    return model.widths()
