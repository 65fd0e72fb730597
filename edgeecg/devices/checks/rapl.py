"""Whether the energy counters of an x86 processor may be read."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost
from edgeecg.errors import MeterError
from edgeecg.meters import rapl
from edgeecg.schema import Finding

_MACHINES = ("x86_64", "AMD64", "i686")


def check(host: CheckedHost) -> list[Finding]:
    """Open the counters; the meter explains what is in the way and how to fix it."""
    if host.machine not in _MACHINES or host.system != "Linux":
        return []
    try:
        meter = rapl.open(host.path("sys/class/powercap"))
    except MeterError as error:
        found = f"{error.what} {error.why}"
        return [Finding(check="rapl", ok=False, found=found, fix=error.todo)]
    meter.close()
    zones = ", ".join(meter.zones)
    return [Finding(check="rapl", ok=True, found=f"The counters can be read: {zones}.")]
