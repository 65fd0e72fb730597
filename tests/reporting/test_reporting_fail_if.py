"""Conditions of ``--fail-if``."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, strategies as st

from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.reporting.difference_rows import ComparedPair, QuantityChange
from edgeecg.reporting.fail_if import check, parse
from edgeecg.reporting.quantities import COSTS, SCORES

_SPACES = st.sampled_from(["", " ", "  ", "\t"])
_CLASS_NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, str, str, float, bool]:
    """A condition and its parts."""
    name = draw(st.sampled_from([*SCORES, *COSTS, "recall.", "precision.", "auroc."]))
    name += draw(_CLASS_NAMES) if name.endswith(".") else ""
    sign = draw(st.sampled_from([">", ">=", "<", "<="]))
    relative = draw(st.booleans())
    least = 1e-9 if relative else -1e9
    number = draw(st.floats(least, 1e9, allow_nan=False))
    unit = draw(st.sampled_from(["x", "X", "×"])) if relative else ""
    a, b, c, d, e = (draw(_SPACES) for _ in range(5))
    return f"{a}{name}{b}{sign}{c}{number!r}{d}{unit}{e}", name, sign, number, relative


@given(conditions())
def test_every_condition_is_read_as_it_was_written(
    written: tuple[str, str, str, float, bool],
) -> None:
    text, name, sign, number, relative = written
    found = parse(text)
    assert (found.quantity, found.sign, found.limit, found.relative) == (
        name,
        sign,
        number,
        relative,
    )


@given(st.text(max_size=40))
@example("p50 > 1e999x")
@example("p50 > nanx")
@example("p50 > 1.05x > 2x")
@example("p50 => 1x")
def test_any_other_text_is_refused_with_its_reason(text: str) -> None:
    try:
        found = parse(text)
    except UsageError:
        return
    assert math.isfinite(found.limit)


@pytest.mark.parametrize(
    "text",
    [
        *("", "p50", "p50 >", "> 1x", "p50 1.05x", "p50 = 1x", "p50 > x", "p50 > 1,05x"),
        *("p50 > 1.05y", "p50 > 1.05 x x", "p50 > 0x", "p50 > -1x", "p50 > 1e999", "p50 > inf"),
        "p50 > \u0661x",
    ],
)
def test_what_cannot_be_parsed(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        parse(text)


@pytest.mark.parametrize("text", ["p5O > 1x", "recall > 0", "recall. > 0", "size.S > 0"])
def test_an_unknown_figure_lists_the_known_ones(text: str) -> None:
    with pytest.raises(UnknownNameError, match=r"recall\.CLASS"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("p50 > 1.05x", 1.05, False),
        ("p50 > 1.05x", 1.0501, True),
        ("p50 >= 1.05x", 1.05, True),
        ("recall.S < -0.02", -0.03, True),
        ("recall.S < -0.02", -0.02, False),
        ("recall.S <= -.02", -0.02, True),
    ],
)
def test_limits(text: str, value: float, holds: bool) -> None:
    assert parse(text).holds(value) is holds


def pair(*changes: QuantityChange, label: str = "small") -> ComparedPair:
    return ComparedPair(
        before="a.json", before_label=label, after="b.json", after_label=label, changes=changes
    )


def change(quantity: str = "p50", unit: str = "s", after: float = 1.2, **more: object):
    return QuantityChange.model_validate(
        {
            "quantity": quantity,
            "unit": unit,
            "before": 1.0,
            "after": after,
            "difference": after - 1.0,
            "ratio": after,
            "verdict": "worse",
            **more,
        }
    )


def outcomes(text: str, *pairs: ComparedPair, fail_on_ties: bool = False) -> list[str]:
    return [each.outcome for each in check([parse(text)], pairs, fail_on_ties)]


def test_a_tie_fails_only_when_asked_for() -> None:
    tie = pair(change(verdict="tie", ci95=(0.9, 1.6)))
    assert outcomes("p50 > 1.05x", tie) == ["tie"]
    assert outcomes("p50 > 1.05x", tie, fail_on_ties=True) == ["failed"]
    assert outcomes("p50 > 1.3x", tie) == ["passed"]


def test_without_an_interval_the_value_decides() -> None:
    (found,) = check([parse("p50 > 1.05x")], [pair(change(verdict="no interval"))], False)
    assert found.outcome == "failed"
    assert "no interval" in found.text


def test_an_exact_quantity_can_fail_on_an_equal_value() -> None:
    equal = pair(change("size", "B", after=1.0, verdict="tie", exact=True))
    assert outcomes("size >= 1.0x", equal) == ["failed"]
    assert outcomes("size > 1.0x", equal) == ["passed"]


def test_a_quantity_that_is_not_there_or_refused_is_not_passed() -> None:
    assert outcomes("energy > 1x", pair(change())) == ["unknown"]
    refused = change(verdict="not compared", difference=None, ratio=None, reason="Other devices.")
    (found,) = check([parse("p50 > 1x")], [pair(refused)], False)
    assert found.outcome == "unknown"
    assert "Other devices." in found.text


def test_pairs_without_the_quantity_are_left_out_where_others_have_it() -> None:
    model = pair(change("size", "B"), label="model")
    assert outcomes("p50 > 1.05x", model, pair(change())) == ["failed"]


def test_the_text_tells_a_value_from_a_limit_that_it_rounds_to() -> None:
    (found,) = check([parse("p50 > 1.05x")], [pair(change(after=1.0500001))], False)
    assert "1.0500001x" in found.text
