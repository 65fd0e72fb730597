"""The residual network that both ``resnet1d_*`` models are built from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeecg.models import Widths
from edgeecg.models._pooling import AttentionPooling

_BLOCKS_PER_STAGE = 2


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from all channel means (Hu et al. 2018).

    See arXiv:1709.01507. Both layers are convolutions of width 1, so that their channels can be
    pruned like any others.
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


@dataclass(frozen=True)
class BlockShape:
    """The shape of one residual block.

    Attributes:
        before: Channels of the input.
        inner: Channels between the two convolutions.
        after: Channels of the output.
        kernel: Width of both convolutions, odd.
        stride: Stride of the first convolution; above 1 the input is projected by a 1x1
            convolution.
        squeezed: Units of the squeeze-and-excitation behind the second norm; 0 for none.
    """

    before: int
    inner: int
    after: int
    kernel: int
    stride: int
    squeezed: int = 0


class ResidualBlock(nn.Module):
    """conv - norm - ReLU - conv - norm (- squeeze-and-excitation), added to the block's input."""

    def __init__(self, shape: BlockShape) -> None:
        """Build the layers."""
        super().__init__()
        pad = shape.kernel // 2
        # The order of the layers decides the initial weights that a seed gives.
        self.conv1 = nn.Conv1d(
            shape.before, shape.inner, shape.kernel, stride=shape.stride, padding=pad, bias=False
        )
        self.norm1 = nn.BatchNorm1d(shape.inner)
        self.conv2 = nn.Conv1d(shape.inner, shape.after, shape.kernel, padding=pad, bias=False)
        self.norm2 = nn.BatchNorm1d(shape.after)
        self.gate = SqueezeExcitation(shape.after, shape.squeezed) if shape.squeezed else None
        self.skip: nn.Module = nn.Identity()
        if shape.stride > 1:
            self.skip = nn.Sequential(
                nn.Conv1d(shape.before, shape.after, 1, stride=shape.stride, bias=False),
                nn.BatchNorm1d(shape.after),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, before, positions)`` to ``(batch, after, positions / stride)``."""
        inner = torch.relu(self.norm1(self.conv1(x)))
        inner = self.norm2(self.conv2(inner))
        if self.gate is not None:
            inner = self.gate(inner)
        return torch.relu(inner + self.skip(x))


@dataclass(frozen=True)
class ResNetShape:
    """What a residual network has beside its widths.

    Attributes:
        leads: Channels of the input.
        classes: Number of logits.
        stem_kernel: Width of the first convolution, odd.
        kernels: Width of the convolutions of each stage, odd.
    """

    leads: int
    classes: int
    stem_kernel: int
    kernels: tuple[int, ...]


class ResNet1D(nn.Module):
    """A stem of stride 2, stages of two blocks (each stage halves the length), attention pooling.

    With the width ``squeeze``, every block has a squeeze-and-excitation.
    """

    def __init__(self, shape: ResNetShape, widths: Widths) -> None:
        """Build the layers.

        Args:
            shape: Leads, classes and kernels.
            widths: ``stem``; ``stages``: channels on the residual path of each stage; ``inner``:
                channels inside each block; ``squeeze`` (optional): units of each block's
                squeeze-and-excitation; ``attention``: hidden units of the pooling. A second block
                that was removed has the inner width 0.
        """
        super().__init__()
        (stem,) = widths["stem"]
        pad = shape.stem_kernel // 2
        self.stem = nn.Conv1d(
            shape.leads, stem, shape.stem_kernel, stride=2, padding=pad, bias=False
        )
        self.norm = nn.BatchNorm1d(stem)
        inner = iter(widths["inner"])
        squeeze = iter(widths.get("squeeze", (0,) * len(widths["inner"])))
        self.stages = nn.ModuleList()
        before = stem
        for after, kernel in zip(widths["stages"], shape.kernels, strict=True):
            blocks: list[nn.Module] = []
            for number in range(_BLOCKS_PER_STAGE):
                stride, width, squeezed = 2 if number == 0 else 1, next(inner), next(squeeze)
                block = BlockShape(before, width, after, kernel, stride, squeezed)
                blocks.append(ResidualBlock(block) if width else nn.Identity())
                before = after
            self.stages.append(nn.Sequential(*blocks))
        self.pooling = AttentionPooling(before, widths["attention"][0])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(before, shape.classes)

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        found = [block for stage in self.stages for block in stage.children()]
        blocks = [block if isinstance(block, ResidualBlock) else None for block in found]
        gates = [block.gate if block else None for block in blocks]
        squeeze = {"squeeze": tuple(gate.squeeze.out_channels if gate else 0 for gate in gates)}
        return {
            "stem": (self.stem.out_channels,),
            "stages": tuple(
                block.conv2.out_channels for block in blocks[::_BLOCKS_PER_STAGE] if block
            ),
            "inner": tuple(block.conv1.out_channels if block else 0 for block in blocks),
            **(squeeze if any(gates) else {}),
            "attention": (self.pooling.hidden.out_channels,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, leads, samples)`` to logits ``(batch, classes)``."""
        features = torch.relu(self.norm(self.stem(x)))
        for stage in self.stages:
            features = stage(features)
        return self.head(self.dropout(self.pooling(features)))


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a residual network, read from its layers."""
    assert isinstance(model, ResNet1D)
    return model.widths()
