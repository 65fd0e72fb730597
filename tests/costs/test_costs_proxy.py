from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from edgeecg.costs import proxy
from edgeecg.schema import DType, LayerCost, ProxyCoefficients


def layer(macs: int, dtype: DType = "float32", nonzero: float = 1.0, weights: int = 0) -> LayerCost:
    return LayerCost(
        name="l",
        op="Conv",
        dtype=dtype,
        macs=macs,
        nonzero_fraction=nonzero,
        weight_bytes=weights,
        activation_bytes=8,
    )


def test_a_layer_costs_what_the_45_nm_table_says() -> None:
    costs = proxy.totals([layer(100, weights=16), layer(10, "int8")])
    # 100 * (3.7 + 0.9) + 10 * (0.2 + 0.1) + 16 bytes at 100 pJ / 8 + 16 bytes at 20 pJ / 8
    assert proxy.executed(costs, ProxyCoefficients()) == pytest.approx(460 + 3 + 200 + 40)


def test_zeros_cost_nothing_in_the_ideal_proxy_only() -> None:
    dense, sparse = (proxy.totals([layer(1000, nonzero=part, weights=400)]) for part in (1.0, 0.25))
    coefficients = ProxyCoefficients()
    assert proxy.executed(sparse, coefficients) == proxy.executed(dense, coefficients)
    assert proxy.ideal(dense, coefficients) == proxy.executed(dense, coefficients)
    assert proxy.ideal(sparse, coefficients) == pytest.approx(250 * 4.6 + 100 * 12.5 + 8 * 2.5)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 1)), max_size=8))
def test_ideal_never_exceeds_executed(rows: list[tuple[int, float]]) -> None:
    costs = proxy.totals([layer(macs, nonzero=part, weights=macs) for macs, part in rows])
    assert proxy.ideal(costs, ProxyCoefficients()) <= proxy.executed(costs, ProxyCoefficients())
