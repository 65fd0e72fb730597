"""The quantities of two results, and how much each differs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.reporting import comparable, intervals
from edgeecg.reporting.difference_rows import QuantityChange, Verdict
from edgeecg.reporting.subjects import Subject
from edgeecg.schema import BenchResult, Energy, Scores
from edgeecg.statistics import changes, confusion

SCORES = ("macro_f1", "accuracy", "macro_auroc", "macro_auprc")
"""Scores over all classes."""

CLASS_SCORES = ("recall", "precision", "auroc")
"""Scores of a class; ``recall.S`` is that of class S."""

COSTS = (
    *("size", "parameters", "macs", "proxy_executed", "proxy_ideal"),
    *("p50", "energy", "instructions"),
)
"""What an inference or a file costs; less is better."""

_ROUNDING = 1e-6

_PAIRED_SCORES = "scores: paired bootstrap over records, 2000 resamples, percentile interval"
_PAIRED_ROUNDS = (
    "p50: timed in turn in one call; Student's t over the differences of the log medians of five "
    "rounds, and 40 ns from load to load"
)
_SEPARATE_ROUNDS = (
    "p50: timed in separate calls; Welch's t over the log medians of five rounds each, widened for "
    "a median that varies by {:.0%} from call to call and 40 ns from load to load (standard "
    "deviations)"
)
_ENERGY = "energy: from the 95 % intervals of both energies (Zou and Donner, 2008)"
_COUNTS = "instructions: two counts of one file agree within 0.5 %"


_Values = tuple[float | None, float | None]
_Interval = tuple[tuple[float, float] | None, str | None]


@dataclass(frozen=True)
class _Quantity:
    """One quantity of both results, before they are compared.

    Attributes:
        name: Its name.
        unit: Its unit.
        values: The value of the reference and that of the other; None for what is missing.
        reason: Why a value is None, or None.
        refused: Why the two may not be compared, or None.
    """

    name: str
    unit: str
    values: _Values
    reason: str | None = None
    refused: str | None = None


def changes_of(before: Subject, after: Subject, force: bool) -> tuple[QuantityChange, ...]:
    """Return how much each quantity changed that at least one of two results has.

    Args:
        before: The reference.
        after: The other result.
        force: Compare what may not be compared, too, and say so.
    """
    found = [
        *_scores(before, after, force),
        *_counted(before, after, force),
        _latency(before, after, force),
        _energy(before, after, force),
        _instructions(before, after, force),
    ]
    return tuple(each for each in found if each is not None)


def _scores(before: Subject, after: Subject, force: bool) -> list[QuantityChange]:
    refused = comparable.scores(before, after)
    first, second = (each.scores for each in (before, after))
    found: list[QuantityChange] = []
    for name in _score_names(first, second):
        values = _score(first, name), _score(second, name)
        if values == (None, None):
            continue
        quantity = _Quantity(name, "score", values, _why_absent("tested", values), refused)
        change = None
        if first is not None and second is not None and None not in values:
            change = functools.partial(_score_interval, first, second, name)
        found.append(_change(quantity, force, change, _PAIRED_SCORES, higher_is_better=True))
    return found


def _score_names(*scores: Scores | None) -> list[str]:
    classes = list(dict.fromkeys(name for each in scores if each for name in each.per_class))
    return [*SCORES, *(f"{kind}.{name}" for kind in CLASS_SCORES for name in classes)]


def _score(scores: Scores | None, name: str) -> float | None:
    if scores is None:
        return None
    kind, _, class_name = name.partition(".")
    if not class_name:
        return getattr(scores, kind)
    found = scores.per_class.get(class_name)
    return None if found is None else getattr(found, kind)


def _score_interval(before: Scores, after: Scores, name: str) -> _Interval:
    statistic = _statistic(before, name)
    if statistic is None:
        return None, "The scores do not contain the outputs for single records."
    if not all(_consistent(each, name, statistic) for each in (before, after)):
        return None, "The score is not that of the records' confusion matrices."
    # Only the interval is used: the values are those of the documents.
    found = changes.score_change(before, after, 0.0, statistic)
    return found.ci95, found.reason


def _consistent(
    scores: Scores,
    name: str,
    statistic: Callable[[confusion.Counts], NDArray[np.float64]],
) -> bool:
    """Return whether a score is that of the matrices that its interval is computed from."""
    if not scores.records:
        return True
    counted = np.nan_to_num(statistic(confusion.stacked(scores).sum(axis=0)))
    return abs(float(counted) - (_score(scores, name) or 0.0)) <= _ROUNDING


def _statistic(
    scores: Scores, name: str
) -> Callable[[confusion.Counts], NDArray[np.float64]] | None:
    kind, _, class_name = name.partition(".")
    whole = {"macro_f1": confusion.macro_f1, "accuracy": confusion.accuracy}
    if not class_name:
        return whole.get(kind)
    by_class = {"recall": confusion.recall, "precision": confusion.precision}.get(kind)
    if by_class is None:
        return None
    index = list(scores.per_class).index(class_name)
    return lambda matrices: by_class(matrices)[..., index]


def _counted(before: Subject, after: Subject, force: bool) -> list[QuantityChange]:
    """Return the quantities without an uncertainty: size, parameters, MACs and proxies."""
    refused = comparable.proxies(before, after)
    one, other = before.proxy, after.proxy
    why = next((each.reason for each in (one, other) if each and each.reason), None)
    executed = one and one.executed, other and other.executed
    ideal = one and one.ideal, other and other.ideal
    quantities = [
        _Quantity("size", "B", (before.size_bytes, after.size_bytes)),
        _Quantity("parameters", "parameters", (before.parameters, after.parameters)),
        _Quantity("macs", "MACs", (before.macs, after.macs), why),
        _Quantity("proxy_executed", "proxy", executed, why, refused),
        _Quantity("proxy_ideal", "proxy", ideal, why, refused),
    ]
    return [_change(each, force, None, None) for each in quantities if each.values != (None, None)]


def _latency(before: Subject, after: Subject, force: bool) -> QuantityChange | None:
    first, second = before.result, after.result
    if first is None and second is None:
        return None
    values = first and first.latency.p50_s, second and second.latency.p50_s
    quantity = _Quantity(
        "p50", "s", values, _why_absent("measured", values), comparable.latency(before, after)
    )
    if first is None or second is None:
        return _change(quantity, force, None, None)
    together = (
        before.report is not None
        and after.report is not None
        and before.report.same_call(after.report)
        and before.host == after.host
    )
    spread = None if together else _call_spread(first, second)
    one, other = first.latency, second.latency

    def interval() -> _Interval:
        ratio = other.p50_s / one.p50_s if one.p50_s else 0.0
        found = intervals.latency_ratio(one.samples_s, other.samples_s, ratio, spread)
        reason = "There are too few timed runs for an interval, or a median is zero."
        return found, None if found else reason

    basis = _PAIRED_ROUNDS if spread is None else _SEPARATE_ROUNDS.format(spread)
    return _change(quantity, force, interval, basis)


def _call_spread(*results: BenchResult) -> float:
    """Return how much a median is taken to vary from call to call; more on a busy machine."""
    loads = [
        (state.load or 0.0) / max(each.device.cores, 1)
        for each in results
        for state in (each.device.before, each.device.after)
    ]
    return intervals.BUSY_SPREAD if max(loads) > 1 else intervals.QUIET_SPREAD


def _energy(before: Subject, after: Subject, force: bool) -> QuantityChange | None:
    first = before.result and before.result.energy
    second = after.result and after.result.energy
    if first is None and second is None:
        return None
    values = _net(first), _net(second)
    if first is None or second is None or None in values:
        reason = " ".join(
            f"{source}: {_tier(energy)}"
            for source, energy in (("A", first), ("B", second))
            if _net(energy) is None
        )
        return _change(_Quantity("energy", "J", values, reason), force, None, None)
    quantity = _Quantity("energy", "J", values, None, comparable.energy(before, after))

    def interval() -> _Interval:
        found = intervals.energy_ratio(first, second)
        return found, None if found else "An energy has no interval."

    return _change(quantity, force, interval, _ENERGY)


def _net(energy: Energy | None) -> float | None:
    return energy.net_j if energy is not None and energy.tier == "measured" else None


def _tier(energy: Energy | None) -> str:
    return "not measured." if energy is None else f"{energy.tier}. {energy.reason}"


def _instructions(before: Subject, after: Subject, force: bool) -> QuantityChange | None:
    first, second = before.counted, after.counted
    if first is None and second is None:
        return None
    values = (
        first and first.instructions.per_inference,
        second and second.instructions.per_inference,
    )
    refused = comparable.instructions(before, after)
    quantity = _Quantity(
        "instructions", "instructions", values, _why_absent("counted", values), refused
    )
    if first is None or second is None:
        return _change(quantity, force, None, None)
    ratio = second.instructions.per_inference / first.instructions.per_inference
    return _change(quantity, force, lambda: (intervals.count_ratio(ratio), None), _COUNTS)


def _why_absent(what: str, values: _Values) -> str | None:
    """Return which of two values is missing, or None where both are there."""
    missing = [name for name, value in zip(("A", "B"), values, strict=True) if value is None]
    return f"{' and '.join(missing)} not {what}." if missing else None


def _change(
    quantity: _Quantity,
    force: bool,
    interval: Callable[[], _Interval] | None,
    basis: str | None,
    higher_is_better: bool = False,
) -> QuantityChange:
    """Compare one quantity.

    Args:
        quantity: Its values.
        force: Compare values that may not be compared, too.
        interval: Returns the interval of the change and why there is none; None for a quantity
            without an uncertainty.
        basis: How the interval is made.
        higher_is_better: Whether a higher value is a better one.
    """
    before, after = quantity.values
    made = functools.partial(
        QuantityChange, quantity=quantity.name, unit=quantity.unit, before=before, after=after
    )
    if before is None or after is None:
        reason = quantity.reason or "One of the two does not have it."
        return made(verdict="not compared", reason=reason)
    if quantity.refused is not None and not force:
        return made(verdict="not compared", reason=quantity.refused, refused=True)
    ci95, reason = (None, None) if interval is None else interval()
    difference = after - before
    ratio = after / before if before else None
    return made(
        difference=difference,
        ratio=ratio if ratio is None or math.isfinite(ratio) else None,
        ci95=ci95,
        basis=None if ci95 is None else basis,
        exact=interval is None,
        verdict=_verdict(
            difference if higher_is_better else -difference,
            ci95,
            0.0 if quantity.unit == "score" else 1.0,
            interval is None,
        ),
        reason=reason,
        forced=quantity.refused,
    )


def _verdict(
    gain: float, ci95: tuple[float, float] | None, no_change: float, exact: bool
) -> Verdict:
    if ci95 is None and not exact:
        return "no interval"
    if gain == 0:
        return "tie"
    if ci95 is not None and ci95[0] <= no_change <= ci95[1]:
        return "tie"
    return "better" if gain > 0 else "worse"
