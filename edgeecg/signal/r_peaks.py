"""The place of the R peak in a heartbeat, by one rule for annotated and detected beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_S = 0.09
"""How far a peak may be moved, in seconds."""

BASELINE_S = 0.15
"""Half of the stretch whose median is the baseline, in seconds."""

_NEGATIVE_WEIGHT = 2 / 3
"""Weight of a deviation below the baseline."""


def recentre(
    lead_mv: NDArray[np.float64], peaks: NDArray[np.int64], fs_hz: float
) -> NDArray[np.int64]:
    """Move each peak to the sample that differs most from the baseline.

    A deviation below the baseline counts two thirds of one above it. The sample is looked for
    within 90 ms, but not beyond the middle between two peaks; the baseline is the median within 150
    ms. The numbers were chosen on the training records of MIT-BIH (DS1), where 98 % of the
    detected beats (91 % of the ventricular ones) then lie within 20 ms of the annotation.

    Args:
        lead_mv: One lead without invalid samples, in millivolts, ``(samples,)``.
        peaks: Positions of the peaks, ``(beats,)``, in order.
        fs_hz: Sampling rate of the lead.

    Returns:
        The new positions, ``(beats,)``, in order.
    """
    reach, half = round(REACH_S * fs_hz), round(BASELINE_S * fs_hz)
    middles = (peaks[:-1] + peaks[1:]) // 2
    starts = np.maximum(peaks - reach, np.concatenate([[0], middles + 1]))
    stops = np.minimum(peaks + reach, np.concatenate([middles, [len(lead_mv) - 1]])) + 1
    moved = peaks.copy()
    for number, (peak, start, stop) in enumerate(zip(peaks, starts, stops, strict=True)):
        if start < stop:
            baseline_mv = np.median(lead_mv[max(peak - half, 0) : peak + half + 1])
            deviation_mv = lead_mv[start:stop] - baseline_mv
            weighted = np.where(deviation_mv < 0, -_NEGATIVE_WEIGHT * deviation_mv, deviation_mv)
            moved[number] = start + weighted.argmax()
    return moved
