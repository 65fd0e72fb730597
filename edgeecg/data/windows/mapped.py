"""Reading memory maps of windows in little memory: pages are given back after use."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 4096
"""Windows that are copied at a time: a few megabytes."""


def release(array: NDArray[np.generic]) -> None:
    """Give the pages of a memory map back to the operating system.

    They are read again when they are needed. Until then they do not count as memory of this
    process, so that reading a large map from one end to the other takes little memory. Nothing is
    done for an array in memory.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def chunks(array: NDArray[np.float32]) -> Iterator[bytes]:
    """Yield the content of an array piece by piece, as little-endian float32."""
    for start in range(0, len(array), CHUNK):
        yield np.ascontiguousarray(array[start : start + CHUNK], "<f4").tobytes()
        release(array)
