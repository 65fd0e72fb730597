"""``conv_transformer``: a convolutional stem and a Transformer encoder, 1,711,878 parameters.

The reference study's "ConvTransformer" for twelve leads, with its 230.56 MFLOPs: two for each of
115.3 million multiply-accumulates in the convolutions, the linear layers and the two products of
attention (queries with keys, weights with values). Norms, activations, softmax, biases and
additions are not counted.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from edgeecg.models import Blocks, Widths, _recipes
from edgeecg.models._attention import EncoderBlock, PositionEncoding
from edgeecg.models._pooling import AttentionPooling
from edgeecg.schema import Task

DATASET = "ptbxl"
TASK: Task = "records"
CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
INPUT_SHAPE = (12, 1000)
FIXED: tuple[str, ...] = ("pooling.score", "head")
WIDTHS: dict[str, tuple[int, ...]] = {
    "stem": (32, 64, 128),
    "embedding": (192,),
    "heads": (6, 6, 6, 6),
    "head_width": (32, 32, 32, 32),
    "feedforward": (576, 576, 576, 576),
    "attention": (128,),
}
BLOCKS: Blocks = {
    f"blocks.{i}": (("heads", i), ("head_width", i), ("feedforward", i)) for i in range(4)
}
RECIPE = _recipes.RECORDS.model_copy(
    update={
        "model": "conv_transformer",
        "epochs": 18,
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
        "average": 0.99,
        "mixup": 0.4,
    }
)

_KERNELS = (17, 7, 7, 5)
_STRIDES = (4, 2, 2, 1)


class ConvTransformer(nn.Module):
    """Four convolutions shorten 1000 samples to 63 positions; four encoder blocks; attention.

    Lengths: 1000 - 250 - 125 - 63 - 63.
    """

    def __init__(self, widths: Widths) -> None:
        """Build the layers.

        Args:
            widths: ``stem``: channels of the first three convolutions; ``embedding``: channels of
                the fourth and of the residual path; ``heads``, ``head_width`` and ``feedforward``:
                one number per encoder block, 0 where the block was removed; ``attention``: hidden
                units of the pooling.
        """
        super().__init__()
        (embedding,) = widths["embedding"]
        channels = (INPUT_SHAPE[0], *widths["stem"], embedding)
        layers: list[nn.Module] = []
        positions = INPUT_SHAPE[1]
        for before, after, kernel, stride in zip(
            channels, channels[1:], _KERNELS, _STRIDES, strict=False
        ):
            pad = kernel // 2
            layers += [
                nn.Conv1d(before, after, kernel, stride=stride, padding=pad, bias=False),
                nn.BatchNorm1d(after),
                nn.ReLU(),
            ]
            positions = math.ceil(positions / stride)
        self.stem = nn.Sequential(*layers)
        self.position = PositionEncoding(positions, embedding)
        blocks = zip(widths["heads"], widths["head_width"], widths["feedforward"], strict=True)
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(embedding, heads, width, inner) if heads else nn.Identity()
                for heads, width, inner in blocks
            )
        )
        self.norm = nn.LayerNorm(embedding)
        self.pooling = AttentionPooling(embedding, widths["attention"][0])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(embedding, len(CLASSES))

    def widths(self) -> dict[str, tuple[int, ...]]:
        """Return the present widths, read from the layers themselves."""
        convs = [layer.out_channels for layer in self.stem if isinstance(layer, nn.Conv1d)]
        blocks = [block if isinstance(block, EncoderBlock) else None for block in self.blocks]
        return {
            "stem": tuple(convs[:-1]),
            "embedding": (convs[-1],),
            "heads": tuple(block.attention.heads if block else 0 for block in blocks),
            "head_width": tuple(block.attention.head_width if block else 0 for block in blocks),
            "feedforward": tuple(block.expand.out_features if block else 0 for block in blocks),
            "attention": (self.pooling.hidden.out_channels,),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map records ``(batch, 12, 1000)`` to logits ``(batch, 5)``."""
        features = self.position(self.stem(x).transpose(1, 2))
        features = self.norm(self.blocks(features)).transpose(1, 2)
        return self.head(self.dropout(self.pooling(features)))


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``conv_transformer`` with these widths."""
    return ConvTransformer(widths)


def widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the present widths of a ``conv_transformer``, read from its layers."""
    assert isinstance(model, ConvTransformer)
    return model.widths()
