"""Whether the processor is cool enough to keep its clock."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost, _limits
from edgeecg.schema import Finding

# A Raspberry Pi slows down at 80 to 85 degrees (3 B+: from 60 on).
_WARM_C = 70.0


def check(host: CheckedHost) -> list[Finding]:
    """Read the hottest sensor; nothing where there is none."""
    celsius = host.state.temperature_c
    if celsius is None:
        return []
    found = f"The hottest sensor shows {celsius:.0f} °C."
    return _limits.finding(
        "temperature",
        found,
        ok=celsius < _WARM_C,
        trouble="The processor may slow down during a measurement.",
        fix="Add a heat sink or a fan, and wait until it is below 70 °C.",
    )
