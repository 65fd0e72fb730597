"""``resnet1d_se_attn``: residual blocks with squeeze-and-excitation, 1,661,126 parameters.

The reference study's "ResNet1D SE Attn" for twelve leads: each block scales its channels before
they are added to its input. Lengths for 1000 samples: 500 after the stem, then 250 - 125 - 63 - 32.
"""

from __future__ import annotations

from torch import nn

from edgeecg.models import Blocks, Widths, _recipes, _resnet
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

_SHAPE = _resnet.ResNetShape(INPUT_SHAPE[0], len(CLASSES), stem_kernel=17, kernels=(5, 5, 5, 5))

widths = _resnet.widths


def build(widths: Widths) -> nn.Module:
    """Return a freshly initialised ``resnet1d_se_attn`` with these widths."""
    return _resnet.ResNet1D(_SHAPE, widths)
