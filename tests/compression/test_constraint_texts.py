"""Budgets and guards as they are written on the command line."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edgeecg.errors import UsageError
from edgeecg.schema import Budget, ClassScore, Guard, Scores

BEATS = Scores(
    data="synthetic",
    split="val",
    n=10,
    accuracy=0.9,
    macro_f1=0.7,
    per_class={"S": ClassScore(recall=0.4, precision=0.5, f1=0.44, support=5)},
)


@pytest.mark.parametrize(
    ("text", "kind", "share", "size"),
    [
        ("energy=0.2", "energy", 0.2, None),
        ("macs=.25", "macs", 0.25, None),
        ("latency=0.3", "latency", 0.3, None),
        ("size=40kB", "size", None, 40_000),
        ("size=1.5MB", "size", None, 1_500_000),
        ("size=512B", "size", None, 512),
        ("size=0.1", "size", 0.1, None),
        ("energy=2e-1", "energy", 0.2, None),
        ("size=4E4B", "size", None, 40_000),
    ],
)
def test_a_budget_is_read(text: str, kind: str, share: float | None, size: int | None) -> None:
    budget = Budget.parse(text)
    assert (budget.kind, budget.share, budget.size_bytes) == (kind, share, size)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("speed=0.2", "'speed' is no kind of budget; there are: energy, macs, size, latency"),
        ("energy", "Expected is KIND=NUMBER"),
        ("energy=", "Expected is KIND=NUMBER"),
        ("energy=-0.2", "Expected is KIND=NUMBER"),
        ("energy=0.2.1", "Expected is KIND=NUMBER"),
        ("energy=nan", "Expected is KIND=NUMBER"),
        ("energy=1.5", "share of the dense model, above 0 and below 1"),
        ("energy=0", "share of the dense model, above 0 and below 1"),
        ("energy=20kB", "'kB' is not its unit, which is none"),
        ("latency=3ms", "'ms' is not its unit, which is none"),
        ("size=40", "Without a unit it is a share"),
        ("size=40KiB", "'KiB' is not its unit, which is one of B, kB, MB"),
        ("size=0.1B", "Less than one byte"),
        ("size=1e306MB", "The number is too large"),
        ("energy=1e", "'e' is not its unit"),
    ],
)
def test_a_budget_that_is_none_says_why(text: str, why: str) -> None:
    with pytest.raises(UsageError, match="not understood") as caught:
        Budget.parse(text)
    assert why in caught.value.why


def test_a_budget_is_a_share_or_bytes_and_bytes_are_a_size() -> None:
    for body in (
        {"kind": "energy"},
        {"kind": "size", "share": 0.5, "size_bytes": 9},
        {"kind": "macs", "size_bytes": 9},
    ):
        with pytest.raises(ValidationError):
            Budget.model_validate(body)


@pytest.mark.parametrize(
    ("text", "value"), [("S:recall>=0.5", 0.4), ("S:f1>=4e-1", 0.44), ("macro_f1>=0.6", 0.7)]
)
def test_a_guard_is_read_and_looks_at_its_score(text: str, value: float) -> None:
    guard = Guard.parse(text)
    assert guard.value(BEATS) == value
    assert Guard.parse(str(guard)) == guard


def test_a_score_that_is_not_there_has_no_value() -> None:
    assert Guard.parse("S:auroc>=0.5").value(BEATS) is None
    assert Guard.parse("macro_auroc>=0.5").value(BEATS) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("S:recall", "Expected is CLASS:METRIC>=NUMBER"),
        ("S:recall>0.5", "Expected is CLASS:METRIC>=NUMBER"),
        ("S:recall>=x", "Expected is CLASS:METRIC>=NUMBER"),
        ("recall>=0.5", "no metric without a class; there are: macro_f1, macro_auroc"),
        ("S:macro_f1>=0.5", "of a class; there are: recall, precision, f1, auroc"),
        ("S:speed>=0.5", "'speed' is no metric of a class"),
        ("S:recall>=50", "The bound is 50"),
    ],
)
def test_a_guard_that_is_none_says_why(text: str, why: str) -> None:
    with pytest.raises(UsageError, match="not understood") as caught:
        Guard.parse(text)
    assert why in caught.value.why
