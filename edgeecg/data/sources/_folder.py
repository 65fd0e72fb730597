"""The user's own WFDB records: a folder of them, with or without annotations.

Which records there are stands in the file ``RECORDS`` if the folder has one, a name a line, with
``/`` for folders inside it; else they are its ``*.hea`` files. Any sampling rate will do. Leads are
chosen by name, and ``Request.leads`` says what the model's leads are called here. Records with a
``NAME.atr`` can train and evaluate; any record can be classified.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgeecg.data.records.paths import inside
from edgeecg.data.windows import annotated
from edgeecg.data.windows.dataset import Dataset, OnRecord, Request
from edgeecg.data.windows.split import Split
from edgeecg.errors import DataError
from edgeecg.schema import Value

SPLIT_FILE = "split.json"
"""File in which a folder says itself which of its records train, validate and test."""

PTBXL_INDEX = "ptbxl_database.csv"
"""File by which a folder of labelled 12-lead records is known."""

UNANNOTATED = "record without annotations"
"""Reason in ``DataSummary.skipped`` for records that have no ``NAME.atr``."""

LICENCE = "The user's own records; edgeecg does not know their licence."

_PEAKS = "R peaks come from the annotations, not from a detector."
_PATIENTS = (
    "Each record was taken for another patient; where one has several, "
    f"keep them together with {SPLIT_FILE}."
)
SMALLEST_SPLIT = 3


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


def load(path: Path, request: Request, on_record: OnRecord | None) -> Dataset:
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


def load_everything(path: Path, request: Request, on_record: OnRecord | None) -> Dataset:
    """Return the windows of all annotated records as the test split; train and val are empty.

    For scoring a finished model: no split is needed, and ``split.json`` is not looked at. Only a
    folder in PTB-XL's layout, which has folds of its own, comes as :func:`load` gives it.

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
            f"Annotate beats, or call them with 'edgeecg classify MODEL --data {path}'.",
        )
    notes = (
        f"All {len(known)} annotated records were scored; none of them may have trained the model.",
        _PEAKS,
    )
    split = Split(train=(), val=(), test=known, notes=notes)
    return _windows(path, split, len(every) - len(known), request, on_record)


def record_names(path: Path) -> tuple[str, ...]:
    """Return the names of a folder's records, in the order of ``RECORDS`` or of the alphabet.

    Raises:
        DataError: There is no such folder, it holds no record, ``RECORDS`` names one that is not
            there, or one that lies outside the folder.
    """
    if not path.is_dir():
        raise DataError(
            "The records were not found.",
            f"There is no folder '{path}'.",
            "Give the folder that holds the WFDB files (NAME.hea and its signal file).",
        )
    index = path / "RECORDS"
    if index.is_file():
        lines = index.read_text(encoding="utf-8", errors="replace").splitlines()
        names = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    else:
        names = tuple(sorted(header.stem for header in path.glob("*.hea")))
    for name in names:
        header = inside(path, f"{name}.hea", "RECORDS")
        if not header.is_file():
            raise DataError(
                f"The record '{name}' in '{path}' is missing.",
                f"RECORDS names it, and there is no '{name}.hea'.",
                "Put the record there, or take its line out of RECORDS.",
            )
    if not names:
        raise DataError(
            f"There are no records in '{path}'.",
            "It has neither a file RECORDS that names any nor a file NAME.hea.",
            "Give the folder that holds the WFDB files.",
        )
    return names


def annotated_names(path: Path) -> tuple[str, ...]:
    """Return the names of the records that have annotations; see :func:`record_names`."""
    return tuple(name for name in record_names(path) if (path / f"{name}.atr").is_file())


def _windows(
    path: Path, split: Split, unannotated: int, request: Request, on_record: OnRecord | None
) -> Dataset:
    found = annotated.RecordSet(
        source="folder",
        folder=path,
        split=split,
        licence=LICENCE,
        leads=request.leads,
        strict=False,
        skipped={UNANNOTATED: unannotated} if unannotated else {},
    )
    return annotated.load(found, request, on_record)


def _labelled(path: Path, request: Request, on_record: OnRecord | None) -> Dataset:
    if not (path / PTBXL_INDEX).is_file():
        raise DataError(
            f"The records in '{path}' have no classes for whole records.",
            f"There is no {PTBXL_INDEX}, which gives each record its classes and its fold.",
            "Bring it into PTB-XL's layout, or call records with 'edgeecg classify'.",
        )
    from edgeecg.data.sources import ptbxl

    return ptbxl.load_folder(path, request, on_record, source="folder")


def _stated_split(path: Path, known: tuple[str, ...]) -> Split | None:
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
    return Split(parts.train, parts.val, parts.test, (*notes, _PEAKS))


def _drawn_split(path: Path, known: tuple[str, ...]) -> Split:
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
    return Split(tuple(sorted(train)), tuple(sorted(val)), tuple(sorted(test)), (_PATIENTS, _PEAKS))
