"""Where databases are on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from edgeecg.errors import DataError

DATA_VARIABLE = "EDGEECG_DATA"
"""Environment variable that names the folder that holds ``mitdb/``, ``ptbxl/`` and ``nstdb/``."""


def place(database: str) -> Path:
    """Return the folder of a database, whether it exists or not.

    Args:
        database: Name of a source in :mod:`edgeecg.data.sources`.

    Returns:
        ``$EDGEECG_DATA/NAME`` when the variable is set, else ``edgeecg/NAME`` in the user's data
        directory.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser() / database
    return Path(platformdirs.user_data_dir("edgeecg", appauthor=False)) / database


def locate(database: str) -> Path | None:
    """Return the folder that should hold a database, or None when it was never set up.

    A set ``EDGEECG_DATA`` counts as set up, so that a wrong path is an error and does not lead to
    synthetic records.
    """
    found = place(database)
    return found if os.environ.get(DATA_VARIABLE) or found.is_dir() else None


def installed(database: str) -> Path:
    """Return the folder of a database that is on this machine.

    Raises:
        DataError: The folder does not exist.
    """
    found = place(database)
    if not found.is_dir():
        raise DataError(
            f"The database '{database}' was not found.",
            f"There is no folder '{found}'.",
            f"Run 'edgeecg data fetch {database}'.",
        )
    return found
