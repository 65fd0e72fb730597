"""Takes the four lines of the README on real records: dense beside compressed beside int8.

Starts from the dense models of the same seeds; compresses, exports, benches and reports as a user
would, each seed in a run folder ``runs/whole-path-SEED``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import edgeecg
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import Artifact, BenchReport, BenchResult, CompressionLog, ModelCard

from ..compressed import EARLIER_DEFAULTS
from ..dense_models import toy_training, trained
from ..experiment import Context, Experiment
from ..tasks import Task

FILES = (("baseline", "tflite"), ("compressed", "tflite"), ("compressed", "tflite-int8"))
PACKAGES = ("torch", "torch-pruning", "litert-torch", "ai-edge-quantizer", "ai-edge-litert")


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each seed."""
    (run,) = experiment.runs
    for seed in experiment.seeds:
        made = partial(_row, run.model or run.label, seed, context.quick)
        yield Task({"model": run.model, "seed": seed}, made)


def _row(model: str, seed: int, quick: bool) -> list[dict[str, Any]]:
    run, report, seconds = _all_commands(model, seed, quick)
    log = CompressionLog.from_json(run.compression_log.read_bytes(), "compression.json")
    card = ModelCard.from_json(run.baseline_card.read_bytes(), "baseline.json")
    return [
        {
            "seconds": seconds,
            "baseline_epochs": card.epochs,
            "val_macro_f1": {
                "baseline": card.val.macro_f1,
                "compressed": log.steps[-1].val.macro_f1,
            },
            "files": [_file(run, result, report.results[0]) for result in report.results],
            "device": report.results[0].device.model_dump(mode="json"),
            "runtime": report.results[0].runtime,
            "config": log.config.model_dump(mode="json"),
            "data": log.data.model_dump(mode="json"),
        }
    ]


def _all_commands(
    model: str, seed: int, quick: bool
) -> tuple[RunFolder, BenchReport, dict[str, float]]:
    """Compress unless that is done, then export, bench and report; return the times, too."""
    run = RunFolder(Path(RUNS) / f"whole-path-{seed}")
    if not run.finished:
        dense = trained(model, seed, quick)
        if run.config.is_file():
            edgeecg.compress(name=run.name, resume=True)
        else:
            toy: dict[str, Any] = {"steps": 1, "finetune_epochs": 1, **toy_training(model)}
            chosen: dict[str, Any] = toy if quick else {"data": "mitdb"}
            options: dict[str, Any] = {**EARLIER_DEFAULTS, **chosen}
            edgeecg.compress(model, name=run.name, start=dense.name, **options)
    seconds = {"compress": _journal_seconds(run)}
    began = time.monotonic()
    edgeecg.export(run.name, list(dict.fromkeys(target for _, target in FILES)))
    seconds["export"] = round(time.monotonic() - began, 1)
    began = time.monotonic()
    files = [run.artifacts / f"{model}-{role}-{target}.tflite" for role, target in FILES]
    report = edgeecg.bench(files, suite="quick" if quick else "default")
    seconds["bench"] = round(time.monotonic() - began, 1)
    began = time.monotonic()
    edgeecg.report(run.name)
    seconds["report"] = round(time.monotonic() - began, 1)
    return run, report, seconds


def _journal_seconds(run: RunFolder) -> float:
    """Return the time from a run's first event to its last; a pause before a resume counts."""
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    first, last = (datetime.fromisoformat(events[i]["time"]) for i in (0, -1))
    return (last - first).total_seconds()


def _file(run: RunFolder, result: BenchResult, baseline: BenchResult) -> dict[str, Any]:
    """Return the figures of one file, from its manifest and its measurement."""
    stem = Path(result.artifact.file).stem
    path = run.artifacts / f"{stem}.json"
    manifest = Artifact.from_file(path)
    test = manifest.test
    if test is None:
        raise ValueError(f"{path} has no score")
    return {
        "role": manifest.role,
        "target": manifest.target,
        "parameters": manifest.parameters,
        "accuracy": test.accuracy,
        "macro_f1": test.macro_f1,
        "macro_f1_ci95": test.macro_f1_ci95,
        "recall": {name: score.recall for name, score in test.per_class.items()},
        "size_bytes": result.artifact.size_bytes,
        "proxy_ideal": result.proxy.ideal,
        "proxy_executed": result.proxy.executed,
        "macs": result.proxy.macs,
        "p50_s": result.latency.p50_s,
        "latency_ratio": result.latency.p50_s / baseline.latency.p50_s,
        "energy": result.energy.model_dump(mode="json"),
        "label_agreement": result.parity.label_agreement,
    }
