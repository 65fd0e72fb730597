"""The two tables of PTB-XL: which records there are, whose they are, and what they show.

A cell is data and never code: ``scp_codes`` is read as a literal, and a cell that is not what it
should be is an error that names its row. Nothing is left out in silence.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import DataError
from edgeecg.schema import Split

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
"""The superclasses, in the order of the label columns."""

DATABASE = "ptbxl_database.csv"
STATEMENTS = "scp_statements.csv"

FOLDS: dict[Split, tuple[int, ...]] = {"train": tuple(range(1, 9)), "val": (9,), "test": (10,)}
"""Wagner et al. 2020: fold 10 tests, fold 9 validates; both have the most reliable labels."""

_SPLIT_OF = {fold: split for split, folds in FOLDS.items() for fold in folds}
_CODES = "scp_codes"
_WHOLE_NUMBER = re.compile(r"(\d{1,15})(?:\.0*)?", re.ASCII)  # PTB-XL writes patient 15709.0
# What ast.literal_eval raises on text that is no literal.
_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


@dataclass(frozen=True)
class Index:
    """The rows that have a superclass, in the order of the table.

    Attributes:
        record: ``ecg_id`` of each record, ``(n,)``.
        patient: ``patient_id`` of each record, ``(n,)``.
        fold: ``strat_fold``, 1..10, int64, ``(n,)``.
        path: Path of each record inside the folder, without suffix.
        y: 1 where a record has the class, float32, ``(n, 5)``.
        rows: All rows of the table.
    """

    record: NDArray[np.str_]
    patient: NDArray[np.str_]
    fold: NDArray[np.int64]
    path: tuple[PurePosixPath, ...]
    y: NDArray[np.float32]
    rows: int


def read(folder: Path, path_column: str, min_likelihood: float) -> Index:
    """Read and check both tables.

    Args:
        folder: Folder of the database.
        path_column: ``"filename_lr"`` for 100 Hz, ``"filename_hr"`` for 500 Hz.
        min_likelihood: Likelihood in percent from which a statement counts. PTB-XL writes 0 where
            the likelihood is not known; such a statement counts only from 0.

    Raises:
        DataError: A table or column is missing, a cell is not what it should be, a path leaves the
            folder, a record is there twice, or a patient is in two splits.
    """
    superclass = _superclasses(folder / STATEMENTS)
    path = folder / DATABASE
    table = _table(path, ("ecg_id", "patient_id", _CODES, "strat_fold", path_column))
    record = _whole_numbers(table, "ecg_id", path)
    _refuse_repeated(record, "ecg_id", path)
    patient = _whole_numbers(table, "patient_id", path)
    fold = _whole_numbers(table, "strat_fold", path)
    for ecg_id, number in zip(record, fold, strict=True):
        if number not in _SPLIT_OF:
            raise _bad_cell(path, ecg_id, "strat_fold", f"{number} is not one of 1..10")
    _refuse_crossing(patient, fold, path)
    places = [
        _inside(text, path, ecg_id, path_column)
        for ecg_id, text in zip(record, table[path_column], strict=True)
    ]
    _refuse_repeated(places, path_column, path)
    labels = [
        _labels(text, superclass, min_likelihood, path, ecg_id)
        for ecg_id, text in zip(record, table[_CODES], strict=True)
    ]
    y = np.array(labels, np.float32).reshape(-1, len(CLASSES))
    kept = np.flatnonzero(y.any(axis=1))
    return Index(
        np.array([str(record[i]) for i in kept], np.str_),
        np.array([str(patient[i]) for i in kept], np.str_),
        np.array([fold[i] for i in kept], np.int64),
        tuple(places[i] for i in kept),
        y[kept],
        len(record),
    )


def _table(path: Path, columns: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the cells of each column as text; an empty cell is an empty string."""
    import pandas as pd  # half a second, which a list of sources must not cost

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(
            "The PTB-XL records were not found.",
            f"There is no file '{path}'.",
            "Run 'edgeecg data fetch ptbxl', or check the folder's name.",
        ) from error
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise _bad_table(path, f"It is not a table: {str(error).strip()}.") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise _bad_table(path, f"It has no column {', '.join(missing)}.")
    return {name: [str(cell) for cell in table[name]] for name in columns}


