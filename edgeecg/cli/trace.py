"""``edgeecg trace``: the energy of an inference from a trace that an instrument exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeecg.benchmark.trace_config import TraceConfig
from edgeecg.cli._options import given_options, with_options

if TYPE_CHECKING:
    from edgeecg.schema import Energy

EXTRA = "device"


@with_options(TraceConfig)
def trace(
    options: list[dict[str, Any]],
    file: Annotated[
        Path, typer.Argument(help="CSV file of a PPK2, Joulescope, Otii, Monsoon or oscilloscope.")
    ],
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the trace and its windows to this file (.png, .svg, .pdf)."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the energy; - is standard output.")
    ] = None,
) -> None:
    """Get the energy of an inference from a power trace.

    Busy windows are where the marker is high, or the threshold is reached; what lies between them
    is idle. At least three busy windows are needed, with a rest before and after each.
    """
    from edgeecg.benchmark.trace import energy_of_trace, settings
    from edgeecg.cli._console import emit_json, output

    console = output(json_path)
    found = energy_of_trace(file, settings(given_options(TraceConfig, options[0])))
    if picture is not None:
        from edgeecg.reporting import trace_picture

        trace_picture.draw(found, picture)
    emit_json(json_path, found.energy.to_json())
    for line in _lines(found.energy):
        console.print(line, soft_wrap=True, markup=False)
    if picture is not None:
        console.print(f"Picture: {picture}", soft_wrap=True, markup=False)
    else:
        console.print("Next: the same command with --picture trace.png, to see the windows.")


def _lines(energy: Energy) -> list[str]:
    """Return what a user reads of an energy."""
    from edgeecg.reporting import units

    lines: list[str] = []
    if energy.net_j is not None and energy.ci95_j is not None:
        low, high = energy.ci95_j
        lines = [
            f"Net energy of an inference: {units.joules(energy.net_j)} "
            f"(95 % interval {units.joules(low)} to {units.joules(high)})",
            f"Gross: {units.joules(energy.gross_j)}; idle power: {units.watts(energy.idle_w)}; "
            f"detection limit: {units.joules(energy.detection_limit_j)}",
            f"{energy.windows} windows, {energy.inferences:,} inferences, "
            f"{energy.samples:,} samples",
        ]
    if energy.tier != "measured":
        lines.append(f"Energy {energy.tier}: {energy.reason}")
    return [*lines, *(f"Left out: {each}" for each in energy.invalid), *energy.warnings]
