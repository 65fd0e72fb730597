"""What slows a processor down: ``vcgencmd get_throttled`` of a Raspberry Pi, counters of x86."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgeecg.devices import _kernel_files

UNDERVOLTAGE = "undervoltage"
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled: bits 0 to 3 hold now,
# the same bits from 16 on have held since boot.
_EVENTS = (UNDERVOLTAGE, "frequency capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16
_TIMEOUT_S = 5


@dataclass(frozen=True)
class Throttling:
    """What the firmware of a Raspberry Pi reports.

    Attributes:
        now: What holds now, e.g. ``("undervoltage", "throttled")``.
        since_boot: What has held at any time since boot.
    """

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


def decoded(bits: int) -> Throttling:
    """Return the meaning of the number that ``vcgencmd get_throttled`` prints.

    Args:
        bits: The number, e.g. 0x50005.
    """
    return Throttling(
        now=tuple(name for bit, name in enumerate(_EVENTS) if bits >> bit & 1),
        since_boot=tuple(
            name for bit, name in enumerate(_EVENTS) if bits >> (_SINCE_BOOT + bit) & 1
        ),
    )


def read() -> Throttling | None:
    """Ask the firmware of a Raspberry Pi; None where there is no answer.

    ``vcgencmd`` can print ``error=1 error_msg="..."`` and exit with status 0.
    """
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "get_throttled"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        name, _, bits = done.stdout.strip().partition("=")
        return decoded(int(bits, 16)) if name == "throttled" else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def events(root: Path) -> int | None:
    """Return how often an x86 processor was slowed down by its temperature since boot, or None.

    Args:
        root: Root of the file system.
    """
    counts = [
        _kernel_files.number(path)
        for path in (root / "sys/devices/system/cpu").glob(
            "cpu*/thermal_throttle/core_throttle_count"
        )
    ]
    known = [int(count) for count in counts if count is not None]
    return sum(known) if known else None
