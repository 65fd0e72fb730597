"""Energy-aware, L1 and random choice of removed parts, at the same executed proxy, all six models.

The energy-aware rows are the float32 models of ``structured.py``; the others differ in the method
alone::

    EDGEECG_DATA=../shared/data python benchmarks/methods.py [--minutes 50]
"""

from __future__ import annotations

from cells import Cell
from published import publish
from structured import BUDGETS, CELLS as ENERGY_AWARE, steered

CELLS = {
    f"{model}: {method}": ENERGY_AWARE[model]
    if method == "energy"
    else Cell(model, {**steered(model, BUDGETS[model]), "method": method})
    for model in BUDGETS
    for method in ("energy", "l1", "random")
}

if __name__ == "__main__":
    publish("methods", "What decides, at the same executed proxy", CELLS)
