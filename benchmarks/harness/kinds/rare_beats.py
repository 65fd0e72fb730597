"""Compresses models, and compares candidates for a signal on DS1 with the loss on DS2, every step.

After each step the model is compared with its dense model twice. On the records of DS1 that gives
the candidates: the fidelity under several augmentations, on the validation patients and between
patients, and what validation scores lost. On the test records it gives the loss. The compression
sees neither; its guards watch their own signal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeecg.compression.fidelity import Probe
from edgeecg.compression.pipeline import Job
from edgeecg.data import Dataset
from edgeecg.evaluation import fidelity, metrics
from edgeecg.evaluation.inference import predict
from edgeecg.models import load_with_card
from edgeecg.schema import Augmentation, Fidelity, ModelCard, Scores
from edgeecg.training.loop import training_data
from edgeecg.training.sampling import draw
from edgeecg.training.wide_windows import WIDE

from ..compressed import Compression, compressed
from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("torch", "numpy", "wfdb")

AUGMENTED: Mapping[str, Augmentation | None] = {
    "as in training": None,
    "plain": Augmentation(shift=0, wander=0.0, noise=0.0),
    "recorded noise": Augmentation(shift=4, wander=0.15, noise=0.05, recorded_noise=0.5),
    "wide": WIDE.model_copy(update={"signal_dropout": 0.5}),
}
"""Augmentations of training windows on which the fidelity is measured; None: the model's own."""

_BATCH = 256
_VALIDATION_WINDOWS = 4000


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each run and seed."""
    for seed in experiment.seeds:
        for run in experiment.runs:
            each = Compression(run, seed, context.quick)
            made = partial(_row, each)
            key = {"what": "model", "cell": run.cell, "seed": seed}
            yield Task(key, made, quickly=each.folder.finished)


def _row(each: Compression) -> list[dict[str, Any]]:
    return [compressed(each, Signals())]


class Signals:
    """What a step is compared by; the windows are prepared once for all steps of a run."""

    def __init__(self) -> None:
        """Prepare nothing yet."""
        self._card: ModelCard | None = None
        self._probes: dict[str, Probe] = {}

    def __call__(self, model: nn.Module, job: Job, dataset: Dataset) -> dict[str, Any]:
        """Return the candidates of a model, and what it loses on the test records.

        Args:
            model: The model of a step.
            job: Its run.
            dataset: The records of the run.

        Returns:
            ``signals`` and ``lost``; each value is 0 where the model is as the dense one, and
            grows with the difference.
        """
        if self._card is None:
            self._card, dense = load_with_card(job.run.baseline_weights, job.run.baseline_card)
            self._probes = probes(dense, dataset, self._card)
        logits = {name: predict(model, probe.x) for name, probe in self._probes.items()}
        found = {name: probe.compared(logits[name]) for name, probe in self._probes.items()}
        val = metrics.score(logits["validation"], dataset, "val")
        test = metrics.score(logits["test"], dataset, "test")
        on_test = found.pop("test")
        signals = {
            "macro-F1, validation": self._card.val.macro_f1 - val.macro_f1,
            "recall of S, validation": _recall(self._card.val) - _recall(val),
        }
        for name, each in found.items():
            signals |= lost(name, each)
        return {
            "signals": signals,
            "lost": {
                "macro-F1": self._card.test.macro_f1 - test.macro_f1,
                "recall of S": _recall(self._card.test) - _recall(test),
                "fidelity of S": 1 - (on_test.per_class["S"].fidelity or 0.0),
            },
            "recall": {name: each.recall for name, each in test.per_class.items()},
        }


def probes(dense: nn.Module, dataset: Dataset, card: ModelCard) -> dict[str, Probe]:
    """Return where models are compared, by name.

    Args:
        dense: The dense model.
        dataset: The records of the run.
        card: The dense model's card, with its augmentation.

    Returns:
        ``"test"``, and places without a window of a test record.
    """
    made = {split: Probe.of_split(dense, dataset, split) for split in ("val", "test")}
    found = {"validation": made["val"], "test": made["test"]}
    for name, sizes in AUGMENTED.items():
        of = sizes or card.training.augmentation
        found[name] = Probe.of_training(dense, dataset, card.training, of)
    found["between patients"] = _mixed(dense, found["as in training"])
    found["validation, wide"] = _changed(dense, dataset, card)
    return found


def _mixed(dense: nn.Module, of: Probe) -> Probe:
    """Return windows that are each the mean of two others: between the training patients."""
    other = np.random.default_rng(0).permutation(len(of.x))
    return _with_windows(dense, of, 0.5 * (of.x + of.x[other]), of.record)


def _changed(dense: nn.Module, dataset: Dataset, card: ModelCard) -> Probe:
    """Return windows of the validation patients, balanced and changed as :data:`WIDE` says."""
    windows, config = dataset.val, card.training
    chosen = np.sort(draw(windows, _VALIDATION_WINDOWS, np.random.default_rng(0)))
    wide = config.model_copy(update={"augmentation": WIDE})
    augment = training_data(dataset, wide).augment
    generator = torch.Generator().manual_seed(0)
    x = np.concatenate(
        [
            augment(torch.from_numpy(windows.x[chosen[at : at + _BATCH]]), generator).numpy()
            for at in range(0, len(chosen), _BATCH)
        ]
    )
    return _with_windows(dense, Probe.of_split(dense, dataset, "val"), x, windows.record[chosen])


def _with_windows(
    dense: nn.Module, like: Probe, x: NDArray[np.float32], record: NDArray[np.str_]
) -> Probe:
    decided = fidelity.decisions(predict(dense, x), like.task)
    return replace(like, x=x, record=record, dense=decided)


def _recall(scores: Scores) -> float:
    return scores.per_class["S"].recall


def lost(place: str, found: Fidelity) -> dict[str, float]:
    """Return one minus the fidelity of S, of the worst class, of all beats, of the worst record.

    Args:
        place: Where it was measured.
        found: The fidelity there.
    """
    worst = found.worst_record
    shares = {
        "S": found.per_class["S"].fidelity,
        "worst class": found.worst_class,
        "all beats": found.overall.fidelity,
        "worst record": None if worst is None else worst[1].fidelity,
    }
    return {
        f"fidelity, {place}, {name}": 1 - value
        for name, value in shares.items()
        if value is not None
    }
