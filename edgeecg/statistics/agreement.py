"""How well a prediction agrees with what was measured: rank correlation, line and ratios."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.statistics import bootstrap

FEWEST_POINTS = 4
"""A rank correlation of fewer points is not given an interval."""

_FEWEST_GROUPS = 5


@dataclass(frozen=True)
class Line:
    """The line ``measured = factor * predicted ** exponent``, straight on logarithmic axes.

    Attributes:
        factor: What is measured where the prediction is 1.
        exponent: The slope on logarithmic axes; 1 where both grow alike.
    """

    factor: float
    exponent: float

    def at(self, predicted: float) -> float:
        """Return what the line gives for a prediction."""
        return self.factor * predicted**self.exponent


@dataclass(frozen=True)
class Agreement:
    """Agreement of a prediction with a measurement.

    Attributes:
        n: Number of points.
        spearman: Spearman's rank correlation; None for fewer than two points, or where all
            predictions or all measurements are equal.
        ci95: Bootstrap 95 % interval of it, or None.
        resampled: What was drawn for the interval: ``"groups"`` or ``"points"``; None without one.
        median_ratio: Median of measured over predicted.
        worst_ratio: The ratio that is furthest from 1, as a factor.
        worst: Index of its point.
        line: The least-squares line through the logarithms; None where it is not defined.
    """

    n: int
    spearman: float | None
    ci95: tuple[float, float] | None
    resampled: str | None
    median_ratio: float
    worst_ratio: float
    worst: int
    line: Line | None


def agreement(
    predicted: Sequence[float], measured: Sequence[float], groups: Sequence[Hashable]
) -> Agreement | None:
    """Return how well predictions agree with measurements.

    Points of one group, e.g. the files of one model, are not independent: they share a baseline.
    With five groups or more, whole groups are drawn with replacement for the interval; with fewer,
    single points are, and the interval is too narrow for another model.

    Args:
        predicted: The predictions, above zero.
        measured: The measured values, above zero.
        groups: The group of each point.

    Returns:
        The agreement; None without points.
    """
    x, y = (np.asarray(each, dtype=np.float64) for each in (predicted, measured))
    if not len(x):
        return None
    ratios = y / x
    worst = int(np.abs(np.log(ratios)).argmax())
    labels = list(dict.fromkeys(groups))
    grouped = len(labels) >= _FEWEST_GROUPS
    members = np.array([labels.index(each) for each in groups]) if grouped else np.arange(len(x))
    ci95 = _interval(x, y, members)
    return Agreement(
        n=len(x),
        spearman=spearman(x, y),
        ci95=ci95,
        resampled=None if ci95 is None else "groups" if grouped else "points",
        median_ratio=float(np.median(ratios)),
        worst_ratio=float(ratios[worst]),
        worst=worst,
        line=_line(x, y),
    )


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation: Pearson's correlation of the ranks.

    Equal values share the mean of their ranks (Kendall and Gibbons, Rank Correlation Methods,
    1990, chapter 3).

    Args:
        x: Values ``(points,)``.
        y: Values ``(points,)``.

    Returns:
        The correlation; None where all values of one are equal, which have no order.
    """
    first, second = (_ranks(each) for each in (x, y))
    first, second = first - first.mean(), second - second.mean()
    spread = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / spread if spread > 0 else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    # The mean rank of equal values lies in the middle of the places that they take.
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _interval(
    x: NDArray[np.float64], y: NDArray[np.float64], members: NDArray[np.int64]
) -> tuple[float, float] | None:
    """Return the percentile interval of the rank correlation over resampled groups."""
    if len(x) < FEWEST_POINTS or spearman(x, y) is None:
        return None
    points = np.arange(len(x))
    found: list[float] = []
    for drawn in bootstrap.draw_counts(int(members.max()) + 1):
        chosen = np.repeat(points, drawn[members])
        value = spearman(x[chosen], y[chosen])
        if value is not None:
            found.append(value)
    return bootstrap.interval(np.asarray(found))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> Line | None:
    across, up = np.log(x), np.log(y)
    centred = across - across.mean()
    spread = float(centred @ centred)
    # Predictions that differ by rounding alone have no slope.
    if spread <= len(x) * 1e-18:
        return None
    exponent = float(centred @ (up - up.mean())) / spread
    return Line(math.exp(float(up.mean()) - exponent * float(across.mean())), exponent)
