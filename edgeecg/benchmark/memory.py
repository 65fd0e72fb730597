"""Peak memory of this process while it loads and runs one file.

The peak is VmHWM of ``/proc/self/status``, which psutil does not read. ``ru_maxrss`` would start at
the size of the parent process, because it survives ``exec``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Begun:
    """The memory before a file was loaded.

    Attributes:
        peak_bytes: Peak resident bytes so far, or None on a system that does not report them.
        resident_bytes: Resident bytes, or None.
    """

    peak_bytes: int | None
    resident_bytes: int | None


def begin() -> Begun:
    """Note the memory of this process, and let its peak begin anew."""
    before = Begun(_status_bytes("VmHWM"), _status_bytes("VmRSS"))
    _reset_peak()
    return before


def since(before: Begun) -> tuple[int, int] | None:
    """Return the peak resident bytes, and by how much they exceed those before the file was loaded.

    Args:
        before: The memory before.

    Returns:
        None on a system that does not report them.
    """
    after = _status_bytes("VmHWM")
    if before.peak_bytes is None or before.resident_bytes is None or after is None:
        return None
    return max(before.peak_bytes, after), after - before.resident_bytes


def _status_bytes(key: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    return None


def _reset_peak() -> None:
    """Reset VmHWM (proc(5), clear_refs, value 5), so that imports do not hide the model."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        # A container may forbid it; the model's part is then an upper limit.
        return
