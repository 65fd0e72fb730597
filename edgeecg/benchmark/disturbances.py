"""What makes a window invalid that the meter cannot see: throttling, undervoltage, a suspend."""

from __future__ import annotations

import time
from pathlib import Path

from edgeecg.devices import throttling
from edgeecg.devices.detection import ROOT

# Suspending and resuming a machine takes longer.
_SUSPENDED_S = 0.01


class Disturbances:
    """Says after each window why it is not valid.

    An undervoltage of milliseconds is over when the window ends. The firmware of a Raspberry Pi
    keeps that it happened, so what it reports for the first time since boot invalidates the window,
    too.
    """

    def __init__(self, root: Path = ROOT) -> None:
        """Take note of what has happened so far.

        Args:
            root: Root of the file system.
        """
        self._root = root
        self._earlier = self._since_boot()
        self._events = throttling.events(root) or 0
        self._suspended = _suspended_s()

    def __call__(self) -> str | None:
        """Return what happened since the call before, or None."""
        firmware = throttling.read()
        events, suspended = throttling.events(self._root) or 0, _suspended_s()
        found: list[str] = []
        if firmware is not None:
            new = set(firmware.since_boot) - self._earlier
            names = dict.fromkeys([*firmware.now, *sorted(new - set(firmware.now))])
            if names:
                found.append(f"the firmware reported {', '.join(names)}")
            self._earlier |= set(firmware.since_boot)
        if events > self._events:
            found.append("the processor was slowed down by its temperature")
        slept_s = suspended[0] - self._suspended[1]
        if slept_s > _SUSPENDED_S:
            found.append(f"the machine was suspended for {slept_s:.2g} s")
        self._events, self._suspended = events, suspended
        return f"{', and '.join(found)}." if found else None

    @staticmethod
    def _since_boot() -> set[str]:
        firmware = throttling.read()
        return set() if firmware is None else set(firmware.since_boot)


def _suspended_s() -> tuple[float, float]:
    """Return bounds of the time that the machine was suspended since boot, in seconds.

    A busy machine may stop this process between the readings of two clocks, so that their
    difference has bounds and no value.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:
        return 0.0, 0.0
    before = time.monotonic()
    since_boot = time.clock_gettime(clock)
    return since_boot - time.monotonic(), since_boot - before
