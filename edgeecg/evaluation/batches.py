"""Running any number of windows in batches, in an amount of memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LogitsFunction = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Windows ``(n, leads, samples)`` -> logits ``(n, classes)``."""


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
        windows: ``(n, leads, samples)``; of a memory map only one batch is read at a time.
        size: Windows in a batch.
        on_done: Called after each batch with the number of windows done.

    Returns:
        ``(n, classes)``; ``(0, 0)`` where there are no windows.
    """
    logits = np.empty((0, 0), np.float32)
    for start in range(0, len(windows), size):
        batch = predict(windows[start : start + size])
        if not start:
            logits = np.empty((len(windows), batch.shape[1]), np.float32)
        logits[start : start + len(batch)] = batch
        if on_done is not None:
            on_done(start + len(batch))
    return logits
