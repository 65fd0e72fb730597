"""What the counters of all formats share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import ArtifactError


class UncountableError(ArtifactError):
    """A sound file whose multiplications cannot be counted from the file alone."""

    def __init__(self, file: str, cause: str) -> None:
        """Say what stands in the way.

        Args:
            file: The file's name.
            cause: One sentence: what cannot be counted.
        """
        super().__init__(
            f"The MACs of {file} cannot be counted.",
            cause,
            "Its latency can still be measured; the proxy needs a file made of known operations.",
        )


def nonzero_fraction(weights: Iterable[tuple[NDArray[np.generic], NDArray[np.generic]]]) -> float:
    """Return the part of all weights that is not exactly zero.

    Args:
        weights: Pairs of stored values and of the value that stands for zero, broadcastable to
            them (0, or the zero point of a quantised tensor).

    Returns:
        0..1; 1 when there are no weights.
    """
    total = live = 0
    for values, zero in weights:
        total += values.size
        live += int(np.count_nonzero(values != zero))
    return live / total if total else 1.0
