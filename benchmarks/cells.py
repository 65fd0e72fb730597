"""The cells of the compression tables: one model, compressed in one way, by one seed.

Every table's script lists its cells and calls :func:`publish`. The dense model of a beat model's
cell is the same seed's of ``baselines.py``, trained where it is not there. Those of a record model
take ten minutes each and differ by 0.002, so that its cells all start from the package's weights.
The seed decides everything that compression draws. What a cell gave is kept in
``results/cells/CELL_SEED.json`` and is not computed again, so that a script can be killed, run in
slices (``--minutes 50``), on several machines, and restarted. Tables share cells::

    EDGEECG_DATA=../shared/data python benchmarks/table_v.py [--minutes 50] [--seeds 0,1,2]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from baselines import spread, trained
from rich.console import Console

from edgeecg.cli import compressing, starting
from edgeecg.compress import walk
from edgeecg.compress.pipeline import Job, compress
from edgeecg.data import Dataset
from edgeecg.energy import proxy
from edgeecg.files import write_text
from edgeecg.models import architecture
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Artifact,
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    CostTotals,
    ModelCard,
    ProxyCoefficients,
    QuantizationLog,
    Rollback,
    Scores,
)
from edgeecg.training.loop import evaluate

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
KEPT = RESULTS / "cells"
SEEDS = (0, 1, 2)
PACKAGES = (
    "torch",
    "torch-pruning",
    "numpy",
    "scikit-learn",
    "litert-torch",
    "ai-edge-quantizer",
    "ai-edge-litert",
)

Rows = Callable[[str, "Cell"], list[dict[str, Any]]]
"""Makes the rows of a complete cell, given what the table is called."""

Steered = Callable[[], contextlib.AbstractContextManager[None]]
"""Puts another pruner in the place of edgeecg's, for as long as it is open."""


@dataclass(frozen=True)
class Cell:
    """One way of compressing one model.

    Attributes:
        model: The architecture.
        options: Fields of ``CompressionConfig`` that are not at their default; budgets as on
            the command line.
        each_step: Also score the test records after every step. No decision is taken on them.
        targets: Export targets whose files are scored and, by ``measure_cells.py``, timed.
        shown: The target whose file a table's row is about; None for the PyTorch model's score,
            with size and time of its ``tflite`` file where there is one.
        pruner: Whose choice of units it is: edgeecg's, or that of a library compared with.
        steered: Puts that library in place.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    each_step: bool = False
    targets: tuple[str, ...] = ()
    shown: str | None = None
    pruner: str = "edgeecg"
    steered: Steered = contextlib.nullcontext

    @property
    def name(self) -> str:
        """What its run and its result are called, without the seed."""
        parts = [self.model, *([] if self.pruner == "edgeecg" else [self.pruner])]
        for key, value in sorted(self.options.items()):
            held = value if isinstance(value, (list, tuple)) else (value,)
            parts.append(f"{key}={'+'.join(map(str, held))}")
        return "_".join(parts)

    def run(self, seed: int) -> RunFolder:
        """Return the run folder of one seed."""
        return RunFolder(Path("runs") / f"{self.name}_{seed}")

    def kept(self, seed: int) -> Path:
        """Return the file that holds what one seed gave."""
        return KEPT / f"{self.name}_{seed}.json"


def publish(table: str, title: str, cells: Mapping[str, Cell], rows_of: Rows | None = None) -> None:
    """Compute the cells that are missing, and write ``results/TABLE.json`` of those that are there.

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
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU",
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }
    write_text(RESULTS / f"{table}.json", json.dumps(document, indent=1) + "\n")
    print(f"{table}: {len(cells) - len(missing)} of {len(cells)} cells")


def complete(cell: Cell) -> bool:
    """Whether all seeds of a cell are there."""
    return all(cell.kept(seed).is_file() for seed in SEEDS)


def compute(cell: Cell, seed: int) -> None:
    """Compress, go on with it if it was begun, export if asked to, and keep what it gave."""
    run = cell.run(seed)
    if not run.finished:
        print(f"{cell.name}, seed {seed}", flush=True)
        _compress(cell, seed, run)
    made = [target for target in cell.targets if not _exported(run, target)]
    if made:
        _export(run, made)
    write_text(cell.kept(seed), json.dumps(_gathered(cell, seed), indent=1) + "\n")


def _compress(cell: Cell, seed: int, run: RunFolder) -> None:
    """Run what ``edgeecg compress`` runs; score the steps on the way if asked to."""
    if run.config.is_file():
        _, config = compressing.resumed(run.name, {}, {})
    else:
        training: dict[str, Any] = {"model": cell.model, "seed": seed}
        asked = {key: value for key, value in cell.options.items() if key != "budgets"}
        asked |= compressing.steering(list(cell.options.get("budgets", ())), [])
        if architecture(cell.model).TASK == "beats":
            asked["start"] = trained(cell.model, seed).name
        _, config = compressing.started(run.name, training, asked)
    dataset = starting.records(config.training, Console(quiet=True), _silent)
    notes = run.path / "test_steps.json"

    def watch(event: CompressionStep | Rollback) -> None:
        if isinstance(event, Rollback):
            return
        _say(event)
        if cell.each_step:
            _score_step(job, event, notes, dataset)

    job = Job(config, dataset, run, f"benchmarks: {cell.name}, seed {seed}", watch=watch)
    with cell.steered():
        compress(job)


