"""Signal quality in stretches of ten seconds: where detected beats and their classes are doubtful.

The main measure is the noise between QRS complexes over the amplitude of these. On MIT-BIH it marks
0.6 % of the stretches in which :mod:`edgeecg.signal.qrs` makes no error, and 70 % of those with
three or more errors; with muscle artefact at 6 dB, 96 % of these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.signal.filters import hold_last_valid

STRETCH_S = 10.0
"""Length of a stretch; the last one of a record may be up to twice as long."""

INVALID, FLAT, CLIPPED = "invalid samples", "flat signal", "clipped signal"
NO_BEATS, NOISY = "no beats", "noise"

NOISE_RATIO = 0.09
"""Standard deviation between QRS complexes over their median peak-to-peak amplitude, from which on
a stretch is noisy."""

_BASELINE_S = 0.2
_QRS_S = 0.1
_BETWEEN_S = 0.12
_UNUSABLE_S = 1.0
_CLIPPED_S = 0.05


def low_quality(
    lead_mv: NDArray[np.float64], peaks: NDArray[np.int64], fs_hz: float
) -> NDArray[np.str_]:
    """Return for each stretch of a lead why its quality is low, or "".

    The first reason that applies counts: a second of invalid samples; a second without change; 50
    ms at the record's largest or smallest value; no R peak; noise.

    Args:
        lead_mv: One lead in millivolts, ``(samples,)``; NaN where invalid.
        peaks: Its R peaks, ``(beats,)``, in order.
        fs_hz: Its sampling rate.
    """
    length = round(STRETCH_S * fs_hz)
    starts = np.arange(max(1, len(lead_mv) // length)) * length
    stops = np.append(starts[1:], len(lead_mv))
    valid = np.isfinite(lead_mv)
    if not valid.any():
        return np.full(len(starts), INVALID)
    held = hold_last_valid(lead_mv[None])[0]
    fast = held - _moving_average(held, fs_hz)
    at_limit = (held == held.max()) | (held == held.min())
    unusable = round(_UNUSABLE_S * fs_hz)
    reasons: list[str] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        inside = peaks[(peaks >= start) & (peaks < stop)] - start
        if _longest_run(~valid[start:stop]) >= unusable:
            reasons.append(INVALID)
        elif _longest_run(np.diff(held[start:stop]) == 0) >= unusable:
            reasons.append(FLAT)
        elif _longest_run(at_limit[start:stop]) >= max(3, round(_CLIPPED_S * fs_hz)):
            reasons.append(CLIPPED)
        elif not len(inside):
            reasons.append(NO_BEATS)
        else:
            noisy = noise_ratio(fast[start:stop], inside, fs_hz) > NOISE_RATIO
            reasons.append(NOISY if noisy else "")
    return np.array(reasons)


def stretch_of(peaks: NDArray[np.int64], samples: int, fs_hz: float) -> NDArray[np.int64]:
    """Return for each R peak the index of its stretch.

    Args:
        peaks: R peaks, ``(beats,)``.
        samples: Length of the record.
        fs_hz: Its sampling rate.
    """
    length = round(STRETCH_S * fs_hz)
    return np.minimum(peaks // length, max(1, samples // length) - 1)


def noise_ratio(fast_mv: NDArray[np.float64], peaks: NDArray[np.int64], fs_hz: float) -> float:
    """Return the standard deviation between QRS complexes over their median amplitude.

    Args:
        fast_mv: One lead without its baseline, ``(samples,)``.
        peaks: R peaks in it, ``(beats,)``; at least one.
        fs_hz: Its sampling rate.

    Returns:
        Infinity where the complexes have no amplitude.
    """
    half, apart = round(_QRS_S * fs_hz), round(_BETWEEN_S * fs_hz)
    between = np.ones(len(fast_mv), np.bool_)
    heights: list[float] = []
    for peak in peaks.tolist():
        between[max(peak - apart, 0) : peak + apart + 1] = False
        heights.append(float(np.ptp(fast_mv[max(peak - half, 0) : peak + half + 1])))
    height_mv = float(np.median(heights))
    if height_mv == 0.0:
        return float("inf")
    return float(fast_mv[between].std()) / height_mv if between.any() else 0.0


def _moving_average(lead_mv: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """Return the mean of the 0.2 s around each sample."""
    half = max(1, round(_BASELINE_S * fs_hz / 2))
    padded = np.pad(lead_mv, (half + 1, half), mode="edge")
    total = np.cumsum(padded)
    width = 2 * half + 1
    return (total[width:] - total[:-width]) / width


def _longest_run(flags: NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
