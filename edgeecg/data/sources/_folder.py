"""The user's WFDB records: a folder of them, with or without annotations.

Any sampling rate will do. Leads are chosen by name, and ``DataRequest.leads`` says what the model's
leads are called here. Records with a ``NAME.atr`` can train and evaluate; any record can be
classified. Which records there are: see :func:`edgeecg.data.records.listing.record_names`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeecg.data.records.listing import annotated_names, record_names
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
SMALLEST_SPLIT = 3
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
            raise DataError(
                "The records were not found.",
                f"There is no folder '{self.path}'.",
                "Give the folder that holds the WFDB files (NAME.hea and its signal file).",
            )
        return self.path

    def load(self, request: DataRequest, on_record: OnRecord | None) -> Dataset:
        """Return the windows; see :func:`load` and :func:`load_everything`."""
        chosen = load_everything if request.score_only else load
        return chosen(self.path, request, on_record)


def has_ptbxl_layout(path: Path) -> bool:
    """Return whether a folder has PTB-XL's layout: its table of records, with classes and folds."""
    return (path / PTBXL_INDEX).is_file()


def load(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of a folder's annotated records, split to train a model on them.

    The split is that of ``split.json``. Without it, the records are put in the order of a hash of
    their names: about a fifth of them test, as many validate, at least one each, the others train.
    For whole records with classes, the folder has to have PTB-XL's layout, folds included.

    Args:
        path: The folder.
        request: The task, the class map, the names of the leads, and how they become windows.
        on_record: Called after each record that is prepared.

    Raises:
        DataError: There are fewer than three annotated records, a record is missing or damaged or
            lacks a lead, an index leads out of the folder, or the folder has no classes for whole
            records.
        SchemaError: ``split.json`` does not hold three lists of names.
    """
    if request.task == "records":
        return _labelled(path, request, on_record)
    every, known = record_names(path), annotated_names(path)
    split = _stated_split(path, known) or _drawn_split(path, known)
    return _windows(path, split, len(every) - len(known), request, on_record)


def load_everything(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of all annotated records as the test split; train and val are empty.

    For scoring a finished model: no split is needed, and ``split.json`` is not looked at. Only a
    folder in PTB-XL's layout, which states its folds, is loaded as :func:`load` does it.

    Raises:
        DataError: No record is annotated, or see :func:`load`.
    """
    if request.task == "records":
        return _labelled(path, request, on_record)
    every, known = record_names(path), annotated_names(path)
    if not known:
        raise DataError(
            f"No model can be evaluated on '{path}'.",
            f"None of its {len(every)} records has annotations (NAME.atr).",
            f"Annotate beats, or classify them with 'edgeecg classify MODEL --data {path}'.",
        )
    notes = (
        f"All {len(known)} annotated records were scored; none of them may have trained the model.",
        _PEAKS,
    )
    split = RecordSplit(train=(), val=(), test=known, notes=notes)
    return _windows(path, split, len(every) - len(known), request, on_record)


def _windows(
    path: Path,
    split: RecordSplit,
    unannotated: int,
    request: DataRequest,
    on_record: OnRecord | None,
) -> Dataset:
    found = annotated.RecordSet(
        source=NAME,
        folder=path,
        split=split,
        licence=LICENCE,
        leads=request.leads,
        strict=False,
        skipped={UNANNOTATED: unannotated} if unannotated else {},
    )
    return annotated.load(found, request, on_record)


def _labelled(path: Path, request: DataRequest, on_record: OnRecord | None) -> Dataset:
    if not has_ptbxl_layout(path):
        raise DataError(
            f"The records in '{path}' have no classes for whole records.",
            f"There is no {PTBXL_INDEX}, which gives each record its classes and its fold.",
            "Bring it into PTB-XL's layout, or classify records with 'edgeecg classify'.",
        )
    from edgeecg.data.sources import ptbxl

    return ptbxl.load_folder(path, request, on_record, source=NAME)


def _stated_split(path: Path, known: tuple[str, ...]) -> RecordSplit | None:
    stated = path / SPLIT_FILE
    if not stated.is_file():
        return None
    parts = SplitFile.from_json(stated.read_bytes(), str(stated))
    names = parts.train + parts.val + parts.test
    faults = {
        "names what is no annotated record": sorted(set(names) - set(known)),
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
                "Name annotated records of the folder, each once, and at least one in each split.",
            )
    left = len(known) - len(names)
    notes = (f"{left} annotated records are in no split.",) if left else ()
    return RecordSplit(parts.train, parts.val, parts.test, (*notes, _PEAKS))


def _drawn_split(path: Path, known: tuple[str, ...]) -> RecordSplit:
    if len(known) < SMALLEST_SPLIT:
        raise DataError(
            f"The records in '{path}' cannot train a model.",
            f"Training, validating and testing need {SMALLEST_SPLIT} annotated records, "
            f"and it has {len(known)}.",
            "Annotate more records, or evaluate a trained model: that needs one.",
        )
    order = sorted(known, key=lambda name: hashlib.sha256(name.encode()).digest())
    fifth = max(1, round(len(order) / 5))
    test, val, train = order[:fifth], order[fifth : 2 * fifth], order[2 * fifth :]
    return RecordSplit(
        tuple(sorted(train)), tuple(sorted(val)), tuple(sorted(test)), (_PATIENTS, _PEAKS)
    )
