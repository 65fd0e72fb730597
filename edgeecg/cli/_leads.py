"""The option ``--leads`` of commands that have no configuration class."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeecg.errors import UsageError

FolderLeads = Annotated[
    list[str] | None,
    typer.Option("--leads", metavar="LEAD=NAME", help="For a folder: MODEL'S LEAD=ITS NAME THERE."),
]
"""The option of commands that read records of a database or of a folder."""


def lead_names(pairs: list[str]) -> dict[str, str]:
    """Return ``{"MLII": "II"}`` for ``["MLII=II"]``.

    Raises:
        UsageError: A pair is not of the form MODEL=RECORDS.
    """
    from edgeecg.schema.training import lead_pairs

    try:
        return lead_pairs(pairs)
    except ValueError as error:
        raise UsageError(
            "The option '--leads' is not understood.",
            f"{str(error).capitalize()}.",
            "Write, for example: --leads MLII=II",
        ) from error
