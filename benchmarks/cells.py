"""The cells of the compression tables: one model, compressed in one way, by one seed.

The tables' scripts list them, and ``published.py`` makes rows of them. The dense model of a beat
model's cell is the same seed's of ``baselines.py``, trained where it is not there. Those of a
record model take ten minutes each and differ by 0.002, so that its cells all start from the
package's weights. The seed decides all that compression draws. What a cell gave is kept in
``results/cells/CELL_SEED.json`` and is not computed again, so that a script can be killed, run in
slices (``--minutes 50``), on several machines, and restarted. Tables share cells::

    EDGEECG_DATA=../shared/data python benchmarks/table_v.py [--minutes 50] [--seeds 0,1,2]
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baselines import trained
from run_provenance import machine, versions

from edgeecg.compression import run_state, start
from edgeecg.compression.pipeline import Job, compress
from edgeecg.data import Dataset
from edgeecg.evaluation.inference import evaluate
from edgeecg.files import write_text
from edgeecg.models import architecture
from edgeecg.runs import RunFolder
from edgeecg.runs.options import Options
from edgeecg.schema import (
    Artifact,
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    ModelCard,
    QuantizationLog,
    Rollback,
    Scores,
)
from edgeecg.statistics.confusion import macro_f1, without_record
from edgeecg.training.start import load_records

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
        config = start.resumed(run.name, Options()).config
    else:
        asked: dict[str, Any] = {**cell.options, "model": cell.model, "seed": seed}
        if architecture(cell.model).TASK == "beats":
            asked["start"] = trained(cell.model, seed).name
        config = start.started(run.name, start.sorted_options(asked)).config
    dataset = load_records(config.training, architecture(cell.model))
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


def _say(step: CompressionStep) -> None:
    print(
        f"  {step.step}: proxy {step.proxy_executed:.3f}, parameters {step.parameters:,} "
        f"({step.nonzero_parameters:,} not 0), validation {step.val.headline[1]:.3f}, "
        f"{step.seconds:.0f} s",
        flush=True,
    )


def _score_step(job: Job, step: CompressionStep, notes: Path, dataset: Dataset) -> None:
    """Score the test records with the model of a step, which the checkpoint holds; keep it."""
    here = run_state.resumed(job)
    known: dict[str, Any] = json.loads(notes.read_text()) if notes.is_file() else {}
    if here is None or len(here.steps) != step.step or str(step.step) in known:
        return
    known[str(step.step)] = _brief(evaluate(here.model, dataset, "test"))
    write_text(notes, json.dumps(known))


def _exported(run: RunFolder, target: str) -> bool:
    return any(path.stem.endswith(f"compressed-{target}") for path in run.artifact_files())


def _export(run: RunFolder, targets: Sequence[str]) -> None:
    from edgeecg.exporters import export

    export(run.name, targets, on_left_out=lambda error: print(f"  left out: {error.what}"))


def _brief(scores: Scores) -> dict[str, Any]:
    found = scores.model_dump(mode="json", exclude={"records", "ec57"})
    rest = without_record(scores, "232")  # holds three quarters of DS2's S beats
    return found | {"macro_f1_without_232": None if rest is None else float(macro_f1(rest))}


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
        "machine": machine(),
        "versions": versions(PACKAGES),
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
