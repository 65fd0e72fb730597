"""Quantities as a user writes them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, strategies as st

from edgeecg.errors import UsageError
from edgeecg.reporting import battery_units
from edgeecg.reporting.battery_units import CAPACITY, CURRENT, POWER, RATE, VOLTAGE, Kind, parse

KINDS = (CAPACITY, VOLTAGE, RATE, CURRENT, POWER)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("150mAh", CAPACITY, 0.15),
        ("150 mAh", CAPACITY, 0.15),
        ("2.2Ah", CAPACITY, 2.2),
        ("35000uAh", CAPACITY, 0.035),
        ("150mah", CAPACITY, 0.15),
        ("3.7", VOLTAGE, 3.7),
        ("3.7V", VOLTAGE, 3.7),
        ("3700 mV", VOLTAGE, 3.7),
        ("75/min", RATE, 1.25),
        ("75 / min", RATE, 1.25),
        ("75bpm", RATE, 1.25),
        ("75 BPM", RATE, 1.25),
        ("75 beats/min", RATE, 1.25),
        ("75 beats per minute", RATE, 1.25),
        ("1.25Hz", RATE, 1.25),
        ("1250 mHz", RATE, 1.25),
        ("1.25/s", RATE, 1.25),
        ("4500/h", RATE, 1.25),
        ("5uA", CURRENT, 5e-6),
        ("5µA", CURRENT, 5e-6),  # MICRO SIGN
        ("5\u03bcA", CURRENT, 5e-6),  # GREEK SMALL LETTER MU
        ("5000nA", CURRENT, 5e-6),
        ("0.005 mA", CURRENT, 5e-6),
        ("5e-6A", CURRENT, 5e-6),
        ("0A", CURRENT, 0.0),
        ("2mJ/min", POWER, 2e-3 / 60),
        ("7.2 J/h", POWER, 2e-3),
        ("2 mJ per hour", POWER, 2e-3 / 3600),
        ("864J/day", POWER, 0.01),
        ("40uW", POWER, 40e-6),
        (".5mW", POWER, 0.5e-3),
    ],
)
def test_usual_spellings(text: str, kind: Kind, value: float) -> None:
    assert parse(text, kind) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *[(text, CAPACITY) for text in ("150", "150mA", "150mWh", "0mAh", "-150mAh", "1,5Ah")],
        # M is mega, which no battery for a wearable has.
        *[(text, CAPACITY) for text in ("150MAh", "mAh", "", "150 m Ah", "1e999Ah", "nan Ah")],
        *[(text, VOLTAGE) for text in ("0", "3.7mAh", "3.7A", "-3.7V", "3,7V", "inf")],
        *[(text, RATE) for text in ("75", "75/", "75/mon", "75//min", "75/min/min", "0/min")],
        *[(text, RATE) for text in ("75mJ/min", "75mbpm", "75min", "75/75min", "75kbeats/min")],
        *[(text, CURRENT) for text in ("5", "5V", "5uA/min", "-5uA", "5 MA", "5uuA")],
        *[(text, POWER) for text in ("2mJ", "2mJ/", "2mW/min", "2MJ/min", "2/min", "2mJ min")],
    ],
)
def test_nonsense_is_refused_with_an_example(text: str, kind: Kind) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, kind)
    assert kind.option in caught.value.what
    assert kind.example in caught.value.todo


@given(
    st.floats(1e-6, 1e6),
    st.sampled_from(["", " "]),
    st.sampled_from([("n", 1e-9), ("u", 1e-6), ("µ", 1e-6), ("m", 1e-3), ("", 1.0), ("k", 1e3)]),
    st.sampled_from(
        [
            (CAPACITY, "Ah", 1.0),
            (VOLTAGE, "V", 1.0),
            (CURRENT, "A", 1.0),
            (RATE, "Hz", 1.0),
            (POWER, "W", 1.0),
            (POWER, "J/min", 1 / 60),
            (POWER, "J/h", 1 / 3600),
        ]
    ),
)
def test_a_prefix_scales_every_unit(
    number: float, space: str, prefix: tuple[str, float], unit: tuple[Kind, str, float]
) -> None:
    kind, name, scale = unit
    value = parse(f"{number!r}{space}{prefix[0]}{name}", kind)
    assert value == pytest.approx(number * prefix[1] * scale, rel=1e-12)


@given(st.sampled_from(KINDS), st.text(max_size=20))
@example(POWER, "2mJ/\n")
@example(RATE, "75 per per min")
@example(VOLTAGE, "9" * 400)
def test_any_text_is_a_finite_quantity_or_refused(kind: Kind, text: str) -> None:
    try:
        value = parse(text, kind)
    except UsageError:
        return
    assert math.isfinite(value)
    assert value > 0 or (kind.zero and value == 0)


def test_the_examples_in_messages_are_right() -> None:
    for kind in KINDS:
        assert parse(kind.example, kind) > 0
    assert battery_units.parse("3.7V", VOLTAGE) == 3.7
