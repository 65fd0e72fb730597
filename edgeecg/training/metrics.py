"""Scores of beats: accuracy, macro-F1, per-class Se, +P and F1, and intervals over patients."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from edgeecg.data import Beats
from edgeecg.schema import ClassScore, Scores, Source

_RESAMPLES = 2000


def score(
    logits: NDArray[np.float32],
    beats: Beats,
    classes: tuple[str, ...],
    split: Literal["val", "test"],
    source: Source,
) -> Scores:
    """Compare predictions with the annotated classes.

    Args:
        logits: ``(beats, classes)``; the largest is the predicted class.
        beats: The split that was classified, in the same order.
        classes: Class names in the order of the logits.
        split: Which split this is.
        source: Where the records come from.

    Returns:
        Scores with one confusion matrix per record and bootstrap 95 % intervals over records
        (beats of one patient are not independent, so records are resampled, not beats).
    """
    predicted = logits.argmax(axis=1)
    labels = np.arange(len(classes))
    names = [str(name) for name in np.unique(beats.record)]
    matrices = np.stack(
        [
            confusion_matrix(beats.y[mine], predicted[mine], labels=labels)
            for mine in (beats.record == name for name in names)
        ]
    )
    whole = matrices.sum(axis=0)
    recall, precision, f1 = _per_class(whole)
    draws = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=_RESAMPLES
    )
    resampled = np.einsum("rn,nij->rij", draws, matrices)
    return Scores(
        data=source,
        split=split,
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
            for i, name in enumerate(classes)
        },
        confusion=_rows(whole),
        records={name: _rows(matrix) for name, matrix in zip(names, matrices, strict=True)},
        accuracy_ci95=_interval(_accuracy(resampled)),
        macro_f1_ci95=_interval(_per_class(resampled)[2].mean(axis=-1)),
    )


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
