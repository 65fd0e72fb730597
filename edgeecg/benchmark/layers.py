"""Seconds of every operation of a file, in the runtime's own profile."""

from __future__ import annotations

from edgeecg.runtimes import Profile
from edgeecg.schema import LayerTime

RUNS = 100
"""Runs that are profiled at most: a profile holds every operation of every run."""


def normalised(profile: Profile, median_s: float) -> tuple[tuple[LayerTime, ...], float | None]:
    """Scale a profile to what the file takes when nobody looks.

    Watching itself slows a runtime down, and what passes between two operations is in none of them:
    each operation is given its share of the median of the runs that were timed without a profile.
    Watching adds about the same few microseconds to each, so that the share of a very short one is
    too large.

    Args:
        profile: Of the file, from a session of its own.
        median_s: Median latency without a profile.

    Returns:
        The operations, whose seconds add up to the median, and what they added up to in the
        profile; empty and None where the profile holds none.
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
