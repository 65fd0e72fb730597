"""``edgeecg report``: measured beside proxy, baseline beside compressed, one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "report"


def report(
    run: Annotated[
        str | None, typer.Option("--run", help="Run to report on; the newest by default.")
    ] = None,
    bench: Annotated[
        list[Path] | None,
        typer.Option(
            "--bench",
            help="Bench file besides the run's own, e.g. of a board; may be given more than once.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Where the page goes; runs/NAME/report.html.")
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the comparison as JSON; - is standard output."),
    ] = None,
) -> None:
    """Show what a run gained: scores, size, measured time and energy beside the proxy."""
    from edgeecg import runs
    from edgeecg.cli._console import emit_json, output
    from edgeecg.reporting import comparison, documents, terminal
    from edgeecg.reporting.run import write_page

    folder = runs.newest() if run is None else runs.named(run)
    found = documents.read(folder, bench or ())
    compared = comparison.compare(found)
    console = output(json_path)
    terminal.show(found, compared, console)
    emit_json(json_path, compared.to_json())
    target = html or folder.report
    write_page(found, compared, target)
    console.print(f"Report: {target}", soft_wrap=True, markup=False)
