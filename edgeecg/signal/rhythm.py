"""The rhythm strip: how early a beat comes, seen against the minutes before it.

Fed beat by beat, in training and on a device alike; it never looks ahead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Rhythm

CLIP = 4.0
"""Largest size of a value in the strip."""

_USUAL = 0.05
"""Deviation of ln(RR / m) before anything is known about the patient."""

_FLOOR = 0.02
"""Added to the deviation, so that a strictly regular rhythm does not blow up its noise."""


class RhythmTracker:
    """Holds the last RR intervals, their running mean and their running deviation.

    Both are exponential, with weight ``1 / reference_beats``, and plain over the first beats, so
    that they are of use from the second beat on. A mean, not a median: where premature beats come
    in runs, a median takes their rhythm for the normal one. Where the strip is divided, it is by
    the square root of the deviation: a whole division hides premature beats that are frequent.
    """

    def __init__(self, rhythm: Rhythm) -> None:
        """Start before the first beat.

        Args:
            rhythm: Length of the strip and of the mean.
        """
        self._rhythm = rhythm
        self._last_s: float | None = None
        self._mean_s = 0.0
        self._deviation = _USUAL
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
                value /= math.sqrt(self._deviation + _FLOOR)
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
    made = [tracker.push(float(time_s)) for time_s in times_s]
    return np.array(made, np.float32).reshape(len(made), rhythm.samples)
