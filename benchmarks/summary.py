"""Write ``results/summary.json``: every row of the compression tables, flat, for other programs.

::

    python benchmarks/summary.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeecg.files import write_text

RESULTS = Path(__file__).resolve().parent / "results"
TABLES = (
    "table_iv",
    "table_v",
    "table_vi",
    "table_viii",
    "structured",
    "methods",
    "torch_pruning_compared",
)
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
    """Return the rows of all tables that are in a folder."""
    return [
        {key: row[key] for key in KEYS}
        for name in TABLES
        if (path := results / f"{name}.json").is_file()
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]
    ]


def main() -> None:
    """Write them."""
    rows = collected(RESULTS)
    write_text(RESULTS / "summary.json", json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} rows")


if __name__ == "__main__":
    main()