def _superclasses(path: Path) -> dict[str, str | None]:
    """Return the superclass of each statement, None for one that is not diagnostic."""
    # The column of the statements has an empty name in the official file, which pandas replaces.
    code = "Unnamed: 0"
    table = _table(path, (code, "diagnostic", "diagnostic_class"))
    found: dict[str, str | None] = {}
    rows = zip(table[code], table["diagnostic"], table["diagnostic_class"], strict=True)
    for name, diagnostic, superclass in rows:
        is_diagnostic = diagnostic.strip() in ("1", "1.0")
        if is_diagnostic and superclass not in CLASSES:
            raise _bad_cell(path, name, "diagnostic_class", f"{superclass!r} is no superclass")
        found[str(name)] = str(superclass) if is_diagnostic else None
    return found


def _whole_numbers(table: dict[str, list[str]], column: str, path: Path) -> list[int]:
    numbers: list[int] = []
    for ecg_id, text in zip(table["ecg_id"], table[column], strict=True):
        found = _WHOLE_NUMBER.fullmatch(text)
        if found is None:
            raise _bad_cell(path, ecg_id, column, f"{text!r} is not a whole number")
        numbers.append(int(found[1]))
    return numbers


def _refuse_repeated(cells: Sequence[object], column: str, path: Path) -> None:
    if len(set(cells)) < len(cells):
        cell, times = Counter(cells).most_common(1)[0]
        raise _bad_table(path, f"The {column} {cell} is there {times} times.")


def _refuse_crossing(patient: list[int], fold: list[int], path: Path) -> None:
    """Refuse a patient in two splits: a score would then be of one that was trained on."""
    first: dict[int, int] = {}
    for name, number in zip(patient, fold, strict=True):
        other = first.setdefault(name, number)
        if _SPLIT_OF[other] != _SPLIT_OF[number]:
            raise _bad_table(
                path,
                f"Patient {name} has records in folds {other} and {number}, and so both in "
                f"{_SPLIT_OF[other]} and in {_SPLIT_OF[number]}.",
            )


def _inside(text: str, path: Path, ecg_id: object, column: str) -> PurePosixPath:
    """Return a path from a cell, which may only go down from the folder."""
    place = PurePosixPath(text)
    parts = place.parts
    if not parts or place.is_absolute() or ".." in parts or "\\" in text or "\0" in text:
        raise _bad_cell(path, ecg_id, column, f"{text!r} is not a path inside the folder")
    return place


def _labels(
    text: str,
    superclass: dict[str, str | None],
    min_likelihood: float,
    path: Path,
    ecg_id: object,
) -> list[bool]:
    """Return for each class whether a diagnostic statement of it counts."""
    likelihoods = _likelihoods(text)
    if likelihoods is None:
        shown = text if len(text) <= 60 else text[:57] + "..."
        why = f"{shown!r} does not give each statement a likelihood of 0..100"
        raise _bad_cell(path, ecg_id, _CODES, why)
    unknown = likelihoods.keys() - superclass.keys()
    if unknown:
        raise _bad_cell(path, ecg_id, _CODES, f"{min(unknown)!r} is not in {STATEMENTS}")
    shown_classes = {
        superclass[name] for name, value in likelihoods.items() if value >= min_likelihood
    }
    return [name in shown_classes for name in CLASSES]


def _likelihoods(text: str) -> dict[str, float] | None:
    """Return what a cell such as ``{'NORM': 100.0, 'SR': 0.0}`` says, or None."""
    try:
        cell: object = ast.literal_eval(text)
    except _NO_LITERAL:
        return None
    if not isinstance(cell, dict):
        return None
    items: Iterable[tuple[object, object]] = cell.items()
    found: dict[str, float] = {}
    for name, value in items:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not isinstance(name, str) or not is_number or not 0 <= value <= 100:
            return None
        found[name] = float(value)
    return found


def _bad_cell(path: Path, row: object, column: str, why: str) -> DataError:
    return _bad_table(path, f"In the row of {row}, {column} is wrong: {why}.")


def _bad_table(path: Path, why: str) -> DataError:
    return DataError(
        f"The table '{path}' cannot be used.",
        why,
        "Correct the row or the column, or get the file again with 'edgeecg data fetch ptbxl'.",
    )
