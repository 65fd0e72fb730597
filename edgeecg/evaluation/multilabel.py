"""Scores of records with any number of classes each, with bootstrap intervals over patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
)

from edgeecg.schema import ClassScore, Interval, Scores
from edgeecg.statistics import bootstrap

_RESAMPLES = 1000
_HALF = 0.5
_CHUNK = 100
_ZERO: Any = 0  # scikit-learn's type annotation leaves out numbers


class Means(TypedDict):
    """Means over the classes, under their names in ``Scores``."""

    accuracy: float
    accuracy_ci95: Interval
    macro_f1: float
    macro_f1_ci95: Interval
    macro_auroc: float | None
    macro_auroc_ci95: Interval | None
    macro_auprc: float | None
    macro_auprc_ci95: Interval | None
    macro_f1_at_threshold: float | None
    macro_f1_at_threshold_ci95: Interval | None


@dataclass(frozen=True)
class RecordScores:
    """Scores of the records of one split.

    Attributes:
        per_class: In the order of the logits.
        means: Accuracy and means over the classes, with intervals.
    """

    per_class: tuple[ClassScore, ...]
    means: Means


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sigmoid of logits, in double precision."""
    return expit(logits.astype(np.float64))


def best_thresholds(logits: NDArray[np.float32], y: NDArray[np.generic]) -> NDArray[np.float64]:
    """Choose for each class the probability threshold with the highest F1.

    Args:
        logits: Of the validation records, ``(n, classes)``.
        y: Nonzero where a record has the class, ``(n, classes)``.

    Returns:
        Thresholds in 0..1, ``(classes,)``: probabilities that occurred, the highest where several
        are equally good; 0.50 for a class that no record has.
    """
    chosen: list[float] = []
    for p, truth in zip(probabilities(logits).T, y.astype(bool).T, strict=True):
        if not truth.any():
            chosen.append(_HALF)
            continue
        precision, recall, thresholds = precision_recall_curve(truth, p)
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        # The curve's last point (nothing is predicted) has no threshold.
        from_highest = f1[:-1][::-1]
        chosen.append(float(thresholds[::-1][int(from_highest.argmax())]))
    return np.array(chosen)


def stored_thresholds(scores: Scores) -> NDArray[np.float64] | None:
    """Return the thresholds that scores were computed with, ``(classes,)``; None without them."""
    found = [each.threshold for each in scores.per_class.values()]
    known = [threshold for threshold in found if threshold is not None]
    return np.array(known) if known and len(known) == len(found) else None


def score(
    logits: NDArray[np.float32],
    y: NDArray[np.bool_],
    patient: NDArray[np.str_],
    thresholds: NDArray[np.float64] | None,
) -> RecordScores:
    """Compare sigmoid probabilities with the classes of the records.

    A class that no record has, or that all have, has no AUROC and is left out of the mean. A class
    without positives in a resample is left out of that resample's means.

    Args:
        logits: ``(n, classes)``, finite.
        y: Which classes each record has, ``(n, classes)``.
        patient: Patient of each record, ``(n,)``.
        thresholds: Probabilities chosen on validation, ``(classes,)``, or None.
    """
    p = probabilities(logits)
    weights = _weights(patient)
    per_class = _per_class(logits, y, p, thresholds)
    auroc, auprc = _resampled_curves(logits, y, weights)
    correct = ((p >= _HALF) == y).all(axis=1)
    means: Means = {
        "accuracy": float(correct.mean()),
        "accuracy_ci95": bootstrap.interval(weights @ correct / weights.sum(axis=1)),
        "macro_f1": float(np.mean([c.f1 for c in per_class])),
        "macro_f1_ci95": bootstrap.interval(_resampled_f1(p >= _HALF, y, weights)),
        "macro_auroc": _mean([c.auroc for c in per_class]),
        "macro_auroc_ci95": _interval_or_none(auroc),
        "macro_auprc": _mean([c.auprc for c in per_class]),
        "macro_auprc_ci95": _interval_or_none(auprc),
        "macro_f1_at_threshold": None,
        "macro_f1_at_threshold_ci95": None,
    }
    if thresholds is not None:
        means["macro_f1_at_threshold"] = _mean([c.f1_at_threshold for c in per_class])
        resampled = _resampled_f1(p >= thresholds, y, weights)
        means["macro_f1_at_threshold_ci95"] = bootstrap.interval(resampled)
    return RecordScores(per_class, means)


