"""The option ``--leads`` of commands that have no configuration class."""

from __future__ import annotations

from edgeecg.errors import UsageError
from edgeecg.schema.training import lead_pairs


def lead_names(pairs: list[str]) -> dict[str, str]:
    """Return ``{"MLII": "II"}`` for ``["MLII=II"]``.

    Raises:
        UsageError: A pair is not of the form MODEL=RECORDS.
    """
    try:
        return lead_pairs(pairs)
    except ValueError as error:
        raise UsageError(
            "The option '--leads' is not understood.",
            f"{str(error).capitalize()}.",
            "Write, for example: --leads MLII=II",
        ) from error
