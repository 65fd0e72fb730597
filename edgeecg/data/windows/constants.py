"""Mean and deviation of training records, for ``"global-zscore"``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Preprocessing


class Sums:
    """Sums over the samples of training records, for their mean and deviation."""

    def __init__(self) -> None:
        """Start with no sample."""
        self._count, self._first, self._second = 0, 0.0, 0.0

    def add(self, window_mv: NDArray[np.float64]) -> None:
        """Add the samples of one record."""
        self._count += window_mv.size
        self._first += float(window_mv.sum())
        self._second += float(np.square(window_mv).sum())

    def constants(self) -> tuple[float, float]:
        """Return mean and deviation; no lead is flat, so this form of the variance is exact."""
        count = max(self._count, 1)
        mean_mv = self._first / count
        return mean_mv, float(np.sqrt(self._second / count - mean_mv**2))


def with_constants(wanted: Preprocessing, constants: tuple[float, float]) -> Preprocessing:
    """Return the preprocessing with a mean and a deviation in millivolts."""
    mean_mv, deviation_mv = constants
    document = wanted.to_document()
    document |= {
        "normalisation": "global-zscore",
        "mean_mv": mean_mv,
        "deviation_mv": deviation_mv,
    }
    return Preprocessing.from_document(document, "the training records' constants")
