"""Folders of the PhysioNet Challenges: 12-lead records with SNOMED CT codes in their headers.

The signal is in ``NAME.mat``, which WFDB reads as format 16 behind a header of 24 bytes, and the
comment ``Dx`` of ``NAME.hea`` lists the codes; see ``_snomed.py`` for their classes. Records have
various lengths and rates: the first ten seconds are used, resampled to the model's rate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records.listing import is_missing, missing_record, record_names
from edgeecg.data.records.paths import inside
from edgeecg.data.sources import _labelled, _snomed, ptbxl
from edgeecg.data.sources._folder import LICENCE, NAME, draw_split, stated_split
from edgeecg.data.sources._labelled_windows import NO_CLASS, LabelledRecords
from edgeecg.data.sources._ptbxl_index import CLASSES
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.data.windows.split import RecordSplit
from edgeecg.errors import DataError
from edgeecg.schema import Split

_DIAGNOSES = re.compile(rb"^[ \t]*#[ \t]*Dx[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE)
_CODE = re.compile(r"\d{6,18}")
_WITH_CLASS = "records with a class"
_LOOKED_AT = 20
_NAMED = 10
_MAPPING = "SNOMED CT codes were mapped to PTB-XL's superclasses; sinus rhythm alone is NORM."


@dataclass(frozen=True)
class Diagnoses:
    """What the headers of a folder say.

    Attributes:
        codes: Codes of each record that has the comment ``Dx``, by its name.
        missing: Reason for each record that is listed and not there.
        without: Number of records without the comment.
    """

    codes: dict[str, tuple[str, ...]]
    missing: dict[str, str]
    without: int

    @property
    def unmapped(self) -> Counter[str]:
        """Number of records with each code that counts for no class."""
        return Counter(code for codes in self.codes.values() for code in _snomed.unmapped(codes))


def has_diagnoses(path: Path) -> bool:
    """Return whether one of the first records of a folder states diagnoses in its header."""
    return any(_codes(path, name) is not None for name in record_names(path)[:_LOOKED_AT])


def diagnoses(path: Path) -> Diagnoses:
    """Read the diagnoses of all records of a folder.

    Raises:
        DataError: The folder holds no record, or its list of records names one outside it.
    """
    codes: dict[str, tuple[str, ...]] = {}
    missing: dict[str, str] = {}
    without = 0
    for name in record_names(path):
        if is_missing(path, name):
            missing[name] = str(missing_record(path, name))
            continue
        found = _codes(path, name)
        if found is None:
            without += 1
        else:
            codes[name] = found
    return Diagnoses(codes, missing, without)


def classes_of(path: Path, name: str) -> str:
    """Return the superclasses of a record, in words."""
    codes = _codes(path, name)
    if codes is None:
        return "no classes"
    found = _snomed.superclasses(codes)
    return ", ".join(label for label in CLASSES if label in found) or "no superclass"


def load(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return a window of each record with a class.

    To score a model, all are in the test split. To train one, they are split as annotated records
    of a folder are; see :func:`edgeecg.data.sources._folder.load`.

    Args:
        path: The folder.
        request: Gives rate, window and leads, and whether a model is to be scored only.
        on_record: Called while records are prepared.

    Raises:
        DataError: No record has a class or can be used, or the request is strict and one cannot be
            used.
    """
    wanted = request.preprocessing or ptbxl.preprocessing()
    found = diagnoses(path)
    classes = {name: _snomed.superclasses(codes) for name, codes in found.codes.items()}
    names = tuple(name for name, its_classes in classes.items() if its_classes)
    if not names:
        raise DataError(
            f"No record in '{path}' has a class.",
            f"{len(found.codes)} state diagnoses, and none of their codes counts for "
            f"{', '.join(CLASSES)}: {_most(found.unmapped)}.",
            "Classify the records with 'edgeecg classify'.",
        )
    split = _split(path, names, request)
    skipped = {
        NO_CLASS: len(found.codes) - len(names),
        "record without diagnoses": found.without,
    }
    records = _records(path, classes, split, found.missing)
    loaded = _labelled.load(records, wanted, request, skipped, on_record)
    windows = loaded.stored.parts
    notes = (*split.notes, _MAPPING)
    held = np.asarray(windows["test"].y.any(axis=0), np.bool_)
    absent = [label for label, some in zip(CLASSES, held, strict=True) if not some]
    if absent:
        notes = (*notes, f"The test records hold none of class {', '.join(absent)}.")
    if unmapped := found.unmapped:
        notes = (*notes, f"Codes without a class, and their records: {_most(unmapped)}.")
    parts: dict[Split, tuple[str, ...]] = {
        part: (f"{len(its.y):,} records",) if len(its.y) else () for part, its in windows.items()
    }
    return loaded.dataset(NAME, LICENCE, notes, parts)


def _records(
    path: Path,
    classes: Mapping[str, frozenset[str]],
    split: RecordSplit,
    missing: dict[str, str],
) -> LabelledRecords:
    """Return the records of a split with their classes."""
    names = tuple(name for name, its_classes in classes.items() if its_classes)
    row_of = {name: row for row, name in enumerate(names)}

    def rows(part: tuple[str, ...]) -> NDArray[np.int64]:
        return np.array(sorted(row_of[name] for name in part), np.int64)

    return LabelledRecords(
        folder=path,
        record=np.array(names, np.str_),
        patient=np.array(names, np.str_),
        path=tuple(PurePosixPath(name) for name in names),
        y=np.array([[label in classes[name] for label in CLASSES] for name in names], np.float32),
        classes=CLASSES,
        rows_of={"train": rows(split.train), "val": rows(split.val), "test": rows(split.test)},
        tables=(),
        complete=False,
        left_out=missing,
    )


def _split(path: Path, names: tuple[str, ...], request: DataRequest) -> RecordSplit:
    if not request.score_only:
        return stated_split(path, names, _WITH_CLASS) or draw_split(path, names, _WITH_CLASS)
    note = "All records with a class were scored; none of them may have trained the model."
    return RecordSplit((), (), names, (note,))


def _codes(path: Path, name: str) -> tuple[str, ...] | None:
    """Return the codes of a record, or None where its header states no diagnoses."""
    header = inside(path, f"{name}.hea", "The list of records")
    try:
        found = _DIAGNOSES.search(header.read_bytes())
    except OSError:
        return None
    if found is None:
        return None
    return tuple(dict.fromkeys(_CODE.findall(found[1].decode("ascii", "replace"))))


def _most(codes: Counter[str]) -> str:
    """Return the most frequent codes with their counts, in words."""
    named = ", ".join(f"{code} ({n:,})" for code, n in codes.most_common(_NAMED))
    rest = len(codes) - _NAMED
    return f"{named} and {rest} more" if rest > 0 else named or "none"
