"""Whether other programs use the processor."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost, _limits
from edgeecg.schema import Finding

_BUSY = 0.5


def check(host: CheckedHost) -> list[Finding]:
    """Read the load average of the last minute."""
    load = host.state.load
    if load is None:
        return []
    found = f"The load average of the last minute is {load:.2f}."
    return _limits.finding(
        "load",
        found,
        ok=load < _BUSY,
        trouble="Other programs disturb times and raise the idle power.",
        fix="Stop what is at the top of this list, and wait a minute: ps -eo pid,pcpu,args "
        "--sort=-pcpu | head",
    )
