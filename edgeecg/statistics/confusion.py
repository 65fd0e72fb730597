"""Scores redone from confusion matrices: one record left out, and the difference of two models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from edgeecg.schema import ClassScore, Scores

Matrix = npt.NDArray[np.int64]
_RESAMPLES = 2000
_FEWEST_RECORDS = 5


@dataclass(frozen=True)
class Change:
    """Difference of two scores on the same beats or records.

    Attributes:
        value: Second minus first.
        ci95: Paired bootstrap 95 % interval over records, or None.
        reason: Why there is no interval, or None.
    """

    value: float
    ci95: tuple[float, float] | None
    reason: str | None = None

    @property
    def tie(self) -> bool | None:
        """Whether the interval holds zero; None without an interval."""
        return None if self.ci95 is None else self.ci95[0] <= 0 <= self.ci95[1]


def without_record(scores: Scores, record: str) -> Matrix | None:
    """Return the confusion matrix, ``(classes, classes)``, with one record left out.

    Args:
        scores: Scores with a matrix for each record.
        record: The record to leave out.

    Returns:
        The sum of the other records' matrices, or None where the record is not among them.
    """
    if record not in scores.records:
        return None
    rest = [matrix for name, matrix in scores.records.items() if name != record]
    return np.asarray(rest, dtype=np.int64).reshape(len(rest), *_shape(scores)).sum(axis=0)


def recall(matrix: Matrix, index: int) -> float | None:
    """Return Se of one class: its rightly labelled beats over its beats; None without beats."""
    support = int(matrix[index].sum())
    return int(matrix[index, index]) / support if support else None


def class_score(matrix: Matrix, index: int) -> ClassScore:
    """Return Se, +P and F1 of one class; 0 where there is nothing to divide by."""
    hit, support = int(matrix[index, index]), int(matrix[index].sum())
    called = int(matrix[:, index].sum())
    return ClassScore(
        recall=hit / max(support, 1),
        precision=hit / max(called, 1),
        f1=2 * hit / max(support + called, 1),
        support=support,
    )


def macro_f1(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the unweighted mean of the classes' F1 = 2 TP / (2 TP + FP + FN).

    Args:
        matrices: ``(..., classes, classes)``, row = true class, column = predicted class.

    Returns:
        ``(...)``; a class with neither beats nor predictions counts as 0.
    """
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    sums = matrices.sum(axis=-1) + matrices.sum(axis=-2)
    return (2 * hits / np.maximum(sums, 1)).mean(axis=-1)


def macro_f1_change(before: Scores, after: Scores) -> Change:
    """Return how much macro-F1 changed, with a paired bootstrap interval over records.

    Whole records are drawn, for the beats of one patient are not independent, and the same draw
    serves both models, for both saw the same beats (percentile interval, Efron and Tibshirani
    1993).

    Args:
        before: Scores of the first model.
        after: Scores of the second model on the same records.

    Returns:
        The difference; without an interval where the two were not scored on the same beats.
    """
    value = after.macro_f1 - before.macro_f1
    if before.data != after.data or before.split != after.split or before.n != after.n:
        return Change(value, None, "The two were not scored on the same beats.")
    if before.records.keys() != after.records.keys():
        return Change(value, None, "The two were not scored on the same records.")
    if len(before.records) < _FEWEST_RECORDS:
        return Change(value, None, f"Fewer than {_FEWEST_RECORDS} records are too few to resample.")
    first, second = _stack(before), _stack(after)
    if not np.array_equal(first.sum(axis=-1), second.sum(axis=-1)):
        return Change(value, None, "The two were not scored on the same beats.")
    n = len(first)
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    drawn = macro_f1(np.tensordot(draws, second, 1)) - macro_f1(np.tensordot(draws, first, 1))
    low, high = cast("tuple[float, float]", np.quantile(drawn, [0.025, 0.975]).tolist())
    return Change(value, (low, high))


def macro_auroc_change(before: Scores, after: Scores) -> Change | None:
    """Return how much macro AUROC changed; None where one of the two has none.

    There is no interval: the scores keep no answer to a single record, so that no draw could serve
    both models.
    """
    if before.macro_auroc is None or after.macro_auroc is None:
        return None
    reason = "Answers to single records are not kept."
    return Change(after.macro_auroc - before.macro_auroc, None, reason)


def _stack(scores: Scores) -> npt.NDArray[np.float64]:
    ordered = [scores.records[name] for name in sorted(scores.records)]
    return np.asarray(ordered, dtype=np.float64).reshape(len(ordered), *_shape(scores))


def _shape(scores: Scores) -> tuple[int, int]:
    return len(scores.confusion), len(scores.confusion)
