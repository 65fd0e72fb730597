"""Where databases lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

DATA_VARIABLE = "EDGEECG_DATA"
"""Environment variable that names the folder in which ``mitdb/``, ``ptbxl/`` and ``nstdb/`` lie."""


def place(database: str) -> Path:
    """Return the folder a database belongs in, whether it is there or not.

    Args:
        database: ``"mitdb"``, ``"ptbxl"`` or ``"nstdb"``.

    Returns:
        ``$EDGEECG_DATA/NAME`` when the variable is set, else ``edgeecg/NAME`` in the user's data
        directory.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser() / database
    return Path(platformdirs.user_data_dir("edgeecg", appauthor=False)) / database


def locate(database: str) -> Path | None:
    """Return the folder that should hold a database, or None when there is no sign of one.

    ``EDGEECG_DATA`` is such a sign, so that a wrong path is an error and not synthetic records.
    """
    found = place(database)
    return found if os.environ.get(DATA_VARIABLE) or found.is_dir() else None
