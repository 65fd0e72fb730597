"""The numbers that a device needs to filter and resample a lead as training did."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from edgeecg.schema.value import Count, Positive, Value

_Factor = Annotated[int, Field(ge=1)]


class FilterCoefficients(Value):
    """Causal high-pass and resampler for one sampling rate of the records.

    The high-pass is computed on the workstation and stored as numbers. The taps of the resampler
    follow from ``up``, ``down``, ``delay`` and ``kaiser_beta``; see
    :func:`edgeecg.signal.filters.resampler_taps`.

    Attributes:
        record_fs_hz: Sampling rate of the input in hertz.
        up: Numerator of output rate over input rate, in lowest terms.
        down: Its denominator.
        delay: Delay of the resampler in output samples; 0 where the two rates are equal.
        kaiser_beta: Shape of the Kaiser window over the resampler's sinc.
        highpass_sos: Second-order section ``b0, b1, b2, a0, a1, a2`` with ``a0 = 1``, or None for
            no high-pass.
        highpass_steady_state: State of the section after a long input of 1, or None.
    """

    record_fs_hz: Positive
    up: _Factor
    down: _Factor
    delay: Count
    kaiser_beta: Positive = 5.0
    highpass_sos: tuple[float, float, float, float, float, float] | None = None
    highpass_steady_state: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.highpass_sos is None) != (self.highpass_steady_state is None):
            raise ValueError("highpass_sos and highpass_steady_state belong together")
        if self.highpass_sos is not None and self.highpass_sos[3] != 1.0:
            raise ValueError(f"a0 of highpass_sos must be 1, not {self.highpass_sos[3]}")
        if (self.delay == 0) != (self.up == self.down):
            raise ValueError("a resampler has a delay, and equal rates have none")
        return self
