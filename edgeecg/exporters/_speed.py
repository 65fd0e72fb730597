"""Time of a file beside the float32 file of the same model, measured in turns."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.devices import cpu
from edgeecg.exporters._verify import load
from edgeecg.runtimes import Session
from edgeecg.schema import Speed

TURNS = 15
_TURN_SECONDS = 0.008
_MAX_RUNS = 1000


def compare(path: Path, float32: Path, window: NDArray[np.float32], turns: int = TURNS) -> Speed:
    """Time two files in turns, each on one thread.

    Args:
        path: A file.
        float32: The float32 file of the same model and format.
        window: An input ``(1, leads, samples)``.
        turns: How often each file is timed, for about 8 ms each.

    Raises:
        ArtifactError: A runtime does not accept its file.
    """
    sessions = [load(each) for each in (path, float32)]
    for session in sessions:
        session.run(window)
    counts = [max(1, min(_MAX_RUNS, int(_TURN_SECONDS / _timed(each, 3)))) for each in sessions]
    order = list(zip(sessions, counts, strict=True))
    found = np.array([[_timed(each, count) for each, count in order] for _ in range(turns)])
    low, middle, high = np.percentile(found[:, 0] / found[:, 1], [25, 50, 75])
    return Speed(
        p50_s=float(np.median(found[:, 0])),
        float32_p50_s=float(np.median(found[:, 1])),
        ratio=float(middle),
        ratio_low=float(low),
        ratio_high=float(high),
        processor=cpu.name() or cpu.core(),
        extensions=cpu.extensions(),
    )


def _timed(session: Session, runs: int) -> float:
    """Return the mean time of an inference in seconds."""
    start = time.perf_counter()
    for _ in range(runs):
        session.invoke()
    return max((time.perf_counter() - start) / runs, 1e-9)
