"""From one record to one window of its first seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.windows.filters import causal_filter
from edgeecg.schema import Preprocessing
from edgeecg.signal.filters import CausalFilter


def samples_used(fs_hz: float, preprocessing: Preprocessing) -> tuple[int, int]:
    """Return how many samples a record must have, and how many of them reach the window.

    Args:
        fs_hz: Rate of the record.
        preprocessing: Gives the model's rate and the length of the window.

    Raises:
        DataError: The record's rate does not fit.
    """
    stream = causal_filter(preprocessing, fs_hz)
    last = (preprocessing.window + stream.delay - 1) * stream.down
    reaching = last // stream.up + 1
    return max(-(-(last + 1) // stream.up) - _late(stream), 1), reaching


def window_mv(
    signal_mv: NDArray[np.float64], fs_hz: float, preprocessing: Preprocessing
) -> NDArray[np.float64]:
    """Return a record's first ``window`` samples at the model's rate, filtered, in millivolts.

    Args:
        signal_mv: ``(leads, samples)``, at the record's own rate.
        fs_hz: That rate.
        preprocessing: Gives the high-pass, the model's rate and the length of the window.

    Returns:
        ``(leads, window)``, or fewer samples where the record is shorter; NaN from an invalid
        sample on.

    Raises:
        DataError: The record's rate does not fit.
    """
    stream = causal_filter(preprocessing, fs_hz)
    _, reaching = samples_used(fs_hz, preprocessing)
    # The resampler is late by `delay`; the last value is held until it has put out everything.
    padded = np.pad(signal_mv[:, :reaching], ((0, 0), (0, _late(stream))), mode="edge")
    return stream.push(padded)[:, stream.delay :][:, : preprocessing.window]


def _late(stream: CausalFilter) -> int:
    """Return the delay of a filter in samples of its input, rounded up."""
    return -(-stream.delay * stream.down // stream.up)
