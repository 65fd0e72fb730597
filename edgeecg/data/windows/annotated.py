"""From records with annotated beats to one window per beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records.beat_classes import CLASSES
from edgeecg.data.windows import cache, left_out
from edgeecg.data.windows.cache import Stored
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.data.windows.split import RecordSplit
from edgeecg.errors import DataError
from edgeecg.schema import DataSummary, Preprocessing, Reference, Rhythm, Source, Split

SUFFIXES = (".hea", ".dat", ".atr")
"""The files of one annotated record."""

BEATS = Preprocessing(r_index=114, rhythm=Rhythm(), reference=Reference())
"""How a lead becomes windows of beats by default.

64 samples of rhythm, 0.75 s of signal at 128 Hz with the R peak 0.39 s into it, and as much of
difference from the mean beat.
Chosen on DS1 patients alone: see ``benchmarks/experiments/window_choice.toml``.
"""

OUTSIDE_CLASSES_OF: tuple[Split, ...] = ("val", "test")
"""Splits whose beats outside the classes are kept too."""


@dataclass(frozen=True)
class RecordSet:
    """Record files with their split.

    Attributes:
        source: Real or synthetic.
        folder: Folder of the files.
        split: Which record has which use.
        licence: Licence and citation.
        leads: What the model's leads are called in these records, where they have other names.
        complete: The records are those of a known database: nothing may be missing or damaged, and
            every split has every class. If not, a record that cannot be used is left out, and what
            is missing is counted or noted.
        resplit: How to split the records that can be used, where some cannot; None to take the
            others out of ``split``.
        skipped: What was left out when the records were looked for, by reason.
        left_out: Records known to be unusable, with the reason; in no split.
    """

    source: Source
    folder: Path
    split: RecordSplit
    licence: str
    leads: Mapping[str, str] = field(default_factory=dict[str, str])
    complete: bool = True
    resplit: Callable[[tuple[str, ...]], RecordSplit] | None = None
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])

    def usable_split(self, unusable: Mapping[str, str]) -> RecordSplit:
        """Return the split of the records that can be used.

        Raises:
            DataError: There are too few of them to split.
        """
        if not unusable:
            return self.split
        if self.resplit is None:
            return self.split.without(unusable)
        return self.resplit(tuple(name for name in self.split.records if name not in unusable))


def load(found: RecordSet, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of a set of records, from the cache or from the record files.

    Args:
        found: The records.
        request: The class map, and how a lead becomes windows.
        on_record: Called after each record that is prepared.

    Raises:
        DataError: No record can be used; records of a complete set are missing or damaged, or the
            request is strict and one cannot be used; a split lacks a class (of a set that need not
            be complete: has no beat at all); or the cache cannot be written to.
    """
    preprocessing = request.preprocessing or BEATS
    settings = {
        "preprocessing": preprocessing.to_document(),
        "class_map": request.class_map,
        "split": found.split.parts,
        "leads": dict(found.leads),
    }
    key = cache.content_key(_files(found), settings)
    stored = cache.load(key, len(CLASSES))
    if stored is None:
        # It brings SciPy and wfdb, which take longer to import than cached windows to load.
        from edgeecg.data.windows import preparation

        stored = preparation.prepare(found, request, preprocessing, on_record)
        reasons = left_out.to_store(stored.left_out, found.folder)
        stored = replace(stored, left_out=reasons)
        cache.store(key, stored)
        stored = cache.load(key, len(CLASSES)) or stored
    stored = replace(stored, left_out=left_out.from_store(stored.left_out, found.folder))
    unusable = {**found.left_out, **stored.left_out}
    if request.strict:
        left_out.refuse(found.folder, unusable, stored.skipped)
    summary = _summary(found, request, key, stored)
    return Dataset(
        stored.parts["train"],
        stored.parts["val"],
        stored.parts["test"],
        summary,
        preprocessing,
        outside={part: stored.parts[outside_classes(part)] for part in OUTSIDE_CLASSES_OF},
    )


def outside_classes(part: Split) -> str:
    """Return the name in the cache of a split's beats outside the classes."""
    return f"outside-{part}"


def _summary(found: RecordSet, request: DataRequest, key: str, stored: Stored) -> DataSummary:
    split = found.usable_split(stored.left_out)
    counts = {
        part: np.bincount(stored.parts[part].y, minlength=len(CLASSES)) for part in split.parts
    }
    lacking = _lacking(found, split, counts, stored.skipped)
    unusable = {**found.left_out, **stored.left_out}
    skipped = {**found.skipped, **stored.skipped, **left_out.counted(unusable)}
    return DataSummary(
        source=found.source,
        class_map=request.class_map,
        classes=CLASSES,
        train_records=split.train,
        val_records=split.val,
        test_records=split.test,
        beats={
            part: {name: int(n) for name, n in zip(CLASSES, counts[part], strict=True)}
            for part in split.parts
        },
        skipped=dict(sorted(skipped.items())),
        left_out=unusable,
        content_sha256=key,
        licence=found.licence,
        notes=split.notes + lacking + left_out.notes(unusable),
    )


def _files(found: RecordSet) -> list[Path]:
    """Return every file that the windows come from."""
    if found.complete:
        return [found.folder / f"{r}{s}" for r in found.split.records for s in SUFFIXES]
    from edgeecg.data.records import reader

    paths: list[Path] = []
    for name in found.split.records:
        path = found.folder / name
        try:
            signals = reader.describe(found.folder, name).files
        except DataError:
            # What is there decides whether the record is still unusable.
            signals = (f"{path.name}.dat",)
        file_names = (f"{path.name}.hea", *signals, f"{path.name}.atr")
        here = [path.parent / file_name for file_name in file_names]
        paths += [file for file in here if file.is_file()]
    return paths


def _left_out_there(skipped: Mapping[str, int]) -> str:
    """Return what was left out of all records, as a sentence; empty where nothing was."""
    listed = ", ".join(f"{reason} ({n:,})" for reason, n in sorted(skipped.items()) if n)
    return f" Left out of the records: {listed}." if listed else ""


def _lacking(
    found: RecordSet,
    split: RecordSplit,
    counts: Mapping[str, NDArray[np.intp]],
    skipped: Mapping[str, int],
) -> tuple[str, ...]:
    """Return a note for each split that lacks a class, or raise where that cannot be."""
    notes: list[str] = []
    for part, names in split.parts.items():
        absent = [name for name, n in zip(CLASSES, counts[part], strict=True) if not n]
        used = names or found.split.parts[part]
        if used and absent and (found.complete or len(absent) == len(CLASSES)):
            raise DataError(
                f"The {part} records in '{found.folder}' cannot be used.",
                f"They hold no beat of class {', '.join(absent)}.{_left_out_there(skipped)}",
                "Check that the annotation files are the original ones."
                if found.complete
                else "Annotate their beats, or put other records into this split.",
            )
        if names and absent:
            notes.append(f"The {part} records hold no beat of class {', '.join(absent)}.")
    return tuple(notes)
