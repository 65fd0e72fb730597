"""The record files of PTB-XL: checked, hashed, and made into windows in two passes."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records import format16
from edgeecg.data.sources import _ptbxl_index
from edgeecg.data.sources._ptbxl_index import CLASSES, FOLDS, Index
from edgeecg.data.windows import cache, record_cache
from edgeecg.data.windows.dataset import DataRequest, OnRecord
from edgeecg.data.windows.record_cache import Labels
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing, Split
from edgeecg.signal.windows import normalise

NO_CLASS, TOO_SHORT, NAN_LEAD, FLAT_LEAD = "no superclass", "too short", "NaN lead", "flat lead"
"""Reasons in ``DataSummary.skipped``; a record counts under the first that applies."""


@dataclass(frozen=True)
class _Digital:
    """Some leads of a record.

    Attributes:
        values: As the file has them, ``(leads, samples)``.
        gains: Units per millivolt, ``(leads, 1)``.
        baselines: Value of 0 mV, ``(leads, 1)``.
    """

    values: NDArray[np.int16]
    gains: NDArray[np.float64]
    baselines: NDArray[np.int64]


def check_files(folder: Path, index: Index, fs_hz: float) -> None:
    """Check that every file is there and inside the folder.

    Args:
        folder: Folder of the database.
        index: Gives the records.
        fs_hz: Rate of the records, for the message.

    Raises:
        DataError: A file is missing, or a link leads out of the folder.
    """
    root = os.path.realpath(folder)
    parents = sorted({folder / place.parent for place in index.path})
    paths = [folder / f"{place}{suffix}" for place in index.path for suffix in (".hea", ".dat")]
    for path in (*parents, *(path for path in paths if path.is_symlink())):
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise DataError(
                f"The record files in '{folder}' cannot be used.",
                f"'{path.relative_to(folder)}' is a link out of the folder.",
                "Put the files themselves into the folder.",
            )
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(
            f"The {fs_hz:g} Hz records in '{folder}' are not complete.",
            f"{len(missing)} of {len(paths)} files that the table names are missing, the first "
            f"is '{missing[0].relative_to(folder)}'.",
            "Get them with 'edgeecg data fetch ptbxl', or use the records at the other rate "
            "(100 or 500 Hz) if those are complete.",
        )


class Preparation:
    """The way from record files to windows in the cache.

    Attributes:
        key: Hash of the tables, of every header and of all that was asked, but for the constants of
            the normalisation. Headers hold the checksums of the signals, and every signal is
            checked against them before it is cached; so the signals themselves need not be read to
            know that nothing has changed.
    """

    def __init__(
        self, folder: Path, index: Index, wanted: Preprocessing, request: DataRequest
    ) -> None:
        """Read the headers and nothing else, which takes a second or two for all of PTB-XL.

        Raises:
            DataError: A header or a table cannot be read.
        """
        self._folder = folder
        self._index = index
        self._wanted = wanted
        self._leads = [request.leads.get(lead, lead).upper() for lead in wanted.leads]
        self._headers = [_content(self._path(row, ".hea")) for row in range(len(index.path))]
        state = hashlib.sha256()
        for path, content in zip(index.path, self._headers, strict=True):
            state.update(f"\n{path} {hashlib.sha256(content).hexdigest()}".encode())
        settings = {
            "preprocessing": wanted.model_dump(
                exclude={"normalisation", "mean_mv", "deviation_mv"}
            ),
            "leads": self._leads,
            "min_likelihood": request.min_likelihood,
            "headers": state.hexdigest(),
        }
        tables = (folder / _ptbxl_index.DATABASE, folder / _ptbxl_index.STATEMENTS)
        self.key = cache.content_key(tables, settings)

    def settled(self) -> Preprocessing | None:
        """Return the preprocessing with its constants, or None while they are not known."""
        if self._wanted.normalisation == "global-zscore":
            return self._wanted
        known = record_cache.constants(self.key)
        return _with_constants(self._wanted, known) if known else None

    def run(self, on_record: OnRecord | None) -> Preprocessing:
        """Write the windows to the cache, and return how they were made.

        Args:
            on_record: Called after each record of either pass, which is half of its work.

        Raises:
            DataError: A record is damaged or has another rate or no such lead, a split lacks a
                class, or the cache cannot be written to.
        """
        total = len(self._index.path)
        kept, skipped, constants = self._survey(on_record)
        of_split: dict[Split, NDArray[np.int64]] = {
            split: kept[np.isin(self._index.fold[kept], FOLDS[split])] for split in FOLDS
        }
        labels: dict[Split, Labels] = {
            split: self._labels(split, rows) for split, rows in of_split.items()
        }
        settled = self._wanted
        if settled.normalisation == "window-zscore":
            record_cache.store_constants(self.key, *constants)
            settled = _with_constants(settled, constants)
        left = len(kept)

        def windows(split: Split) -> Iterator[NDArray[np.float32]]:
            nonlocal left
            for row in of_split[split]:
                yield normalise(self._window_mv(self._read(row)), settled)
                left -= 1
                if on_record is not None:
                    on_record(total - left // 2, total)

        shape = (len(settled.leads), settled.window)
        record_cache.store(windows_key(self.key, settled), labels, windows, shape, skipped)
        return settled

    def _survey(
        self, on_record: OnRecord | None
    ) -> tuple[NDArray[np.int64], dict[str, int], tuple[float, float]]:
        """Return the rows to keep, the others counted, and the training folds' constants."""
        total = len(self._index.path)
        skipped = Counter({NO_CLASS: self._index.rows - total})
        kept: list[int] = []
        count, first, second = 0, 0.0, 0.0
        for row in range(total):
            record = self._read(row)
            fault = _fault(record.values, self._wanted.window)
            if fault:
                skipped[fault] += 1
            else:
                kept.append(row)
            if not fault and self._index.fold[row] in FOLDS["train"]:
                window_mv = self._window_mv(record)
                count += window_mv.size
                first += float(window_mv.sum())
                second += float(np.square(window_mv).sum())
            if on_record is not None:
                on_record((row + 1) // 2, total)
        mean_mv = first / max(count, 1)
        # No lead is flat, so the variance is far from 0 and this form loses nothing.
        deviation_mv = float(np.sqrt(second / max(count, 1) - mean_mv**2))
        found = {reason: n for reason, n in sorted(skipped.items()) if n}
        return np.array(kept, np.int64), found, (mean_mv, deviation_mv)

    def _labels(self, split: Split, rows: NDArray[np.int64]) -> Labels:
        index = self._index
        absent = [name for k, name in enumerate(CLASSES) if not index.y[rows, k].any()]
        if absent:
            raise DataError(
                f"The {split} records in '{self._folder}' cannot be used.",
                f"None of the {len(rows)} has the class {', '.join(absent)}.",
                "Use more records, with some of each class in folds 1-8, in 9 and in 10.",
            )
        return Labels(index.y[rows], index.record[rows], index.patient[rows])

    def _read(self, row: int) -> _Digital:
        """Read the wanted leads of one record, checked."""
        path = self._path(row, ".hea")
        header = format16.parse(self._headers[row], path)
        if header.fs_hz != self._wanted.fs_hz:
            raise format16.damaged(
                path, f"Its rate is {header.fs_hz:g} Hz, {self._wanted.fs_hz:g} Hz was expected."
            )
        absent = [lead for lead in self._leads if lead not in header.leads]
        if absent:
            raise DataError(
                f"Record {path.stem} in '{self._folder}' has no lead {absent[0]}.",
                f"Its leads are: {', '.join(header.leads)}.",
                "Say what the records call the lead, or leave the record out.",
            )
        leads = [header.leads.index(lead) for lead in self._leads]
        values = format16.read(header, path.with_suffix(".dat"))[leads]
        return _Digital(values, header.gains[leads, None], header.baselines[leads, None])

    def _window_mv(self, record: _Digital) -> NDArray[np.float64]:
        """Return the window of a record before it is normalised, ``(leads, window)``."""
        window = record.values[:, : self._wanted.window]
        signal_mv = (window - record.baselines) / record.gains
        if self._wanted.highpass_hz is None:
            return signal_mv
        from edgeecg.data.windows.filters import causal_filter  # brings SciPy

        return causal_filter(self._wanted, self._wanted.fs_hz).push(signal_mv)

    def _path(self, row: int, suffix: str) -> Path:
        return self._folder / f"{self._index.path[row]}{suffix}"


def _with_constants(wanted: Preprocessing, constants: tuple[float, float]) -> Preprocessing:
    """Return the preprocessing with a mean and a deviation in millivolts."""
    mean_mv, deviation_mv = constants
    document = wanted.to_document()
    document |= {
        "normalisation": "global-zscore",
        "mean_mv": mean_mv,
        "deviation_mv": deviation_mv,
    }
    return Preprocessing.from_document(document, "the training folds' constants")


def windows_key(key: str, settled: Preprocessing) -> str:
    """Return the key of the windows: that of the records, and the constants.

    So the windows a model was trained on are found again when the model's card is what names the
    constants.
    """
    constants = {"mean_mv": settled.mean_mv, "deviation_mv": settled.deviation_mv}
    return cache.content_key((), {"records": key, **constants})


def _fault(digital: NDArray[np.int16], window: int) -> str | None:
    """Return why a record has to be left out, or None."""
    if digital.shape[1] < window:
        return TOO_SHORT
    seen = digital[:, :window]
    lowest = seen.min(axis=1)
    if (lowest == format16.INVALID).any():
        return NAN_LEAD
    return FLAT_LEAD if (lowest == seen.max(axis=1)).any() else None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise format16.damaged(path, f"The system reports: {error.strerror or error}.") from error
