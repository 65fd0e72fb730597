"""How many threads the numeric libraries may use."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def limited_threads(threads: int) -> Generator[None]:
    """Limit PyTorch, and the BLAS of NumPy and SciPy, to some threads inside a ``with`` block.

    Left alone, each of them takes all cores, and on a busy machine threads that wait for one
    another multiply the processor time. The former limits are restored afterwards.

    Args:
        threads: At least 1.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
