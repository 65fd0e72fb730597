"""Seconds of every operation of a file, from the profile of its runtime."""

from __future__ import annotations

from edgeecg.runtimes import Profile
from edgeecg.schema import LayerTime

RUNS = 100
"""Largest number of profiled runs, because a profile has a line for every operation and run."""


def normalised(profile: Profile, median_s: float) -> tuple[tuple[LayerTime, ...], float | None]:
    """Scale a profile to the median latency without a profiler.

    A profiler slows the runtime down, and the time between two operations belongs to none of them.
    Each operation is therefore given its share of the median of the runs that were timed without a
    profiler. The profiler adds about the same few microseconds to every operation, so the share of
    a very short one is too large.

    Args:
        profile: The profile of the file, from a separate session.
        median_s: Median latency without a profiler.

    Returns:
        The operations, whose seconds add up to the median, and their sum in the profile. Empty and
        None when the profile has no operations.
    """
    whole = sum(operation.seconds for operation in profile.operations)
    if not whole:
        return (), None
    found = tuple(
        LayerTime(
            name=operation.name,
            op=operation.op,
            seconds=median_s * operation.seconds / whole,
            share=operation.seconds / whole,
        )
        for operation in profile.operations
    )
    return found, whole


def unexplained(profile: Profile, median_s: float) -> float | None:
    """Return the fraction of a run that no operation accounts for, or None without operations.

    Args:
        profile: The profile of the file.
        median_s: Median latency without a profiler, for a profile without the time of a whole run.
    """
    whole = profile.whole_s or median_s
    if not profile.operations or not whole:
        return None
    return 1.0 - sum(operation.seconds for operation in profile.operations) / whole
