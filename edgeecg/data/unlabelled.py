"""Windows of records to be classified, annotated or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import BEAT_SYMBOLS
from edgeecg.data.records.listing import is_missing, missing_record, record_names
from edgeecg.data.records.reader import Record
from edgeecg.data.sources._folder import has_ptbxl_layout, no_records
from edgeecg.data.windows.beats import SHORT, beat_windows, is_short, peaks_for
from edgeecg.data.windows.left_out import ANNOTATION_OUTSIDE
from edgeecg.data.windows.whole_records import window_mv
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing
from edgeecg.signal import qrs, quality, windows
from edgeecg.signal.windows import NAN

NO_BEATS = "no beats found"
"""Reason for records in which neither annotations nor the detector mark a beat."""

Peaks = Literal["annotations", "detected", "none needed"]
"""Where the R peaks come from; detected ones from :mod:`edgeecg.signal.qrs`."""


@dataclass(frozen=True)
class Unlabelled:
    """The windows of one record.

    Attributes:
        name: Record name.
        fs_hz: The record's own sampling rate.
        x: Windows, float32, ``(n, leads, samples)``.
        sample: R peak of each window at the record's own rate, int64, ``(n,)``; 0 for a window
            that is not about a beat.
        peaks: Where the R peaks come from.
        skipped: Beats, annotations, or the record, left out, by reason.
        quality: Why the signal around each window is of low quality, or "", ``(n,)``; see
            :mod:`edgeecg.signal.quality`. Always "" for a window that is not about a beat.
        stretches: Number of stretches of 10 s in the record; 0 where quality was not assessed.
        low_quality: How many of these are of low quality, by reason.
    """

    name: str
    fs_hz: float
    x: NDArray[np.float32]
    sample: NDArray[np.int64]
    peaks: Peaks
    skipped: dict[str, int]
    quality: NDArray[np.str_]
    stretches: int = 0
    low_quality: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def why_empty(self) -> str | None:
        """Why the record has no window, or None where it has one."""
        if len(self.sample):
            return None
        reasons = [reason for reason in self.skipped if reason != ANNOTATION_OUTSIDE]
        return ", ".join(reasons) or NO_BEATS


def names(path: Path) -> tuple[str, ...]:
    """Return the names of all records of a folder, annotated or not.

    Of a folder in PTB-XL's layout these are the records at 100 Hz, or at 500 Hz where there are
    none at 100 Hz.

    Raises:
        DataError: There are none, or the list of records names one outside the folder.
    """
    if not has_ptbxl_layout(path):
        return record_names(path)
    for pattern in ("records100/*/*_lr.hea", "records500/*/*_hr.hea"):
        if found := sorted(path.glob(pattern)):
            return tuple(str(header.relative_to(path).with_suffix("")) for header in found)
    raise no_records(path)


def load(
    path: Path, name: str, preprocessing: Preprocessing, leads: Mapping[str, str]
) -> Unlabelled:
    """Return the windows of one record: one for each beat, or one of the whole record.

    Beats are those of ``NAME.atr`` where it marks any, else those detected in the first lead.

    Args:
        path: The folder.
        name: The record.
        preprocessing: How leads become windows.
        leads: What the model's leads are called in the record.

    Raises:
        DataError: The record is missing or damaged, or lacks a lead, or a lead is flat.
    """
    if is_missing(path, name):
        raise missing_record(path, name)
    annotated = (path / f"{name}.atr").is_file() and preprocessing.r_index is not None
    record = reader.read(
        path, name, preprocessing.leads, called=leads, strict=False, annotated=annotated
    )
    if preprocessing.r_index is None:
        return _whole(record, preprocessing)
    if is_short(record, preprocessing):
        return _nothing(record, preprocessing, SHORT)
    is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in record.symbols], np.bool_)
    peaks: Peaks = "annotations"
    beats = peaks_for(record, record.samples[is_beat], preprocessing)
    if not len(beats):
        # No annotations, or such as mark rhythms or noise alone.
        beats, peaks = detect(record), "detected"
    made = beat_windows(record, beats, preprocessing)
    skipped = _counted(made.reason)
    if record.outside:
        skipped[ANNOTATION_OUTSIDE] = record.outside
    kept = beats[made.reason == ""]
    lead_mv = record.signal_mv[0]
    low = quality.low_quality(lead_mv, beats, record.fs_hz)
    return Unlabelled(
        name,
        record.fs_hz,
        made.x,
        kept,
        peaks,
        skipped=dict(sorted(skipped.items())),
        quality=low[quality.stretch_of(kept, len(lead_mv), record.fs_hz)],
        stretches=len(low),
        low_quality=_counted(low),
    )


def detect(record: Record) -> NDArray[np.int64]:
    """Return the R peaks detected in a record's first lead, ``(beats,)``.

    The detector is the one that a device runs. It makes fewer errors on MIT-BIH than those of wfdb
    and other packages (``benchmarks/experiments/detection.toml``), and works at any rate from
    50 Hz on.

    Raises:
        DataError: The rate is too low.
    """
    try:
        return qrs.detect(record.signal_mv[0], record.fs_hz)
    except ValueError as error:
        raise DataError(
            f"No beats can be found in record {record.name}.",
            f"{error}.",
            "Annotate its beats, or leave the record out.",
        ) from error


def _whole(record: Record, preprocessing: Preprocessing) -> Unlabelled:
    """Return the record's first ``window`` samples at the model's rate as one window."""
    filtered = window_mv(record.signal_mv, record.fs_hz, preprocessing)
    if not np.isfinite(filtered).all():
        return _nothing(record, preprocessing, NAN)
    if filtered.shape[1] < preprocessing.window:
        return _nothing(record, preprocessing, SHORT)
    x = windows.normalise(filtered, preprocessing)[None]
    return Unlabelled(
        record.name,
        record.fs_hz,
        x,
        np.zeros(1, np.int64),
        "none needed",
        skipped={},
        quality=np.array([""]),
    )


def _nothing(record: Record, preprocessing: Preprocessing, reason: str) -> Unlabelled:
    x = np.zeros((0, len(preprocessing.leads), preprocessing.window), np.float32)
    return Unlabelled(
        record.name,
        record.fs_hz,
        x,
        np.zeros(0, np.int64),
        "none needed",
        skipped={reason: 1},
        quality=np.zeros(0, np.str_),
    )


def _counted(reasons: NDArray[np.str_]) -> dict[str, int]:
    """Return how often each reason occurs; "" is none."""
    return dict(sorted(Counter(reasons[reasons != ""].tolist()).items()))
