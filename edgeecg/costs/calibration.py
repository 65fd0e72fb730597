"""Fitting the costs of a device to measurements, and predicting from the fit.

Time and energy of an inference are a sum of terms: an amount that is counted from the file, such as
the MACs of its convolutions in int8, times a coefficient that is not negative. The sum of the
squares of the relative errors is smallest, so that a graph of a microsecond counts as much as one
of a millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from edgeecg.costs._least_squares import non_negative
from edgeecg.schema import (
    CalibratedEstimate,
    Calibration,
    DeviceInfo,
    DType,
    FittedCosts,
    LayerCost,
)

FIXED, BYTES = "fixed", "bytes"
"""Names of the terms of every inference, and of the bytes of operations that multiply."""

_FEWEST = 6
_RECURRENT = ("LSTM", "RNN", "GRU")
_BYTES_OF: dict[DType, int] = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class Measured:
    """One measured graph.

    Attributes:
        layers: Costs counted from its file.
        value: Its seconds or joules.
    """

    layers: tuple[LayerCost, ...]
    value: float


def kind(op: str) -> str:
    """Return the kind of an operation, of which each has its own coefficients.

    Args:
        op: The operation as a format or PyTorch calls it, e.g. ``"CONV_2D"`` or ``"Conv1d"``.
    """
    name = op.lower()
    if "depthwise" in name:
        return "depthwise"
    if "conv" in name:
        return "convolution"
    return "pooling" if "pool" in name else "dense"


def moved_bytes(layers: Sequence[LayerCost]) -> int:
    """Return the bytes of weights and activations of a file."""
    return sum(layer.weight_bytes + layer.activation_bytes for layer in layers)


def positions(layer: LayerCost) -> float:
    """Return how often the weights of a layer are used: its rows, or positions of its kernel."""
    weights = layer.weight_bytes / _BYTES_OF[layer.dtype]
    return layer.macs / weights if weights else 0.0


def steps(layer: LayerCost) -> float:
    """Return about how often a kernel loads an element, or a vector of channels, of its input.

    It is the number of rows of a matrix product, and positions times the length of the kernel of a
    convolution. A runtime spends some time on each, whatever the number of channels, which
    dominates where there are few. The counts follow from MACs and bytes: positions are MACs over
    weights; a convolution is taken to have as many channels out as in.

    Args:
        layer: An operation that multiplies.
    """
    places, activations = positions(layer), layer.activation_bytes / _BYTES_OF[layer.dtype]
    if not places or not activations:
        return 0.0
    what = kind(layer.op)
    if what == "convolution":
        return layer.macs / max(1.0, activations / (2 * places)) ** 2
    if what == "depthwise":
        return layer.macs / max(1.0, activations / places - 1)
    return places


def terms(layer: LayerCost) -> dict[str, float]:
    """Return the amounts of one operation, by the names of their coefficients.

    Args:
        layer: Its costs, counted from a file or from a PyTorch model.
    """
    what, dtype = kind(layer.op), layer.dtype
    moved = layer.weight_bytes + layer.activation_bytes
    if not layer.macs:
        return {f"pooling_bytes_{dtype}" if what == "pooling" else BYTES: float(moved)}
    found = {
        f"operations_{dtype}": 1.0,
        f"{what}_macs_{dtype}": float(layer.macs),
        f"{what}_steps_{dtype}": steps(layer),
        BYTES: float(moved),
    }
    if what == "depthwise":
        # There is little to multiply at a position, so what a position itself costs counts.
        found[f"depthwise_positions_{dtype}"] = positions(layer)
    return found


def stays(name: str) -> bool:
    """Return whether the amount of a term stays the same when channels are removed."""
    return name.startswith("operations_") or "_steps_" in name or "_positions_" in name


def amounts(layers: Sequence[LayerCost]) -> dict[str, float]:
    """Return the amounts of a whole graph, by the names of their coefficients."""
    found = {FIXED: 1.0}
    for layer in layers:
        for name, amount in terms(layer).items():
            found[name] = found.get(name, 0.0) + amount
    return found


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
    counted = [amounts(each.layers) for each in measured]
    names = list(dict.fromkeys([FIXED, BYTES, *(name for each in counted for name in each)]))
    features = np.array([[each.get(name, 0.0) for name in names] for each in counted])
    values = np.array([each.value for each in measured])
    coefficients = dict(zip(names, non_negative(features, values).tolist(), strict=True))
    others = np.arange(len(measured))
    predicted = [
        float(features[k] @ non_negative(features[others != k], values[others != k]))
        for k in range(len(measured))
    ]
    errors = np.abs(np.array(predicted) / values - 1.0)
    found = FittedCosts(
        fixed=coefficients[FIXED],
        per_mac=_per_mac(measured, coefficients),
        per_byte=coefficients[BYTES],
        terms={name: value for name, value in coefficients.items() if name not in (FIXED, BYTES)},
        error=float(np.median(errors)),
        worst_error=float(errors.max()),
        graphs=len(measured),
    )
    return found, tuple(predicted)


def _per_mac(measured: Sequence[Measured], coefficients: Mapping[str, float]) -> dict[DType, float]:
    """Return the cost of a MAC by dtype: of the kind of layer with most MACs in the graphs."""
    macs: dict[tuple[DType, str], int] = {}
    for layer in (layer for each in measured for layer in each.layers if layer.macs):
        key = (layer.dtype, kind(layer.op))
        macs[key] = macs.get(key, 0) + layer.macs
    found: dict[DType, float] = {}
    for dtype in get_args(DType):
        kinds = [key for key in macs if key[0] == dtype]
        if kinds:
            _, what = max(kinds, key=lambda key: macs[key])
            found[dtype] = coefficients[f"{what}_macs_{dtype}"]
    return found


def coefficient(name: str, fitted: FittedCosts) -> float:
    """Return the cost of one unit of a term.

    Args:
        name: Name of the term.
        fitted: The coefficients; a kind of operation that was not measured has those of the others.
    """
    if name == FIXED:
        return fitted.fixed
    if name in fitted.terms:
        return fitted.terms[name]
    if name == BYTES or "_bytes_" in name:
        return fitted.per_byte
    what, _, dtype = name.rpartition("_")
    if what.endswith("_macs"):
        return fitted.per_mac[dtype]  # pyright: ignore[reportArgumentType] - it is a DType.
    return 0.0


def predict(layers: Sequence[LayerCost], fitted: FittedCosts) -> float:
    """Return the seconds or joules of an inference.

    Args:
        layers: Costs counted from the file, with MACs only of dtypes that were fitted.
        fitted: The coefficients.
    """
    found = amounts(layers).items()
    return sum(coefficient(name, fitted) * amount for name, amount in found)


def estimate(
    layers: Sequence[LayerCost] | None,
    runtime: str,
    threads: int,
    calibration: Calibration,
    device: DeviceInfo | None = None,
) -> CalibratedEstimate:
    """Return what a calibration predicts for a file, or why it predicts nothing.

    Args:
        layers: Costs counted from the file, or None.
        runtime: Runtime that runs it, e.g. ``"litert 2.3.0"``.
        threads: Number of its threads.
        calibration: The calibration of the device profile.
        device: The machine that runs it; None where it is not known.
    """
    if layers is None:
        return CalibratedEstimate(reason="The operations of the file cannot be counted.")
    reason = None
    if runtime.partition(" ")[0] != calibration.runtime.partition(" ")[0]:
        reason = f"The device is calibrated for {calibration.runtime}, and this is {runtime}."
    elif threads != calibration.threads:
        reason = f"The device is calibrated for {calibration.threads} threads."
    elif device is not None:
        reason = _of_another_machine(calibration, device)
    reason = reason or uncalibrated(layers, calibration)
    if reason is not None:
        return CalibratedEstimate(reason=reason)
    seconds, joules = calibration.seconds, calibration.joules
    return CalibratedEstimate(
        seconds=predict(layers, seconds),
        seconds_error=seconds.error,
        net_j=None if joules is None else predict(layers, joules),
        net_j_error=None if joules is None else joules.error,
        replayed=calibration.replayed,
        reason=None if joules is not None else f"It has no energy: {calibration.reason}",
    )


def _of_another_machine(calibration: Calibration, device: DeviceInfo) -> str | None:
    """Return why a profile's calibration is not of a machine, or None where it may be."""
    if calibration.emulated != device.emulated:
        one, other = ("an emulated", "not") if calibration.emulated else ("a real", "emulated")
        return f"The profile was calibrated on {one} machine, and this one is {other}."
    known = calibration.cpu is not None and device.cpu is not None
    if known and _board(calibration.cpu) != _board(device.cpu):
        return f"The profile was calibrated on '{calibration.cpu}', and this is '{device.cpu}'."
    return None


def _board(cpu: str | None) -> str:
    # Boards of one model differ in their revision, "Raspberry Pi 4 Model B Rev 1.5".
    return (cpu or "").partition(" Rev ")[0]


def uncalibrated(layers: Sequence[LayerCost], calibration: Calibration) -> str | None:
    """Return why a calibration does not apply to some layers, or None when it applies.

    Args:
        layers: Layers of a file or of a PyTorch model.
        calibration: The calibration of the device.
    """
    multiplying = [layer for layer in layers if layer.macs]
    recurrent = sorted({each.op for each in multiplying if any(n in each.op for n in _RECURRENT)})
    if recurrent:
        return f"The calibration has no graphs with {', '.join(recurrent)}."
    kinds = {layer.dtype for layer in multiplying} - set(calibration.seconds.per_mac)
    if kinds:
        return f"The device is not calibrated for {', '.join(sorted(kinds))}."
    return None
