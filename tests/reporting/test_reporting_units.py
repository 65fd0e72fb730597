from __future__ import annotations

import io
import math

import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from edgeecg.reporting import units
from edgeecg.reporting.tables import Table
from edgeecg.reporting.terminal import print_table

SCALE = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.1e-3, "2.10 ms"),
        (999.6e-6, "1.00 ms"),
        (999.4e-6, "999 µs"),
        (0.0, "0 ns"),
        (75.2, "75.2 s"),
        (None, "not known"),
    ],
)
def test_times_have_three_digits_and_a_unit(value: float | None, text: str) -> None:
    assert units.seconds(value).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(999, "999 B"), (1000, "1.00 kB"), (99_128, "99.1 kB"), (999_999, "1.00 MB"), (0, "0 B")],
)
def test_a_kilobyte_is_1000_bytes(value: int, text: str) -> None:
    assert units.size(value).replace("\N{NO-BREAK SPACE}", " ") == text


@given(st.floats(min_value=1e-9, max_value=999))
def test_a_printed_time_reads_back_within_half_a_digit(value: float) -> None:
    number, unit = units.seconds(value).split("\N{NO-BREAK SPACE}")
    assert math.isclose(float(number) * SCALE[unit], value, rel_tol=0.0051)
    assert 1 <= float(number) < 1000


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_negative_figures_keep_their_sign(value: float) -> None:
    text = units.significant(value)
    assert text.startswith("\N{MINUS SIGN}") == (value < 0)
    assert "e" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0104, "\N{MINUS SIGN}0.010"), (0.02, "+0.020"), (-0.0004, "0.000"), (0.0, "0.000")],
)
def test_a_change_shows_its_sign_but_zero_has_none(value: float, text: str) -> None:
    assert units.change(value) == text


def test_control_characters_cannot_control_a_terminal() -> None:
    assert "\x1b" not in units.printable("\x1b[2Jname\r\n")


def test_words_that_are_longer_than_their_column_are_not_cut() -> None:
    shown = io.StringIO()
    head = ("prediction, measured", "type", "files", "models", "Spearman's rho", "median", "worst")
    row = (
        "executed proxy, p50",
        "all",
        "12",
        "12",
        "not known",
        "2.03",
        "resnet1d_attn-compressed",
    )
    print_table(
        Table(title="", data="", head=head, rows=(row,), notes=()), Console(file=shown, width=60)
    )
    lines = [line for line in shown.getvalue().splitlines() if line.strip()]
    assert all(len(line) <= 60 for line in lines)
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown.getvalue()
