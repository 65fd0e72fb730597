"""``edgeecg models``: which there are, how large, how much work an answer is, how good they are."""

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
    """List the models with their costs and scores."""
    import json

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from edgeecg.cli._console import emit_json, output
    from edgeecg.cli._extensions import report_broken
    from edgeecg.errors import PluginError
    from edgeecg.models import catalogue

    console = output(json_path)
    left_out: list[PluginError] = []
    rows = catalogue(on_left_out=left_out.append)
    emit_json(json_path, json.dumps([row.to_document() for row in rows], indent=1) + "\n")
    # All of it fits into 80 columns.
    table = Table(title="Models", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for heading in ("model", "data"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "MACs per\nanswer"):
        table.add_column(heading, justify="right", no_wrap=True)
    scored = any(row.test for row in rows)
    if scored:
        table.add_column("test score of the\nshipped weights", no_wrap=True)
    for row in rows:
        score = "-" if row.test is None else row.test.described
        table.add_row(
            row.name,
            row.dataset,
            f"{row.parameters:,}",
            f"{row.macs / 1e6:.{1 if row.macs >= 1e6 else 2}f} M",
            *([score] if scored else []),
        )
    console.print(table)
    for licence in sorted({row.licence for row in rows if row.licence}):
        console.print(f"  {licence}", soft_wrap=True)
    report_broken("edgeecg.models", console)
    for error in left_out:
        console.print(str(error), soft_wrap=True, markup=False)
    report_broken("edgeecg.targets", console)
    report_broken("edgeecg.exporters", console)
    report_broken("edgeecg.data.sources", console)
    console.print("Next: edgeecg compress MODEL, or edgeecg train MODEL")
