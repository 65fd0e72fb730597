"""Whether the clock is held at its highest frequency."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost
from edgeecg.schema import Finding

_FIX = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


def check(host: CheckedHost) -> list[Finding]:
    """Read the governor; nothing where the system does not change the clock."""
    governor = host.state.governor
    if governor is None:
        return []
    if governor == "performance":
        return [Finding(check="governor", ok=True, found="The governor is performance.")]
    return [
        Finding(
            check="governor",
            ok=False,
            found=f"The governor is {governor}: it lowers the clock between inferences, which "
            "changes times and energy.",
            fix=_FIX,
        )
    ]
