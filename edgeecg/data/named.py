"""Loading the records that a user names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeecg import arguments
from edgeecg.data import loading
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.schema import ClassMapName, Preprocessing, Task


def load_dataset(
    source: str | Path | None = None,
    *,
    task: Task = "beats",
    preprocessing: Preprocessing | None = None,
    class_map: ClassMapName = "aami",
    leads: Mapping[str, str] | None = None,
    min_likelihood: float = 0.0,
    strict: bool = False,
    on_record: OnRecord | None = None,
) -> Dataset:
    """Load records and make windows of them, from the cache where they are in it.

    Args:
        source: Name of a database, e.g. ``"mitdb"`` or ``"synthetic"``, or path of a folder of WFDB
            records; None for the task's own database if it is found, else synthetic records.
        task: ``"beats"``: one class per beat; ``"records"``: any number of classes per record.
        preprocessing: How leads become windows; None for the default of the records.
        class_map: Mapping from beat symbols to classes.
        leads: For a folder: the records' names of the model's leads, ``{"MLII": "II"}``.
        min_likelihood: For PTB-XL: percent from which a diagnostic statement counts.
        strict: Refuse a folder with a record that cannot be used, instead of leaving it out.
        on_record: Called as ``on_record(done, total)`` after each record that is prepared.

    Returns:
        Training, validation and test windows, and what they were made from.

    Raises:
        UnknownNameError: There is no such database and no such folder; or no such task or class
            map.
        UsageError: ``leads`` is no mapping.
        DataError: Records are missing or damaged, or do not fit the task.
    """
    arguments.choice("task", task, Task)
    arguments.choice("class map", class_map, ClassMapName)
    request = DataRequest(
        source=None if source is None else str(source),
        task=task,
        preprocessing=preprocessing,
        class_map=class_map,
        leads=arguments.lead_names(leads),
        min_likelihood=min_likelihood,
        strict=strict,
    )
    return loading.load_dataset(request, on_record)
