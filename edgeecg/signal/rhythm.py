"""The rhythm strip: how early a beat comes, compared with the minutes before it.

It is updated beat by beat, in training and on a device alike, and never looks ahead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Rhythm

CLIP = 4.0
"""Largest size of a value in the strip."""

_INITIAL_DEVIATION = 0.05
"""Deviation of ln(RR / m) before anything is known about the patient."""

_DEVIATION_OFFSET = 0.02
"""Added to the deviation, so that noise of a strictly regular rhythm is not amplified."""


class RhythmTracker:
    """The last RR intervals, their running mean and their running deviation.

    Mean and deviation are exponential with weight ``1 / reference_beats``. Over the first beats
    they are plain averages, so that they can be used from the second beat on. A mean is taken and
    not a median: where premature beats come in runs, a median follows their rhythm. Where the strip
    is divided by the deviation, it is by its square root: division by the deviation itself hides
    frequent premature beats.
    """

    def __init__(self, rhythm: Rhythm) -> None:
        """Start before the first beat.

        Args:
            rhythm: Length of the strip and of the mean.
        """
        self._rhythm = rhythm
        self._last_s: float | None = None
        self._mean_s = 0.0
        self._deviation = _INITIAL_DEVIATION
        self._seen = 0
        self._recent: list[float] = []

    def push(self, time_s: float) -> NDArray[np.float32]:
        """Take the next beat and return its strip.

        Args:
            time_s: Time of the R peak, in seconds from any origin; later than the one before.

        Returns:
            The strip ``(beats * hold,)``; intervals before the first beat are 0, as if they were
            the mean.

        Raises:
            ValueError: The beat is not later than the one before.
        """
        rhythm = self._rhythm
        if self._last_s is not None:
            rr_s = time_s - self._last_s
            if rr_s <= 0:
                raise ValueError(f"a beat at {time_s} s does not follow one at {self._last_s} s")
            self._seen += 1
            weight = max(1 / rhythm.reference_beats, 1 / self._seen)
            self._mean_s += weight * (rr_s - self._mean_s)
            early = math.log(rr_s / self._mean_s)
            value = rhythm.gain * early
            if rhythm.over_deviation:
                value /= math.sqrt(self._deviation + _DEVIATION_OFFSET)
            self._deviation += weight * (abs(early) - self._deviation)
            self._recent = [*self._recent, value][-rhythm.beats :]
        self._last_s = time_s
        padded = [0.0] * (rhythm.beats - len(self._recent)) + self._recent
        return np.repeat(np.clip(padded, -CLIP, CLIP), rhythm.hold).astype(np.float32)


def strips(times_s: NDArray[np.float64], rhythm: Rhythm) -> NDArray[np.float32]:
    """Return the strip of every beat of a record, ``(beats, strip)``.

    Args:
        times_s: Times of all beats, whatever their class, in order, ``(beats,)``.
        rhythm: Length of the strip and of the mean.

    Raises:
        ValueError: Two beats are at the same time or out of order.
    """
    tracker = RhythmTracker(rhythm)
    rows = [tracker.push(float(time_s)) for time_s in times_s]
    return np.array(rows, np.float32).reshape(len(rows), rhythm.samples)
