"""The user's WFDB records: a folder of them, with or without annotations.

Any sampling rate will do. Leads are chosen by name, and ``DataRequest.leads`` says what the model's
leads are called here. Records with a ``NAME.atr`` can train and evaluate; any record can be
classified. Which records there are: see :func:`edgeecg.data.records.listing.record_names`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeecg.data.records.listing import is_missing, missing_record, no_folder, record_names
from edgeecg.data.windows import annotated
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.data.windows.split import RecordSplit
from edgeecg.errors import DataError
from edgeecg.schema import Task, Value

NAME = "folder"
"""``DataSummary.source`` of the user's own records."""

TITLE = "your own records"

SPLIT_FILE = "split.json"
"""File in which a folder states which of its records train, validate and test."""

PTBXL_INDEX = "ptbxl_database.csv"
"""File that a folder in PTB-XL's layout has."""

UNANNOTATED = "record without annotations"
"""Reason in ``DataSummary.skipped`` for records that have no ``NAME.atr``."""

LICENCE = "The user's own records; edgeecg does not know their licence."

_PEAKS = "R peaks come from the annotations, not from a detector."
_PATIENTS = (
    "Each record was taken for another patient; where one has several, "
    f"keep them together with {SPLIT_FILE}."
)
ANNOTATED = "annotated records"
"""What records are called that beat models can use."""

_SMALLEST_SPLIT = 3
"""Annotated records that it takes to train: one for each split."""


class SplitFile(Value):
    """``split.json``: the names of the records of each split.

    Attributes:
        train: Records that weights are fitted to.
        val: Records that decisions are taken on.
        test: Records for the final score.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Folder:
    """The user's folder of records, as a :class:`edgeecg.data.sources.Source`.

    Attributes:
        path: The folder.
    """

    path: Path
    TITLE: str = TITLE
    TASKS: tuple[Task, ...] = ("beats", "records")
    DEFAULT_FOR: tuple[Task, ...] = ()
    LICENCE: str = LICENCE
    NOTES: tuple[str, ...] = (_PEAKS,)
    DOWNLOAD: None = None

    @property
    def REMARKS(self) -> Mapping[str, str]:  # noqa: N802 (named by Source)
        """No remarks on the user's records."""
        return {}

    def folder(self) -> Path:
        """Return the folder.

        Raises:
            DataError: It does not exist.
        """
        if not self.path.is_dir():
            raise no_folder(self.path)
        return self.path

    def load(self, request: DataRequest, on_record: OnRecord | None) -> Dataset:
        """Return the windows; see :func:`load` and :func:`load_everything`."""
        chosen = load_everything if request.score_only else load
        return chosen(self.path, request, on_record)


def has_ptbxl_layout(path: Path) -> bool:
    """Return whether a folder has PTB-XL's layout: its table of records, with classes and folds."""
    return (path / PTBXL_INDEX).is_file()


def no_records(path: Path) -> DataError:
    """Return the error to raise about a folder in PTB-XL's layout without records."""
    return DataError(
        f"There are no records in '{path}'.",
        f"It has {PTBXL_INDEX}, but neither records100 nor records500 holds any.",
        "Run 'edgeecg data fetch ptbxl'.",
    )


@dataclass(frozen=True)
class _Found:
    """The records of a folder.

    Attributes:
        annotated: Those with annotations.
        unannotated: Number of those without.
        missing: Reason for each that ``RECORDS`` names and that is not there.
    """

    annotated: tuple[str, ...]
    unannotated: int
    missing: dict[str, str]


