"""A recording with known energy, as instruments export it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IDLE_A, BUSY_A, VOLTS = 1e-3, 8e-3, 3.3
RATE_HZ, PERIOD_S, BUSY_S = 10_000, 0.25, 0.1
NET_J = (BUSY_A - IDLE_A) * VOLTS * BUSY_S / 10
"""Net energy of each of ten inferences in a window of a tenth of a second."""


def recording(seconds: float = 2.0) -> tuple[NDArray[np.float64], NDArray[np.float64], list[bool]]:
    """Return times, amperes and marker: bursts of 0.1 s, from 0.1 s on, every 0.25 s."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = np.round(t * RATE_HZ) % round(PERIOD_S * RATE_HZ)
    busy = (phase >= 0.1 * RATE_HZ) & (phase < 0.2 * RATE_HZ)
    noise = np.random.default_rng(0).normal(0, 1e-5, t.size)
    return t, np.where(busy, BUSY_A, IDLE_A) + noise, busy.tolist()


def written(
    folder: Path,
    header: str,
    row: Callable[[float, float, bool], str],
    seconds: float = 2.0,
    encoding: str = "utf-8",
) -> Path:
    path = folder / "trace.csv"
    lines = [header, *(row(*sample) for sample in zip(*recording(seconds), strict=True))]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def ppk2(folder: Path, bits: str = "{}-000000") -> Path:
    return written(
        folder,
        "Timestamp(ms),Current(uA),D0-D7",
        lambda t, a, b: f"{t * 1e3:.2f},{a * 1e6:.3f},{bits.format(int(b))}",
    )
