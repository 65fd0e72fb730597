"""Small runs from one dense model with an epoch of one batch, and scores set by the test."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from edgeecg.compression import steps
from edgeecg.compression.pipeline import Job
from edgeecg.data import Dataset
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import build, parameters
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Budget,
    CompressionConfig,
    Fidelity,
    FidelityShare,
    Guard,
    Scores,
    TrainingConfig,
)
from edgeecg.training.cards import make_card, save_model


class KilledError(Exception):
    """Stands for the process being killed."""


def dense_run(dataset: Dataset, folder: Path) -> RunFolder:
    """Write an untrained dense ``cnn1d`` as ``edgeecg train`` would."""
    run, config = RunFolder(folder), TrainingConfig(model="cnn1d")
    model = build("cnn1d").eval()
    card = make_card(model, "baseline", config, dataset, 1)
    save_model(model, card, run.baseline_weights, run.baseline_card)
    return run


def small_run(
    dataset: Dataset,
    start: RunFolder,
    folder: Path,
    budgets: tuple[str, ...] = (),
    guards: tuple[str, ...] = (),
    **changes: Any,
) -> Job:
    """Return a run that starts from ``start`` and fine-tunes for one batch per step."""
    training = TrainingConfig(model="cnn1d", epoch_windows=64, batch_size=64, seed=3)
    fields: dict[str, Any] = {"steps": 2, "finetune_epochs": 1, "sparsity": 0.6, **changes}
    config = CompressionConfig(
        training=training,
        start=str(start.path),
        budgets=tuple(map(Budget.parse, budgets)),
        guards=tuple(map(Guard.parse, guards)),
        **fields,
    )
    return Job(config, dataset, RunFolder(folder), "edgeecg compress")


def recall_falls_below(patch: pytest.MonkeyPatch, least: int) -> None:
    """Let the recall of S after a step be 0.9, and 0.1 for a model of fewer parameters."""

    def scored(model: nn.Module, dataset: Dataset, split: Any) -> Scores:
        found = evaluate(model, dataset, split)
        recall = 0.9 if parameters(model) >= least else 0.1
        s = found.per_class["S"].model_copy(update={"recall": recall})
        return found.model_copy(update={"per_class": {**found.per_class, "S": s}})

    patch.setattr(steps, "evaluate", scored)


def kill_at(job: Job, batch: int) -> Job:
    """Return the same run, killed after this many batches."""
    calls = 0

    def kill(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == batch:
            raise KilledError

    return replace(job, progress=kill)


def fill_disk_at(patch: pytest.MonkeyPatch, write: int) -> None:
    """Let the disk be full from this write on."""
    real, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    patch.setattr(os, "fsync", full)


def fidelity_to_dense(s: float | None, n: int = 50, worst: float = 0.9) -> Fidelity:
    """Return a fidelity of ``s`` on ``n`` windows of S, ``worst`` on record a, else 0.95."""
    share = FidelityShare(n=n, fidelity=s)
    of_all = FidelityShare(n=100, fidelity=0.95)
    records = {"a": FidelityShare(n=12, fidelity=worst), "b": of_all}
    classes = {"N": of_all, "S": share, "V": of_all}
    return Fidelity(split="train", overall=of_all, per_class=classes, per_record=records)
