"""Warnings about conditions that disturb a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeecg.schema import BenchResult, DeviceInfo

_FAR_ABOVE = 5.0
# The measurement itself is a load of one on the core that it uses.
_MARGIN = 0.5
_MAX_NAMES = 3


def warnings(device: DeviceInfo, results: Sequence[BenchResult]) -> tuple[str, ...]:
    """Return what may have disturbed a measurement, a sentence each.

    Args:
        device: The machine, with its state before and after the measurement.
        results: The results of all files.
    """
    found: list[str] = []
    before, after, cores = device.before.load, device.after.load, device.cores
    if (before or 0.0) > cores or (after or 0.0) > cores + _MARGIN:
        found.append(
            f"The machine is busy: its load average is {max(before or 0.0, after or 0.0):.1f} on "
            f"{cores} core{'' if cores == 1 else 's'}. Stop other programs and measure again."
        )
    spread = [
        f"{Path(each.artifact.file).name}: {each.latency.p99_s / each.latency.p50_s:.0f} times"
        for each in results
        if each.latency.p99_s > _FAR_ABOVE * each.latency.p50_s > 0.0
    ]
    if spread:
        more = len(spread) - _MAX_NAMES
        names = ", ".join(spread[:_MAX_NAMES]) + (f", and {more} more files" if more > 0 else "")
        found.append(f"p99 is far above p50 ({names}): other programs disturbed the measurement.")
    if device.before.throttled or device.after.throttled:
        found.append("The firmware reports throttling: check cooling and power supply.")
    return tuple(found)
