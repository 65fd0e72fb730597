"""Table V: energy-aware pruning of ``resnet1d_attn`` in five steps to 40 %, scored at each.

Single weights are zeroed as in the reference study, 8 % more in each step::

    EDGEECG_DATA=../shared/data python benchmarks/table_v.py [--minutes 50]
"""

from __future__ import annotations

from cells import Cell
from published import publish, step_rows

TO_40 = {"sparsity": 0.4, "steps": 5, "schedule": "uniform"}
MODEL = "resnet1d_attn"
CELLS = {"single weights": Cell(MODEL, {**TO_40, "structure": "none"}, each_step=True)}

if __name__ == "__main__":
    publish("table_v", "Energy-aware pruning of resnet1d_attn to 40 %", CELLS, step_rows)
