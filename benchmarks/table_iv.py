"""Table IV: pruning by magnitude alone (L1), all six models, at the reference study's sparsities.

Single weights are zeroed, five steps, fine-tuned with distillation::

    EDGEECG_DATA=../shared/data python benchmarks/table_iv.py [--minutes 50]
"""

from __future__ import annotations

from cells import Cell
from published import publish

SPARSITY = {
    "cnn1d": 0.795,
    "bilstm": 0.794,
    "cnn_lstm_attn": 0.476,
    "resnet1d_attn": 0.794,
    "resnet1d_se_attn": 0.478,
    "conv_transformer": 0.312,
}
CELLS = {
    model: Cell(model, {"structure": "none", "method": "l1", "sparsity": share})
    for model, share in SPARSITY.items()
}

if __name__ == "__main__":
    publish("table_iv", "L1 pruning of single weights", CELLS)
