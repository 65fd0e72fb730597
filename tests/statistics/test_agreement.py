from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from scipy import stats

from edgeecg.statistics.agreement import agreement, spearman

VALUES = st.integers(1, 9)


def scipy_spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return Spearman's correlation as SciPy computes it."""
    return cast(Any, stats.spearmanr(x, y)).statistic


@given(st.lists(st.tuples(VALUES, VALUES), min_size=3, max_size=30))
def test_the_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = np.asarray(pairs, dtype=np.float64).T
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(scipy_spearman(x, y), abs=1e-12)


def test_ratios_and_line_of_a_power_law() -> None:
    x = np.array([0.01, 0.1, 0.5, 1.0, 2.0, 4.0])
    found = agreement(x.tolist(), (3 * x**0.5).tolist(), list("abcdef"))
    assert found is not None
    assert found.line is not None
    assert found.line.factor == pytest.approx(3)
    assert found.line.exponent == pytest.approx(0.5)
    assert found.line.at(0.25) == pytest.approx(1.5)
    # 3 * sqrt(x) / x is 30 at 0.01 and 3 / sqrt(0.75 * ...) in the middle.
    assert found.worst == 0
    assert found.worst_ratio == pytest.approx(30)
    assert found.median_ratio == pytest.approx((3 / np.sqrt(0.5) + 3) / 2)
    assert found.spearman == pytest.approx(1)
    assert found.ci95 == pytest.approx((1, 1))


def test_the_worst_ratio_may_be_below_one() -> None:
    found = agreement([1.0, 1.0, 1.0], [0.1, 1.0, 5.0], ["a", "b", "c"])
    assert found is not None
    assert (found.worst, found.worst_ratio) == (0, 0.1)
    # All predictions are equal: there is neither an order nor a slope.
    assert found.spearman is None
    assert found.line is None
    assert found.ci95 is None


def test_groups_are_drawn_where_there_are_five() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(1, 2, 40)
    y = x * rng.uniform(0.8, 1.2, 40)
    alone = agreement(x.tolist(), y.tolist(), [0] * 40)
    apart = agreement(x.tolist(), y.tolist(), [n // 8 for n in range(40)])
    assert alone is not None
    assert apart is not None
    assert alone.resampled == "points"
    assert apart.resampled == "groups"
    assert alone.ci95 != apart.ci95
    assert alone.ci95 is not None
    assert alone.ci95[0] < (alone.spearman or 0) < alone.ci95[1]


def test_the_interval_of_points_is_close_to_that_of_scipy() -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(1, 2, 60)
    y = x + rng.normal(0, 0.3, 60) + 2
    found = agreement(x.tolist(), y.tolist(), [0] * 60)
    reference = stats.bootstrap(
        (x, y),
        scipy_spearman,
        paired=True,
        vectorized=False,
        n_resamples=500,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found is not None
    assert found.ci95 == pytest.approx((reference.low, reference.high), abs=0.03)


def test_few_points_have_no_interval_and_none_no_agreement() -> None:
    found = agreement([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], ["a", "b", "c"])
    assert found is not None
    assert found.spearman == pytest.approx(1)
    assert found.ci95 is None
    assert agreement([], [], []) is None
