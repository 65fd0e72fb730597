"""Scores from confusion matrices: row = true class, column = predicted class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeecg.schema import ClassScore, Scores

Matrix = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]

_HALF = 0.5
_FEWEST_RECORDS = 3


@dataclass(frozen=True)
class DominantRecord:
    """A record that holds more than half of a class's beats, and the scores without it.

    Attributes:
        class_name: The class.
        record: The record's name.
        rest: Scores of the class on all other records.
    """

    class_name: str
    record: str
    rest: ClassScore

    @property
    def key(self) -> str:
        """The key of these scores in a JSON document, e.g. ``"s_without_101"``."""
        return f"{self.class_name.lower()}_without_{self.record}"

    @property
    def label(self) -> str:
        """The name of these scores in a table, e.g. ``"S without record 101"``."""
        return f"{self.class_name} without record {self.record}"


def accuracy(matrices: Counts) -> npt.NDArray[np.float64]:
    """Return the fraction of beats on the diagonal.

    Args:
        matrices: ``(..., classes, classes)``.

    Returns:
        ``(...)``; 0 where there are no beats.
    """
    hits = np.trace(matrices, axis1=-2, axis2=-1)
    return hits / np.maximum(matrices.sum(axis=(-2, -1)), 1)


def f1(matrices: Counts) -> npt.NDArray[np.float64]:
    """Return F1 = 2 TP / (2 TP + FP + FN) of each class.

    Args:
        matrices: ``(..., classes, classes)``.

    Returns:
        ``(..., classes)``; 0 for a class with neither beats nor predictions, as in scikit-learn.
    """
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    sums = matrices.sum(axis=-1) + matrices.sum(axis=-2)
    return 2 * hits / np.maximum(sums, 1)


def macro_f1(matrices: Counts) -> npt.NDArray[np.float64]:
    """Return the unweighted mean of the classes' :func:`f1`, ``(...)``."""
    return f1(matrices).mean(axis=-1)


def recall(matrices: Counts) -> npt.NDArray[np.float64]:
    """Return the recall TP / (TP + FN) of each class.

    Args:
        matrices: ``(..., classes, classes)``.

    Returns:
        ``(..., classes)``; NaN for a class without beats.
    """
    hits, beats = np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(axis=-1)
    return np.where(beats > 0, hits / np.maximum(beats, 1), np.nan)


def precision(matrices: Counts) -> npt.NDArray[np.float64]:
    """Return the precision TP / (TP + FP) of each class.

    Args:
        matrices: ``(..., classes, classes)``.

    Returns:
        ``(..., classes)``; 0 for a class that was never predicted, as in scikit-learn.
    """
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    return hits / np.maximum(matrices.sum(axis=-2), 1)


def score_of_counts(hits: int, support: int, predicted: int) -> ClassScore:
    """Return Se, +P and F1 of one class; 0 where there is nothing to divide by.

    Args:
        hits: True positives.
        support: Beats of the class.
        predicted: Beats that were predicted to be of the class.
    """
    return ClassScore(
        recall=hits / max(support, 1),
        precision=hits / max(predicted, 1),
        f1=2 * hits / max(support + predicted, 1),
        support=support,
    )


def class_score(matrix: Matrix, index: int) -> ClassScore:
    """Return Se, +P and F1 of the class in row and column ``index``."""
    return score_of_counts(
        int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
    )


def stacked(scores: Scores, leave_out: str | None = None) -> Matrix:
    """Return the confusion matrix of each record, in alphabetical order of the records.

    Args:
        scores: Scores with a matrix for each record.
        leave_out: A record to leave out.

    Returns:
        ``(records, classes, classes)``.
    """
    classes = len(scores.confusion)
    kept = [scores.records[name] for name in sorted(scores.records) if name != leave_out]
    return np.asarray(kept, dtype=np.int64).reshape(len(kept), classes, classes)


def without_record(scores: Scores, record: str) -> Matrix | None:
    """Return the confusion matrix ``(classes, classes)`` of all records but one.

    Args:
        scores: Scores with a matrix for each record.
        record: The record to leave out.

    Returns:
        The sum of the other records' matrices, or None where the record is not among them.
    """
    return stacked(scores, record).sum(axis=0) if record in scores.records else None


def dominant_records(scores: Scores) -> tuple[DominantRecord, ...]:
    """Return, for each class that has one, the record with more than half of the class's beats.

    A score of such a class is mostly that of one patient, so it is also given without that record.
    With fewer than three records with beats of the class nearly always one holds more than half,
    which says nothing; such a class is left out.

    Args:
        scores: Scores with a matrix for each record; without them the result is empty.
    """
    if not scores.records:
        return ()
    matrices, records = stacked(scores), sorted(scores.records)
    found: list[DominantRecord] = []
    for index, name in enumerate(scores.per_class):
        beats = matrices[:, index].sum(axis=1)
        largest = int(beats.argmax())
        if (beats > 0).sum() < _FEWEST_RECORDS or beats[largest] <= _HALF * beats.sum():
            continue
        rest = matrices.sum(axis=0) - matrices[largest]
        found.append(DominantRecord(name, records[largest], class_score(rest, index)))
    return tuple(found)
