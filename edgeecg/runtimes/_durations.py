"""Summarising the times of repeated runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def middle_mean(durations: Sequence[float]) -> float:
    """Return the mean of the middle half of some durations.

    It is as robust to a disturbed run as a median, and finer than the resolution of the clock.

    Args:
        durations: At least one duration, in any unit.
    """
    spare = len(durations) // 4
    middle = np.sort(np.array(durations, float))[spare : len(durations) - spare]
    return float(middle.mean())
