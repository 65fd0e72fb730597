"""Time the exported files of finished cells, each beside its dense float32 file in one bench call.

Needs the run folders of the cells (``runs/``) and a machine that does nothing else. What was
measured goes into ``results/cells/``; run the tables' scripts again afterwards::

    EDGEECG_DATA=../shared/data python benchmarks/measure_cells.py [--again]
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from cells import KEPT, ROOT, SEEDS, Cell
from structured import CELLS

from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.protocol import measure
from edgeecg.files import write_text
from edgeecg.schema import BenchResult


def main() -> None:
    """Measure what was exported and not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="also what was measured before")
    again = parser.parse_args().again
    os.chdir(ROOT)
    for cell in CELLS.values():
        for seed in SEEDS:
            if cell.kept(seed).is_file():
                timed(cell, seed, again)
    print(f"Kept in {KEPT.relative_to(ROOT)}")


def timed(cell: Cell, seed: int, again: bool) -> None:
    """Measure the files of one run, unless that was done."""
    held = json.loads(cell.kept(seed).read_text(encoding="utf-8"))
    paths = [cell.run(seed).artifacts / each["file"] for each in held["files"]]
    if not paths or not all(path.is_file() for path in paths) or (held["latency"] and not again):
        return
    print(cell.name, seed, flush=True)
    results = measure(paths, BenchConfig()).results
    dense = next(r for r, each in zip(results, held["files"], strict=True) if _dense(each))
    held["latency"] = {
        f"{each['role']}-{each['target']}": _row(result, dense)
        for result, each in zip(results, held["files"], strict=True)
    }
    write_text(cell.kept(seed), json.dumps(held, indent=1) + "\n")


def _dense(file: dict[str, Any]) -> bool:
    return (file["role"], file["target"]) == ("baseline", "tflite")


def _row(result: BenchResult, dense: BenchResult) -> dict[str, Any]:
    return {
        "p50_s": result.latency.p50_s,
        "p99_s": result.latency.p99_s,
        "ratio": result.latency.p50_s / dense.latency.p50_s,
        "runtime": result.runtime,
        "cpu": result.device.cpu,
        "load": result.device.before.load,
        "energy": result.energy.model_dump(mode="json"),
    }


if __name__ == "__main__":
    main()