def _silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


def _say(step: CompressionStep) -> None:
    print(
        f"  {step.step}: proxy {step.proxy_executed:.3f}, parameters {step.parameters:,} "
        f"({step.nonzero_parameters:,} not 0), validation {step.val.headline[1]:.3f}, "
        f"{step.seconds:.0f} s",
        flush=True,
    )


def _score_step(job: Job, step: CompressionStep, notes: Path, dataset: Dataset) -> None:
    """Score the test records with the model of a step, which the checkpoint holds; keep it."""
    here = walk.resumed(job)
    known: dict[str, Any] = json.loads(notes.read_text()) if notes.is_file() else {}
    if here is None or len(here.steps) != step.step or str(step.step) in known:
        return
    known[str(step.step)] = _brief(evaluate(here.model, dataset, "test"))
    write_text(notes, json.dumps(known))


def _exported(run: RunFolder, target: str) -> bool:
    return any(path.stem.endswith(f"compressed-{target}") for path in run.artifact_files())


def _export(run: RunFolder, targets: Sequence[str]) -> None:
    from edgeecg import resources
    from edgeecg.export.pipeline import export_run

    card = ModelCard.from_json(run.model_card.read_bytes(), str(run.model_card))
    config = starting.retraced(card)
    dataset = starting.records(config, Console(quiet=True), _silent)
    recipes = [resources.load_target(name) for name in targets]
    export_run(run, recipes, dataset, _silent, lambda error: print(f"  left out: {error.what}"))


def _brief(scores: Scores) -> dict[str, Any]:
    found = scores.model_dump(mode="json", exclude={"records", "ec57"})
    return found | {"macro_f1_without_232": _without_232(scores)}


def _without_232(scores: Scores) -> float | None:
    """Return macro-F1 without record 232, which holds three quarters of DS2's S beats."""
    others = [np.array(matrix) for name, matrix in scores.records.items() if name != "232"]
    if "232" not in scores.records:
        return None
    whole = np.sum(others, axis=0)
    return float(np.mean(2 * np.diag(whole) / (whole.sum(axis=0) + whole.sum(axis=1))))


def _gathered(cell: Cell, seed: int) -> dict[str, Any]:
    """Return everything worth keeping of a finished run."""
    run = cell.run(seed)
    log = CompressionLog.from_json(run.compression_log.read_bytes(), str(run.compression_log))
    dense = ModelCard.from_json(run.baseline_card.read_bytes(), str(run.baseline_card))
    card = ModelCard.from_json(run.model_card.read_bytes(), str(run.model_card))
    notes = run.path / "test_steps.json"
    held: dict[str, Any] = {
        "cell": cell.name,
        "seed": seed,
        "pruner": cell.pruner,
        "config": _options(log.config),
        "data": {"source": dense.data.source, "content_sha256": dense.data.content_sha256},
        "baseline": {
            "weights_sha256": dense.weights_sha256,
            "parameters": dense.parameters,
            "macs": dense.macs,
            "val": _brief(dense.val),
            "test": _brief(dense.test),
        },
        "steps": [
            step.model_dump(mode="json", exclude={"val", "layer_sparsity", "widths"})
            | {"val": step.val.headline[1]}
            for step in log.steps
        ],
        "stopped": log.stopped,
        "parameters": card.parameters,
        "nonzero_parameters": card.nonzero_parameters,
        "widths": card.widths,
        "val": _brief(card.val),
        "test": _brief(card.test),
        "test_of_steps": json.loads(notes.read_text()) if notes.is_file() else None,
        "quantization": _quantization(run),
        "files": [_file(path) for path in run.artifact_files()],
        "latency": None,
        "git_revision": card.git_revision,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU",
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }
    return held


def _options(config: CompressionConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"training": {"preprocessing"}})


def _quantization(run: RunFolder) -> dict[str, Any] | None:
    if not run.quantization.is_file():
        return None
    log = QuantizationLog.from_json(run.quantization.read_bytes(), str(run.quantization))
    return log.model_dump(mode="json", exclude={"ranges", "lost"})


def _file(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    manifest = Artifact.from_json(beside.read_bytes(), str(beside))
    return {
        "role": manifest.role,
        "target": manifest.target,
        "file": manifest.file,
        "size_bytes": manifest.size_bytes,
        "costs": manifest.costs.model_dump(mode="json"),
        "test": None if manifest.test is None else _brief(manifest.test),
    }


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
