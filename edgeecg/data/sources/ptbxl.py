"""PTB-XL: 12-lead records of 10 s, each with any number of five superclasses (Wagner et al. 2020).

The official folder layout is read as it is, at 100 Hz or at 500 Hz. A record becomes one window:
its first samples, minus one mean and over one deviation, which were taken over all leads of the
training folds, or which a trained model brings with it.

- ``_ptbxl_index.py``: the two tables.
- ``_labelled.py``: the record files.
- :mod:`edgeecg.data.windows.record_cache`: the windows on disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgeecg.data.download import Download
from edgeecg.data.locations import installed, place
from edgeecg.data.sources import _labelled, _ptbxl_index
from edgeecg.data.sources._labelled_windows import NO_CLASS, LabelledRecords
from edgeecg.data.sources._ptbxl_index import CLASSES, FOLDS, Index
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing, Source, Split, Task

TITLE = "PTB-XL, folds 1-8 / 9 / 10"
TASKS: tuple[Task, ...] = ("records",)
DEFAULT_FOR = TASKS

LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The model's leads. The files write AVR where textbooks write aVR; case does not matter."""

RECORDS = 21_799
"""Records in the whole of PTB-XL 1.0.3."""

LICENCE = (
    "PTB-XL 1.0.3, CC BY 4.0. Wagner et al., Scientific Data 7:154, 2020, doi:10.13026/kfzx-aw45; "
    "Goldberger et al., PhysioNet, Circulation 101(23):e215-e220, 2000."
)

NOTES: tuple[str, ...] = ()  # What there is to say depends on the request; see load_folder.
REMARKS: Mapping[str, str] = {}

DOWNLOAD = Download(
    "ptb-xl/1.0.3/",
    r"ptbxl_database\.csv|scp_statements\.csv|LICENSE\.txt|records100/.+\.(hea|dat)",
    sizes=(("_lr.dat", 24_000), ("_hr.dat", 120_000), ("base.csv", 6_300_000), ("", 700)),
    at_rate={500: r"records500/.+\.(hea|dat)"},
)

_COLUMNS = {100.0: "filename_lr", 500.0: "filename_hr"}
_FOLDER = "folder"
_DURATION_S = 10
_WHOLE_FROM = 21_000  # Other versions have a few records more or fewer than this one.
_OF_A_PART = "provenance.csv"


def preprocessing(fs_hz: float = 100.0) -> Preprocessing:
    """Return what to ask for: the whole of a record, all leads, no filter.

    Its ``"window-zscore"`` means constants that are not known yet: what is loaded comes with
    ``"global-zscore"`` and the mean and deviation of the training folds.

    Args:
        fs_hz: 100 or 500.
    """
    return Preprocessing(
        fs_hz=fs_hz,
        window=round(_DURATION_S * fs_hz),
        r_index=None,
        highpass_hz=None,
        leads=LEADS,
    )


def folder() -> Path:
    """Return the folder of the database; see :class:`edgeecg.data.sources.Source`."""
    return installed("ptbxl")


