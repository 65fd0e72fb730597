"""What the counters of all formats have in common."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import ArtifactError


class UncountableError(ArtifactError):
    """A sound file whose multiplications cannot be counted."""

    def __init__(self, file: str, cause: str) -> None:
        """Write the message.

        Args:
            file: The file's name.
            cause: One sentence: what cannot be counted.
        """
        super().__init__(
            f"The MACs of {file} cannot be counted.",
            cause,
            "Its latency can still be measured; the proxy needs a file of known operations.",
        )


def nonzero_fraction(weights: Iterable[tuple[NDArray[np.generic], NDArray[np.generic]]]) -> float:
    """Return the fraction of all weights that is not exactly zero.

    Args:
        weights: Pairs of the stored values and the stored value that represents zero (0, or the
            zero point of a quantised tensor), which is broadcastable to them.

    Returns:
        0..1; 1 when there are no weights.
    """
    total = nonzero = 0
    for values, zero in weights:
        total += values.size
        nonzero += int(np.count_nonzero(values != zero))
    return nonzero / total if total else 1.0
