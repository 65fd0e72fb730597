"""``edgeecg meters``: which energy meters there are, and whether each works here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"


def meters(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the list as JSON; - is standard output.")
    ] = None,
) -> None:
    """List the energy meters and whether each works here."""
    import json

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from edgeecg.cli._console import emit_json, output
    from edgeecg.cli._extensions import report_broken
    from edgeecg.meters import availability

    console = output(json_path)
    rows = availability()
    emit_json(json_path, json.dumps([row.to_document() for row in rows], indent=1) + "\n")
    table = Table(title="Energy meters", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("meter", no_wrap=True)
    table.add_column("works here", no_wrap=True)
    table.add_column("reason")
    for row in rows:
        table.add_row(row.name, "yes" if row.available else "no", row.reason or "")
    console.print(table)
    report_broken("edgeecg.meters", console)
    usable = next((row.name for row in rows if row.available), "none")
    console.print(f"Next: edgeecg bench --meter {usable}")
