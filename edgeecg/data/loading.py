"""From a request to three splits of windows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from edgeecg import plugins
from edgeecg.data import sources
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import DataError, UsageError
from edgeecg.schema import Preprocessing

_DEFAULT = DataRequest()


def load_dataset(request: DataRequest = _DEFAULT, on_record: OnRecord | None = None) -> Dataset:
    """Return the windows of all splits, from the cache or from the record files.

    Args:
        request: Which records, and how they become windows.
        on_record: Called after each record that is prepared.

    Raises:
        UnknownNameError: There is no such database, and no folder of that name.
        UsageError: Names of leads are given for something that is no lead of the model, or for a
            database, which has the leads of its models.
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
    check_leads(request.leads, _wanted_leads(request))
    # A folder, and a data source of another package, may call the leads anything.
    external = plugins.external_names(sources.__name__)
    if request.leads and name in sources.names() and name not in external:
        raise UsageError(
            "Names of leads cannot be given for a database.",
            f"The records of '{name}' have the leads of its models under their names.",
            "Leave --leads out, or give the folder of your own records.",
        )
    return source.load(request, on_record)


def _wanted_leads(request: DataRequest) -> Sequence[str]:
    if request.preprocessing is not None:
        return request.preprocessing.leads
    if request.task == "beats":
        return Preprocessing().leads
    from edgeecg.data.sources import ptbxl

    return ptbxl.LEADS


def check_leads(called: Mapping[str, str], wanted: Sequence[str]) -> None:
    """Refuse names for leads that a model does not have.

    Args:
        called: What leads are called in the records, by the model's name.
        wanted: The model's leads.

    Raises:
        UsageError: One is no lead of the model, as where a pair is written the wrong way round.
    """
    for name, other in called.items():
        if name not in wanted:
            turned = f" Give --leads {shlex.quote(f'{other}={name}')}." if other in wanted else ""
            raise UsageError(
                f"The model has no lead '{name}'.",
                f"Its leads are: {', '.join(wanted)}.",
                f"The model's lead comes first, then its name in the records.{turned}",
            )
