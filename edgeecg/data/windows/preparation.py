"""One pass over record files with annotated beats: windows, and what had to be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import (
    BEAT_SYMBOLS,
    CLASSES,
    MARKS,
    OUTSIDE,
    UNMAPPED,
    group_of,
)
from edgeecg.data.windows import beats
from edgeecg.data.windows.annotated import OUTSIDE_CLASSES_OF, outside_classes
from edgeecg.data.windows.cache import Stored
from edgeecg.data.windows.dataset import DataRequest, OnRecord, Windows
from edgeecg.data.windows.left_out import ANNOTATION_OUTSIDE
from edgeecg.data.windows.spool import Spool, spool
from edgeecg.errors import DataError
from edgeecg.schema import ClassMapName, Preprocessing

if TYPE_CHECKING:
    from edgeecg.data.windows.annotated import RecordSet


@dataclass(frozen=True)
class _Prepared:
    """The windows of one record.

    Attributes:
        inside: Beats of the classes.
        outside: Beats of no class.
        skipped: Number of beats left out, by reason.
    """

    inside: Windows
    outside: Windows
    skipped: Counter[str]

    def spooled(self, spool: Spool) -> _Prepared:
        """Return the same with the windows in a file instead of in memory."""
        return replace(
            self,
            inside=replace(self.inside, x=spool.keep([self.inside.x])),
            outside=replace(self.outside, x=spool.keep([self.outside.x])),
        )


def prepare(
    found: RecordSet,
    request: DataRequest,
    preprocessing: Preprocessing,
    on_record: OnRecord | None,
) -> Stored:
    """Return the windows of each split, those outside the classes, and what was left out.

    Args:
        found: The records.
        request: Gives the class map.
        preprocessing: How a lead becomes windows.
        on_record: Called after each record.

    Raises:
        DataError: A record of a complete set is missing or damaged, no record can be used, or the
            cache cannot be written to.
    """
    prepared: dict[str, _Prepared] = {}
    errors: dict[str, DataError] = {}
    names = found.split.records
    with spool() as kept:
        for done, name in enumerate(names, start=1):
            try:
                record = _record(found, name, request.class_map, preprocessing)
            except DataError as error:
                if found.complete:
                    raise
                errors[name] = error
            else:
                prepared[name] = record.spooled(kept)
            if on_record is not None:
                on_record(done, len(names))
        if not prepared and errors:
            raise next(iter(errors.values()))
        left_out = {name: str(error) for name, error in errors.items()}
        skipped: Counter[str] = sum((each.skipped for each in prepared.values()), Counter())
        parts: dict[str, Windows] = {}
        for part, its_names in found.usable_split(left_out).parts.items():
            chosen = [prepared.pop(name) for name in its_names]
            parts[part] = _joined([each.inside for each in chosen], preprocessing, kept.keep)
            if part in OUTSIDE_CLASSES_OF:
                outside = _joined([each.outside for each in chosen], preprocessing, kept.keep)
                parts[outside_classes(part)] = outside
    return Stored(parts, dict(sorted(skipped.items())), left_out)


def _record(
    found: RecordSet, name: str, class_map: ClassMapName, preprocessing: Preprocessing
) -> _Prepared:
    """Return the beats of one record inside and outside the classes."""
    record = reader.read(
        found.folder, name, preprocessing.leads, called=found.leads, strict=found.complete
    )
    skipped = Counter[str]()
    if record.outside:
        skipped[ANNOTATION_OUTSIDE] = record.outside
    is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in record.symbols], np.bool_)
    _check_annotations(found, record, bool(is_beat.any()))
    foreign = sum(symbol not in BEAT_SYMBOLS | MARKS for symbol in record.symbols)
    if foreign:
        skipped[UNMAPPED] = foreign
    none = _joined([], preprocessing)
    if beats.is_short(record, preprocessing):
        skipped[beats.SHORT] += 1
        return _Prepared(none, none, skipped)
    samples = record.samples[is_beat]
    symbols = [symbol for symbol in record.symbols if symbol in BEAT_SYMBOLS]
    groups = np.array([group_of(symbol, class_map) for symbol in symbols], np.str_)
    peaks = beats.peaks_for(record, samples, preprocessing)
    made = beats.beat_windows(record, peaks, preprocessing)
    kept = made.reason == ""

    def taken(classes: tuple[str, ...]) -> Windows:
        wanted = kept & np.isin(groups, classes)
        labels = np.array([classes.index(group) for group in groups[wanted]], np.int64)
        names = np.full(len(labels), name)
        return Windows(made.x[wanted[kept]], labels, names, names, samples[wanted])

    inside = np.isin(groups, CLASSES)
    skipped.update(groups[~inside].tolist())
    skipped.update(made.reason[inside & ~kept].tolist())
    return _Prepared(taken(CLASSES), taken(OUTSIDE), skipped)


def _check_annotations(found: RecordSet, record: reader.Record, has_beats: bool) -> None:
    """Refuse a record without beats, and of a known database one with beats outside the signal.

    Raises:
        DataError: It is such a record.
    """
    if found.complete and record.outside:
        raise DataError(
            f"Record {record.name} in '{found.folder}' is damaged or incomplete.",
            f"{record.outside} annotations are outside the record, which has "
            f"{record.signal_mv.shape[1]} samples.",
            f"Get it again with 'edgeecg data fetch {found.source}'.",
        )
    if not has_beats:
        raise DataError(
            f"Record {record.name} in '{found.folder}' has no annotated beats.",
            f"None of the {len(record.symbols)} annotations in {record.name}.atr marks a beat.",
            "Annotate its beats, or classify the record with 'edgeecg classify'.",
        )


def _joined(
    pieces: list[Windows],
    preprocessing: Preprocessing,
    join: Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float32]] = np.concatenate,
) -> Windows:
    shape = (0, len(preprocessing.leads), preprocessing.window)
    none = np.zeros(0, np.str_)
    count = np.zeros(0, np.int64)
    pieces = [Windows(np.zeros(shape, np.float32), count, none, none, count), *pieces]
    return Windows(
        join([piece.x for piece in pieces]),
        np.concatenate([piece.y for piece in pieces]).astype(np.int64),
        np.concatenate([piece.record for piece in pieces]),
        np.concatenate([piece.patient for piece in pieces]),
        np.concatenate([piece.sample for piece in pieces]),
    )
