"""Costs of a device that were fitted to measurements on it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from edgeecg.schema.energy import Energy
from edgeecg.schema.value import Count, DType, Positive, Seconds, Value

NonNegative = Annotated[float, Field(ge=0.0)]


class FittedCosts(Value):
    """Coefficients of an inference, in seconds or joules per unit.

    Attributes:
        fixed: What an inference costs without an operation.
        per_mac: Cost of one multiply-accumulate, by dtype; where kinds of layers differ, of the
            kind with most MACs in the graphs.
        per_byte: Cost of one byte of weights or activations, as counted from the file.
        terms: The other coefficients by their names, see :func:`edgeecg.costs.calibration.terms`:
            ``operations_DTYPE`` (each operation that multiplies), ``KIND_macs_DTYPE``,
            ``KIND_steps_DTYPE`` (rows, or positions times the length of the kernel),
            ``depthwise_positions_DTYPE`` and ``pooling_bytes_DTYPE``. Empty in profiles of earlier
            versions.
        error: Median relative error of graphs that were left out of the fit, one at a time.
        worst_error: Largest such error.
        graphs: Number of graphs.
    """

    fixed: NonNegative
    per_mac: dict[DType, NonNegative]
    per_byte: NonNegative
    terms: dict[str, NonNegative] = Field(default_factory=dict)
    error: NonNegative
    worst_error: NonNegative
    graphs: Count


class Calibration(Value):
    """What was fitted on one device; the table ``[calibration]`` of a device profile.

    Attributes:
        runtime: Runtime name and version.
        threads: Number of threads of the runtime.
        cpu: Name of the processor, or None.
        emulated: Whether the device is emulated. Such times are not those of the board.
        created_utc: Time of the measurement, ISO 8601.
        meter: The meter, or None where the energy was not measured.
        replayed: Whether the values of the meter were a recording or a simulation.
        seconds: Seconds of an inference.
        joules: Net joules of an inference, or None.
        reason: Why there are no joules, or None.
    """

    runtime: str
    threads: Annotated[int, Field(ge=1)] = 1
    cpu: str | None = None
    emulated: bool = False
    created_utc: str
    meter: str | None = None
    replayed: bool = False
    seconds: FittedCosts
    joules: FittedCosts | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.joules is None) != (self.reason is not None):
            raise ValueError("a calibration needs joules, or a reason why there are none")
        return self


class CalibratedEstimate(Value):
    """Time and energy of a file as predicted by the calibration of its device.

    Attributes:
        seconds: Seconds of an inference, or None.
        seconds_error: Relative error of such a prediction, from graphs left out of the fit.
        net_j: Net joules of an inference, or None.
        net_j_error: Relative error of that prediction.
        replayed: Whether the meter's values, to which the joules were fitted, were a recording or a
            simulation.
        reason: Why something is None, or None.
    """

    seconds: Seconds | None = None
    seconds_error: NonNegative | None = None
    net_j: NonNegative | None = None
    net_j_error: NonNegative | None = None
    replayed: bool = False
    reason: str | None = None


class CalibrationGraph(Value):
    """One graph of a calibration.

    Attributes:
        name: Its operations and sizes.
        macs: Its MACs by dtype.
        moved_bytes: Its bytes of weights and activations.
        seconds: Median time of a run.
        predicted_s: The time that the fit without this graph predicts.
        energy: Energy of a run.
        predicted_j: The net joules that the fit without this graph predicts, or None.
    """

    name: str
    macs: dict[DType, Count]
    moved_bytes: Count
    seconds: Positive
    predicted_s: Seconds
    energy: Energy
    predicted_j: float | None = None


class CalibrationReport(Value):
    """What ``edgeecg calibrate`` writes with ``--json``.

    Attributes:
        device: Name of the device profile that was extended.
        calibration: What was fitted.
        graphs: The measurements.
        warnings: What may have disturbed them, a sentence each.
    """

    version: ClassVar[str] = "edgeecg.calibration/1"

    device: str
    calibration: Calibration
    graphs: tuple[CalibrationGraph, ...]
    warnings: tuple[str, ...] = ()
