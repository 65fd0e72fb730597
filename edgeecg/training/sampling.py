"""Which windows an epoch sees: a draw that neither the commonest class nor one patient rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import Windows

_CLASS_POWER = 0.35


def draw(windows: Windows, count: int | None, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the windows of one epoch, in random order.

    Args:
        windows: The training split.
        count: Windows to draw with replacement, balanced: each (class, record) cell in proportion
            to the square root of its size, after the classes as a whole are weighted in proportion
            to their size to the power of 0.35. MIT-BIH has 60 normal beats for each
            supraventricular one, and most of those come from very few patients; so drawn, of 20
            windows 12 are N, 3 S and 5 V. None for each window once, as they are.
        rng: Source of randomness.

    Returns:
        Indices into ``windows``, ``(count,)``.

    Raises:
        ValueError: A balanced draw was asked for, and windows have more than one class.
    """
    if count is None:
        return rng.permutation(len(windows.y))
    if windows.y.ndim != 1:
        raise ValueError("a balanced draw needs one class per window; set epoch_windows to None")
    records, record = np.unique(windows.record, return_inverse=True)
    cell = windows.y * len(records) + record
    _, cell_of, cell_size = np.unique(cell, return_inverse=True, return_counts=True)
    weight = 1.0 / np.sqrt(cell_size[cell_of])
    _, class_of, class_size = np.unique(windows.y, return_inverse=True, return_counts=True)
    class_total = np.bincount(class_of, weights=weight)
    weight *= (class_size**_CLASS_POWER / class_total)[class_of]
    return rng.choice(len(windows.y), size=count, p=weight / weight.sum()).astype(np.int64)
