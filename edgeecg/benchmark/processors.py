"""Which processors the processes of a measurement use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def to_bind(threads: int) -> int | None:
    """Return the processor to measure on: the fastest; of equal ones the last.

    The first processor handles most interrupts.

    Args:
        threads: Number of threads of the runtime.

    Returns:
        The processor; None with several threads, or on a system that binds no threads.
    """
    allowed = _affinity()
    return _fastest(allowed) if allowed and threads == 1 else None


@contextlib.contextmanager
def on(cpu: int | None) -> Generator[None]:
    """Bind this thread to a processor while the block runs.

    Args:
        cpu: The processor; nothing is done for None.
    """
    with _bound(set() if cpu is None else {cpu}):
        yield


@contextlib.contextmanager
def other_than(cpu: int | None) -> Generator[None]:
    """Keep this thread from a processor while the block runs, where there are others.

    Args:
        cpu: The processor; nothing is done for None.
    """
    others = set() if cpu is None else _affinity() - {cpu}
    with _bound(others):
        yield


def leave(cpu: int | None) -> None:
    """Keep this process from a processor for good, even where its parent was bound to it.

    Args:
        cpu: The processor; nothing is done for None.
    """
    if cpu is None or not (inherited := _affinity()):
        return
    others = inherited - {cpu} or set(range(os.cpu_count() or 1)) - {cpu}
    # A container may have no other one.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, others)


def bind(cpu: int) -> None:
    """Bind this thread, and those that it starts, to a processor for good.

    Args:
        cpu: The processor, as :func:`to_bind` returns it.
    """
    # A container may have taken it away meanwhile.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {cpu})


@contextlib.contextmanager
def _bound(cpus: set[int]) -> Generator[None]:
    before = _affinity()
    if not cpus or not before:
        yield
        return
    # Some of them may not be usable in a container.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _affinity() -> set[int]:
    """Return the processors this thread may use; empty on a system without this call."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _fastest(cpus: set[int]) -> int:
    def speed(cpu: int) -> tuple[int, int]:
        try:
            return int((_CPUS / f"cpu{cpu}/cpufreq/cpuinfo_max_freq").read_text()), cpu
        except (OSError, ValueError):
            return 0, cpu

    return max(cpus, key=speed)
