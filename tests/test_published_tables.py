"""The published tables are those that the scripts make of the published results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import compression_markdown
import methods
import pytest
import structured
import summary
import table_iv
import table_v
import table_vi
import table_viii
import tables
import torch_pruning_compared

from edgeecg.compression.pipeline import planned
from edgeecg.schema import Budget, CompressionConfig, TrainingConfig

if TYPE_CHECKING:
    from cells import Cell

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = (
    *(methods, structured, table_iv, table_v, table_vi, table_viii),
    torch_pruning_compared,
)
CELLS: dict[str, Cell] = {
    f"{script.__name__}, {label}": cell
    for script in SCRIPTS
    for label, cell in script.CELLS.items()
}


def test_pages_and_results_hold_what_the_scripts_generate() -> None:
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in tables.PAGES}
    results, texts = tables.generated(BENCHMARKS / "results", pages)
    assert texts == pages
    assert results == (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")


def test_every_row_of_a_compression_table_is_in_the_summary() -> None:
    held = json.loads((BENCHMARKS / "results" / "summary.json").read_text(encoding="utf-8"))
    assert held == summary.collected(BENCHMARKS / "results")
    assert all(set(row) == set(summary.KEYS) for row in held)
    assert {row["table"] for row in held} <= {script.__name__ for script in SCRIPTS}


@pytest.mark.parametrize("label", CELLS)
def test_every_cell_can_be_compressed_so(label: str) -> None:
    cell = CELLS[label]
    options = {**cell.options}
    options["budgets"] = [Budget.parse(each) for each in options.pop("budgets", ())]
    config = CompressionConfig(training=TrainingConfig(model=cell.model), **options)
    assert planned(config).steps >= 1
    assert len(cell.name) < 200


def test_cells_of_one_name_are_one_cell() -> None:
    for cell in CELLS.values():
        twins = [other for other in CELLS.values() if other.name == cell.name]
        assert all(
            (t.model, t.options, t.pruner) == (cell.model, cell.options, cell.pruner) for t in twins
        )
        # What runs first decides what is kept.
        assert len({(twin.each_step, twin.targets) for twin in twins}) == 1


def test_a_run_that_tables_share_is_counted_once() -> None:
    shared = {"cell": "a", "seeds": [0, 1, 2], "seconds": 600.0, "pruning_seconds": 6.0}
    other = shared | {"cell": "b", "seconds": 1200.0, "pruning_seconds": 60.0}
    first = {"machine": "this one", "rows": [shared, shared | {"step": 2}]}
    said = compression_markdown.time_taken(first, {"machine": "", "rows": [shared, other]})
    assert "The 6 runs" in said
    assert "1.5 hours" in said
    assert "at most 5.0%" in said
