"""``edgeecg models``: which architectures there are, how large, how much work a heartbeat is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "compress"


def models(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the list as JSON; - is standard output.")
    ] = None,
) -> None:
    """List the models with their parameters and MACs."""
    import json

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from edgeecg.cli.console import emit_json, output
    from edgeecg.models import catalogue

    rows = catalogue()
    emit_json(json_path, json.dumps([row.to_document() for row in rows], indent=1) + "\n")
    table = Table("model", "data", "classes", title="Models", box=SIMPLE_HEAD)
    table.add_column("parameters", justify="right")
    table.add_column("MACs per heartbeat", justify="right")
    for row in rows:
        table.add_row(
            row.name,
            row.dataset,
            " ".join(row.classes),
            f"{row.parameters:,}",
            f"{row.macs:,}",
        )
    console = output(json_path)
    console.print(table)
    console.print("Next: edgeecg compress --model NAME")
