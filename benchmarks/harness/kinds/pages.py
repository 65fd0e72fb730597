"""Writes the pages of real runs: compress, export, bench and report, as a user would.

A run is compressed and exported once, in ``runs/page-MODEL``. With ``--again`` it is measured anew,
and its page is written. A row says what the page holds; the page itself is
``results/pages/MODEL.html``. Needs the records, and a machine that does nothing else.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import edgeecg
from edgeecg.errors import EdgeECGError
from edgeecg.files import sha256
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import BenchReport, BenchResult, ModelCard

from ..dense_models import toy_training
from ..experiment import Context, Experiment, Run
from ..tasks import Task

PACKAGES = ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "onnxruntime")


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each page."""
    suite: str = experiment.settings["suite"]
    for run in experiment.runs:
        yield Task({"model": run.model}, partial(_row, run, suite, context.quick))


def _row(run: Run, suite: str, quick: bool) -> list[dict[str, Any]]:
    folder = _made(run, quick)
    dense, compressed = map(ModelCard.from_file, (folder.baseline_card, folder.model_card))
    report = edgeecg.bench(folder.artifact_files(), suite=suite)
    # Where run.py keeps the results, in the checkout or in the folder of --quick.
    page = Path("results" if quick else "benchmarks/results") / "pages" / f"{run.model}.html"
    with _without_probes(folder):
        edgeecg.report(folder.name, html=page)
    return [
        {
            "page": f"pages/{page.name}",
            "page_bytes": page.stat().st_size,
            "page_sha256": sha256(page),
            "data": compressed.data.source,
            "score": compressed.test.headline[0],
            "before": dense.test.headline[1],
            "after": compressed.test.headline[1],
            "files": _files(report),
            "warnings": report.warnings,
            "runtime": sorted({result.runtime for result in report.results}),
        }
    ]


def _made(run: Run, quick: bool) -> RunFolder:
    """Return a run that is compressed and exported; what is there already is kept."""
    model = run.model or ""
    folder = RunFolder(Path(RUNS) / f"page-{model}")
    if not folder.finished:
        if folder.config.is_file():
            edgeecg.compress(name=folder.name, resume=True)
        else:
            toy = {"finetune_epochs": 1, "retries": 0, "budgets": ["energy=0.9"]}
            small: dict[str, Any] = {**run.options, **toy, **toy_training(model)}
            options: dict[str, Any] = small if quick else run.options
            edgeecg.compress(model, name=folder.name, **options)
    if not folder.artifact_files():
        edgeecg.export(folder.name, run.targets, on_left_out=_say)
    return folder


@contextmanager
def _without_probes(folder: RunFolder) -> Generator[None]:
    """Put the probe sets aside: they hold parts of records, which are not published here."""
    probes = list(folder.artifacts.glob("*.probe.npz"))
    for probe in probes:
        probe.rename(probe.with_suffix(".aside"))
    try:
        yield
    finally:
        for probe in probes:
            probe.with_suffix(".aside").rename(probe)


def _say(error: EdgeECGError) -> None:
    print(f"  left out: {error.what}", flush=True)


def _files(report: BenchReport) -> list[dict[str, Any]]:
    return [
        {
            "file": Path(each.artifact.file).name,
            "size_bytes": each.artifact.size_bytes,
            **_time(each),
        }
        for each in report.results
    ]


def _time(result: BenchResult) -> dict[str, Any]:
    return {
        "p50_s": result.latency.p50_s,
        "proxy_executed": result.proxy.executed,
        "energy_tier": result.energy.tier,
    }
