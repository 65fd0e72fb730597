"""Whether the processor is cool enough to keep its clock."""

from __future__ import annotations

from edgeecg.devices.checks import Host
from edgeecg.schema import Finding

# A Raspberry Pi slows down at 80 to 85 degrees (3 B+: from 60 on).
_WARM_C = 70.0


def check(host: Host) -> list[Finding]:
    """Read the hottest sensor; nothing where there is none."""
    celsius = host.state.temperature_c
    if celsius is None:
        return []
    found = f"The hottest sensor shows {celsius:.0f} °C."
    if celsius < _WARM_C:
        return [Finding(check="temperature", ok=True, found=found)]
    return [
        Finding(
            check="temperature",
            ok=False,
            found=f"{found} The processor may slow down during a measurement.",
            fix="Add a heat sink or a fan, and wait until it is below 70 °C.",
        )
    ]
