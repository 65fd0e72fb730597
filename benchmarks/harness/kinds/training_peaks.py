"""Cross-validates which R peaks to train on, on DS1 patients alone.

Training cuts its windows around the annotated R peaks as they are, or moved by the rule that
detected peaks are moved by. Groups of patients and training are those of ``window_choice``. Each
model then classifies the patients that it has not seen around annotated peaks, moved ones, and
those that edgeecg's detector finds, as ``edgeecg classify`` does. No record of DS2 is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg.data.records.beat_classes import CLASSES
from edgeecg.data.sources.mitdb import DS1
from edgeecg.data.windows.annotated import BEATS
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.predictors import Predictor
from edgeecg.models import architecture
from edgeecg.models._recipes import BEATS as RECIPE
from edgeecg.statistics import confusion

from ..experiment import Context, Experiment
from ..tasks import Task
from .detection import ANNOTATIONS, detected, loaded, scored_on
from .window_choice import GROUPS, ds1, fitted

PACKAGES = ("torch", "numpy", "scipy", "wfdb")
MODEL = "cnn1d"
DETECTOR = "edgeecg"
SCORED = {
    "annotated": (ANNOTATIONS, False),
    "annotated, re-centred": (ANNOTATIONS, True),
    "detected": (DETECTOR, True),
}
"""What a model is scored on: who finds the R peaks, and whether they are moved."""


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each kind of training and seed, with a row for each kind of scoring."""
    for run in experiment.runs:
        for seed in experiment.seeds:
            made = partial(_rows, run.options["recentre_peaks"], seed, experiment.settings)
            key = {"trained_on": run.label, "seed": seed}
            yield Task(key, made, rows=len(SCORED), group=(run.label, seed))


def _rows(recentre_peaks: bool, seed: int, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Train without each group in turn, and score what is left out."""
    preprocessing = BEATS.model_copy(update={"recentre_peaks": recentre_peaks})
    config = RECIPE.model_copy(update={"model": MODEL, "seed": seed, **settings})
    whole = ds1(preprocessing)
    size = len(CLASSES) + 1
    totals: dict[str, NDArray[np.int64]] = {name: np.zeros((size, size), int) for name in SCORED}
    for names in GROUPS:
        predictor = _predictor(fitted(whole, names, config))
        records = {name: each for name, each in loaded(DS1).items() if name in names}
        for scored, (detector, moved) in SCORED.items():
            peaks, _ = detected(detector, moved, DS1)
            totals[scored] += scored_on(predictor, records, peaks)
    return [
        {
            "scored_on": scored,
            "confusion": matrix.tolist(),
            "per_class": {
                name: confusion.class_score(matrix, k).model_dump(mode="json")
                for k, name in enumerate(CLASSES)
            },
            "training": config.model_dump(mode="json", exclude={"seed"}),
        }
        for scored, matrix in totals.items()
    ]


def _predictor(model: nn.Module) -> Predictor:
    return Predictor(
        title=MODEL,
        kind="pytorch",
        model=MODEL,
        classes=CLASSES,
        task=architecture(MODEL).TASK,
        preprocessing=BEATS,
        class_map="aami",
        min_likelihood=0.0,
        test_scores=None,
        card=None,
        data=None,
        predict=partial(predict, model),
    )
