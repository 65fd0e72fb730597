"""From records with annotated beats to one window per beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records.beat_classes import (
    BEAT_SYMBOLS,
    CLASSES,
    MARKS,
    OUTSIDE,
    UNMAPPED,
    group_of,
)
from edgeecg.data.windows import cache
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord, Windows
from edgeecg.data.windows.split import RecordSplit
from edgeecg.errors import DataError
from edgeecg.schema import (
    ClassMapName,
    DataSummary,
    Preprocessing,
    Reference,
    Rhythm,
    Source,
    Split,
)

SUFFIXES = (".hea", ".dat", ".atr")
"""The files of one annotated record."""

BEATS = Preprocessing(r_index=114, rhythm=Rhythm(), reference=Reference())
"""How a lead becomes windows of beats unless told otherwise.

64 samples of rhythm, 0.75 s of signal at 128 Hz with the R peak 0.39 s into it, and as much of
difference from the mean beat.
Chosen on DS1 patients alone: see ``benchmarks/window_choice.py``.
"""

_OUTSIDE_OF: tuple[Split, ...] = ("val", "test")


@dataclass(frozen=True)
class RecordSet:
    """Record files with their split.

    Attributes:
        source: Real or synthetic.
        folder: Folder of the files.
        split: Which record has which use.
        licence: Licence and citation.
        leads: What the model's leads are called in these records, where they have other names.
        strict: The records are those of a known database: nothing may be missing, and every split
            has every class. If not, see :func:`edgeecg.data.records.reader.read`; what is
            missing is counted or noted.
        skipped: What was left out when the records were looked for, by reason.
    """

    source: Source
    folder: Path
    split: RecordSplit
    licence: str
    leads: Mapping[str, str] = field(default_factory=dict[str, str])
    strict: bool = True
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])


def load(found: RecordSet, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of a set of records, from the cache or from the record files.

    Args:
        found: The records.
        request: The class map, and how a lead becomes windows.
        on_record: Called after each record that is prepared.

    Raises:
        DataError: Records are missing or damaged, a split lacks a class (of records that are not
            read strictly: has no beat at all), or the cache cannot be written to.
    """
    preprocessing = request.preprocessing or BEATS
    settings = {
        "preprocessing": preprocessing.to_document(),
        "class_map": request.class_map,
        "split": found.split.parts,
        "leads": dict(found.leads),
    }
    key = cache.content_key(_files(found), settings)
    cached = cache.load(key, len(CLASSES))
    if cached is None:
        cached = _Preparation(found, request, preprocessing).windows(on_record)
        cache.store(key, *cached)
    parts, skipped = cached
    splits = found.split.parts
    counts = {part: np.bincount(parts[part].y, minlength=len(CLASSES)) for part in splits}
    lacking = _lacking(found, counts)
    summary = DataSummary(
        source=found.source,
        class_map=request.class_map,
        classes=CLASSES,
        train_records=found.split.train,
        val_records=found.split.val,
        test_records=found.split.test,
        beats={
            part: {name: int(n) for name, n in zip(CLASSES, counts[part], strict=True)}
            for part in splits
        },
        skipped=dict(sorted({**found.skipped, **skipped}.items())),
        content_sha256=key,
        licence=found.licence,
        notes=found.split.notes + lacking,
    )
    return Dataset(
        parts["train"],
        parts["val"],
        parts["test"],
        summary,
        preprocessing,
        outside={part: parts[_outside(part)] for part in _OUTSIDE_OF},
    )


def _files(found: RecordSet) -> list[Path]:
    """Return every file that the windows come from."""
    if found.strict:
        return [found.folder / f"{r}{s}" for r in found.split.records for s in SUFFIXES]
    from edgeecg.data.records import reader

    paths: list[Path] = []
    for name in found.split.records:
        path = found.folder / name
        signals = reader.describe(found.folder, name).files
        file_names = (f"{path.name}.hea", *signals, f"{path.name}.atr")
        paths += [path.parent / file_name for file_name in file_names]
    return paths


