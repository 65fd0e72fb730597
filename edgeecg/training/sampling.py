"""Sampling of windows: those of an epoch, and a small subset for calibration and probe sets.

An epoch is balanced over classes and records, a subset over classes.
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
        count: Windows to draw with replacement. A class is drawn in proportion to its size to the
            power of 0.35, and within a class a record in proportion to the square root of its
            number of windows. MIT-BIH has 60 normal beats for each supraventricular one, and most
            of these come from very few patients; of 20 windows drawn, 12 are N, 3 S and 5 V.
            None: each window once.
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


def class_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the expected share of each class among the windows of a balanced :func:`draw`.

    Args:
        counts: Windows of each class, ``(classes,)``.

    Returns:
        ``(classes,)``, with the sum 1; 0 for a class without windows.
    """
    shares = np.where(counts > 0, counts.astype(np.float64) ** _CLASS_POWER, 0.0)
    return shares / shares.sum()


def balanced_subset(y: NDArray[np.int64] | NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Draw windows without replacement, as evenly over the classes as their numbers allow.

    Args:
        y: Class index of each window ``(n,)``, or which classes it has ``(n, classes)``; one that
            has several counts as the rarest of them.
        count: Windows to draw; all of them when there are fewer.

    Returns:
        Indices into ``y`` in random order, always the same ones for the same ``y`` and ``count``.
    """
    rng = np.random.default_rng(_SEED)
    labels = y if y.ndim == 1 else _rarest(y)
    shuffled = rng.permutation(len(labels))
    # Rank of each window within its class: sorted by rank, the first window of every class comes
    # before the second of any class, so that the first `count` windows are balanced.
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = shuffled[labels[shuffled] == label]
        rank[of_class] = np.arange(len(of_class))
    chosen = shuffled[np.argsort(rank[shuffled], kind="stable")][:count]
    return rng.permutation(chosen)


def _rarest(y: NDArray[np.int64] | NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rarest class that each window has; the number of classes where it has none."""
    candidates = np.where(y > 0, y.sum(axis=0), np.inf)
    return np.where((y > 0).any(axis=1), candidates.argmin(axis=1), y.shape[1])
