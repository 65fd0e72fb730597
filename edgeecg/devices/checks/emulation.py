"""Whether this machine is emulated."""

from __future__ import annotations

from edgeecg.devices import detection
from edgeecg.devices.checks import CheckedHost
from edgeecg.schema import Finding


def check(host: CheckedHost) -> list[Finding]:
    """Return a finding on an emulated machine."""
    if not detection.emulated(host.root, host.machine):
        return []
    return [
        Finding(
            check="emulation",
            ok=False,
            found="This machine is emulated: times and energy are not those of the board.",
            fix="Measure on the board: edgeecg bench FILE --on USER@HOST",
        )
    ]
