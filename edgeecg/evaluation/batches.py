"""Running any number of windows in batches, in an amount of memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.windows.mapped import release

LogitsFunction = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Windows ``(n, leads, samples)`` -> logits ``(n, classes)``."""

_READ = 256


def run_in_batches(
    predict: LogitsFunction,
    windows: NDArray[np.float32],
    size: int,
    on_done: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the logits of windows, computed batch by batch.

    All logits are written into one array. A list of the batches' small arrays would keep the heap
    from shrinking between batches: the memory of a model's activations would be lost with each.

    Args:
        predict: Computes the logits of one batch.
        windows: ``(n, leads, samples)``; of a memory map only some windows are read at a time.
        size: Windows in a batch.
        on_done: Called after each batch with the number of windows done.

    Returns:
        ``(n, classes)``; ``(0, 0)`` where there are no windows.
    """
    logits = np.empty((0, 0), np.float32)
    done = 0
    for batch in _batches(windows, size):
        found = predict(batch)
        if not done:
            logits = np.empty((len(windows), found.shape[1]), np.float32)
        logits[done : done + len(batch)] = found
        done += len(batch)
        if on_done is not None:
            on_done(done)
    return logits


def _batches(windows: NDArray[np.float32], size: int) -> Iterator[NDArray[np.float32]]:
    """Yield batches of windows that are copied into memory, several small ones at a time."""
    step = size * max(1, _READ // size)
    for start in range(0, len(windows), step):
        copied = np.array(windows[start : start + step])
        release(windows)
        for first in range(0, len(copied), size):
            yield copied[first : first + size]
