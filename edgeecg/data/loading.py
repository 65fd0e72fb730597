"""The way in: from a request to three splits of windows."""

from __future__ import annotations

import os
from pathlib import Path

from edgeecg.data.windows.dataset import Dataset, OnRecord, Request
from edgeecg.errors import DataError, UnknownNameError
from edgeecg.schema import Task

_DATABASES: dict[str, Task] = {"mitdb": "beats", "ptbxl": "records"}
_DEFAULT = Request()


def load_dataset(request: Request = _DEFAULT, on_record: OnRecord | None = None) -> Dataset:
    """Return the windows of all splits, from the cache or from the record files.

    Args:
        request: Which records, and how they become windows.
        on_record: Called after each record that is prepared.

    Raises:
        UnknownNameError: There is no such database, and no folder of that name.
        DataError: Records are missing or damaged, do not have what the task needs, or the cache
            cannot be written to.
    """
    name = request.source or _own_database(request.task)
    if name in _DATABASES and _DATABASES[name] != request.task:
        raise DataError(
            f"The database '{name}' does not fit the model.",
            f"It has classes for {_DATABASES[name]}, and the model classifies {request.task}.",
            "Choose the database that 'edgeecg models' names for the model.",
        )
    # Each brings what it alone needs: wfdb, SciPy, pandas.
    if name == "mitdb":
        from edgeecg.data.sources import mitdb

        return mitdb.load(request, on_record)
    if name == "ptbxl":
        from edgeecg.data.sources import ptbxl

        return ptbxl.load(request, on_record)
    if name == "synthetic" and request.task == "beats":
        from edgeecg.data.sources import synthetic

        return synthetic.load(request, on_record)
    if name == "synthetic":
        from edgeecg.data.sources import _synthetic_ptbxl

        return _synthetic_ptbxl.load(request, on_record)
    if is_folder(name):
        from edgeecg.data.sources import _folder

        return _folder.load(Path(name), request, on_record)
    raise UnknownNameError("database", name, [*_DATABASES, "synthetic"])


def is_folder(name: str) -> bool:
    """Return whether a source is a folder of records and none of the named databases."""
    named = name in _DATABASES or name == "synthetic"
    return not named and (os.sep in name or Path(name).is_dir())


def _own_database(task: Task) -> str:
    """Return the task's database if there is a sign of it on this machine, else synthetic."""
    from edgeecg.data.locations import locate

    (name,) = (name for name, its_task in _DATABASES.items() if its_task == task)
    return name if locate(name) is not None else "synthetic"
