"""PTB-XL: 12-lead records of 10 s, each with any number of five superclasses (Wagner et al. 2020).

The official folder layout is read as it is, at 100 Hz or at 500 Hz. A record becomes one window:
its first samples, minus one mean and over one deviation, which were taken over all leads of the
training folds, or which a trained model brings with it.

- ``_ptbxl_index.py``: the two tables.
- ``_ptbxl_records.py``: the record files.
- :mod:`edgeecg.data.windows.record_cache`: the windows on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeecg.data.download import Download
from edgeecg.data.locations import installed, place
from edgeecg.data.sources import _ptbxl_index
from edgeecg.data.sources._ptbxl_index import CLASSES, FOLDS, Index
from edgeecg.data.sources._ptbxl_records import Preparation, check_files, windows_key
from edgeecg.data.windows import cache, record_cache
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import DataError
from edgeecg.schema import DataSummary, Preprocessing, Source, Split, Task

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
        source: What the records are.
        licence: Licence and citation.
        notes: What a reader of a figure on these records has to know.

    Returns:
        Three splits by fold, whose ``x`` is a read-only memory map. Records without a superclass,
        too short ones, and ones with an invalid sample or a flat lead in the window are left out
        and counted.

    Raises:
        DataError: A table, a record or a setting is not what it should be, a patient is in two
            splits, a split lacks a class, or the cache cannot be written to.
    """
    wanted = request.preprocessing or preprocessing()
    index = _ptbxl_index.read(folder, _path_column(wanted), request.min_likelihood)
    check_files(folder, index, wanted.fs_hz)
    preparation = Preparation(folder, index, wanted, request)
    settled, (parts, skipped) = _prepared(preparation, on_record)
    if source == "ptbxl":
        notes = (*_part_note(folder, index), *notes)
    summary = DataSummary(
        source=source,
        class_map="superclasses",
        classes=CLASSES,
        train_records=_fold_names("train"),
        val_records=_fold_names("val"),
        test_records=_fold_names("test"),
        beats={
            split: {name: int(n) for name, n in zip(CLASSES, windows.y.sum(axis=0), strict=True)}
            for split, windows in parts.items()
        },
        skipped=skipped,
        content_sha256=windows_key(preparation.key, settled),
        licence=licence,
        notes=(*notes, _likelihood_note(request.min_likelihood)),
    )
    return Dataset(parts["train"], parts["val"], parts["test"], summary, settled, "records")


def _prepared(
    preparation: Preparation, on_record: OnRecord | None
) -> tuple[Preprocessing, record_cache.Stored]:
    """Return how the windows were made, and the windows, from the cache if they are there."""
    settled = preparation.settled()
    if settled is not None:
        stored = record_cache.load(windows_key(preparation.key, settled))
        if stored is not None:
            return settled, stored
    settled = preparation.run(on_record)
    stored = record_cache.load(windows_key(preparation.key, settled))
    if stored is None:
        raise cache.unwritable(cache.folder(), OSError("what was written is not there"))
    return settled, stored


def _path_column(wanted: Preprocessing) -> str:
    """Return the column of the record paths at the rate wanted.

    Raises:
        DataError: There are no records at that rate, or the windows are to be about a beat.
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
    return _COLUMNS[wanted.fs_hz]


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
