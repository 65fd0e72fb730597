"""Table VIII: what each part of the method adds.

``resnet1d_attn`` at the sparsity that Table IV gives it, one thing changed in each row.
``conv_transformer`` at 40 %, in the two rows that the reference study has of it: a run takes three
times as long. The last rows of each are the structured models of ``structured.py``::

    EDGEECG_DATA=../shared/data python benchmarks/table_viii.py [--minutes 50]
"""

from __future__ import annotations

from dataclasses import replace

import structured
import table_iv
import table_vi
from cells import Cell
from published import publish

_BEATS = {"structure": "none", "sparsity": table_iv.SPARSITY["resnet1d_attn"]}
_RECORDS = {**table_vi.TO_40, "structure": "none"}
_CHANGES = {
    "L1, distilled": {"method": "l1"},
    "L1": {"method": "l1", "distill": False},
    "energy-aware, distilled": {},
    "energy-aware": {"distill": False},
    "energy-aware as printed, distilled": {"reading": "protect"},
}
_OF_RECORDS = ("L1, distilled", "energy-aware, distilled")
CELLS = {
    **{
        f"resnet1d_attn: {label}": Cell("resnet1d_attn", {**_BEATS, **change})
        for label, change in _CHANGES.items()
    },
    "resnet1d_attn: channels": structured.CELLS["resnet1d_attn"],
    "resnet1d_attn: channels, int8": structured.CELLS["resnet1d_attn, int8"],
    # The run of Table VI, with its steps scored, is the distilled one.
    **{
        f"conv_transformer: {label}": replace(
            Cell("conv_transformer", {**_RECORDS, **_CHANGES[label]}),
            each_step=not _CHANGES[label],
        )
        for label in _OF_RECORDS
    },
    "conv_transformer: blocks": structured.CELLS["conv_transformer"],
    "conv_transformer: blocks, int8": structured.CELLS["conv_transformer, int8"],
}

if __name__ == "__main__":
    publish("table_viii", "Ablation", CELLS)
