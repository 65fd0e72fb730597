"""Whether there is a profile of this machine."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost
from edgeecg.schema import Finding


def check(host: CheckedHost) -> list[Finding]:
    """Return the device profile of this machine."""
    if host.profile is None:
        board = f" ({host.board})" if host.board else ""
        return [
            Finding(
                check="device",
                ok=False,
                found=f"No device profile matches this '{host.machine}'{board}.",
                fix="Describe it in a file, and name that: edgeecg bench FILE --device "
                "MY-BOARD.toml (see devices/README.md). A board that is one of 'edgeecg devices', "
                "and hides its name, may be named by that.",
            )
        ]
    return [Finding(check="device", ok=True, found=f"{host.profile.title} ({host.profile.name}).")]
