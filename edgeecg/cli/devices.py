"""``edgeecg devices``: which device profiles there are, and which of them is this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"

_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "bytes"))


def devices(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the list as JSON; - is standard output.")
    ] = None,
) -> None:
    """List the device profiles and say which one this is."""
    import json

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from edgeecg.cli._console import emit_json, output
    from edgeecg.cli._extensions import report_broken
    from edgeecg.devices import catalogue

    rows = catalogue()
    emit_json(json_path, json.dumps([row.to_document() for row in rows], indent=1) + "\n")
    table = Table(title="Devices", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("profile", no_wrap=True)
    table.add_column("this machine", no_wrap=True)
    table.add_column("cores")
    table.add_column("memory", no_wrap=True)
    table.add_column("meters")
    for row in rows:
        cores = " ".join(str(each) for each in (row.cores, row.core) if each)
        table.add_row(
            row.name,
            "yes" if row.here else "",
            cores,
            _sizes(row.memory_bytes),
            ", ".join(row.meters) or f"none; beside it: {', '.join(row.external_meters)}",
        )
    console = output(json_path)
    console.print(table)
    for row in rows:
        if row.reason is not None:
            console.print(f"Not usable: '{row.name}'. {row.reason}", soft_wrap=True, markup=False)
    report_broken("edgeecg.runtimes", console)
    here = next((row for row in rows if row.here), None)
    if here is not None and here.to_buy:
        console.print(f"Energy on this machine: {here.to_buy}", soft_wrap=True, markup=False)
    console.print("Next: edgeecg doctor" if here else "Next: edgeecg bench --device PROFILE")


def _sizes(sizes: tuple[int, ...]) -> str:
    """Return memory sizes such as ``2-16 GiB``."""
    if not sizes:
        return ""
    unit, name = next(each for each in _UNITS if each[0] <= max(sizes))
    ends = dict.fromkeys(f"{size / unit:.3g}" for size in (min(sizes), max(sizes)))
    return f"{'-'.join(ends)} {name}"