def _lacking(found: RecordSet, counts: Mapping[str, NDArray[np.intp]]) -> tuple[str, ...]:
    """Return a note for each split that lacks a class, or raise where that cannot be."""
    notes: list[str] = []
    for part, names in found.split.parts.items():
        absent = [name for name, n in zip(CLASSES, counts[part], strict=True) if not n]
        if names and absent and (found.strict or len(absent) == len(CLASSES)):
            raise DataError(
                f"The {part} records in '{found.folder}' cannot be used.",
                f"They hold no beat of class {', '.join(absent)}.",
                "Check that the annotation files are the original ones."
                if found.strict
                else "Annotate their beats, or put other records into this split.",
            )
        if names and absent:
            notes.append(f"The {part} records hold no beat of class {', '.join(absent)}.")
    return tuple(notes)


def _outside(part: Split) -> str:
    return f"outside-{part}"


class _Preparation:
    """One pass over the record files."""

    def __init__(
        self, found: RecordSet, request: DataRequest, preprocessing: Preprocessing
    ) -> None:
        """Start with nothing skipped."""
        self._found = found
        self._class_map: ClassMapName = request.class_map
        self._preprocessing = preprocessing
        self._skipped: Counter[str] = Counter()

    def windows(self, on_record: OnRecord | None) -> tuple[dict[str, Windows], dict[str, int]]:
        """Return the windows of each split, those outside the classes, and the skips counted."""
        split = self._found.split
        parts: dict[str, Windows] = {}
        done = 0
        for part, names in split.parts.items():
            inside: list[Windows] = []
            outside: list[Windows] = []
            for name in names:
                beats, others = self._record(name)
                inside.append(beats)
                outside.append(others)
                done += 1
                if on_record is not None:
                    on_record(done, len(split.records))
            parts[part] = self._joined(inside)
            if part in _OUTSIDE_OF:
                parts[_outside(part)] = self._joined(outside)
        return parts, dict(sorted(self._skipped.items()))

    def _record(self, name: str) -> tuple[Windows, Windows]:
        """Return the beats of one record inside and outside the classes."""
        # These bring SciPy or wfdb, which take longer to import than cached windows to load.
        from edgeecg.data.records import reader
        from edgeecg.data.windows import beats

        found, preprocessing = self._found, self._preprocessing
        leads = tuple(found.leads.get(lead, lead) for lead in preprocessing.leads)
        record = reader.read(found.folder, name, leads, strict=found.strict)
        is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in record.symbols], np.bool_)
        foreign = sum(symbol not in BEAT_SYMBOLS | MARKS for symbol in record.symbols)
        if foreign:
            self._skipped[UNMAPPED] += foreign
        if beats.is_short(record, preprocessing):
            self._skipped[beats.SHORT] += 1
            return self._joined([]), self._joined([])
        samples = record.samples[is_beat]
        symbols = [symbol for symbol in record.symbols if symbol in BEAT_SYMBOLS]
        groups = np.array([group_of(symbol, self._class_map) for symbol in symbols], np.str_)
        peaks = beats.peaks_for(record, samples, preprocessing)
        made = beats.beat_windows(record, peaks, preprocessing)
        kept = made.reason == ""

        def taken(classes: tuple[str, ...]) -> Windows:
            wanted = kept & np.isin(groups, classes)
            labels = np.array([classes.index(group) for group in groups[wanted]], np.int64)
            names = np.full(len(labels), name)
            return Windows(made.x[wanted[kept]], labels, names, names, samples[wanted])

        inside = np.isin(groups, CLASSES)
        self._skipped.update(groups[~inside].tolist())
        self._skipped.update(made.reason[inside & ~kept].tolist())
        return taken(CLASSES), taken(OUTSIDE)

    def _joined(self, pieces: list[Windows]) -> Windows:
        shape = (0, len(self._preprocessing.leads), self._preprocessing.window)
        none = np.zeros(0, np.str_)
        count = np.zeros(0, np.int64)
        pieces = [Windows(np.zeros(shape, np.float32), count, none, none, count), *pieces]
        return Windows(
            np.concatenate([piece.x for piece in pieces]),
            np.concatenate([piece.y for piece in pieces]).astype(np.int64),
            np.concatenate([piece.record for piece in pieces]),
            np.concatenate([piece.patient for piece in pieces]),
            np.concatenate([piece.sample for piece in pieces]),
        )
