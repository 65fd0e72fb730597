"""The energy of an inference from samples of power.

Power is integrated by the trapezoidal rule over the samples' own times. Nothing is extrapolated: a
window that the samples do not cover, or in which they have a gap, is invalid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark.energy import InvalidWindowError, MeterFacts, evaluate
from edgeecg.benchmark.recording import PowerTrace
from edgeecg.schema import Energy, EnergyWindow

# A longer time without a sample is a gap: this many periods, and a hundredth of a usual window.
_GAP_PERIODS, _GAP_S = 5.0, 0.1
# The meter's samples around an edge belong to both sides of it: this many periods are attributed to
# the inferences, and at least the time in which a processor goes back to its idle clock.
_GUARD_PERIODS, _GUARD_S = 2.0, 0.05
# A value that comes this many times longer than usual, and for this time, is a stale one, ...
_STALE_FACTOR, _STALE_S = 20.0, 1.0
# ... unless such values come again and fill this share of the samples: the device rests at them.
_REST_SHARE = 0.25


def guard_of(sample_rate_hz: float, settle_s: float = _GUARD_S) -> float:
    """Return the seconds before and after a busy window that are attributed to its inferences.

    Args:
        sample_rate_hz: Of the meter.
        settle_s: Time in which the device is at its idle power again.
    """
    return max(_GUARD_PERIODS / sample_rate_hz, settle_s)


class PowerCurve:
    """The integral of sampled power.

    Attributes:
        guard_s: Time before and after a busy window that is attributed to its inferences.
        resolution_w: Step of the samples where noise does not dither them, or 0.
    """

    def __init__(self, trace: PowerTrace, guard_s: float = 0.0, settle_s: float = _GUARD_S) -> None:
        """Integrate a trace.

        Args:
            trace: The samples.
            guard_s: Uncertainty of the clock of the windows against that of the samples.
            settle_s: Time in which the device is at its idle power again.
        """
        period = 1.0 / trace.sample_rate_hz
        self.guard_s = max(guard_of(trace.sample_rate_hz, settle_s), 2 * guard_s)
        self._longest_gap = max(_GAP_PERIODS * period, _GAP_S)
        self._t, self._watts = trace.t_s, trace.watts
        steps = np.diff(self._t)
        self._gaps = np.flatnonzero(steps > self._longest_gap)
        self._back = np.flatnonzero(steps <= 0.0)
        pieces = steps * (self._watts[1:] + self._watts[:-1]) / 2
        self._joules = np.concatenate([[0.0], np.cumsum(pieces)])
        self._error = trace.error
        self.resolution_w = _undithered(self._watts, trace.resolution_w)
        # Readings in steps that are coarser than the noise repeat without being stale.
        self._stale = [] if self.resolution_w else _stale(self._t, self._watts)

    def joules(self, begun_s: float, ended_s: float) -> float:
        """Return the energy of a period.

        Raises:
            InvalidWindowError: The samples do not cover it, have a gap in it, or are stale.
        """
        if not self._t.size or begun_s < self._t[0] or ended_s > self._t[-1]:
            cause = f" {self._error}" if self._error else ""
            raise InvalidWindowError(f"the samples of the meter do not cover it.{cause}")
        first = int(np.searchsorted(self._t, begun_s, "right")) - 1
        last = int(np.searchsorted(self._t, ended_s, "left"))
        if np.any((self._back >= first) & (self._back < last)):
            raise InvalidWindowError("the clock of the meter went back.")
        gaps = self._gaps[(self._gaps >= first) & (self._gaps < last)]
        if gaps.size:
            longest = float(np.max(self._t[gaps + 1] - self._t[gaps]))
            raise InvalidWindowError(f"the meter delivered no sample for {longest:.2g} s.")
        for begun, ended in self._stale:
            if begun < ended_s and ended > begun_s:
                raise InvalidWindowError(
                    f"the meter repeated one value for {ended - begun:.2g} s, and its values "
                    "change all the time otherwise."
                )
        return self._until(ended_s) - self._until(begun_s)

    def _until(self, time_s: float) -> float:
        """Return the integral from the first sample to a time."""
        k = min(int(np.searchsorted(self._t, time_s, "right")) - 1, self._t.size - 2)
        step = time_s - self._t[k]
        slope = (self._watts[k + 1] - self._watts[k]) / (self._t[k + 1] - self._t[k])
        return float(self._joules[k] + step * (self._watts[k] + slope * step / 2))


def from_trace(
    windows: Sequence[EnergyWindow],
    trace: PowerTrace,
    guard_s: float = 0.0,
    disturbed: Sequence[str | None] = (),
    settle_s: float = _GUARD_S,
) -> Energy:
    """Compute the energy of one inference from samples of power.

    Args:
        windows: Idle and busy windows in turn, with an idle one first and last, on the clock of the
            trace.
        trace: The samples.
        guard_s: Uncertainty of that clock, in seconds. The energy of twice this time before and
            after each window is attributed to its inferences, so that it does no harm.
        disturbed: For each busy window, why it is not valid, or None.
        settle_s: Time in which the device is at its idle power again after an inference.

    Returns:
        The energy; ``"not measured"`` with the reason when too few windows are valid, and ``"not
        resolved"`` when the meter always showed the same power.

    Raises:
        MeterError: The meter is too slow for windows of this length.
    """
    facts = MeterFacts(
        name=trace.meter,
        zones=trace.zones,
        sample_rate_hz=trace.sample_rate_hz,
        replayed=trace.replayed,
        samples=int(trace.t_s.size),
        lost=trace.lost,
        dropped=trace.dropped,
        warnings=_warnings(trace),
    )
    found = evaluate(windows, PowerCurve(trace, guard_s, settle_s), facts, disturbed)
    if found.tier == "not resolved" and trace.watts.size and not np.ptp(trace.watts):
        reason = (
            f"The meter showed the same {trace.watts[0]:.4g} W all the time: its values are stale, "
            "or too coarse for this model."
        )
        return found.model_copy(update={"reason": reason})
    return found


def _warnings(trace: PowerTrace) -> tuple[str, ...]:
    found = list(trace.remarks)
    if trace.lost:
        found.append(f"The meter lost {trace.lost:,} samples.")
    if trace.dropped:
        found.append(
            f"{trace.dropped:,} samples were left out, because the meter cannot have measured them."
        )
    if trace.error:
        found.append(f"The recording ended early: {trace.error}")
    return tuple(found)


def _stale(t_s: NDArray[np.float64], watts: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the periods in which a value that usually changes all the time did not change."""
    if watts.size < 2:
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(watts)) + 1])
    lengths = np.diff(np.concatenate([starts, [watts.size]]))
    # The usual length of a run of equal values, where a long run counts once.
    long = lengths > _STALE_FACTOR * np.quantile(lengths, 0.95)
    # A value that stays in several rests is one that the noise at rest does not change. A meter
    # that stops twice at one value, such as 0 W, does so for a small part of the time.
    values, counts = np.unique(watts[starts[long]], return_counts=True)
    again = long & np.isin(watts[starts], values[counts > 1])
    if lengths[again].sum() >= _REST_SHARE * watts.size:
        long &= ~again
    begun, ended = t_s[starts[long]], t_s[(starts + lengths - 1)[long]]
    lasting = ended - begun >= _STALE_S
    return list(zip(begun[lasting].tolist(), ended[lasting].tolist(), strict=True))


def _undithered(watts: NDArray[np.float64], step_w: float) -> float:
    """Return the step of the readings where it is coarser than their noise, or 0.

    With noise of more than half a step the mean of many samples is finer than a step.

    Args:
        watts: The samples.
        step_w: The step that the meter declares, or 0.
    """
    if not step_w or watts.size < 2:
        return 0.0
    # Consecutive samples differ by noise: its deviation is that of the differences / sqrt(2). The
    # edges of the windows are larger and rare; they are left out.
    changes = np.abs(np.diff(watts))
    noise = float(np.sqrt(np.mean(changes[changes < 8 * step_w] ** 2) / 2))
    return step_w if noise < step_w / 2 else 0.0
