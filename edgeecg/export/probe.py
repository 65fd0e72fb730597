"""Which windows a file is calibrated on, and which it checks itself with on any device."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SEED = 0


@dataclass(frozen=True)
class ProbeSet:
    """Real inputs and the outputs that PyTorch gave for them.

    Attributes:
        x: Windows, float32, ``(n, leads, samples)``.
        logits: Reference outputs, float32, ``(n, classes)``.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file with the arrays ``x`` and ``logits``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=self.x, logits=self.logits)
        return buffer.getvalue()


def balanced(y: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Draw beats without replacement, as evenly over the classes as their numbers allow.

    Args:
        y: Class index of each beat.
        count: Beats to draw; all of them when there are fewer.

    Returns:
        Indices into ``y`` in random order, always the same ones for the same ``y`` and ``count``.
    """
    rng = np.random.default_rng(_SEED)
    shuffled = rng.permutation(len(y))
    # A beat's turn is its place within its class: every class's first beat comes before any
    # class's second, so that the first `count` turns are balanced.
    turn = np.empty(len(y), np.int64)
    for label in np.unique(y):
        mine = shuffled[y[shuffled] == label]
        turn[mine] = np.arange(len(mine))
    chosen = shuffled[np.argsort(turn[shuffled], kind="stable")][:count]
    return rng.permutation(chosen)
