"""E_l of the score: what a layer costs, in measured seconds where there are any, else counted.

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
        layer: Counted as it is now.
        costs: Measured on the dense model, or None.
    """
    if costs is not None:
        return measured.layer_seconds(layer, costs)
    return proxy.layer_energy(layer, ProxyCoefficients())


def model_energy(layers: Sequence[LayerCost], costs: MeasuredCosts | None) -> float:
    """Return what one inference costs in the unit of E_l.

    Args:
        layers: Every layer of the model as it is now.
        costs: Measured on the dense model, or None.
    """
    if costs is not None:
        return measured.seconds(layers, costs)
    return proxy.executed(proxy.totals(layers), ProxyCoefficients())
