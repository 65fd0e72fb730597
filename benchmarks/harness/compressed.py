"""Compresses one model in one way by one seed, and gathers what that gave."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from edgeecg.compression import run_state, settings, start
from edgeecg.compression.pipeline import Job, compress
from edgeecg.data import Dataset
from edgeecg.evaluation.inference import evaluate
from edgeecg.files import write_text
from edgeecg.models import architecture
from edgeecg.runs import RUNS, RunFolder
from edgeecg.runs.options import Options
from edgeecg.schema import (
    Artifact,
    CompressionLog,
    CompressionStep,
    ModelCard,
    QuantizationLog,
    Rollback,
    Scores,
)
from edgeecg.statistics.confusion import macro_f1, without_record
from edgeecg.training.start import load_records

from . import earlier
from .dense_models import toy_training, trained
from .experiment import Run

EARLIER_DEFAULTS: dict[str, Any] = {
    "class_weight": "none",
    "default_guards": False,
    **earlier.FINE_TUNING,
}
"""The stored rows were computed so, whatever the defaults are now; a run's own options override."""

_TOY_SHARE = 0.9
"""What a budget leaves at toy size, so that one step is enough."""


StepScore = Callable[[nn.Module, Job, Dataset], dict[str, Any]]
"""(model of a step, its run, the records) -> what is kept of the step."""


@dataclass(frozen=True)
class Compression:
    """One run of an experiment, by one seed.

    Attributes:
        run: Model, options and targets.
        seed: Decides all that compression draws.
        quick: Compress at toy size.
    """

    run: Run
    seed: int
    quick: bool = False

    @property
    def model(self) -> str:
        """The architecture."""
        return self.run.model or ""

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder(Path(RUNS) / f"{self.run.cell}_{self.seed}")


def compressed(each: Compression, score: StepScore | None = None) -> dict[str, Any]:
    """Compress, or go on with it if it was begun; export if asked to; return what it gave.

    Args:
        each: The run and its seed.
        score: Scores the model of every step; None: the test records, if the run asks for it.
    """
    folder = each.folder
    if not folder.finished:
        _compress(each, score or (_test_scores if each.run.score_each_step else None))
    made = [target for target in each.run.targets if not _exported(folder, target)]
    if made:
        _export(folder, made)
    return _gathered(each)


def _compress(each: Compression, score: StepScore | None) -> None:
    """Run what ``edgeecg compress`` runs; score the steps on the way if asked to."""
    folder = each.folder
    if folder.config.is_file():
        config = start.resumed(folder.name, Options()).config
    else:
        asked: dict[str, Any] = {
            **EARLIER_DEFAULTS,
            **each.run.options,
            "model": each.model,
            "seed": each.seed,
        }
        if architecture(each.model).TASK == "beats" and each.run.dense == "own":
            asked["start"] = trained(each.model, each.seed, each.quick).name
        if each.quick:
            asked |= _toy_options(each)
        config = start.started(folder.name, settings.sorted_options(asked)).config
    dataset = load_records(config.training, architecture(each.model))

    def after_step(event: CompressionStep | Rollback) -> None:
        if isinstance(event, Rollback):
            return
        _say(event)
        if score is not None:
            _score_step(job, event, dataset, score)

    job = Job(
        config,
        dataset,
        folder,
        f"benchmarks: {each.run.cell}, seed {each.seed}",
        on_step=after_step,
    )
    with _pruner(each):
        compress(job)


def _toy_options(each: Compression) -> dict[str, Any]:
    """Return the options of a compression at toy size: one step, one epoch."""
    budgets = each.run.options.get("budgets")
    if budgets is None:
        few: dict[str, Any] = {"steps": 1}
    else:
        few = {"budgets": [f"{asked.partition('=')[0]}={_TOY_SHARE}" for asked in budgets]}
    return {
        **few,
        "finetune_epochs": 1,
        "finetune_last_epochs": 1,
        "retries": 0,
        **toy_training(each.model),
    }


def _pruner(each: Compression) -> contextlib.AbstractContextManager[None]:
    """Return what puts the run's pruner in place."""
    if each.run.pruner == "edgeecg":
        return contextlib.nullcontext()
    from .torch_pruning_magnitude import in_place

    return in_place()


def _say(step: CompressionStep) -> None:
    print(
        f"  {step.step}: proxy {step.proxy_executed:.3f}, parameters {step.parameters:,} "
        f"({step.nonzero_parameters:,} not 0), validation {step.val.headline[1]:.3f}, "
        f"{step.seconds:.0f} s",
        flush=True,
    )


def _notes(folder: RunFolder) -> Path:
    return folder.path / "test_steps.json"


def _score_step(job: Job, step: CompressionStep, dataset: Dataset, score: StepScore) -> None:
    """Score the model of a step; no decision is taken on what is found."""
    notes = _notes(job.run)
    state = run_state.resumed(job)
    known: dict[str, Any] = json.loads(notes.read_text()) if notes.is_file() else {}
    if state is None or len(state.steps) != step.step or str(step.step) in known:
        return
    known[str(step.step)] = score(state.model, job, dataset)
    write_text(notes, json.dumps(known))


def _test_scores(model: nn.Module, job: Job, dataset: Dataset) -> dict[str, Any]:
    del job
    return _brief(evaluate(model, dataset, "test"))


def _exported(run: RunFolder, target: str) -> bool:
    return any(path.stem.endswith(f"compressed-{target}") for path in run.artifact_files())


def _export(run: RunFolder, targets: Sequence[str]) -> None:
    from edgeecg.exporters import export

    export(run.name, targets, on_left_out=lambda error: print(f"  left out: {error.what}"))


def _brief(scores: Scores) -> dict[str, Any]:
    found = scores.model_dump(mode="json", exclude={"records", "ec57"})
    rest = without_record(scores, "232")  # holds three quarters of DS2's S beats
    return found | {"macro_f1_without_232": None if rest is None else float(macro_f1(rest))}


def _gathered(each: Compression) -> dict[str, Any]:
    """Return everything worth keeping of a finished run."""
    run = each.folder
    log = CompressionLog.from_file(run.compression_log)
    dense = ModelCard.from_file(run.baseline_card)
    card = ModelCard.from_file(run.model_card)
    notes = _notes(run)
    return {
        "pruner": each.run.pruner,
        "config": log.config.model_dump(mode="json", exclude={"training": {"preprocessing"}}),
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
        "fidelity": _fidelity(log),
        "test_of_steps": json.loads(notes.read_text()) if notes.is_file() else None,
        "quantization": _quantization(run),
        "files": [_file(path) for path in run.artifact_files()],
        # The process that compressed may be another one than that which gathered this.
        "compressed_by": card.git_revision,
    }


def _fidelity(log: CompressionLog) -> dict[str, Any]:
    """Return the share of test windows on which the finished model decides as the dense one."""
    return log.fidelity["test"].model_dump(mode="json", include={"overall", "per_class"})


def _quantization(run: RunFolder) -> dict[str, Any] | None:
    if not run.quantization.is_file():
        return None
    log = QuantizationLog.from_file(run.quantization)
    return log.model_dump(mode="json", exclude={"ranges", "lost"})


def _file(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    manifest = Artifact.from_file(beside)
    return {
        "role": manifest.role,
        "target": manifest.target,
        "file": manifest.file,
        "size_bytes": manifest.size_bytes,
        "costs": manifest.costs.model_dump(mode="json"),
        "test": None if manifest.test is None else _brief(manifest.test),
    }
