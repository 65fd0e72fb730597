"""A recorded stream of power, replayed in real time from the moment of opening.

``--meter replay:FILE`` reads a CSV file with the header ``t_s,watts``: seconds from any origin and
the power at these times. It is for tests and demonstrations, and its results are marked as
replayed.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import MeterError
from edgeecg.meters import Samples

SAMPLED = True
BESIDE = True

_HEADER = ["t_s", "watts"]
_FASTEST_HZ = 1000.0
_BATCH_S = 0.05
_PATIENCE_S = 0.8
# Larger values in a file are garbage that a meter once delivered.
_MAX_WATTS = 1000.0


class ReplayMeter:
    """A recording that is being replayed."""

    name = "replay"
    replayed = True
    max_watts = _MAX_WATTS

    def __init__(self, path: Path, t_s: NDArray[np.float64], watts: NDArray[np.float64]) -> None:
        """Start the replay.

        Args:
            path: The file, for messages.
            t_s: Times of the samples, increasing.
            watts: The power at these times.
        """
        self._path = path
        self._watts = watts
        self.zones = (path.name,)
        self.sample_rate_hz = (t_s.size - 1) / float(t_s[-1] - t_s[0])
        self._t_s = t_s - t_s[0] + time.perf_counter()
        self._next = 0

    def read(self) -> Samples:
        """Return the samples whose time has come since the last call.

        Raises:
            MeterError: The recording has ended.
        """
        if self._next == self._t_s.size:
            raise MeterError(
                f"The recording '{self._path}' has ended.",
                f"It is {self._t_s[-1] - self._t_s[0]:.1f} s long.",
                "Replay a longer one, or measure for a shorter time.",
            )
        now = time.perf_counter()
        wanted = max(float(self._t_s[self._next]), now + _BATCH_S)
        time.sleep(min(wanted - now, _PATIENCE_S))
        end = int(np.searchsorted(self._t_s, time.perf_counter(), side="right"))
        part = slice(self._next, end)
        self._next = end
        return Samples(t_s=self._t_s[part], watts=self._watts[part])

    def close(self) -> None:
        """Do nothing: the file was read when it was opened."""


def open(where: str | None = None) -> ReplayMeter:
    """Open a recording.

    Args:
        where: The CSV file.

    Raises:
        MeterError: No file is named, or it is no such recording.
    """
    if where is None:
        raise MeterError(
            "There is no recording to replay.",
            "No file was named.",
            "Name a CSV file with the columns t_s and watts: --meter replay:FILE.csv",
        )
    path = Path(where)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MeterError(
            f"The recording '{path}' cannot be read.",
            f"Reading the file failed: {error}.",
            "Name a CSV file with the columns t_s and watts: --meter replay:FILE.csv",
        ) from error
    t_s, watts = _thinned(*_columns(path, text))
    if t_s.size < 2:
        raise _invalid(path, "It is shorter than two milliseconds")
    return ReplayMeter(path, t_s, watts)


def _columns(path: Path, text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = _rows(path, text)
    if [cell.strip() for cell in next(rows, [])] != _HEADER:
        raise _invalid(path, "Its first line is not 't_s,watts'")
    pairs: list[tuple[float, float]] = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            t_s, watts = (float(cell) for cell in row)
        except ValueError as error:
            raise _invalid(path, f"Line {number} does not hold two numbers") from error
        if not (math.isfinite(t_s) and math.isfinite(watts)):
            raise _invalid(path, f"Line {number} holds a value that is not finite")
        if pairs and t_s <= pairs[-1][0]:
            raise _invalid(path, f"The time in line {number} is not later than the one before")
        pairs.append((t_s, watts))
    if len(pairs) < 2:
        raise _invalid(path, "It has fewer than two samples")
    values = np.array(pairs)
    return values[:, 0], values[:, 1]


def _rows(path: Path, text: str) -> Iterator[list[str]]:
    """Yield the cells of every line."""
    rows = csv.reader(text.splitlines())
    try:
        yield from rows
    except csv.Error as error:
        raise _invalid(path, f"Line {rows.line_num} cannot be read: {error}") from error


def _thinned(
    t_s: NDArray[np.float64], watts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Replace samples that are faster than 1 kHz by their means over a millisecond."""
    if (t_s.size - 1) / (t_s[-1] - t_s[0]) <= _FASTEST_HZ:
        return t_s, watts
    blocks = np.floor((t_s - t_s[0]) * _FASTEST_HZ).astype(np.int64)
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    sizes = np.diff(np.append(starts, t_s.size))
    return np.add.reduceat(t_s, starts) / sizes, np.add.reduceat(watts, starts) / sizes


def _invalid(path: Path, cause: str) -> MeterError:
    return MeterError(
        f"The file '{path}' is not a recording of power.",
        f"{cause}.",
        "Give a CSV file with the header t_s,watts, points as decimal marks and increasing times.",
    )