def load(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of a folder's annotated records, split to train a model on them.

    The split is that of ``split.json``. Without it, the records are put in the order of a hash of
    their names: about a fifth of them test, as many validate, at least one each, the others train.
    For whole records with classes, the folder has PTB-XL's layout, folds included, or its headers
    state diagnoses as those of the PhysioNet Challenges do.

    Args:
        path: The folder.
        request: The task, the class map, the names of the leads, and how they become windows.
        on_record: Called after each record that is prepared.

    Raises:
        DataError: There are fewer than three annotated records that can be used, the request is
            strict and a record cannot be used, an index leads out of the folder, or the folder has
            no classes for whole records.
        SchemaError: ``split.json`` does not hold three lists of names.
    """
    if request.task == "records":
        return _labelled(path, request, on_record)
    found = _look(path)
    stated = stated_split(path, found.annotated)
    if stated is not None:
        return _windows(path, found, _with_peaks(stated), request, on_record)

    def draw(names: tuple[str, ...]) -> RecordSplit:
        return _with_peaks(draw_split(path, names))

    return _windows(path, found, draw(found.annotated), request, on_record, draw)


def load_everything(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of all annotated records as the test split; train and val are empty.

    For scoring a finished model: no split is needed, and ``split.json`` is not looked at. Only a
    folder in PTB-XL's layout, which states its folds, is loaded as :func:`load` does it.

    Raises:
        DataError: No record is annotated, or see :func:`load`.
    """
    if request.task == "records":
        return _labelled(path, request, on_record)
    found = _look(path)
    if not found.annotated:
        raise DataError(
            f"No model can be evaluated on '{path}'.",
            f"None of its {found.unannotated} records has annotations (NAME.atr).",
            f"Annotate beats, or classify them with 'edgeecg classify MODEL --data {path}'.",
        )
    notes = (
        "Every annotated record that can be used was scored; none of them may have trained the "
        "model.",
        _PEAKS,
    )
    split = RecordSplit(train=(), val=(), test=found.annotated, notes=notes)
    return _windows(path, found, split, request, on_record)


def _look(path: Path) -> _Found:
    names = record_names(path)
    missing = {name: str(missing_record(path, name)) for name in names if is_missing(path, name)}
    there = [name for name in names if name not in missing]
    known = tuple(name for name in there if (path / f"{name}.atr").is_file())
    return _Found(known, len(there) - len(known), missing)


def _windows(
    path: Path,
    records: _Found,
    split: RecordSplit,
    request: DataRequest,
    on_record: OnRecord | None,
    resplit: Callable[[tuple[str, ...]], RecordSplit] | None = None,
) -> Dataset:
    found = annotated.RecordSet(
        source=NAME,
        folder=path,
        split=split,
        licence=LICENCE,
        leads=request.leads,
        complete=False,
        resplit=resplit,
        skipped={UNANNOTATED: records.unannotated} if records.unannotated else {},
        left_out=records.missing,
    )
    return annotated.load(found, request, on_record)


def _labelled(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    if has_ptbxl_layout(path):
        from edgeecg.data.sources import ptbxl

        return ptbxl.load_folder(path, request, on_record, source=NAME)
    from edgeecg.data.sources import _challenge

    if _challenge.has_diagnoses(path):
        return _challenge.load(path, request, on_record)
    raise DataError(
        f"The records in '{path}' have no classes for whole records.",
        f"There is no {PTBXL_INDEX}, which gives each record its classes and its fold, "
        "and no header has the comment '#Dx:' with SNOMED CT codes.",
        "Bring it into PTB-XL's layout, or classify records with 'edgeecg classify'.",
    )


def _with_peaks(split: RecordSplit) -> RecordSplit:
    return replace(split, notes=(*split.notes, _PEAKS))


def stated_split(path: Path, known: tuple[str, ...], what: str = ANNOTATED) -> RecordSplit | None:
    """Return the split that ``split.json`` states, or None where there is no such file.

    Args:
        path: The folder.
        known: The records that can be named.
        what: What they are called, in the plural.

    Raises:
        DataError: It names another record, one of them twice, or none for a split.
        SchemaError: It does not hold three lists of names.
    """
    stated = path / SPLIT_FILE
    if not stated.is_file():
        return None
    parts = SplitFile.from_file(stated)
    names = parts.train + parts.val + parts.test
    faults = {
        f"names what is none of the {what}": sorted(set(names) - set(known)),
        "names more than once": sorted({name for name in names if names.count(name) > 1}),
        "has no records for": [
            part for part in ("train", "val", "test") if not getattr(parts, part)
        ],
    }
    for fault, about in faults.items():
        if about:
            raise DataError(
                f"The split of '{path}' cannot be used.",
                f"{SPLIT_FILE} {fault}: {', '.join(about[:5])}.",
                f"Name {what} of the folder, each once, and at least one in each split.",
            )
    left = len(known) - len(names)
    notes = (f"{left} {what} are in no split.",) if left else ()
    return RecordSplit(parts.train, parts.val, parts.test, notes)


def draw_split(path: Path, known: tuple[str, ...], what: str = ANNOTATED) -> RecordSplit:
    """Return a split by the hash of the records' names: a fifth tests, as many validate.

    Args:
        path: The folder.
        known: The records.
        what: What they are called, in the plural.

    Raises:
        DataError: There are fewer than three records.
    """
    if len(known) < _SMALLEST_SPLIT:
        raise DataError(
            f"The records in '{path}' cannot train a model.",
            f"Training, validating and testing need {_SMALLEST_SPLIT} {what}, "
            f"and it has {len(known)}.",
            f"Have more {what}, or evaluate a trained model: that needs one.",
        )
    order = sorted(known, key=lambda name: hashlib.sha256(name.encode()).digest())
    fifth = max(1, round(len(order) / 5))
    test, val, train = order[:fifth], order[fifth : 2 * fifth], order[2 * fifth :]
    return RecordSplit(tuple(sorted(train)), tuple(sorted(val)), tuple(sorted(test)), (_PATIENTS,))
