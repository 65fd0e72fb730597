"""``edgeecg trace``: the energy of an inference from a trace that an instrument exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"


def trace(
    file: Annotated[
        Path, typer.Argument(help="CSV file of a PPK2, Joulescope, Otii, Monsoon or oscilloscope.")
    ],
    inferences: Annotated[
        int, typer.Option(min=1, help="Inferences in each busy window; in all, with --total.")
    ],
    total: Annotated[
        bool, typer.Option("--total", help="--inferences is the number in all windows together.")
    ] = False,
    marker: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Column or digital input (D0) that is high during inferences; default: the only "
            "one that changes.",
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(metavar="5mA|20mW", help="Instead of a marker: busy from this value on."),
    ] = None,
    voltage: Annotated[
        str | None,
        typer.Option(metavar="3.3V", help="Supply voltage, for a file without voltages."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=NAME",
            help="Column of time, current, voltage or power, where it is not found; may be "
            "repeated.",
        ),
    ] = None,
    merge: Annotated[
        str, typer.Option(metavar="2ms", help="Join busy windows with a shorter rest between them.")
    ] = "0s",
    shortest: Annotated[
        str | None,
        typer.Option(
            metavar="1ms",
            help="Ignore shorter periods above or below the threshold; default: 5 samples.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the trace and its windows to this file (.png, .svg, .pdf)."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the energy; - is standard output.")
    ] = None,
) -> None:
    """Turn a power trace of any instrument into the energy of one inference.

    Busy windows are where the marker is high, or the threshold is reached; what lies between them
    is idle. At least three busy windows are needed, with a rest before and after each.
    """
    from edgeecg.benchmark.trace import energy_of_trace
    from edgeecg.benchmark.trace_columns import chosen_columns, quantity
    from edgeecg.benchmark.trace_windows import TraceConfig
    from edgeecg.cli._console import emit_json, output

    config = TraceConfig(
        inferences=inferences,
        total=total,
        marker=marker,
        threshold=threshold,
        voltage=voltage,
        columns=chosen_columns(column or ()),
        merge_s=quantity(merge, ["time"], "--merge")[1],
        shortest_s=None if shortest is None else quantity(shortest, ["time"], "--shortest")[1],
    )
    found = energy_of_trace(file, config)
    if picture is not None:
        from edgeecg.reporting import trace_picture

        trace_picture.draw(found, picture)
    emit_json(json_path, found.energy.to_json())
    console = output(json_path)
    for line in _lines(found.energy):
        console.print(line, soft_wrap=True, markup=False)
    if picture is not None:
        console.print(f"Picture: {picture}", soft_wrap=True, markup=False)
    else:
        console.print("Next: the same command with --picture trace.png, to see the windows.")


def _lines(energy: object) -> list[str]:
    """Return what a user reads of an energy."""
    from edgeecg.reporting import units
    from edgeecg.schema import Energy

    assert isinstance(energy, Energy)
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
