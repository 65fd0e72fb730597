"""Which windows are drawn: those of an epoch, and those that stand for all in a calibration.

Neither the commonest class nor one patient rules an epoch; no class is missing from a calibration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import Windows

_CLASS_POWER = 0.35
_SEED = 0


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


def balanced(y: NDArray[np.int64] | NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Draw windows without replacement, as evenly over the classes as their numbers allow.

    Args:
        y: Class index of each window ``(n,)``, or which classes it bears ``(n, classes)``; one that
            bears several stands for the rarest of them.
        count: Windows to draw; all of them when there are fewer.

    Returns:
        Indices into ``y`` in random order, always the same ones for the same ``y`` and ``count``.
    """
    rng = np.random.default_rng(_SEED)
    labels = y if y.ndim == 1 else _rarest(y)
    shuffled = rng.permutation(len(labels))
    # A window's turn is its place within its class: every class's first window comes before any
    # class's second, so that the first `count` turns are balanced.
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        mine = shuffled[labels[shuffled] == label]
        turn[mine] = np.arange(len(mine))
    chosen = shuffled[np.argsort(turn[shuffled], kind="stable")][:count]
    return rng.permutation(chosen)


def _rarest(y: NDArray[np.int64] | NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rarest class that each window bears; the number of classes where it bears none."""
    often = y.sum(axis=0)
    candidates = np.where(y > 0, often, np.inf)
    return np.where((y > 0).any(axis=1), candidates.argmin(axis=1), y.shape[1])
