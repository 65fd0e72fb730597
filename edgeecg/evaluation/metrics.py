"""How well logits match the annotations: one way in for beats and for 12-lead records.

Intervals are bootstrap 95 % intervals over patients: beats and records of one patient are not
independent, so patients are resampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from edgeecg.data import Dataset, Windows
from edgeecg.errors import EdgeECGError
from edgeecg.evaluation import ec57, multilabel
from edgeecg.schema import ClassScore, Ec57, Scores, Source, Split, Task

Predictor = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Windows ``(n, leads, samples)`` -> logits ``(n, classes)``."""

_RESAMPLES = 2000


@dataclass(frozen=True)
class Truth:
    """What logits are compared with.

    Attributes:
        windows: The windows that were classified, in the order of the logits.
        classes: Class names in the order of the logits.
        task: One class per window, or any number.
        split: Which split this is; ``"test"`` for records that were never part of a split.
        source: Where the records come from.
        outside: Beats that belong to none of the classes (``y`` counts in ``aami.OUTSIDE``), or
            None where they are not at hand.
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
    outside_logits: NDArray[np.float32] | None = None,
    thresholds: NDArray[np.float64] | None = None,
) -> Scores:
    """Score the logits of one split of a dataset; see :func:`score_truth`."""
    truth = Truth.of(dataset, split)
    return score_truth(logits, truth, outside_logits=outside_logits, thresholds=thresholds)


def score_predictor(
    predict: Predictor,
    dataset: Dataset,
    split: Split,
    *,
    thresholds: NDArray[np.float64] | None = None,
) -> Scores:
    """Score whatever gives logits, a model or a file, on one split of a dataset.

    Args:
        predict: Gives the logits.
        dataset: Of it ``split`` alone is looked at, and ``val`` where thresholds are to be chosen.
        split: What to score.
        thresholds: Records only: chosen before; None to choose them on ``val`` here.
    """
    truth = Truth.of(dataset, split)
    logits = predict(truth.windows.x)
    if truth.task == "records" and thresholds is None:
        of_val = logits if split == "val" else predict(dataset.val.x)
        thresholds = multilabel.best_thresholds(of_val, dataset.val.y)
    return score_truth(
        logits, truth, outside_logits=predict_outside(predict, truth), thresholds=thresholds
    )


def predict_outside(predict: Predictor, truth: Truth) -> NDArray[np.float32] | None:
    """Return the logits of the beats outside the classes; None where they are not at hand."""
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
            given from a probability (sigmoid) of 0.50 on.
        truth: What was classified, in the same order.
        outside_logits: Beats only: logits of ``truth.outside``; EC57 figures are given with them.
        thresholds: Records only: probabilities ``(classes,)`` chosen on validation, for the F1 at
            thresholds beside that at 0.50.

    Returns:
        Scores with bootstrap 95 % intervals over patients; for beats with one confusion matrix
        per record.

    Raises:
        EdgeECGError: There is nothing to score, the logits have another shape than the truth, or
            some are not finite.
    """
    if not len(truth.windows.y):
        raise EdgeECGError(
            "There is nothing to score.",
            "The split holds no window.",
            "Check that the records have annotations of the model's classes.",
        )
    _check(logits, (len(truth.windows.y), len(truth.classes)))
    if truth.task == "records":
        return _records(logits, truth, thresholds)
    return _beats(logits, truth, outside_logits)


def _check(logits: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if logits.shape != shape:
        raise EdgeECGError(
            "The model's outputs cannot be scored.",
            f"Their shape is {logits.shape}, and the annotations need {shape}.",
            "Choose records whose classes are those of the model.",
        )
    if not np.isfinite(logits).all():
        raise EdgeECGError(
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
    by_record = _matrices(windows.y, predicted, windows.record, len(names))
    by_patient = np.stack(
        list(_matrices(windows.y, predicted, windows.patient, len(names)).values())
    )
    whole = by_patient.sum(axis=0)
    recall, precision, f1 = _per_class(whole)
    resampled = _resampled(by_patient)
    return Scores(
        data=truth.source,
        split=truth.split,
        n=int(whole.sum()),
        accuracy=float(_accuracy(whole)),
        macro_f1=float(f1.mean()),
        per_class={
            name: ClassScore(
                recall=float(recall[i]),
                precision=float(precision[i]),
                f1=float(f1[i]),
                support=int(whole[i].sum()),
            )
            for i, name in enumerate(names)
        },
        confusion=_rows(whole),
        records={name: _rows(matrix) for name, matrix in by_record.items()},
        ec57=None if outside_logits is None else _ec57(whole, truth, outside_logits),
        accuracy_ci95=_interval(_accuracy(resampled)),
        macro_f1_ci95=_interval(_per_class(resampled)[2].mean(axis=-1)),
    )


def _ec57(confusion: NDArray[np.int64], truth: Truth, outside_logits: NDArray[np.float32]) -> Ec57:
    assert truth.outside is not None, "logits of outside beats without the beats"
    groups = truth.outside.y.astype(np.int64)
    _check(outside_logits, (len(groups), len(truth.classes)))
    return ec57.score(confusion, groups, outside_logits.argmax(axis=1))


def _matrices(
    y: NDArray[np.generic], predicted: NDArray[np.int64], group: NDArray[np.str_], classes: int
) -> dict[str, NDArray[np.int64]]:
    """Return one confusion matrix per record or per patient, in alphabetical order."""
    labels = np.arange(classes)
    return {
        str(name): confusion_matrix(y[mine], predicted[mine], labels=labels)
        for name, mine in ((name, group == name) for name in np.unique(group))
    }


def _resampled(matrices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the confusion matrices of resampled patients, ``(resamples, classes, classes)``."""
    count = len(matrices)
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    return np.einsum("rn,nij->rij", draws, matrices)


def _accuracy(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.trace(matrix, axis1=-2, axis2=-1) / np.maximum(matrix.sum(axis=(-2, -1)), 1)


def _per_class(
    matrix: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return recall, precision and F1 of confusion matrices ``(..., classes, classes)``.

    A class without a single true or predicted beat scores 0, as scikit-learn does.
    """
    hit = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
    actual = matrix.sum(axis=-1)
    called = matrix.sum(axis=-2)
    return (
        hit / np.maximum(actual, 1),
        hit / np.maximum(called, 1),
        2 * hit / np.maximum(actual + called, 1),
    )


def _rows(matrix: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(count) for count in row) for row in matrix)


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
