"""``edgeecg doctor``: what can be measured on this machine, and what stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"


def doctor(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the list as JSON; - is standard output.")
    ] = None,
) -> int:
    """Say what can be measured here, and what to fix."""
    import json

    from edgeecg.cli._console import emit_json, output
    from edgeecg.devices.doctor import doctor as examine

    console = output(json_path)
    findings = examine()
    emit_json(json_path, json.dumps([each.to_document() for each in findings], indent=1) + "\n")
    for each in sorted(findings, key=lambda finding: not finding.ok):
        sign = "ok " if each.ok else "NO "
        console.print(f"{sign} {each.check}: {each.found}", soft_wrap=True, markup=False)
        if each.fix is not None and not each.ok:
            console.print(f"    To do: {each.fix}", soft_wrap=True, markup=False)
    faults = sum(not each.ok for each in findings)
    console.print(
        "Nothing stands in the way." if not faults else f"{faults} of {len(findings)} checks fail.",
    )
    console.print("Next: edgeecg bench FILE")
    return 1 if any(each.crashed for each in findings) else 0
