"""The source of time for all measurements; tests replace it with a simulated one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """A monotonic clock and a way to wait.

    Attributes:
        now_ns: Returns nanoseconds since an arbitrary moment; never goes back.
        sleep: Waits for a number of seconds.
    """

    now_ns: Callable[[], int] = time.perf_counter_ns
    sleep: Callable[[float], None] = time.sleep

    def now(self) -> float:
        """Return seconds since an arbitrary moment."""
        return self.now_ns() * 1e-9
