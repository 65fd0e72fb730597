"""The analytic energy proxy and its two readings.

Per layer: E = MACs * e_mac(dtype) + weight bytes * e_weight + activation bytes * e_activation, with
the elementary costs of Horowitz (ISSCC 2014, 45 nm). Only ratios to a baseline leave this module's
callers: in absolute terms a real processor spends thousands of times more.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgeecg.schema import CostTotals, DType, LayerCost, ProxyCoefficients


def totals(layers: Iterable[LayerCost]) -> CostTotals:
    """Add layer costs up.

    Args:
        layers: Costs of each layer of one model.

    Returns:
        Sums by dtype; the non-zero counts are each layer's counts times its non-zero fraction,
        rounded to whole MACs and bytes.
    """
    macs: dict[DType, int] = {}
    nonzero_macs: dict[DType, int] = {}
    weight_bytes = nonzero_weight_bytes = activation_bytes = 0
    for layer in layers:
        macs[layer.dtype] = macs.get(layer.dtype, 0) + layer.macs
        live = round(layer.macs * layer.nonzero_fraction)
        nonzero_macs[layer.dtype] = nonzero_macs.get(layer.dtype, 0) + live
        weight_bytes += layer.weight_bytes
        nonzero_weight_bytes += round(layer.weight_bytes * layer.nonzero_fraction)
        activation_bytes += layer.activation_bytes
    return CostTotals(
        macs=macs,
        nonzero_macs=nonzero_macs,
        weight_bytes=weight_bytes,
        nonzero_weight_bytes=nonzero_weight_bytes,
        activation_bytes=activation_bytes,
    )


def executed(costs: CostTotals, coefficients: ProxyCoefficients) -> float:
    """Return the proxy of what the runtime really multiplies, in proxy picojoules."""
    return (
        sum(count * coefficients.mac_pj[dtype] for dtype, count in costs.macs.items())
        + costs.weight_bytes * coefficients.weight_byte_pj
        + costs.activation_bytes * coefficients.activation_byte_pj
    )


def ideal(costs: CostTotals, coefficients: ProxyCoefficients) -> float:
    """Return the proxy if zero weights cost nothing, in proxy picojoules."""
    return (
        sum(count * coefficients.mac_pj[dtype] for dtype, count in costs.nonzero_macs.items())
        + costs.nonzero_weight_bytes * coefficients.weight_byte_pj
        + costs.activation_bytes * coefficients.activation_byte_pj
    )


def layer_energy(layer: LayerCost, coefficients: ProxyCoefficients) -> float:
    """Return E_l, the executed proxy of one layer, in proxy picojoules."""
    return executed(totals([layer]), coefficients)
