"""A compression table: its missing cells computed, its rows made of those that are there."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from baselines import spread
from cells import PACKAGES, RESULTS, ROOT, SEEDS, Cell, compute
from run_provenance import machine, versions

from edgeecg.costs import proxy
from edgeecg.files import write_text
from edgeecg.schema import CostTotals, ProxyCoefficients

Rows = Callable[[str, Cell], list[dict[str, Any]]]
"""Makes the rows of a complete cell, given what the table is called."""


def publish(table: str, title: str, cells: Mapping[str, Cell], rows_of: Rows | None = None) -> None:
    """Compute the cells that are missing; write ``results/TABLE.json`` of the rows that are whole.

    Args:
        table: What the result is called.
        title: What it shows, in words.
        cells: By what the table calls them. The JSON names those that some seed is missing of.
        rows_of: Makes a complete cell's rows; one row of the final model when left out.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="comma-separated slice")
    parser.add_argument("--models", default="", help="comma-separated slice; all when left out")
    asked = parser.parse_args()
    os.chdir(ROOT)
    until = time.monotonic() + 60 * asked.minutes
    models = asked.models.split(",")
    wanted = [cell for cell in cells.values() if not asked.models or cell.model in models]
    for seed in map(int, asked.seeds.split(",")):
        for cell in wanted:
            # What a finished run gave takes no time to gather.
            due = cell.run(seed).finished or time.monotonic() < until
            if due and not cell.kept(seed).is_file():
                compute(cell, seed)
    made = [
        {"label": label, **each}
        for label, cell in cells.items()
        for each in ((rows_of or rows)(table, cell) if complete(cell) else [])
    ]
    missing = [label for label, cell in cells.items() if not complete(cell)]
    document = {
        "title": title,
        "rows": made,
        "missing": missing,
        "machine": machine(),
        "versions": versions(PACKAGES),
    }
    if made:
        write_text(RESULTS / f"{table}.json", json.dumps(document, indent=1) + "\n")
    print(f"{table}: {len(cells) - len(missing)} of {len(cells)} cells")


def complete(cell: Cell) -> bool:
    """Whether all seeds of a cell are there."""
    return all(cell.kept(seed).is_file() for seed in SEEDS)


def seeds_of(cell: Cell) -> list[dict[str, Any]]:
    """Return what the seeds of a complete cell gave."""
    return [json.loads(cell.kept(seed).read_text(encoding="utf-8")) for seed in SEEDS]


def rows(table: str, cell: Cell) -> list[dict[str, Any]]:
    """Return the one row of a complete cell's final model: the mean of the seeds."""
    seeds, target = seeds_of(cell), cell.shown
    config = seeds[0]["config"]
    score = "macro_f1" if seeds[0]["baseline"]["test"]["macro_auroc"] is None else "macro_auroc"
    scores = [_score(held, score, target) for held in seeds]
    last = [held["steps"][-1] for held in seeds]
    proxies = {
        key: statistics.mean(
            _proxy(held, step, key, target) for held, step in zip(seeds, last, strict=True)
        )
        for key in ("proxy_ideal", "proxy_executed")
    }
    row: dict[str, Any] = {
        "table": table,
        "model": cell.model,
        "dataset": seeds[0]["data"]["source"],
        "method": config["method"] if cell.pruner == "edgeecg" else cell.pruner,
        "structure": config["structure"],
        "quantize": config["quantize"] if target is None or "int8" in target else "none",
        "distill": config["distill"],
        "seeds": list(SEEDS),
        **proxies,
        "latency_ratio": _mean_or_none(_latency_ratio(held, target) for held in seeds),
        "bytes_ratio": _mean_or_none(_bytes_ratio(held, target) for held in seeds),
        "score": score,
        "score_mean": statistics.mean(scores),
        "score_std": statistics.stdev(scores),
        "baseline_mean": statistics.mean(held["baseline"]["test"][score] for held in seeds),
        "lost": spread(
            [h["baseline"]["test"][score] - s for h, s in zip(seeds, scores, strict=True)]
        ),
        "lost_without_232": _lost_without_232(seeds, target),
        "baseline_ci95": seeds[0]["baseline"]["test"][f"{score}_ci95"],
        "reading": config["reading"],
        "target": target,
        "scores": scores,
        "accuracy": spread([_test(held, target)["accuracy"] for held in seeds]),
        "macro_f1": spread([_test(held, target)["macro_f1"] for held in seeds]),
        "recall": {
            name: statistics.mean(
                _test(held, target)["per_class"][name]["recall"] for held in seeds
            )
            for name in seeds[0]["test"]["per_class"]
        },
        "parameters_before": seeds[0]["baseline"]["parameters"],
        "parameters_nonzero": statistics.mean(held["nonzero_parameters"] for held in seeds),
        "sparsity": statistics.mean(step["sparsity"] for step in last),
        "macs_ratio": statistics.mean(
            step["macs"] / held["baseline"]["macs"] for held, step in zip(seeds, last, strict=True)
        ),
        "seconds": statistics.mean(sum(s["seconds"] for s in held["steps"]) for held in seeds),
        "pruning_seconds": statistics.mean(
            sum(s["pruning_seconds"] for s in held["steps"]) for held in seeds
        ),
        "cell": cell.name,
        "git_revisions": sorted({held["git_revision"] for held in seeds}),
    }
    return [row]


