"""Conditions such as ``"p50 > 1.05x"``, for continuous integration."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.reporting import units
from edgeecg.reporting.difference_rows import ComparedPair, ConditionResult, QuantityChange
from edgeecg.reporting.quantities import CLASS_SCORES, COSTS, SCORES

_FORM = re.compile(
    r"\s*(?P<quantity>[^<>=\s][^<>=]*?)\s*(?P<sign>>=|<=|>|<)\s*"
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<relative>[xX×]?)\s*",
    re.ASCII,
)
_SIGNS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_CLASS = "CLASS"


@dataclass(frozen=True)
class Condition:
    """A condition under which a comparison fails.

    Attributes:
        text: It as it was given.
        quantity: What it is about, e.g. ``"p50"`` or ``"recall.S"``.
        sign: ``">"``, ``">="``, ``"<"`` or ``"<="``.
        limit: The limit of the ratio or of the difference.
        relative: Whether the limit is one of the ratio to the reference (written with an x), rather
            than of the difference from it.
    """

    text: str
    quantity: str
    sign: str
    limit: float
    relative: bool

    def holds(self, value: float) -> bool:
        """Return whether a ratio or difference fulfils the condition.

        Args:
            value: The ratio, or the difference, as :attr:`relative` says.
        """
        return _SIGNS[self.sign](value, self.limit)


def parse(text: str) -> Condition:
    """Return the condition that a text means.

    Args:
        text: A quantity, a sign and a number; with an x after it the number is a ratio to the
            reference, otherwise a difference from it in SI units.

    Raises:
        UsageError: It has another form.
        UnknownNameError: There is no such figure.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise _not_understood(text, "It is not of the form QUANTITY > NUMBER or QUANTITY > NUMBERx")
    limit, relative = float(found["number"]), bool(found["relative"])
    if not math.isfinite(limit):
        raise _not_understood(text, "Its number is too large")
    if relative and limit <= 0:
        raise _not_understood(text, "A ratio is above zero")
    _check_name(found["quantity"])
    return Condition(text, found["quantity"], found["sign"], limit, relative)


def _not_understood(text: str, why: str) -> UsageError:
    return UsageError(
        f"The condition '{units.printable(text)}' cannot be used.",
        f"{why}; the signs are >, >=, < and <=.",
        "Write e.g. --fail-if 'p50 > 1.05x' or --fail-if 'recall.S < -0.02'.",
    )


def _check_name(name: str) -> None:
    kind, _, class_name = name.partition(".")
    if name in (*SCORES, *COSTS) or (kind in CLASS_SCORES and class_name):
        return
    known = (*SCORES, *COSTS, *(f"{kind}.{_CLASS}" for kind in CLASS_SCORES))
    raise UnknownNameError("figure", units.printable(name), known)


def check(
    conditions: Sequence[Condition], pairs: Sequence[ComparedPair], fail_on_ties: bool
) -> list[ConditionResult]:
    """Return what every condition says of every pair.

    A pair in which neither result has the quantity is left out, unless that is true of all pairs.

    Args:
        conditions: The conditions.
        pairs: The compared results.
        fail_on_ties: Whether a condition can fail on values whose interval contains no change.
    """
    results: list[ConditionResult] = []
    for condition in conditions:
        found = [(pair, pair.of(condition.quantity)) for pair in pairs]
        there = [(pair, change) for pair, change in found if change is not None]
        if not there:
            results += [_absent(condition, pair) for pair in pairs]
        results += [_checked(condition, pair, change, fail_on_ties) for pair, change in there]
    return results


def _absent(condition: Condition, pair: ComparedPair) -> ConditionResult:
    known = ", ".join(each.quantity for each in pair.changes) or "none"
    text = f"neither result has the quantity {condition.quantity}; those there are: {known}."
    return _result(condition, pair, "unknown", text)


def _result(condition: Condition, pair: ComparedPair, outcome: str, text: str) -> ConditionResult:
    return ConditionResult.model_validate(
        {
            "condition": condition.text,
            "before": f"{pair.before}, {pair.before_label}",
            "after": f"{pair.after}, {pair.after_label}",
            "outcome": outcome,
            "text": text,
        }
    )


def _checked(
    condition: Condition, pair: ComparedPair, change: QuantityChange, fail_on_ties: bool
) -> ConditionResult:
    value = change.ratio if condition.relative else change.difference
    if value is None:
        reason = change.reason or "The reference is zero, so that there is no ratio to it."
        return _result(
            condition, pair, "unknown", f"{condition.quantity} is not compared. {reason}"
        )
    text = _described(condition, change, value)
    if not condition.holds(value):
        return _result(condition, pair, "passed", text)
    if change.verdict == "tie" and not change.exact and not fail_on_ties:
        text += ", but its interval does not rule out that nothing changed"
        return _result(condition, pair, "tie", text)
    if change.verdict == "no interval":
        text += "; there is no interval, so the value alone decides"
    return _result(condition, pair, "failed", text)


def _described(condition: Condition, change: QuantityChange, value: float) -> str:
    """Return the value in words, with digits enough to tell it from the limit."""
    shown = f"{value:.4g}x" if condition.relative else f"{value:+.4g}"
    if shown.rstrip("x") in (f"{condition.limit:.4g}", f"{condition.limit:+.4g}"):
        shown = f"{value!r}{'x' if condition.relative else ''}"
    of = "of" if condition.relative else "against"
    text = f"{condition.quantity} is {shown} {of} the reference"
    interval_fits = (change.unit == "score") != condition.relative
    if change.ci95 is not None and interval_fits:
        low, high = change.ci95
        text += f" (95 % interval {low:.4g} to {high:.4g})"
    return text
