"""Fitting the costs of a device to measurements, and predicting from the fit.

Time and energy of an inference are ``fixed + per_mac[dtype] * MACs + per_byte * bytes`` with
coefficients that are not negative. The sum of the squares of the relative errors is smallest, so
that a graph of a microsecond counts as much as one of a millisecond.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs import proxy
from edgeecg.schema import (
    CalibratedEstimate,
    Calibration,
    CostTotals,
    DType,
    FittedCosts,
    LayerCost,
)

_FEWEST = 6


@dataclass(frozen=True)
class Measured:
    """One measured graph.

    Attributes:
        macs: Its MACs by dtype.
        moved_bytes: Its bytes of weights and activations.
        value: Its seconds or joules.
    """

    macs: Mapping[DType, int]
    moved_bytes: int
    value: float


def moved_bytes(costs: CostTotals) -> int:
    """Return the bytes of weights and activations of a file."""
    return costs.weight_bytes + costs.activation_bytes


def fit(measured: Sequence[Measured]) -> tuple[FittedCosts, tuple[float, ...]]:
    """Fit the costs to measurements.

    Args:
        measured: At least six graphs, each with a positive value.

    Returns:
        The coefficients, and for every graph what the fit to all others predicts.

    Raises:
        ValueError: There are too few graphs, or a value is not positive.
    """
    if len(measured) < _FEWEST or any(each.value <= 0.0 for each in measured):
        raise ValueError(f"a fit needs {_FEWEST} graphs with positive values")
    found_kinds = {kind for each in measured for kind, count in each.macs.items() if count}
    kinds: list[DType] = [kind for kind in get_args(DType) if kind in found_kinds]
    features = np.array(
        [
            [1.0, *(float(each.macs.get(kind, 0)) for kind in kinds), float(each.moved_bytes)]
            for each in measured
        ]
    )
    values = np.array([each.value for each in measured])
    fixed, *per_mac, per_byte = _non_negative(features, values).tolist()
    others = np.arange(len(measured))
    predicted = [
        float(features[k] @ _non_negative(features[others != k], values[others != k]))
        for k in range(len(measured))
    ]
    errors = np.abs(np.array(predicted) / values - 1.0)
    found = FittedCosts(
        fixed=fixed,
        per_mac=dict(zip(kinds, per_mac, strict=True)),
        per_byte=per_byte,
        error=float(np.median(errors)),
        worst_error=float(errors.max()),
        graphs=len(measured),
    )
    return found, tuple(predicted)


def _non_negative(
    features: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the non-negative coefficients with the least squared relative error.

    The least-squares solution of every subset of the columns is tried; the best one without a
    negative coefficient is the solution, since the others are 0 there. Four columns have 15
    subsets.
    """
    relative = features / values[:, None]
    scale = np.linalg.norm(relative, axis=0)
    scale[scale == 0.0] = 1.0
    columns = relative.shape[1]
    best, least = np.zeros(columns), np.inf
    for size in range(1, columns + 1):
        for chosen in itertools.combinations(range(columns), size):
            kept = list(chosen)
            part = np.linalg.lstsq(relative[:, kept] / scale[kept], np.ones(len(values)))[0]
            if np.any(part < 0.0):
                continue
            found = np.zeros(columns)
            found[kept] = part / scale[kept]
            rest = relative @ found - 1.0
            if float(rest @ rest) < least:
                best, least = found, float(rest @ rest)
    return best


def predict(costs: CostTotals, fitted: FittedCosts) -> float:
    """Return the seconds or joules of an inference.

    Args:
        costs: Costs counted from the file, with MACs only of dtypes that were fitted.
        fitted: The coefficients.
    """
    return (
        fitted.fixed
        + sum(fitted.per_mac[kind] * count for kind, count in costs.macs.items() if count)
        + fitted.per_byte * moved_bytes(costs)
    )


def estimate(
    layers: Sequence[LayerCost] | None, runtime: str, threads: int, calibration: Calibration
) -> CalibratedEstimate:
    """Return what a calibration predicts for a file, or why it predicts nothing.

    Args:
        layers: Costs counted from the file, or None.
        runtime: Runtime that runs it, e.g. ``"litert 2.3.0"``.
        threads: Number of its threads.
        calibration: The calibration of the device.
    """
    if layers is None:
        return CalibratedEstimate(reason="The operations of the file cannot be counted.")
    reason = None
    if runtime.partition(" ")[0] != calibration.runtime.partition(" ")[0]:
        reason = f"The device is calibrated for {calibration.runtime}, and this is {runtime}."
    elif threads != calibration.threads:
        reason = f"The device is calibrated for {calibration.threads} threads."
    reason = reason or uncalibrated(layers, calibration)
    if reason is not None:
        return CalibratedEstimate(reason=reason)
    costs = proxy.totals(layers)
    seconds, joules = calibration.seconds, calibration.joules
    return CalibratedEstimate(
        seconds=predict(costs, seconds),
        seconds_error=seconds.error,
        net_j=None if joules is None else predict(costs, joules),
        net_j_error=None if joules is None else joules.error,
        reason=calibration.reason,
    )


def uncalibrated(layers: Sequence[LayerCost], calibration: Calibration) -> str | None:
    """Return why a calibration does not apply to some layers, or None when it applies.

    Args:
        layers: Layers of a file or of a PyTorch model.
        calibration: The calibration of the device.
    """
    multiplying = [layer for layer in layers if layer.macs]
    recurrent = sorted({each.op for each in multiplying if "LSTM" in each.op or "RNN" in each.op})
    if recurrent:
        return f"The calibration has no graphs with {', '.join(recurrent)}."
    kinds = {layer.dtype for layer in multiplying} - set(calibration.seconds.per_mac)
    if kinds:
        return f"The device is not calibrated for {', '.join(sorted(kinds))}."
    return None
