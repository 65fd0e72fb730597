"""Intervals of the change of a latency and of an energy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from report_measurements import joules
from scipy import stats

from edgeecg.reporting.intervals import count_ratio, energy_ratio, latency_ratio


def rounds(*medians: float) -> list[float]:
    """Samples of rounds of three runs each, with these medians."""
    return [each for median in medians for each in (median, 0.9 * median, 1.1 * median)]


FIRST = (1.00, 1.02, 0.98, 1.01, 0.99)
SECOND = (1.20, 1.26, 1.18, 1.19, 1.21)


def test_rounds_of_one_call_are_compared_round_by_round() -> None:
    differences = np.log(SECOND) - np.log(FIRST)
    width = stats.t.ppf(0.975, 4) * stats.sem(differences)
    found = latency_ratio(rounds(*FIRST), rounds(*SECOND), 1.2, None)
    assert found == pytest.approx((1.2 * math.exp(-width), 1.2 * math.exp(width)), rel=1e-3)


def test_rounds_of_separate_calls_are_independent() -> None:
    # Welch's degrees of freedom are rounded down, because the table has whole numbers.
    a, b = np.log(FIRST), np.log(SECOND)
    parts = [each.var(ddof=1) / 5 for each in (a, b)]
    degrees = sum(parts) ** 2 / sum(part**2 / 4 for part in parts)
    width = stats.t.ppf(0.975, math.floor(degrees)) * math.hypot(stats.sem(a), stats.sem(b))
    found = latency_ratio(rounds(*FIRST), rounds(*SECOND), 1.2, 0.0)
    assert found == pytest.approx((1.2 * math.exp(-width), 1.2 * math.exp(width)), rel=1e-3)


def test_a_drift_that_both_share_cancels_only_in_one_call() -> None:
    drift = (1.0, 1.3, 1.6, 1.9, 2.2)
    slower = tuple(1.1 * each for each in drift)
    paired = latency_ratio(rounds(*drift), rounds(*slower), 1.1, None)
    separate = latency_ratio(rounds(*drift), rounds(*slower), 1.1, 0.0)
    assert paired == pytest.approx((1.1, 1.1))
    assert separate is not None
    assert separate[0] < 1 < separate[1]


def test_the_variation_from_call_to_call_widens_the_interval() -> None:
    # 1.96 * sqrt(2 * 0.02^2) = 0.055437.
    found = latency_ratio([1.0] * 50, [1.2] * 50, 1.2, 0.02)
    assert found == pytest.approx((1.2 * math.exp(-0.055437), 1.2 * math.exp(0.055437)), rel=1e-5)


def test_files_of_a_few_microseconds_are_hardly_told_apart() -> None:
    # 1.96 * sqrt((0.04 / 1)^2 + (0.04 / 1.1)^2) = 0.105954, and log(1.1) = 0.0953.
    found = latency_ratio([1e-6] * 50, [1.1e-6] * 50, 1.1, None)
    assert found == pytest.approx((1.1 * math.exp(-0.105954), 1.1 * math.exp(0.105954)), rel=1e-5)
    assert found is not None
    assert found[0] < 1 < found[1]
    longer = latency_ratio([1e-4] * 50, [1.1e-4] * 50, 1.1, None)
    assert longer is not None
    assert longer[0] > 1


@pytest.mark.parametrize(
    ("before", "after"), [([1.0] * 9, [1.0] * 50), ([], []), ([0.0] * 50, [1.0] * 50)]
)
def test_too_few_runs_or_a_median_of_zero_has_no_interval(
    before: list[float], after: list[float]
) -> None:
    assert latency_ratio(before, after, 1.0, 0.02) is None


@given(
    st.lists(st.floats(1e-6, 1e3), min_size=10, max_size=60),
    st.lists(st.floats(1e-6, 1e3), min_size=10, max_size=60),
    st.sampled_from([None, 0.0, 0.04]),
)
def test_the_ratio_lies_in_its_interval(
    before: list[float], after: list[float], spread: float | None
) -> None:
    ratio = float(np.median(after) / np.median(before))
    try:
        found = latency_ratio(before, after, ratio, spread)
    except OverflowError:
        return
    assert found is not None
    assert found[0] <= ratio * (1 + 1e-9)
    assert ratio <= found[1] * (1 + 1e-9)


def test_the_interval_of_two_energies_by_hand() -> None:
    # 5.0 ± 0.3 and 6.0 ± 0.4: the difference is 1.0 ± 0.5, which is 0.2 ± 0.1 of 5.0.
    found = energy_ratio(joules(5.0, ci95_j=(4.7, 5.3)), joules(6.0, ci95_j=(5.6, 6.4)))
    assert found == pytest.approx((1.1, 1.3))


def test_an_uneven_interval_is_used_on_its_own_side() -> None:
    # Down: 0.4 of the second and 0.3 of the first; up: 1.2 and 0.5, so 1.3.
    found = energy_ratio(joules(5.0, ci95_j=(4.5, 5.3)), joules(6.0, ci95_j=(5.6, 7.2)))
    assert found == pytest.approx((1 + 0.5 / 5, 1 + 2.3 / 5))


def test_an_energy_without_an_interval_has_none() -> None:
    assert energy_ratio(joules(5.0, ci95_j=None), joules(6.0)) is None
    assert energy_ratio(joules(-5.0), joules(6.0)) is None


def test_counts_agree_within_half_a_percent() -> None:
    assert count_ratio(1.1) == pytest.approx((1.0945, 1.1055))
