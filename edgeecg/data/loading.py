"""From a request to three splits of windows."""

from __future__ import annotations

from edgeecg.data import sources
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import DataError

_DEFAULT = DataRequest()


def load_dataset(request: DataRequest = _DEFAULT, on_record: OnRecord | None = None) -> Dataset:
    """Return the windows of all splits, from the cache or from the record files.

    Args:
        request: Which records, and how they become windows.
        on_record: Called after each record that is prepared.

    Raises:
        UnknownNameError: There is no such database, and no folder of that name.
        DataError: Records are missing or damaged, do not have what the task needs, or the cache
            cannot be written to.
    """
    name = request.source or sources.default(request.task)
    source = sources.find(name)
    if request.task not in source.TASKS:
        raise DataError(
            f"The database '{name}' does not fit the model.",
            f"It has classes for {' and '.join(source.TASKS) or 'nothing'}, and the model "
            f"classifies {request.task}.",
            "Choose the database that 'edgeecg models' names for the model.",
        )
    return source.load(request, on_record)
