"""Signals on DS1 and losses on DS2 of every step of the runs of one experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.statistics import bootstrap
from edgeecg.statistics.agreement import spearman

from .results import Results
from .statistics_of_seeds import Spread, spread

LOSSES = ("recall of S", "macro-F1", "fidelity of S")
"""What a model can lose on the test records."""

_FEWEST_RUNS = 3
_NEAR = math.log(1.25)


@dataclass(frozen=True)
class Point:
    """A model: one step of one run.

    Attributes:
        label: The run.
        model: The architecture.
        seed: Its seed.
        proxy: Its executed proxy, relative to the dense model.
        signals: By name, what it lost on DS1.
        lost: By name, what it lost on DS2.
    """

    label: str
    model: str
    seed: int
    proxy: float
    signals: Mapping[str, float]
    lost: Mapping[str, float]


@dataclass(frozen=True)
class Correlation:
    """How well a signal orders the models by what they lose.

    Attributes:
        signal: Its name.
        rho: Spearman's rank correlation.
        ci95: Its interval by a bootstrap over runs, since the steps of a run are not independent;
            None with fewer than three runs.
    """

    signal: str
    rho: float
    ci95: tuple[float, float] | None


def points(results: Results) -> list[Point]:
    """Return the models of all runs; those of runs without all of their seeds, too.

    Steps that were not scored are left out.
    """
    found: list[Point] = []
    for run in results.experiment.runs:
        for seed in results.experiment.seeds:
            row = results.last(what="model", cell=run.cell, seed=seed)
            if row is None:
                continue
            for step in row["steps"]:
                scored = row["test_of_steps"].get(str(step["step"]))
                if scored is None:
                    continue
                found.append(
                    Point(
                        run.label,
                        run.model or "",
                        seed,
                        step["proxy_executed"],
                        scored["signals"],
                        scored["lost"],
                    )
                )
    return found


def correlations(found: Sequence[Point], loss: str) -> list[Correlation]:
    """Return the rank correlation of every signal with a loss, the highest first.

    Args:
        found: The models.
        loss: One of :data:`LOSSES`.
    """
    runs = list(dict.fromkeys((point.label, point.seed) for point in found))
    members = np.array([runs.index((point.label, point.seed)) for point in found])
    measured = np.array([point.lost[loss] for point in found])
    names = set.intersection(*(set(point.signals) for point in found)) if found else set[str]()
    made: list[Correlation] = []
    for name in sorted(names):
        signal = np.array([point.signals[name] for point in found])
        rho = spearman(signal, measured)
        if rho is not None:
            made.append(Correlation(name, rho, _interval(signal, measured, members)))
    return sorted(made, key=lambda each: -each.rho)


def _interval(
    signal: NDArray[np.float64], measured: NDArray[np.float64], members: NDArray[np.int64]
) -> tuple[float, float] | None:
    groups = int(members.max()) + 1
    if groups < _FEWEST_RUNS:
        return None
    values = resampled(signal, measured, bootstrap.draw_counts(groups)[:, members])
    return bootstrap.interval(values)


def resampled(
    x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return Spearman's rank correlation of every resample.

    A point that is drawn k times counts as k equal points, which share the mean of their ranks.

    Args:
        x: Values ``(points,)``.
        y: Values ``(points,)``.
        counts: How often each point is drawn, ``(resamples, points)``.

    Returns:
        ``(resamples,)``; NaN where all drawn values of one are equal.
    """
    weights = counts.astype(np.float64)
    first, second = (_centred_ranks(each, weights) for each in (x, y))

    def product(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return (weights * a * b).sum(axis=1)

    spread_of_both = np.sqrt(product(first, first) * product(second, second))
    undefined = spread_of_both <= 0
    values = product(first, second) / np.where(undefined, 1.0, spread_of_both)
    return np.where(undefined, np.nan, values)


def _centred_ranks(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rank of every point in every resample, minus the mean rank."""
    below = (values[None, :] < values[:, None]) + 0.5 * (values[None, :] == values[:, None])
    ranks = weights @ below.T
    total = weights.sum(axis=1, keepdims=True)
    return ranks - (weights * ranks).sum(axis=1, keepdims=True) / total


def nearest(found: Sequence[Point], label: str, budget: float) -> list[Point]:
    """Return the model of each seed of a run that is nearest to a budget, in order of the seeds.

    Near is meant on a logarithmic scale, within a quarter; other models do not stand for a budget.

    Args:
        found: The models.
        label: The run.
        budget: Executed proxy, relative to the dense model.
    """
    of_run = [point for point in found if point.label == label]
    chosen: list[Point] = []
    for seed in sorted({point.seed for point in of_run}):
        best = min(
            (point for point in of_run if point.seed == seed),
            key=lambda point: abs(math.log(point.proxy / budget)),
        )
        if abs(math.log(best.proxy / budget)) <= _NEAR:
            chosen.append(best)
    return chosen


def lost(chosen: Sequence[Point], loss: str) -> Spread:
    """Return mean and deviation over seeds of what models lose on DS2."""
    return spread([point.lost[loss] for point in chosen])


def lost_more(chosen: Sequence[Point], others: Sequence[Point], loss: str) -> Spread | None:
    """Return by how much more models lose on DS2 than others of the same seeds.

    Args:
        chosen: The models.
        others: What each is compared with, seed by seed.
        loss: One of :data:`LOSSES`.

    Returns:
        Mean and deviation of the differences; None where they share no seed.
    """
    reference = {point.seed: point.lost[loss] for point in others}
    differences = [
        point.lost[loss] - reference[point.seed] for point in chosen if point.seed in reference
    ]
    return spread(differences) if differences else None


def signal(chosen: Sequence[Point], name: str) -> Spread | None:
    """Return mean and deviation over seeds of a signal on DS1; None where it is not known."""
    known = [point.signals[name] for point in chosen if name in point.signals]
    return spread(known) if known else None


def seeds_in_rows(results: Results) -> list[dict[str, Any]]:
    """Return the rows behind the models, for their provenance."""
    cells = {run.cell for run in results.experiment.runs}
    return [row for row in results.newest("what", "cell", "seed") if row["cell"] in cells]
