from __future__ import annotations

import pytest
from scipy import stats

from edgeecg.statistics.student import quantile_975


@pytest.mark.parametrize("degrees", [*range(1, 31), 31, 40, 99, 500])
def test_the_quantiles_are_those_of_scipy(degrees: int) -> None:
    assert quantile_975(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=3e-4)
