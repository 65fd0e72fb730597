"""E_l of the score: the cost of a layer, measured where measurements are given, else counted.

Only ratios of it are used, so that the unit does not matter: seconds on a board, or picojoules of
the analytic proxy.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.costs import measured, proxy
from edgeecg.schema import LayerCost, MeasuredCosts, ProxyCoefficients


def layer_energy(layer: LayerCost, costs: MeasuredCosts | None) -> float:
    """Return E_l of one layer.

    Args:
        layer: The layer's present cost counts.
        costs: Layer costs measured on the dense model, or None.
    """
    if costs is not None:
        return measured.layer_seconds(layer, costs)
    return proxy.layer_energy(layer, ProxyCoefficients())


def model_energy(layers: Sequence[LayerCost], costs: MeasuredCosts | None) -> float:
    """Return the cost of one inference in the unit of E_l.

    Args:
        layers: The present cost counts of every layer of the model.
        costs: Layer costs measured on the dense model, or None.
    """
    if costs is not None:
        return measured.seconds(layers, costs)
    return proxy.executed(proxy.totals(layers), ProxyCoefficients())