def step_rows(table: str, cell: Cell) -> list[dict[str, Any]]:
    """Return a row for every step of a cell whose steps were scored on the test records."""
    whole, seeds = rows(table, cell)[0], seeds_of(cell)
    made: list[dict[str, Any]] = []
    for index, first in enumerate(seeds[0]["steps"]):
        steps = [held["steps"][index] for held in seeds]
        tests = [held["test_of_steps"][str(first["step"])] for held in seeds]
        scores = [test[whole["score"]] for test in tests]
        made.append(
            whole
            | {
                "step": first["step"],
                "target_sparsity": first["target_sparsity"],
                "sparsity": statistics.mean(step["sparsity"] for step in steps),
                "proxy_ideal": statistics.mean(step["proxy_ideal"] for step in steps),
                "proxy_executed": statistics.mean(step["proxy_executed"] for step in steps),
                "macs_ratio": statistics.mean(
                    step["macs"] / held["baseline"]["macs"]
                    for held, step in zip(seeds, steps, strict=True)
                ),
                "parameters_nonzero": statistics.mean(s["nonzero_parameters"] for s in steps),
                "score_mean": statistics.mean(scores),
                "score_std": statistics.stdev(scores),
                "scores": scores,
                "accuracy": spread([test["accuracy"] for test in tests]),
                "macro_f1": spread([test["macro_f1"] for test in tests]),
                "recall": {
                    name: statistics.mean(test["per_class"][name]["recall"] for test in tests)
                    for name in tests[0]["per_class"]
                },
                "latency_ratio": None,
                "bytes_ratio": None,
            }
        )
    return made


def _files(
    held: dict[str, Any], target: str | None
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the dense float32 file and the compressed one of a target, if they were exported."""
    wanted = target or "tflite"
    found = {(each["role"], each["target"]): each for each in held["files"]}
    dense, small = found.get(("baseline", "tflite")), found.get(("compressed", wanted))
    return None if dense is None or small is None else (dense, small)


def _test(held: dict[str, Any], target: str | None) -> dict[str, Any]:
    files = None if target is None else _files(held, target)
    return held["test"] if files is None else files[1]["test"]


def _score(held: dict[str, Any], score: str, target: str | None) -> float:
    return _test(held, target)[score]


def _lost_without_232(seeds: list[dict[str, Any]], target: str | None) -> dict[str, float] | None:
    """Return what macro-F1 on all other records lost; None where there is no record 232."""
    key = "macro_f1_without_232"
    pairs = [(held["baseline"]["test"][key], _test(held, target)[key]) for held in seeds]
    known = [before - after for before, after in pairs if before is not None and after is not None]
    return spread(known) if len(known) == len(seeds) else None


def _proxy(held: dict[str, Any], step: dict[str, Any], key: str, target: str | None) -> float:
    files = None if target is None else _files(held, target)
    if files is None:
        return step[key]
    dense, small = (CostTotals.from_document(each["costs"], "cell") for each in files)
    count = proxy.ideal if key == "proxy_ideal" else proxy.executed
    return count(small, ProxyCoefficients()) / proxy.executed(dense, ProxyCoefficients())


def _bytes_ratio(held: dict[str, Any], target: str | None) -> float | None:
    files = _files(held, target)
    return None if files is None else files[1]["size_bytes"] / files[0]["size_bytes"]


def _latency_ratio(held: dict[str, Any], target: str | None) -> float | None:
    timed = held["latency"] or {}
    return timed.get(f"compressed-{target or 'tflite'}", {}).get("ratio")


def _mean_or_none(values: Iterable[float | None]) -> float | None:
    held = [value for value in values if value is not None]
    return statistics.mean(held) if len(held) == len(SEEDS) else None
