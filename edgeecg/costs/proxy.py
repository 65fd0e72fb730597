"""The analytic energy proxy, as executed and ideal.

Per layer: E = MACs * e_mac(dtype) + weight bytes * e_weight + activation bytes * e_activation, with
the elementary costs of Horowitz (ISSCC 2014, 45 nm). *Executed* counts every multiplication that a
runtime makes; *ideal* assumes that zero weights cost nothing. Only ratios to a baseline are shown
to users, because a real processor spends thousands of times more energy than these figures.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgeecg.schema import CostTotals, DType, LayerCost, Proxy, ProxyCoefficients


def totals(layers: Iterable[LayerCost]) -> CostTotals:
    """Add layer costs up.

    Args:
        layers: Costs of every layer of one model.

    Returns:
        Sums by dtype; the non-zero counts are each layer's counts times its non-zero fraction,
        rounded to whole MACs and bytes.
    """
    macs: dict[DType, int] = {}
    nonzero_macs: dict[DType, int] = {}
    weight_bytes = nonzero_weight_bytes = activation_bytes = 0
    for layer in layers:
        macs[layer.dtype] = macs.get(layer.dtype, 0) + layer.macs
        nonzero = round(layer.macs * layer.nonzero_fraction)
        nonzero_macs[layer.dtype] = nonzero_macs.get(layer.dtype, 0) + nonzero
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
    """Return the proxy of everything that the runtime multiplies, in proxy picojoules.

    Args:
        costs: The costs of one model.
        coefficients: Cost of the elementary operations.
    """
    return (
        sum(count * coefficients.mac_pj[dtype] for dtype, count in costs.macs.items())
        + costs.weight_bytes * coefficients.weight_byte_pj
        + costs.activation_bytes * coefficients.activation_byte_pj
    )


def ideal(costs: CostTotals, coefficients: ProxyCoefficients) -> float:
    """Return the proxy as if zero weights cost nothing, in proxy picojoules.

    Args:
        costs: The costs of one model.
        coefficients: Cost of the elementary operations.
    """
    return (
        sum(count * coefficients.mac_pj[dtype] for dtype, count in costs.nonzero_macs.items())
        + costs.nonzero_weight_bytes * coefficients.weight_byte_pj
        + costs.activation_bytes * coefficients.activation_byte_pj
    )


def relative(
    costs: CostTotals, baseline: CostTotals | None, coefficients: ProxyCoefficients
) -> Proxy:
    """Return the proxy of a model relative to what its baseline executes.

    Args:
        costs: The costs of the model.
        baseline: The costs of its baseline, or None when unknown.
        coefficients: Cost of the elementary operations.

    Returns:
        Both ratios, with a reason when they are None, and the counts of the model.
    """
    whole = None if baseline is None else executed(baseline, coefficients)
    if baseline is None:
        reason = "The file does not say what its baseline is."
    else:
        reason = None if whole else "The proxy of the baseline is zero."
    return Proxy(
        ideal=ideal(costs, coefficients) / whole if whole else None,
        executed=executed(costs, coefficients) / whole if whole else None,
        macs=sum(costs.macs.values()),
        weight_bytes=costs.weight_bytes,
        reason=reason,
    )


def layer_energy(layer: LayerCost, coefficients: ProxyCoefficients) -> float:
    """Return E_l, the executed proxy of one layer, in proxy picojoules.

    Args:
        layer: The costs of the layer.
        coefficients: Cost of the elementary operations.
    """
    return executed(totals([layer]), coefficients)
