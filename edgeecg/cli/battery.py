"""``edgeecg battery``: days of battery from the measured energy of an inference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"


def battery(
    result: Annotated[
        str,
        typer.Argument(
            metavar="RESULT",
            help="A run, or a JSON file of 'edgeecg bench'; RESULT#LABEL is one of its files.",
        ),
    ],
    capacity: Annotated[str, typer.Option(metavar="150mAh", help="Charge of the battery.")],
    voltage: Annotated[str, typer.Option(metavar="3.7V", help="Voltage of the battery.")],
    beats: Annotated[
        str,
        typer.Option(
            metavar="75/min",
            help="Heart rate; every beat is classified. For models of whole records: their number.",
        ),
    ] = "75/min",
    sleep_current: Annotated[
        str | None,
        typer.Option(metavar="5uA", help="Current between two inferences; default: none."),
    ] = None,
    radio: Annotated[
        str | None, typer.Option(metavar="2mJ/min", help="Mean power of the radio; default: none.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the days over heart rate and capacity (.png, .svg, .pdf)."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the days; - is standard output.")
    ] = None,
) -> None:
    """Turn the energy of an inference into days of battery.

    days = capacity * voltage / (net energy * beats + sleep current * voltage + radio). The energy
    is measured, or predicted by a calibration of the device; the proxy has no joules and is
    refused.
    """
    from edgeecg.cli._console import emit_json, output
    from edgeecg.reporting import battery_life, units
    from edgeecg.reporting.terminal import print_table

    if picture is not None:
        from edgeecg.reporting import picture_file

        picture_file.check(picture)
    console = output(json_path)
    found = battery_life.battery(
        result,
        capacity=capacity,
        voltage=voltage,
        beats=beats,
        sleep_current=sleep_current,
        radio=radio,
    )
    emit_json(json_path, found.to_json())

    from edgeecg.reporting import battery_table

    print_table(battery_table.table(found), console)
    if picture is None:
        line = "Next: the same command with --picture battery.png, for other batteries and rates."
        console.print(line, soft_wrap=True)
        return
    from edgeecg.reporting import battery_picture

    battery_picture.draw(found, picture)
    console.print(f"Picture: {units.printable(str(picture))}", soft_wrap=True, markup=False)
