"""Cutting and normalising windows around R peaks; the same code serves training and a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Preprocessing
from edgeecg.signal import mean_beat
from edgeecg.signal.filters import CausalFilter

FLAT_MV = 1e-6
"""Added to a window's deviation, so that a flat window becomes zeros and not a division by zero."""

EDGE = "edge"
"""Reason for beats too near the record's start or end."""

NAN = "NaN signal"
"""Reason for beats whose window, or the filter in front of it, meets an invalid sample."""

FLAT = "flat signal"
"""Reason for beats in whose window a lead does not change."""


def cut(
    filtered: NDArray[np.float64], positions: NDArray[np.int64], preprocessing: Preprocessing
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut one normalised window around each R peak.

    Args:
        filtered: Output of :class:`edgeecg.signal.filters.CausalFilter`, ``(leads, samples)``.
        positions: Index of each R peak in it, ``(beats,)``.
        preprocessing: Gives the window's length and the place of the R peak in it.

    Returns:
        The windows ``(whole beats, leads, window)``, and for each beat whether its window lies
        whole inside the record ``(beats,)``. With a rhythm strip the windows are shorter by it: see
        :func:`with_strips`.
    """
    start = positions - samples_before_peak(preprocessing)
    length = preprocessing.signal_samples
    whole = (start >= 0) & (start + length <= filtered.shape[1])
    index = start[whole, None] + np.arange(length)
    beats_mv = filtered[:, index].transpose(1, 0, 2)
    if preprocessing.reference is None:
        return normalise(beats_mv, preprocessing), whole
    means_mv = mean_beat.means(beats_mv, preprocessing.reference)
    return with_difference(beats_mv, means_mv, preprocessing), whole


def samples_before_peak(preprocessing: Preprocessing) -> int:
    """Return how many samples of a window's signal lie before the R peak.

    Raises:
        ValueError: The windows are not about a beat.
    """
    if preprocessing.r_index is None:
        raise ValueError("windows of whole records have no R peak")
    return preprocessing.r_index - preprocessing.signal_start


def with_difference(
    beats_mv: NDArray[np.float64], means_mv: NDArray[np.float64], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Return normalised beats, each followed by its difference from the patient's mean beat.

    Args:
        beats_mv: Beats in millivolts, ``(..., samples)``.
        means_mv: The mean of the beats before each one, of the same shape.
        preprocessing: How windows are normalised.

    Returns:
        Windows ``(..., 2 * samples)``.
    """
    x = normalise(beats_mv, preprocessing)
    return np.concatenate([x, x - normalise(means_mv, preprocessing, beats_mv)], axis=-1)


def with_strips(windows: NDArray[np.float32], strips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return windows with each beat's rhythm strip before the signal, the same on every lead.

    Args:
        windows: ``(beats, leads, signal samples)``.
        strips: From :mod:`edgeecg.signal.rhythm`, ``(beats, strip)``.
    """
    beats, leads, _ = windows.shape
    spread = np.broadcast_to(strips[:, None, :], (beats, leads, strips.shape[1]))
    return np.concatenate([spread, windows], axis=2)


def normalise(
    windows: NDArray[np.float64],
    preprocessing: Preprocessing,
    scale: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Return windows minus a mean, over a deviation.

    Args:
        windows: Millivolts, ``(..., samples)``.
        preprocessing: Says whether mean and deviation are those of each window and lead, or fixed.
        scale: Windows whose deviation is used in place of their own; of the same shape.
    """
    if preprocessing.mean_mv is not None and preprocessing.deviation_mv is not None:
        fixed = (windows - preprocessing.mean_mv) / preprocessing.deviation_mv
        return fixed.astype(np.float32)
    mean = windows.mean(axis=-1, keepdims=True)
    deviation = (windows if scale is None else scale).std(axis=-1, keepdims=True)
    return ((windows - mean) / (deviation + FLAT_MV)).astype(np.float32)


@dataclass(frozen=True)
class WindowSpan:
    """Which samples of the raw record a beat's window is made from.

    A window is rejected where its span holds an invalid sample (``NAN``), or where a lead does not
    change in it (``FLAT``).

    Attributes:
        before: Raw samples from the window's first one to the R peak; not whole.
        after: Raw samples from the R peak to the window's end; not whole.
        margin: Raw samples by which the resampler's taps reach beyond either end; not whole.
    """

    before: float
    after: float
    margin: float

    @classmethod
    def of(cls, preprocessing: Preprocessing, stream: CausalFilter) -> WindowSpan:
        """Return the span of a preprocessing's windows.

        Args:
            preprocessing: Has an ``r_index``.
            stream: The filter for the record's rate.
        """
        step = stream.down / stream.up
        before = samples_before_peak(preprocessing) * step
        return cls(before, preprocessing.signal_samples * step - before, stream.delay * step)

    def of_validity(self, beats: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return start and stop of the samples that all have to be valid, for each beat."""
        return self._widened(beats, self.margin)

    def of_change(self, beats: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return start and stop of the samples of which one has to differ from its successor."""
        return self._widened(beats, -1.0)

    def _widened(
        self, beats: NDArray[np.int64], wider: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        start = np.floor(beats - self.before - wider).astype(np.int64)
        stop = np.ceil(beats + self.after + wider).astype(np.int64)
        return start, stop