def _per_class(
    logits: NDArray[np.float32],
    y: NDArray[np.bool_],
    p: NDArray[np.float64],
    thresholds: NDArray[np.float64] | None,
) -> tuple[ClassScore, ...]:
    def at(limits: NDArray[np.float64] | float) -> list[NDArray[np.float64]]:
        found = precision_recall_fscore_support(y, p >= limits, average=None, zero_division=_ZERO)
        return [np.asarray(part, np.float64) for part in found]

    precision, recall, f1, support = at(_HALF)
    f1_at = None if thresholds is None else at(thresholds)[2]
    rows: list[ClassScore] = []
    for i in range(y.shape[1]):
        some, every = bool(y[:, i].any()), bool(y[:, i].all())
        rows.append(
            ClassScore(
                recall=float(recall[i]),
                precision=float(precision[i]),
                f1=float(f1[i]),
                support=int(support[i]),
                auroc=float(roc_auc_score(y[:, i], logits[:, i])) if some and not every else None,
                auprc=float(average_precision_score(y[:, i], logits[:, i])) if some else None,
                threshold=None if thresholds is None else float(thresholds[i]),
                f1_at_threshold=None if f1_at is None else float(f1_at[i]),
            )
        )
    return tuple(rows)


def _weights(patient: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return how often each record is in each resample of patients, ``(resamples, n)``."""
    names, index = np.unique(patient, return_inverse=True)
    return bootstrap.draw_counts(len(names), _RESAMPLES)[:, index].astype(np.float64)


def _resampled_f1(
    predicted: NDArray[np.bool_], y: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the macro-F1 of every resample, ``(resamples,)``."""
    support = weights @ y
    f1 = 2 * (weights @ (predicted & y)) / np.maximum(support + weights @ predicted, 1)
    # A class that no record has counts as 0 in every resample, as in the score itself.
    f1[(support == 0) & y.any(axis=0)] = np.nan
    return _mean_of_rows(f1)


def _resampled_curves(
    logits: NDArray[np.float32], y: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return macro AUROC and macro average precision of every resample, ``(resamples,)`` each."""
    auroc = np.empty((len(weights), y.shape[1]))
    auprc = np.empty_like(auroc)
    for i in range(y.shape[1]):
        order = np.argsort(-logits[:, i], kind="stable")
        ranked, truth = logits[order, i], y[order, i]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        for first in range(0, len(weights), _CHUNK):
            rows = slice(first, first + _CHUNK)
            ordered = weights[rows][:, order]
            auroc[rows, i], auprc[rows, i] = _weighted_areas(ordered, truth, starts)
    return _mean_of_rows(auroc), _mean_of_rows(auprc)


def _weighted_areas(
    weights: NDArray[np.float64], truth: NDArray[np.bool_], starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AUROC and average precision of one class under each row of weights.

    Args:
        weights: Times each record counts, ``(resamples, n)``, highest score first.
        truth: Which of them have the class, ``(n,)``.
        starts: Where each run of equal scores begins.

    Returns:
        AUROC and average precision, ``(resamples,)`` each; NaN where a resample has no positives
        (AUROC: or no negatives).
    """
    hits = np.add.reduceat(weights * truth, starts, axis=1)
    misses = np.add.reduceat(weights * ~truth, starts, axis=1)
    hits_so_far, misses_so_far = hits.cumsum(axis=1), misses.cumsum(axis=1)
    positives, negatives = hits_so_far[:, -1], misses_so_far[:, -1]
    # A positive ranks above every negative that comes after it; a tie counts one half.
    below = negatives[:, None] - misses_so_far + misses / 2
    precision = hits_so_far / np.maximum(hits_so_far + misses_so_far, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = (hits * below).sum(axis=1) / (positives * negatives)
        auprc = (hits * precision).sum(axis=1) / positives
    return auroc, auprc


def _mean_of_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row without its NaNs; NaN for a row of NaNs."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _interval_or_none(values: NDArray[np.float64]) -> Interval | None:
    return None if np.isnan(values).all() else bootstrap.interval(values)
