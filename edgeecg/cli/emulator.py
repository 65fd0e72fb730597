"""``edgeecg emulator``: the image of the machine in which instructions are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"

emulator = typer.Typer(
    no_args_is_help=True, help="Build the machine that 'bench --device emulated:CORE' uses."
)


@emulator.command("build")
def build(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build it again, with today's Debian packages.")
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write what it is made of; - is standard output.")
    ] = None,
) -> None:
    """Build the image that the emulated machine boots.

    This is needed once, works without root, and takes about a minute.
    """
    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.devices.emulator import image

    console = output(json_path)
    with progress() as bar:
        found = image.build(shown(bar, "emulator"), rebuild)
    emit_json(json_path, found.manifest.to_json())
    made = found.manifest
    console.print(
        f"Image: {found.folder}\n{made.kernel}, Python {made.python}, "
        f"{', '.join(f'{name} {made.wheels[name]}' for name in ('ai-edge-litert', 'numpy'))}, "
        f"{len(made.packages)} Debian packages; made {made.created_utc}.",
        soft_wrap=True,
        markup=False,
    )
    console.print("Next: edgeecg bench FILE.tflite --device emulated:cortex-a76", soft_wrap=True)


@emulator.callback()
def _group() -> None:
    """Keep ``build`` a sub-command although it is the only one."""
