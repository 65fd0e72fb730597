"""Whether memory has been moved to swap."""

from __future__ import annotations

import psutil

from edgeecg.devices.checks import CheckedHost
from edgeecg.schema import Finding

_SMALL = 0.05


def check(host: CheckedHost) -> list[Finding]:
    """Compare the swap in use with the memory; a little that is never read again does no harm."""
    used = host.state.swap_used_bytes
    if used is None:
        return []
    found = f"{used / 2**20:.0f} MiB of swap are in use."
    if used <= _SMALL * psutil.virtual_memory().total:
        return [Finding(check="swap", ok=True, found=found)]
    return [
        Finding(
            check="swap",
            ok=False,
            found=f"{found} A model whose memory is swapped out is measured far too slow.",
            fix="Stop programs that need much memory, then: sudo swapoff -a && sudo swapon -a",
        )
    ]
