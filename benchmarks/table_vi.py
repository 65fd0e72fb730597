"""Table VI: energy-aware pruning of ``conv_transformer`` in five steps to 40 %, scored at each.

Single weights are zeroed, 8 % more in each step::

    EDGEECG_DATA=../shared/data python benchmarks/table_vi.py [--minutes 50]
"""

from __future__ import annotations

from cells import Cell
from published import publish, step_rows
from table_v import TO_40

MODEL = "conv_transformer"
CELLS = {"single weights": Cell(MODEL, {**TO_40, "structure": "none"}, each_step=True)}

if __name__ == "__main__":
    publish("table_vi", "Energy-aware pruning of conv_transformer to 40 %", CELLS, step_rows)
