"""The values of ``edgeecg compare``; ``--json`` writes them."""

from __future__ import annotations

from typing import ClassVar, Literal

from edgeecg.schema import Value

Verdict = Literal["better", "worse", "tie", "no interval", "not compared"]


class QuantityChange(Value):
    """One quantity of two results.

    Attributes:
        quantity: Its name, as ``--fail-if`` takes it, e.g. ``"recall.S"``.
        unit: ``"score"``, ``"s"``, ``"J"``, ``"B"``, ``"MACs"``, ``"instructions"``,
            ``"parameters"`` or ``"proxy"``.
        before: The value of the reference, or None where there is none.
        after: The value of the other result, or None.
        difference: ``after`` minus ``before``; None where they are not compared.
        ratio: ``after`` over ``before``; None where they are not compared or ``before`` is 0.
        ci95: 95 % interval of ``difference`` for scores, of ``ratio`` for all else, or None.
        basis: How the interval was made; None for a quantity without one.
        exact: Whether the quantity has no uncertainty, such as a size.
        verdict: ``"tie"``: the interval contains no change, or exact values are equal. ``"no
            interval"``: it is unknown whether the change is larger than its uncertainty.
        reason: Why they are not compared, or why there is no interval; or None.
        refused: Whether both have the quantity, and it may not be compared.
        forced: Why it would have been refused without ``--force``, or None.
    """

    quantity: str
    unit: str
    before: float | None
    after: float | None
    difference: float | None = None
    ratio: float | None = None
    ci95: tuple[float, float] | None = None
    basis: str | None = None
    exact: bool = False
    verdict: Verdict
    reason: str | None = None
    refused: bool = False
    forced: str | None = None


class ComparedPair(Value):
    """Two results, quantity by quantity.

    Attributes:
        before: Source of the reference, as it was named.
        before_label: Which of its results.
        after: Source of the other result, as it was named.
        after_label: Which of its results.
        changes: The quantities that at least one of the two has.
        notes: What a reader of the figures should know, a sentence each.
    """

    before: str
    before_label: str
    after: str
    after_label: str
    changes: tuple[QuantityChange, ...]
    notes: tuple[str, ...] = ()

    def of(self, quantity: str) -> QuantityChange | None:
        """Return the change of one quantity, or None where neither result has it."""
        return next((each for each in self.changes if each.quantity == quantity), None)


class ConditionResult(Value):
    """What a ``--fail-if`` condition says of one pair.

    Attributes:
        condition: The condition as it was given.
        before: Source and result of the reference.
        after: Source and result of the other.
        outcome: ``"failed"``: the condition is true. ``"tie"``: the values fulfil it, but they do
            not differ by more than their interval. ``"unknown"``: the quantity is not there, or
            may not be compared.
        text: The same in words.
    """

    condition: str
    before: str
    after: str
    outcome: Literal["passed", "failed", "tie", "unknown"]
    text: str


class Differences(Value):
    """What ``edgeecg compare --json`` writes.

    Attributes:
        pairs: Every pair of results that was compared.
        conditions: The outcome of every condition for every pair.
        failed: Whether a condition failed.
    """

    version: ClassVar[str] = "edgeecg.compare/1"

    pairs: tuple[ComparedPair, ...]
    conditions: tuple[ConditionResult, ...] = ()
    failed: bool = False

    @property
    def refused(self) -> list[tuple[ComparedPair, QuantityChange]]:
        """The quantities that both results have, and that may not be compared."""
        return [(pair, each) for pair in self.pairs for each in pair.changes if each.refused]
