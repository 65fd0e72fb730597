"""Compresses models, and times their exported files.

A row ``what: model`` is one run by one seed; a row ``what: latency`` is one call of bench on all
files of that run. Runs with the same model and options are one run. A beat model starts from the
dense model of the same seed, which is trained where it is not there. Those of a record model take
ten minutes each and differ by 0.002, so that its runs all start from the package's weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.run import measure
from edgeecg.schema import Artifact, BenchResult

from ..compressed import Compression, compressed
from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = (
    "torch",
    "torch-pruning",
    "numpy",
    "scikit-learn",
    "litert-torch",
    "ai-edge-quantizer",
    "ai-edge-litert",
)


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each run and seed, and one for the times of its files."""
    for seed in experiment.seeds:
        for run in experiment.runs:
            if run.of is not None:
                continue
            each = Compression(run, seed, context.quick)
            key = {"cell": run.cell, "seed": seed}
            made = partial(_model, each)
            # What a finished run gave takes no time to gather.
            done, group = each.folder.finished, (each.model, seed)
            yield Task({"what": "model", **key}, made, quickly=done, group=group)
            if run.targets:
                yield Task({"what": "latency", **key}, partial(_timed, each))


def _model(each: Compression) -> list[dict[str, Any]]:
    return [compressed(each)]


def _timed(each: Compression) -> list[dict[str, Any]]:
    """Time all files of a run in one call of bench."""
    if not each.folder.finished:
        compressed(each)
    paths = each.folder.artifact_files()
    results = measure(paths, BenchConfig(suite="quick" if each.quick else "default")).results
    named = dict(zip(map(_name, paths), results, strict=True))
    dense = named["baseline-tflite"]
    return [{"files": {name: _row(result, dense) for name, result in named.items()}}]


def _name(path: Path) -> str:
    """Return the role and the target of an exported file, from the manifest beside it."""
    beside = path.with_suffix(".json")
    manifest = Artifact.from_file(beside)
    return f"{manifest.role}-{manifest.target}"


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
