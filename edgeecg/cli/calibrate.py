"""``edgeecg calibrate``: fit what an operation costs on this device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeecg.benchmark.config import CalibrationConfig
from edgeecg.cli._options import given_options, with_options

EXTRA = "device"


@with_options(CalibrationConfig)
def calibrate(
    options: list[dict[str, Any]],
    out: Annotated[Path, typer.Argument(help="Device profile to write, e.g. my-pi.toml.")] = Path(
        "calibrated.toml"
    ),
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the measurements; - is standard output.")
    ] = None,
) -> None:
    """Fit the time and energy of operations on this device.

    Small graphs are measured: four kinds of layers, several sizes, float32 and int8. Without a
    meter the time alone is fitted. The profile is used with --device FILE.toml and --costs
    FILE.toml.
    """
    from edgeecg.benchmark.calibration import measure
    from edgeecg.cli._console import command, emit_json, output, progress, shown
    from edgeecg.devices import profile_file
    from edgeecg.reporting import units
    from edgeecg.runs.options import configured

    profile_file.check(out)
    console = output(json_path)
    asked = given_options(CalibrationConfig, options[0])
    config = configured(CalibrationConfig, CalibrationConfig(), asked)
    with progress() as bar:
        profile, report = measure(config, on_step=shown(bar, "calibrate"))
    profile_file.write(profile, out)
    emit_json(json_path, report.to_json())
    fitted = report.calibration
    for what, costs, unit in (
        ("time", fitted.seconds, units.seconds),
        ("energy", fitted.joules, units.joules),
    ):
        if costs is None:
            console.print(f"No {what}: {fitted.reason}", soft_wrap=True, markup=False)
            continue
        per_mac = ", ".join(
            f"{unit(1e6 * c)} per million MACs {k}" for k, c in costs.per_mac.items()
        )
        console.print(
            f"{what}: {unit(costs.fixed)} + {per_mac} + {unit(1e3 * costs.per_byte)} per kB",
            soft_wrap=True,
        )
        console.print(
            f"  error on graphs left out of the fit: median {100 * costs.error:.0f} %, at most "
            f"{100 * costs.worst_error:.0f} % ({costs.graphs} graphs)",
            soft_wrap=True,
        )
    for warning in report.warnings:
        console.print(f"Warning: {warning}", soft_wrap=True, markup=False)
    following = command("bench", "FILE", "--device", out)
    console.print(f"Next: {following}", soft_wrap=True, markup=False)
