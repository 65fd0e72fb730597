"""The MIT-BIH Arrhythmia Database: its records, and which patients train, validate and test.

DS1 and DS2 are those of de Chazal et al. (IEEE TBME 51(7), 2004). The validation patients come out
of DS1; nothing but the final score ever looks at DS2.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgeecg.data.locations import DATA_VARIABLE, place
from edgeecg.data.windows import annotated
from edgeecg.data.windows.annotated import SUFFIXES
from edgeecg.data.windows.dataset import Dataset, OnRecord, Request
from edgeecg.data.windows.split import Split
from edgeecg.errors import DataError

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

SPLIT = Split(
    train=tuple(record for record in DS1 if record not in VALIDATION),
    val=VALIDATION,
    test=DS2,
    notes=(
        "Records 201 (validation) and 202 (test, DS2) are one patient.",
        "Paced records 102, 104, 107 and 217 are left out.",
        "R peaks come from the annotations, not from a detector.",
    ),
)
"""The inter-patient split of MIT-BIH: 17 records train, 5 validate, the 22 of DS2 test."""

LICENCE = (
    "MIT-BIH Arrhythmia Database 1.0.0, ODC-By 1.0. "
    "Moody and Mark, IEEE Eng. Med. Biol. Mag. 20(3):45-50, 2001, doi:10.13026/C2F305; "
    "Goldberger et al., PhysioNet, Circulation 101(23):e215-e220, 2000."
)


def load(request: Request, on_record: OnRecord | None) -> Dataset:
    """Return the windows of MIT-BIH, split between patients.

    Raises:
        DataError: Records are missing or damaged, or the cache cannot be written to.
    """
    folder = place("mitdb")
    check_complete(folder, SPLIT.records)
    found = annotated.RecordSet("mitdb", folder, SPLIT, LICENCE)
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
            _how_to_get(folder),
        )
    names = [name + suffix for name in records for suffix in SUFFIXES]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            "The MIT-BIH records are not complete.",
            f"In '{folder}', {len(missing)} of {len(names)} files are missing: {shown}",
            _how_to_get(folder),
        )


def _how_to_get(folder: Path) -> str:
    return (
        "Run 'edgeecg data fetch mitdb' "
        f"(or unset {DATA_VARIABLE} to use the built-in synthetic records)."
    )
