"""The running mean of a patient's beats, with which the next beat is compared.

It is updated beat by beat, in training and on a device alike, and never looks ahead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Reference


class ReferenceTracker:
    """The exponential running mean of the beats so far.

    While there are fewer beats than its length, it is the plain mean of all of them.
    """

    def __init__(self, reference: Reference) -> None:
        """Start before the first beat.

        Args:
            reference: Length of the mean.
        """
        self._beats = reference.beats
        self._mean_mv: NDArray[np.float64] | None = None
        self._seen = 0

    def push(self, beat_mv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the next beat and return the mean of those before it.

        Args:
            beat_mv: The beat in millivolts, ``(leads, samples)``.

        Returns:
            The mean, of the same shape; the beat itself when it is the first.
        """
        mean_mv = beat_mv if self._mean_mv is None else self._mean_mv
        self._seen += 1
        weight = max(1 / self._beats, 1 / self._seen)
        self._mean_mv = mean_mv + weight * (beat_mv - mean_mv)
        return mean_mv


def means(beats_mv: NDArray[np.float64], reference: Reference) -> NDArray[np.float64]:
    """Return for every beat of a record the mean of those before it.

    Args:
        beats_mv: All beats of a record in order, whatever their class, ``(beats, leads, samples)``.
        reference: Length of the mean.
    """
    tracker = ReferenceTracker(reference)
    means_mv = np.empty_like(beats_mv)
    for number, beat_mv in enumerate(beats_mv):
        means_mv[number] = tracker.push(beat_mv)
    return means_mv
