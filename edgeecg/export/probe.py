"""Which windows a file is calibrated on, and which it checks itself with on any device."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Task

_SEED = 0


@dataclass(frozen=True)
class ProbeSet:
    """Real inputs and the outputs that PyTorch gave for them.

    Attributes:
        x: Windows, float32, ``(n, leads, samples)``.
        logits: Reference outputs, float32, ``(n, classes)``.
        task: One class per window, or any number: says when two outputs have the same label.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]
    task: Task = "beats"

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file with the arrays ``x`` and ``logits``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=self.x, logits=self.logits)
        return buffer.getvalue()


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
