"""Which windows an epoch sees: a draw that neither the commonest class nor one patient rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import Beats


def draw(beats: Beats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw windows for one epoch, in random order, with replacement.

    Each (class, record) cell is drawn in proportion to the square root of its size, after the
    classes as a whole are weighted in proportion to the square root of theirs: MIT-BIH has 60
    normal beats for each supraventricular one, and most of those come from very few patients.

    Args:
        beats: The training split.
        count: Windows to draw.
        rng: Source of randomness.

    Returns:
        Indices into ``beats``, shape ``(count,)``.
    """
    records, record = np.unique(beats.record, return_inverse=True)
    cell = beats.y * len(records) + record
    _, cell_of, cell_size = np.unique(cell, return_inverse=True, return_counts=True)
    weight = 1.0 / np.sqrt(cell_size[cell_of])
    _, class_of, class_size = np.unique(beats.y, return_inverse=True, return_counts=True)
    class_total = np.bincount(class_of, weights=weight)
    weight *= (np.sqrt(class_size) / class_total)[class_of]
    return rng.choice(len(beats.y), size=count, p=weight / weight.sum()).astype(np.int64)
