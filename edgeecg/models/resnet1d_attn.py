"""``resnet1d_attn``: a residual network with attention pooling, 417,892 parameters.

The reference study's "ResNet1D Attn": residual blocks, aggregated over time by attention. Lengths
for 256 samples: 128 after the stem, then 64 - 32 - 16.
"""

from __future__ import annotations

from torch import nn

from edgeecg.models import Blocks, Widths, _recipes, _resnet
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

_SHAPE = _resnet.ResNetShape(INPUT_SHAPE[0], len(CLASSES), stem_kernel=7, kernels=(7, 5, 5))

widths = _resnet.widths


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``resnet1d_attn`` with these widths."""
    return _resnet.ResNet1D(_SHAPE, widths)
