"""What the C library does with memory that PyTorch frees."""

from __future__ import annotations

import ctypes
import functools
import platform

# Numbers of glibc's malloc.h. 32 MiB is the most that every version takes for the second one.
_M_TRIM_THRESHOLD, _TRIM_BYTES = -1, 1 << 30
_M_MMAP_THRESHOLD, _MMAP_BYTES = -3, 32 << 20


@functools.cache
def keep_freed_memory() -> None:
    """Let this process keep the memory of freed tensors for the next ones.

    Each step of a network allocates and frees the same large tensors. glibc returns such memory to
    the kernel at once, which then clears and maps every page of the next tensor anew; on the CPU
    that is a good part of the time of training. Results are the same, bit for bit. Up to 1 GiB that
    is free stays with the process. With another C library than glibc nothing changes.

    Source: mallopt(3).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
