"""From one record and its R peaks, annotated or detected, to one window per beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records.reader import Record
from edgeecg.data.windows.filters import causal_filter
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing
from edgeecg.signal import rhythm, windows
from edgeecg.signal.filters import CausalFilter, hold_last_valid
from edgeecg.signal.r_peaks import recentre
from edgeecg.signal.windows import EDGE, FLAT, NAN

SHORT = "record shorter than one window"
"""Reason for records that cannot hold any window."""


@dataclass(frozen=True)
class BeatWindows:
    """Windows of one record's beats.

    Attributes:
        x: Windows of the beats that have one, in order, float32, ``(kept, leads, samples)``.
        reason: For every beat, why it has no window, or "" where it has one, ``(beats,)``.
    """

    x: NDArray[np.float32]
    reason: NDArray[np.str_]


def is_short(record: Record, preprocessing: Preprocessing) -> bool:
    """Say whether a record is shorter than one window's signal."""
    samples = record.signal_mv.shape[1] * preprocessing.fs_hz / record.fs_hz
    return samples < preprocessing.signal_samples


def beat_windows(
    record: Record, beats: NDArray[np.int64], preprocessing: Preprocessing
) -> BeatWindows:
    """Filter a record and cut one window around each R peak.

    An invalid sample is replaced by the last valid one, as a device would, so that the filters go
    on; no window that has seen one is returned, and none such enters the patient's mean beat.

    Args:
        record: The signal, with NaN where samples are invalid.
        beats: Positions of all R peaks, in order, ``(beats,)``.
        preprocessing: How a lead becomes windows; has an ``r_index``.

    Raises:
        DataError: The record's rate does not fit, or two beats are at one place or out of order
            while the windows carry a rhythm strip.
    """
    stream = causal_filter(preprocessing, record.fs_hz)
    filtered = stream.push(hold_last_valid(record.signal_mv))
    invalid, flat = _faults(record, beats, preprocessing, stream)
    kept = ~(invalid | flat)
    x, whole = windows.cut(filtered, stream.position(beats[kept]), preprocessing)
    kept[kept] = whole
    if preprocessing.rhythm is not None:
        if np.any(np.diff(beats) <= 0):
            at = beats[1:][np.diff(beats) <= 0][0]
            raise DataError(
                f"The beats of record {record.name} cannot be used.",
                f"The one at sample {at} does not come after the one before it.",
                "Take the beat out of the annotations that is there twice or out of order.",
            )
        strips = rhythm.strips(beats / record.fs_hz, preprocessing.rhythm)
        x = windows.with_strips(x, strips[kept])
    return BeatWindows(x, np.select([invalid, flat, ~kept], [NAN, FLAT, EDGE], default=""))


def peaks_for(
    record: Record, annotated: NDArray[np.int64], preprocessing: Preprocessing
) -> NDArray[np.int64]:
    """Return the R peaks around which the windows of annotated beats are cut.

    Args:
        record: The signal; its first lead is used.
        annotated: Annotated positions, ``(beats,)``.
        preprocessing: Says whether annotated peaks are moved.
    """
    if not preprocessing.recentre_peaks:
        return annotated
    return recentre(hold_last_valid(record.signal_mv[:1])[0], annotated, record.fs_hz)


def _faults(
    record: Record,
    beats: NDArray[np.int64],
    preprocessing: Preprocessing,
    stream: CausalFilter,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each beat whether its window meets invalid samples, and whether a lead is flat."""
    span = windows.WindowSpan.of(preprocessing, stream)
    length = record.signal_mv.shape[1]

    def within(
        counted: NDArray[np.bool_], spans: tuple[NDArray[np.int64], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """Return how many samples are counted in each lead around each beat, (leads, beats)."""
        total = np.pad(np.cumsum(counted, axis=1), ((0, 0), (1, 0)))
        start, stop = (np.clip(end, 0, length) for end in spans)
        return total[:, stop] - total[:, start]

    invalid = within(~np.isfinite(record.signal_mv), span.of_validity(beats)) > 0
    changes = np.diff(record.signal_mv, axis=1, append=record.signal_mv[:, -1:]) != 0
    flat = within(changes, span.of_change(beats)) == 0
    return np.any(invalid, axis=0), np.any(flat, axis=0)
