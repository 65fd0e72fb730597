"""The MIT-BIH Arrhythmia Database: its records, and where they lie on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from edgeecg.errors import DataError

DATA_VARIABLE = "EDGEECG_DATA"
"""Environment variable that names the folder in which ``mitdb/`` lies."""

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

LICENCE = (
    "MIT-BIH Arrhythmia Database 1.0.0, ODC-By 1.0. "
    "Moody and Mark, IEEE Eng. Med. Biol. Mag. 20(3):45-50, 2001, doi:10.13026/C2F305; "
    "Goldberger et al., PhysioNet, Circulation 101(23):e215-e220, 2000."
)

SUFFIXES = (".hea", ".dat", ".atr")
"""The files of one record."""


def locate() -> Path | None:
    """Return the folder that should hold the records, or None when there is no sign of one.

    Returns:
        ``$EDGEECG_DATA/mitdb`` when the variable is set, whether that folder is there or not;
        otherwise ``edgeecg/mitdb`` in the user's data directory if it is there; otherwise None.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser() / "mitdb"
    usual = default_folder()
    return usual if usual.is_dir() else None


def default_folder() -> Path:
    """Return where the records are looked for when ``EDGEECG_DATA`` is not set."""
    return Path(platformdirs.user_data_dir("edgeecg", appauthor=False)) / "mitdb"


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
        "Download MIT-BIH 1.0.0 from PhysioNet: "
        f"python -c \"import wfdb; wfdb.dl_database('mitdb', '{folder}')\" "
        f"(or unset {DATA_VARIABLE} to use the built-in synthetic records)."
    )
