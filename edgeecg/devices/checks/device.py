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
                fix="Name the most similar one of 'edgeecg devices': "
                "edgeecg bench FILE --device PROFILE",
            )
        ]
    return [Finding(check="device", ok=True, found=f"{host.profile.title} ({host.profile.name}).")]
