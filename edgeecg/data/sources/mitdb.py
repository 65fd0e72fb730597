"""The MIT-BIH Arrhythmia Database: its records, and which patients train, validate and test.

DS1 and DS2 are those of de Chazal et al. (IEEE TBME 51(7), 2004). The validation patients are taken
from DS1; only the final score is computed on DS2.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgeecg.data.download import WFDB_FILES, Download
from edgeecg.data.locations import DATA_VARIABLE, installed, place
from edgeecg.data.windows import annotated
from edgeecg.data.windows.annotated import SUFFIXES
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.data.windows.split import RecordSplit
from edgeecg.errors import DataError
from edgeecg.schema import Task

TITLE = "MIT-BIH Arrhythmia Database, inter-patient split (DS1 / DS2)"
TASKS: tuple[Task, ...] = ("beats",)
DEFAULT_FOR = TASKS

DS1 = (
    *("101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122"),
    *("124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230"),
)
"""Training records of de Chazal et al. 2004; validation patients are taken out of them."""

DS2 = (
    *("100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210"),
    *("212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234"),
)
"""Test records of de Chazal et al. 2004."""

PACED = ("102", "104", "107", "217")
"""Records with a pacemaker, in neither set (ANSI/AAMI EC57)."""

VALIDATION = ("114", "116", "124", "201", "223")
"""The validation patients, chosen from the annotations of DS1 alone.

Beats under the class map ``aami``, before those at a record's ends are left out:

======  =====  ===  ====
record      N    S     V
======  =====  ===  ====
114      1820   12    43
116      2302    1   109
124      1536   31    47  (right bundle branch block)
201      1635  128   198
223      2045   73   473
all      9338  245   870
train   36528  699  2918
======  =====  ===  ====

Each side has S beats of four patients with a fair number of them (training: 209, 207, 118, 220),
V beats of several, and a bundle branch block. Record 201 is here because its patient is also the
one of 202 in DS2: so the weights are never fitted to a patient that they are tested on.
"""

GUARDS = ("S:fidelity>=0.8",)
"""What a compression keeps unless it is switched off: S beats are rare, and are lost first."""

NOTES = (
    "Records 201 (validation) and 202 (test, DS2) are one patient.",
    "Paced records 102, 104, 107 and 217 are left out.",
    "R peaks come from the annotations, not from a detector.",
)

REMARKS: Mapping[str, str] = {
    "114": "MLII is its second lead.",
    "201": "The patient of 202, which is in DS2.",
    "202": "The patient of 201, which is in DS1.",
    "232": "It holds 1,382 of the 1,837 S beats of DS2, in runs.",
    **dict.fromkeys(PACED, "The patient has a pacemaker; it is in neither DS1 nor DS2."),
}

SPLIT = RecordSplit(
    train=tuple(record for record in DS1 if record not in VALIDATION),
    val=VALIDATION,
    test=DS2,
    notes=NOTES,
)
"""The inter-patient split of MIT-BIH: 17 records train, 5 validate, the 22 of DS2 test."""

LICENCE = (
    "MIT-BIH Arrhythmia Database 1.0.0, ODC-By 1.0. "
    "Moody and Mark, IEEE Eng. Med. Biol. Mag. 20(3):45-50, 2001, doi:10.13026/C2F305; "
    "Goldberger et al., PhysioNet, Circulation 101(23):e215-e220, 2000."
)


DOWNLOAD = Download(
    "mitdb/1.0.0/", WFDB_FILES, sizes=((".dat", 1_950_000), (".atr", 5_000), ("", 300))
)


def folder() -> Path:
    """Return the folder of the records; see :class:`edgeecg.data.sources.Source`."""
    return installed("mitdb")


def load(request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Return the windows of MIT-BIH, split between patients.

    Raises:
        DataError: Records are missing or damaged, or the cache cannot be written to.
    """
    path = place("mitdb")
    check_complete(path, SPLIT.records)
    found = annotated.RecordSet("mitdb", path, SPLIT, LICENCE)
    return annotated.load(found, request, on_record)


def check_complete(folder: Path, records: Iterable[str]) -> None:
    """Check that every file of every record is there.

    Args:
        folder: Folder of the records.
        records: Names of the records that are needed.

    Raises:
        DataError: The folder or a file is missing; says what was looked for, and how to get it.
    """
    if not folder.is_dir():
        raise DataError(
            "The MIT-BIH records were not found.",
            f"There is no folder '{folder}'.",
            _how_to_get(),
        )
    names = [name + suffix for name in records for suffix in SUFFIXES]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            "The MIT-BIH records are not complete.",
            f"In '{folder}', {len(missing)} of {len(names)} files are missing: {shown}",
            _how_to_get(),
        )


def _how_to_get() -> str:
    fetch = "Run 'edgeecg data fetch mitdb'"
    if os.environ.get(DATA_VARIABLE):
        return f"{fetch} (or unset {DATA_VARIABLE} to use the built-in synthetic records)."
    return f"{fetch}."
