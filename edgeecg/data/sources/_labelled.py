"""Records with classes as a whole: checked, hashed, and made into windows in two passes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.sources._labelled_windows import LabelledRecords, WindowReader
from edgeecg.data.windows import cache, left_out, record_cache
from edgeecg.data.windows.constants import Sums, with_constants
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.data.windows.record_cache import Labels, StoredRecords
from edgeecg.errors import DataError
from edgeecg.schema import DataSummary, Preprocessing, Source, Split


@dataclass(frozen=True)
class Loaded:
    """Windows of records with classes.

    Attributes:
        preprocessing: How the windows were made.
        stored: The windows, and what was left out.
        key: Their key in the cache.
        classes: Names of the classes.
    """

    preprocessing: Preprocessing
    stored: StoredRecords
    key: str
    classes: tuple[str, ...]

    def dataset(
        self,
        source: Source,
        licence: str,
        notes: tuple[str, ...],
        parts: Mapping[Split, tuple[str, ...]],
    ) -> Dataset:
        """Return the data set.

        Args:
            source: What the records are.
            licence: Licence and citation.
            notes: What a reader of a figure on these records has to know.
            parts: Names of the records of each split, or what they are called together.
        """
        stored = self.stored
        counts = {
            part: dict(zip(self.classes, windows.y.sum(axis=0).astype(int).tolist(), strict=True))
            for part, windows in stored.parts.items()
        }
        summary = DataSummary(
            source=source,
            class_map="superclasses",
            classes=self.classes,
            train_records=parts["train"],
            val_records=parts["val"],
            test_records=parts["test"],
            beats={**counts},
            skipped=stored.skipped,
            left_out=stored.left_out,
            content_sha256=self.key,
            licence=licence,
            notes=(*notes, *left_out.notes(stored.left_out)),
        )
        windows = stored.parts
        return Dataset(
            windows["train"],
            windows["val"],
            windows["test"],
            summary,
            self.preprocessing,
            "records",
        )


def load(
    records: LabelledRecords,
    wanted: Preprocessing,
    request: DataRequest,
    skipped: dict[str, int],
    on_record: OnRecord | None,
) -> Loaded:
    """Return the windows, from the cache or from the record files.

    Args:
        records: The records.
        wanted: How they become windows; constants of ``"global-zscore"`` are used as they are,
            with ``"window-zscore"`` those of the training records are computed.
        request: Gives names of leads.
        skipped: Records left out when the others were looked for, by reason.
        on_record: Called while records are prepared.

    Raises:
        DataError: A record of a complete set is damaged, no record can be used, the request is
            strict and one cannot, a split to train on lacks a class, or the cache cannot be
            written to.
    """
    preparation = _Preparation(records, wanted, request)
    settled = preparation.settled()
    stored = None
    if settled is not None:
        stored = record_cache.load(_windows_key(preparation.key, settled))
    if settled is None or stored is None or preparation.any_repaired(stored.left_out):
        settled = preparation.run(on_record)
        stored = record_cache.load(_windows_key(preparation.key, settled))
    if stored is None:
        raise cache.unwritable(cache.folder(), OSError("what was written is not there"))
    stored = _with_what_is_missing(stored, records, skipped)
    if request.strict:
        left_out.refuse(records.folder, stored.left_out, stored.skipped)
    if records.complete or not request.score_only:
        _refuse_lacking(records, stored)
    return Loaded(settled, stored, _windows_key(preparation.key, settled), records.classes)


def _with_what_is_missing(
    stored: StoredRecords, records: LabelledRecords, skipped: Mapping[str, int]
) -> StoredRecords:
    """Add what was left out when the records were looked for: the cache does not depend on it."""
    reasons = {
        **records.left_out,
        **left_out.from_store(stored.left_out, records.folder),
    }
    counts = Counter(stored.skipped) + Counter(skipped) + Counter(left_out.counted(reasons))
    return dataclasses.replace(
        stored, left_out=dict(sorted(reasons.items())), skipped=dict(sorted(counts.items()))
    )


def _refuse_lacking(records: LabelledRecords, stored: StoredRecords) -> None:
    """Refuse splits that lack a class; of a folder, only those that training needs.

    Raises:
        DataError: A split lacks a class.
    """
    for part, rows in records.rows_of.items():
        held = np.asarray(stored.parts[part].y.any(axis=0), np.bool_)
        absent = [name for name, some in zip(records.classes, held, strict=True) if not some]
        if absent and (records.complete or part != "test"):
            raise DataError(
                f"The {part} records in '{records.folder}' cannot be used.",
                f"None of the {len(rows)} has the class {', '.join(absent)}.",
                "Use more records, with some of each class in every split.",
            )


class _Preparation:
    """The way from record files to windows in the cache.

    Attributes:
        key: Hash of the tables, of every header and of all that was asked, but for the constants of
            the normalisation. Headers hold the checksums of the signals, and every signal is
            checked against them before it is cached; so signals need not be read to know that
            nothing has changed. The signals of records without checksums enter the hash too.
    """

    def __init__(
        self,
        records: LabelledRecords,
        wanted: Preprocessing,
        request: DataRequest,
    ) -> None:
        """Read the headers.

        Raises:
            DataError: A header or a table of a complete set cannot be read.
        """
        self._records = records
        self._wanted = wanted
        self._reader = WindowReader(records, wanted, request.leads)
        self._skipped = Counter[str]()
        self._left_out = dict[str, str]()
        state = hashlib.sha256()
        for row, path in enumerate(records.path):
            header = hashlib.sha256(self._reader.headers[row]).hexdigest()
            state.update(f"\n{path} {header}".encode())
            state.update(self._reader.hashes_without_checksums(row).encode())
        settings = {
            "preprocessing": wanted.model_dump(
                exclude={"normalisation", "mean_mv", "deviation_mv"}
            ),
            "leads": [request.leads.get(lead, lead).upper() for lead in wanted.leads],
            "min_likelihood": request.min_likelihood,
            "headers": state.hexdigest(),
        }
        if not records.complete:
            # The splits of a database are in its tables.
            settings["split"] = {part: rows.tolist() for part, rows in records.rows_of.items()}
        self.key = cache.content_key(records.tables, settings)

    def settled(self) -> Preprocessing | None:
        """Return the preprocessing with its constants, or None while they are not known."""
        if self._wanted.normalisation == "global-zscore":
            return self._wanted
        known = record_cache.constants(self.key)
        return with_constants(self._wanted, known) if known else None

    def any_repaired(self, unusable: Mapping[str, str]) -> bool:
        """Return whether a record that could not be used can be now; its header may be the same."""
        for row, name in enumerate(self._records.record.tolist()):
            if name not in unusable:
                continue
            try:
                self._reader.fault(row)
            except DataError:
                continue
            return True
        return False

    def run(self, on_record: OnRecord | None) -> Preprocessing:
        """Write the windows to the cache, and return how they were made.

        Args:
            on_record: Called after each record of either pass, which is half of its work.

        Raises:
            DataError: A record of a complete set is damaged or has no such lead, no record can be
                used, or the cache cannot be written to.
        """
        records = self._records
        total = len(records.path)
        kept, constants = self._survey(on_record)
        of_split: dict[Split, NDArray[np.int64]] = {
            part: rows[np.isin(rows, kept)] for part, rows in records.rows_of.items()
        }
        labels: dict[Split, Labels] = {
            part: Labels(records.y[rows], records.record[rows], records.patient[rows])
            for part, rows in of_split.items()
        }
        settled = self._wanted
        if settled.normalisation == "window-zscore":
            record_cache.store_constants(self.key, *constants)
            settled = with_constants(settled, constants)
        left = len(kept)

        def windows(part: Split) -> Iterator[NDArray[np.float32]]:
            from edgeecg.signal.windows import normalise

            nonlocal left
            for row in of_split[part]:
                window, _ = self._reader.window(int(row))
                yield normalise(window, settled)
                left -= 1
                if on_record is not None:
                    on_record(total - left // 2, total)

        unusable = dict(sorted(self._left_out.items()))
        shape = (len(settled.leads), settled.window)
        key = _windows_key(self.key, settled)
        reasons = left_out.to_store(unusable, self._records.folder)
        record_cache.store(key, labels, windows, shape, (dict(self._skipped), reasons))
        return settled

    def _survey(self, on_record: OnRecord | None) -> tuple[NDArray[np.int64], tuple[float, float]]:
        """Return the rows to keep, and the constants of the training records; count the others."""
        total = len(self._records.path)
        fitted = self._records.rows_of["train"]
        # Where nothing trains, any constants will do to look at the records.
        training = set(fitted.tolist() if len(fitted) else range(total))
        if self._wanted.normalisation == "global-zscore":
            training = set[int]()
        kept: list[int] = []
        sums = Sums()
        error: DataError | None = None
        for row in range(total):
            try:
                window, fault = self._surveyed(row, row in training)
            except DataError as unusable:
                if self._records.complete:
                    raise
                error = error or unusable
                self._left_out[str(self._records.record[row])] = str(unusable)
            else:
                if fault:
                    self._skipped[fault] += 1
                else:
                    kept.append(row)
                    sums.add(window)
            if on_record is not None:
                on_record((row + 1) // 2, total)
        if not kept and error is not None:
            raise error
        return np.array(kept, np.int64), sums.constants()

    def _surveyed(self, row: int, summed: bool) -> tuple[NDArray[np.float64], str | None]:
        """Return the window of a record, empty where it is not summed, and the record's fault."""
        if summed:
            return self._reader.window(row)
        return np.zeros(0), self._reader.fault(row)


def _windows_key(key: str, settled: Preprocessing) -> str:
    """Return the key of the windows: that of the records, and the constants.

    So the windows a model was trained on are found again when the model's card is what names the
    constants.
    """
    constants = {"mean_mv": settled.mean_mv, "deviation_mv": settled.deviation_mv}
    return cache.content_key((), {"records": key, **constants})
