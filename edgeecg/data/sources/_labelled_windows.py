"""Reading records with classes as a whole, each as one window in millivolts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgeecg import files
from edgeecg.data.records import format16, reader
from edgeecg.data.records.leads import LeadChoice
from edgeecg.data.windows.whole_records import samples_used, window_mv
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing, Split

NO_CLASS, TOO_SHORT, NAN_LEAD, FLAT_LEAD = "no superclass", "too short", "NaN lead", "flat lead"
"""Reasons in ``DataSummary.skipped``; a record counts under the first that applies."""


@dataclass(frozen=True)
class LabelledRecords:
    """Which records there are, whose they are, and what they show.

    Attributes:
        folder: Their folder.
        record: Name of each record for the user, ``(n,)``.
        patient: Name of each record's patient, ``(n,)``.
        path: Path of each record inside the folder, without suffix.
        y: 1 where a record has a class, float32, ``(n, classes)``.
        classes: Names of the classes.
        rows_of: Rows of the records of each split.
        tables: Files that the classes come from, besides the records' headers.
        complete: The records are those of a known database, of which none may be missing or
            damaged. If not, a record that cannot be used is left out.
        left_out: Records known to be unusable, with the reason.
        fs_hz: Sampling rate that the records of a complete set have.
    """

    folder: Path
    record: NDArray[np.str_]
    patient: NDArray[np.str_]
    path: tuple[PurePosixPath, ...]
    y: NDArray[np.float32]
    classes: tuple[str, ...]
    rows_of: dict[Split, NDArray[np.int64]]
    tables: tuple[Path, ...]
    complete: bool
    left_out: dict[str, str]
    fs_hz: float | None = None


@dataclass(frozen=True)
class _Read:
    """What is read of a record.

    Attributes:
        signal_mv: Samples that reach the window, ``(leads, samples)``.
        fs_hz: Their rate.
        fault: Why the record has to be left out, or None.
    """

    signal_mv: NDArray[np.float64]
    fs_hz: float
    fault: str | None


class WindowReader:
    """Reads the window of each record."""

    def __init__(
        self, records: LabelledRecords, wanted: Preprocessing, called: Mapping[str, str]
    ) -> None:
        """Read the headers, which takes a second or two for all of PTB-XL.

        Args:
            records: The records.
            wanted: How they become windows.
            called: What some of the leads are called in the records.

        Raises:
            DataError: A header of a complete set cannot be read.
        """
        self._records = records
        self._wanted = wanted
        self._called = called
        self.headers = [self._header_content(row) for row in range(len(records.path))]

    def hashes_without_checksums(self, row: int) -> str:
        """Return the hashes of a record's signal files where its header has no checksums."""
        if self._records.complete or self._parsed(row) is not None:
            return ""
        return "".join(_hashes(self._records.folder, str(self._records.path[row])))

    def fault(self, row: int) -> str | None:
        """Return why a record cannot be used, or None.

        Raises:
            DataError: The record is missing or damaged, or lacks a lead.
        """
        return self._read(row).fault

    def window(self, row: int) -> tuple[NDArray[np.float64], str | None]:
        """Return the window of a record before it is normalised, and why it cannot be used.

        Returns:
            ``(leads, window)`` in millivolts, and None or a reason.

        Raises:
            DataError: The record is missing or damaged, or lacks a lead.
        """
        record = self._read(row)
        same_rate = record.fs_hz == self._wanted.fs_hz
        if same_rate and self._wanted.highpass_hz is None:
            return record.signal_mv[:, : self._wanted.window], record.fault
        return window_mv(record.signal_mv, record.fs_hz, self._wanted), record.fault

    def _read(self, row: int) -> _Read:
        header = self._parsed(row)
        if header is None:
            return self._read_any(row)
        path = self._path(row, ".hea").with_name(header.file_name)
        choice = LeadChoice(self._wanted.leads, self._called, strict=False)
        leads = choice.rows(header.leads, self._records.folder, self._path(row, "").name)
        minimum, reaching = samples_used(header.fs_hz, self._wanted)
        values = format16.read(header, path)[leads][:, :reaching]
        signal_mv = (values - header.baselines[leads, None]) / header.gains[leads, None]
        return _Read(signal_mv, header.fs_hz, _fault(values, values == format16.INVALID, minimum))

    def _read_any(self, row: int) -> _Read:
        record = reader.read(
            self._records.folder,
            str(self._records.path[row]),
            self._wanted.leads,
            called=self._called,
            strict=False,
            annotated=False,
        )
        minimum, reaching = samples_used(record.fs_hz, self._wanted)
        signal_mv = record.signal_mv[:, :reaching]
        return _Read(signal_mv, record.fs_hz, _fault(signal_mv, np.isnan(signal_mv), minimum))

    def _parsed(self, row: int) -> format16.Format16Header | None:
        """Return the header of a record for the fast reader, or None for one of another kind.

        Raises:
            DataError: A record of a complete set is of another kind, or has another rate.
        """
        path = self._path(row, ".hea")
        if not self._records.complete:
            try:
                return format16.parse(self.headers[row], path, strict=False)
            except DataError:
                return None
        header = format16.parse(self.headers[row], path)
        expected_hz = self._records.fs_hz
        if expected_hz is not None and header.fs_hz != expected_hz:
            why = f"Its rate is {header.fs_hz:g} Hz, {expected_hz:g} Hz was expected."
            raise format16.damaged(path, why)
        return header

    def _header_content(self, row: int) -> bytes:
        path = self._path(row, ".hea")
        try:
            return path.read_bytes()
        except OSError as error:
            if not self._records.complete:
                return b""
            why = f"The system reports: {error.strerror or error}."
            raise format16.damaged(path, why) from error

    def _path(self, row: int, suffix: str) -> Path:
        return self._records.folder / f"{self._records.path[row]}{suffix}"


def _hashes(folder: Path, name: str) -> Iterable[str]:
    """Yield the hashes of the signal files of a record, as far as they are there."""
    try:
        names = reader.describe(folder, name).files
    except DataError:
        return
    for path in ((folder / name).parent / file_name for file_name in names):
        if path.is_file():
            yield f" {files.sha256(path)}"


def _fault(
    values: NDArray[np.int16] | NDArray[np.float64], invalid: NDArray[np.bool_], minimum: int
) -> str | None:
    """Return why a record has to be left out, or None.

    Args:
        values: Samples that reach the window, ``(leads, samples)``.
        invalid: Which of them are marked invalid.
        minimum: How many samples there have to be.
    """
    if values.shape[1] < minimum:
        return TOO_SHORT
    if invalid.any():
        return NAN_LEAD
    return FLAT_LEAD if (values.min(axis=1) == values.max(axis=1)).any() else None
