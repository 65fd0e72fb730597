"""Scores of logits against annotations, for beats and for 12-lead records.

Intervals are bootstrap 95 % intervals over patients, see :mod:`edgeecg.statistics.bootstrap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from edgeecg.data import Dataset, Windows
from edgeecg.errors import EdgeECGError, NotFiniteError
from edgeecg.evaluation import ec57, multilabel
from edgeecg.evaluation.batches import LogitsFunction
from edgeecg.schema import Ec57, Scores, Source, Split, Task
from edgeecg.statistics import bootstrap, confusion


@dataclass(frozen=True)
class Truth:
    """What logits are compared with.

    Attributes:
        windows: The windows that were classified, in the order of the logits.
        classes: Class names in the order of the logits.
        task: One class per window, or any number.
        split: Which split this is; ``"test"`` for records that were never part of a split.
        source: Where the records come from.
        outside: Beats that belong to none of the classes (``y`` is an index into
            ``beat_classes.OUTSIDE``), or None where they are not known.
    """

    windows: Windows
    classes: tuple[str, ...]
    task: Task
    split: Split
    source: Source
    outside: Windows | None = None

    @classmethod
    def of(cls, dataset: Dataset, split: Split) -> Self:
        """Return the truth of one split of a dataset."""
        return cls(
            dataset.split(split),
            dataset.summary.classes,
            dataset.task,
            split,
            dataset.summary.source,
            dataset.outside.get(split),
        )


def score(
    logits: NDArray[np.float32],
    dataset: Dataset,
    split: Split,
    *,
    thresholds: NDArray[np.float64] | None = None,
) -> Scores:
    """Score the logits of one split of a dataset; see :func:`score_truth`."""
    return score_truth(logits, Truth.of(dataset, split), thresholds=thresholds)


def score_predictor(
    predict: LogitsFunction,
    dataset: Dataset,
    split: Split,
    *,
    thresholds: NDArray[np.float64] | None = None,
) -> Scores:
    """Score anything that computes logits, a model or a file, on one split of a dataset.

    Args:
        predict: Computes the logits.
        dataset: Only ``split`` is used, and ``val`` where thresholds are to be chosen.
        split: Which split is scored.
        thresholds: Records only: thresholds chosen before; None to choose them on ``val`` here,
            if it is not empty.
    """
    truth = Truth.of(dataset, split)
    logits = predict(truth.windows.x)
    if truth.task == "records" and thresholds is None and len(dataset.val.y):
        val_logits = logits if split == "val" else predict(dataset.val.x)
        thresholds = multilabel.best_thresholds(val_logits, dataset.val.y)
    return score_truth(
        logits, truth, outside_logits=predict_outside(predict, truth), thresholds=thresholds
    )


def predict_outside(predict: LogitsFunction, truth: Truth) -> NDArray[np.float32] | None:
    """Return the logits of the beats outside the classes; None where they are not known."""
    if truth.task == "records" or truth.outside is None:
        return None
    if not len(truth.outside.y):
        return np.zeros((0, len(truth.classes)), np.float32)
    return predict(truth.outside.x)


def score_truth(
    logits: NDArray[np.float32],
    truth: Truth,
    *,
    outside_logits: NDArray[np.float32] | None = None,
    thresholds: NDArray[np.float64] | None = None,
) -> Scores:
    """Compare predictions with the annotated classes.

    Args:
        logits: ``(n, classes)``. Beats: the largest is the predicted class. Records: each class is
            predicted at a probability (sigmoid) of 0.50 and more.
        truth: What was classified, in the same order.
        outside_logits: Beats only: logits of ``truth.outside``, from which EC57 scores follow.
        thresholds: Records only: probabilities ``(classes,)`` chosen on validation; F1 is then
            computed at these thresholds, too, beside that at 0.50.

    Returns:
        Scores with bootstrap 95 % intervals over patients, or None for the intervals where there is
        one patient; for beats with one confusion matrix per record.

    Raises:
        EdgeECGError: There is nothing to score, the logits have another shape than the truth, or
            some are not finite.
    """
    if not len(truth.windows.y):
        raise EdgeECGError(
            "There is nothing to score.",
            "The split contains no window.",
            "Check that the records have annotations of the model's classes.",
        )
    _check(logits, (len(truth.windows.y), len(truth.classes)))
    if truth.task == "records":
        found = _records(logits, truth, thresholds)
    else:
        found = _beats(logits, truth, outside_logits)
    if len(np.unique(truth.windows.patient)) > 1:
        return found
    # Every resample is the same patient: its scores do not vary, which says nothing about others.
    intervals = [name for name in Scores.model_fields if name.endswith("_ci95")]
    return found.model_copy(update=dict.fromkeys(intervals))


def _check(logits: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if logits.shape != shape:
        raise EdgeECGError(
            "The model's outputs cannot be scored.",
            f"Their shape is {logits.shape}, and the annotations need {shape}.",
            "Choose records with the model's classes.",
        )
    if not np.isfinite(logits).all():
        raise NotFiniteError(
            "The model's outputs cannot be scored.",
            "Some are not finite numbers.",
            "Check the weights; train or export the model again.",
        )


def _records(
    logits: NDArray[np.float32], truth: Truth, thresholds: NDArray[np.float64] | None
) -> Scores:
    y = truth.windows.y.astype(bool)
    found = multilabel.score(logits, y, truth.windows.patient, thresholds)
    return Scores(
        data=truth.source,
        task="records",
        split=truth.split,
        n=len(y),
        per_class=dict(zip(truth.classes, found.per_class, strict=True)),
        records={},
        **found.means,
    )


def _beats(
    logits: NDArray[np.float32], truth: Truth, outside_logits: NDArray[np.float32] | None
) -> Scores:
    windows, names = truth.windows, truth.classes
    predicted = logits.argmax(axis=1)
    by_record = _grouped(windows.y, predicted, windows.record, len(names))
    by_patient = np.stack(
        list(_grouped(windows.y, predicted, windows.patient, len(names)).values())
    )
    whole = by_patient.sum(axis=0)
    resampled = np.tensordot(bootstrap.draw_counts(len(by_patient)), by_patient, 1)
    return Scores(
        data=truth.source,
        split=truth.split,
        n=int(whole.sum()),
        accuracy=float(confusion.accuracy(whole)),
        macro_f1=float(confusion.macro_f1(whole)),
        per_class={name: confusion.class_score(whole, i) for i, name in enumerate(names)},
        confusion=_rows(whole),
        records={name: _rows(matrix) for name, matrix in by_record.items()},
        ec57=None if outside_logits is None else _ec57(whole, truth, outside_logits),
        accuracy_ci95=bootstrap.interval(confusion.accuracy(resampled)),
        macro_f1_ci95=bootstrap.interval(confusion.macro_f1(resampled)),
    )


def _ec57(matrix: NDArray[np.int64], truth: Truth, outside_logits: NDArray[np.float32]) -> Ec57:
    if truth.outside is None:
        raise ValueError("outside_logits were given without truth.outside")
    groups = truth.outside.y.astype(np.int64)
    _check(outside_logits, (len(groups), len(truth.classes)))
    return ec57.score(matrix, groups, outside_logits.argmax(axis=1))


def _grouped(
    y: NDArray[np.generic], predicted: NDArray[np.int64], group: NDArray[np.str_], classes: int
) -> dict[str, NDArray[np.int64]]:
    """Return one confusion matrix per record or per patient, in alphabetical order."""
    labels = np.arange(classes)
    return {
        str(name): confusion_matrix(y[in_group], predicted[in_group], labels=labels)
        for name, in_group in ((name, group == name) for name in np.unique(group))
    }


def _rows(matrix: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(count) for count in row) for row in matrix)
