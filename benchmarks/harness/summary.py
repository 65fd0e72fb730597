"""``results/summary.json``: every row of the compression tables, flat, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .aggregate import table_rows, table_rows_of_steps
from .experiment import load
from .results import stored

TABLES = (
    "table_iv",
    "table_v",
    "table_vi",
    "table_viii",
    "structured",
    "methods",
    "torch_pruning_compared",
)
STEP_BY_STEP = ("table_v", "table_vi")
KEYS = (
    "table",
    "model",
    "dataset",
    "method",
    "structure",
    "quantize",
    "distill",
    "seeds",
    "proxy_ideal",
    "proxy_executed",
    "latency_ratio",
    "bytes_ratio",
    "score",
    "score_mean",
    "score_std",
    "baseline_mean",
)


def collected(results: Path) -> list[dict[str, Any]]:
    """Return the rows of all tables.

    Args:
        results: Folder of the JSON-lines files.
    """
    found: list[dict[str, Any]] = []
    for name in TABLES:
        made = table_rows_of_steps if name in STEP_BY_STEP else table_rows
        held = stored(load(name), results)
        found += [{key: row[key] for key in KEYS} for row in made(name, held)]
    return found
