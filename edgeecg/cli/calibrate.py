"""``edgeecg calibrate``: fit what an operation costs on this device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"


def calibrate(
    out: Annotated[Path, typer.Argument(help="Device profile to write, e.g. my-pi.toml.")] = Path(
        "calibrated.toml"
    ),
    device: Annotated[
        str | None,
        typer.Option(help="Device profile to extend; this machine's when not given."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="Number of threads of the runtime.")
    ] = 1,
    suite: Annotated[
        str, typer.Option(help="Number and length of the measurements of each graph.")
    ] = "quick",
    meter: Annotated[
        str | None,
        typer.Option(help="Energy meter (see 'edgeecg meters'), or none for the time alone."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the measurements; - is standard output.")
    ] = None,
) -> None:
    """Fit time and energy of an inference to its MACs and bytes, on this device.

    Small graphs are measured: two kinds of layers, several sizes, float32 and int8. Without a meter
    the time alone is fitted. The profile is used with --device FILE.toml and --costs FILE.toml.
    """
    from edgeecg.benchmark.calibration import CalibrationConfig, calibrate as calibrated
    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.devices import profile_file
    from edgeecg.reporting import units

    profile_file.check(out)
    config = CalibrationConfig(device, threads, suite, meter)
    with progress() as bar:
        profile, report = calibrated(config, on_step=shown(bar, "calibrate"))
    profile_file.write(profile, out)
    emit_json(json_path, report.to_json())
    console = output(json_path)
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
    console.print(f"Next: edgeecg bench FILE --device {out}", soft_wrap=True, markup=False)