def load(request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of PTB-XL; see :func:`load_folder`."""
    return load_folder(place("ptbxl"), request, on_record)


def load_folder(
    folder: Path,
    request: DataRequest,
    on_record: OnRecord | None,
    source: Source = "ptbxl",
    licence: str = LICENCE,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """Return the windows of a folder in the official layout, from the cache or from the files.

    Args:
        folder: Holds ``ptbxl_database.csv``, ``scp_statements.csv`` and the record folders.
        request: Gives rate, window, leads, and the likelihood from which a statement counts. The
            constants of ``"global-zscore"`` are used as they are, as a trained model needs it;
            with ``"window-zscore"``, or without any preprocessing, those of the training folds
            are computed. ``leads`` renames leads, e.g. ``{"I": "DI"}``.
        on_record: Called while records are prepared.
        source: What the records are; those of ``"folder"`` need not be complete.
        licence: Licence and citation.
        notes: What a reader of a figure on these records has to know.

    Returns:
        Three splits by fold, whose ``x`` is a read-only memory map. Records without a superclass,
        too short ones, and ones with an invalid sample or a flat lead in the window are left out
        and counted. Of the user's folder, so are records that are missing or damaged. Records at
        500 Hz are resampled where there are none at 100 Hz.

    Raises:
        DataError: A table, a record or a setting is not what it should be, a patient is in two
            splits, a split lacks a class, or the cache cannot be written to.
    """
    wanted = request.preprocessing or preprocessing()
    _check_wanted(wanted)
    index, fs_hz = _index(folder, wanted, request.min_likelihood)
    records = _records(folder, index, fs_hz, complete=source != _FOLDER)
    skipped = {NO_CLASS: index.rows - len(index.path)}
    loaded = _labelled.load(records, wanted, request, skipped, on_record)
    if source == "ptbxl":
        notes = (*_part_note(folder, index), *notes)
    if fs_hz != wanted.fs_hz:
        resampled = f"The records were resampled from {fs_hz:g} Hz to {wanted.fs_hz:g} Hz."
        notes = (*notes, resampled)
    parts: dict[Split, tuple[str, ...]] = {part: _fold_names(part) for part in FOLDS}
    notes = (*notes, _likelihood_note(request.min_likelihood))
    return loaded.dataset(source, licence, notes, parts)


def _records(folder: Path, index: Index, fs_hz: float, *, complete: bool) -> LabelledRecords:
    """Return the records of the folds.

    Raises:
        DataError: A link leads out of the folder, or files are missing: all of them, or any of a
            complete database.
    """
    missing = check_files(folder, index)
    if complete or not _any_there(folder, index):
        _refuse_missing(folder, index, missing, fs_hz)
    return LabelledRecords(
        folder=folder,
        record=index.record,
        patient=index.patient,
        path=index.path,
        y=index.y,
        classes=CLASSES,
        rows_of={part: np.flatnonzero(np.isin(index.fold, FOLDS[part])) for part in FOLDS},
        tables=(folder / _ptbxl_index.DATABASE, folder / _ptbxl_index.STATEMENTS),
        complete=complete,
        left_out={},
        fs_hz=fs_hz if complete else None,
    )


def check_files(folder: Path, index: Index) -> list[Path]:
    """Return the files that the table names and that are missing.

    Args:
        folder: Folder of the database.
        index: Gives the records.

    Raises:
        DataError: A link leads out of the folder.
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
    return [path for path in paths if not path.is_file()]


def _refuse_missing(folder: Path, index: Index, missing: list[Path], fs_hz: float) -> None:
    if missing:
        rate = " --rate 500" if fs_hz == 500 else ""
        raise DataError(
            f"The {fs_hz:g} Hz records in '{folder}' are not complete.",
            f"{len(missing)} of {2 * len(index.path)} files that the table names are missing, "
            f"the first is '{missing[0].relative_to(folder)}'.",
            f"Get them with 'edgeecg data fetch ptbxl{rate}'.",
        )


def _index(folder: Path, wanted: Preprocessing, min_likelihood: float) -> tuple[Index, float]:
    """Return the records at the rate wanted, or at a higher one where there are none.

    Returns:
        The records, and their rate.
    """
    index = _ptbxl_index.read(folder, _COLUMNS[wanted.fs_hz], min_likelihood)
    for fs_hz in sorted(_COLUMNS):
        if fs_hz > wanted.fs_hz and not _any_there(folder, index):
            try:
                higher = _ptbxl_index.read(folder, _COLUMNS[fs_hz], min_likelihood)
            except DataError:
                # The table may name the records at one rate alone.
                continue
            if _any_there(folder, higher):
                return higher, fs_hz
    return index, wanted.fs_hz


def _any_there(folder: Path, index: Index) -> bool:
    return any((folder / f"{place}.hea").is_file() for place in index.path)


def _check_wanted(wanted: Preprocessing) -> None:
    """Refuse what PTB-XL does not have.

    Raises:
        DataError: There are no records at the rate wanted, or the windows are to be about a beat.
    """
    if wanted.fs_hz not in _COLUMNS:
        raise DataError(
            f"PTB-XL cannot be loaded at {wanted.fs_hz:g} Hz.",
            f"Its records exist at {' Hz and '.join(f'{fs:g}' for fs in _COLUMNS)} Hz.",
            "Set fs_hz to one of the two.",
        )
    if wanted.r_index is not None:
        raise DataError(
            "PTB-XL cannot be loaded for a model of beats.",
            "Its records have classes as a whole, and the windows asked for are about an R peak.",
            "Set r_index to none, or choose MIT-BIH.",
        )


def _fold_names(split: Split) -> tuple[str, ...]:
    return tuple(f"fold {fold}" for fold in FOLDS[split])


def _part_note(folder: Path, index: Index) -> tuple[str, ...]:
    if index.rows >= _WHOLE_FROM and not (folder / _OF_A_PART).is_file():
        return ()
    return (
        f"A part of PTB-XL: {index.rows:,} of {RECORDS:,} records; figures are not comparable "
        "with those on all of it.",
    )


def _likelihood_note(min_likelihood: float) -> str:
    if min_likelihood == 0:
        return "A diagnostic statement counts whatever its likelihood."
    return f"A diagnostic statement counts from a likelihood of {min_likelihood:g} %."
