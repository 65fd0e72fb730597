"""Scores of records that bear any number of classes, with intervals over patients."""

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

from edgeecg.schema import ClassScore, Interval

_RESAMPLES = 1000
_HALF = 0.5
_CHUNK = 100
_ZERO: Any = 0  # scikit-learn's own annotation forgets the number


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
class Found:
    """Scores of one split.

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
    """Choose for each class the probability from which on giving the class has the highest F1.

    Args:
        logits: Of the validation records, ``(n, classes)``.
        y: Nonzero where a record bears a class, ``(n, classes)``.

    Returns:
        Thresholds in 0..1, ``(classes,)``: probabilities that occurred, the highest where several
        are as good; 0.50 for a class that no record bears.
    """
    chosen: list[float] = []
    for p, truth in zip(probabilities(logits).T, y.astype(bool).T, strict=True):
        if not truth.any():
            chosen.append(_HALF)
            continue
        precision, recall, thresholds = precision_recall_curve(truth, p)
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        # The curve's last point (nothing given) has no threshold.
        rising = f1[:-1]
        chosen.append(float(thresholds[len(rising) - 1 - int(rising[::-1].argmax())]))
    return np.array(chosen)


def score(
    logits: NDArray[np.float32],
    y: NDArray[np.bool_],
    patient: NDArray[np.str_],
    thresholds: NDArray[np.float64] | None,
) -> Found:
    """Compare sigmoid probabilities with the classes that records bear.

    A class that no record bears, or every one, has no AUROC and is left out of the mean; so is,
    from a resample's means, a class without positives in that resample.

    Args:
        logits: ``(n, classes)``, finite.
        y: Which classes a record bears, ``(n, classes)``.
        patient: Whose record it is, ``(n,)``.
        thresholds: Probabilities chosen on validation, ``(classes,)``, or None.
    """
    p = probabilities(logits)
    halves = np.full(y.shape[1], _HALF)
    weights = _draws(patient)
    per_class = _per_class(logits, y, p, thresholds)
    auroc, auprc = _resampled_curves(logits, y, weights)
    correct = ((p >= _HALF) == y).all(axis=1)
    means: Means = {
        "accuracy": float(correct.mean()),
        "accuracy_ci95": _interval(weights @ correct / weights.sum(axis=1)),
        "macro_f1": float(np.mean([c.f1 for c in per_class])),
        "macro_f1_ci95": _interval(_resampled_f1(p >= halves, y, weights)),
        "macro_auroc": _mean([c.auroc for c in per_class]),
        "macro_auroc_ci95": _interval_or_none(auroc),
        "macro_auprc": _mean([c.auprc for c in per_class]),
        "macro_auprc_ci95": _interval_or_none(auprc),
        "macro_f1_at_threshold": None,
        "macro_f1_at_threshold_ci95": None,
    }
    if thresholds is not None:
        means["macro_f1_at_threshold"] = _mean([c.f1_at_threshold for c in per_class])
        means["macro_f1_at_threshold_ci95"] = _interval(_resampled_f1(p >= thresholds, y, weights))
    return Found(per_class, means)


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


def _draws(patient: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return how often each record is in each resample of patients, ``(resamples, n)``."""
    names, owner = np.unique(patient, return_inverse=True)
    count = len(names)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    return drawn[:, owner].astype(np.float64)


def _resampled_f1(
    given: NDArray[np.bool_], y: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the macro-F1 of every resample, ``(resamples,)``."""
    actual, called = weights @ y, weights @ given
    f1 = 2 * (weights @ (given & y)) / np.maximum(actual + called, 1)
    # A class that no record bears scores 0 everywhere, as in the point value.
    f1[(actual == 0) & y.any(axis=0)] = np.nan
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
            mine = weights[rows][:, order]
            auroc[rows, i], auprc[rows, i] = _weighted_areas(mine, truth, starts)
    return _mean_of_rows(auroc), _mean_of_rows(auprc)


def _weighted_areas(
    weights: NDArray[np.float64], truth: NDArray[np.bool_], starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AUROC and average precision of one class under each row of weights.

    Args:
        weights: Times each record counts, ``(resamples, n)``, records by falling score.
        truth: Which of them bear the class, ``(n,)``.
        starts: Where each run of equal scores begins.

    Returns:
        AUROC and average precision, ``(resamples,)`` each; NaN where a resample has no positives
        (AUROC: or no negatives).
    """
    hits = np.add.reduceat(weights * truth, starts, axis=1)
    misses = np.add.reduceat(weights * ~truth, starts, axis=1)
    hits_so_far, misses_so_far = hits.cumsum(axis=1), misses.cumsum(axis=1)
    positives, negatives = hits_so_far[:, -1], misses_so_far[:, -1]
    # A positive beats every negative that comes after it, and half of those it is level with.
    beaten = negatives[:, None] - misses_so_far + misses / 2
    precision = hits_so_far / np.maximum(hits_so_far + misses_so_far, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = (hits * beaten).sum(axis=1) / (positives * negatives)
        auprc = (hits * precision).sum(axis=1) / positives
    return auroc, auprc


def _mean_of_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row without its NaNs; NaN where there is nothing else."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _interval(values: NDArray[np.float64]) -> Interval:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _interval_or_none(values: NDArray[np.float64]) -> Interval | None:
    return None if np.isnan(values).all() else _interval(values)
