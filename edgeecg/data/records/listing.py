"""Which WFDB records a folder holds."""

from __future__ import annotations

from pathlib import Path

from edgeecg.data.records.paths import inside
from edgeecg.errors import DataError

INDEX = "RECORDS"
"""File that lists the records of a folder, a name a line, with ``/`` for folders inside it."""


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
    index = path / INDEX
    if index.is_file():
        lines = index.read_text(encoding="utf-8", errors="replace").splitlines()
        names = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    else:
        names = tuple(sorted(header.stem for header in path.glob("*.hea")))
    for name in names:
        header = inside(path, f"{name}.hea", INDEX)
        if not header.is_file():
            raise DataError(
                f"The record '{name}' in '{path}' is missing.",
                f"{INDEX} names it, and there is no '{name}.hea'.",
                f"Put the record there, or take its line out of {INDEX}.",
            )
    if not names:
        raise DataError(
            f"There are no records in '{path}'.",
            f"It has neither a file {INDEX} that names any nor a file NAME.hea.",
            "Give the folder that holds the WFDB files.",
        )
    return names


def annotated_names(path: Path) -> tuple[str, ...]:
    """Return the names of the records that have annotations; see :func:`record_names`."""
    return tuple(name for name in record_names(path) if (path / f"{name}.atr").is_file())
