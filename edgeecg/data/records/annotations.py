"""Reading the annotations of a WFDB record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from edgeecg.data.records.wfdb_input import PARSER_ERRORS, WfdbInput, damaged

_RESOLUTION = b"## time resolution"
_MANY = 0.2


@dataclass(frozen=True)
class Annotations:
    """Annotations of one record.

    Attributes:
        samples: Position of each, 0-based, int64, ``(annotations,)``.
        symbols: Symbol of each.
        outside: Number of annotations left out because the record has no sample at their position.
    """

    samples: NDArray[np.int64]
    symbols: tuple[str, ...]
    outside: int = 0


NONE = Annotations(np.zeros(0, np.int64), ())


def read(source: WfdbInput, folder: Path, name: str, fs_hz: float, length: int) -> Annotations:
    """Read ``NAME.atr``.

    Positions are stored in units of the file's time resolution, or of the record's frames where it
    states none, and come out as sample numbers: position times sampling rate over resolution. Some
    programs write sample numbers for records with several samples per frame: so they are read where
    frames would put a good part of the annotations behind the record's end.

    Args:
        source: The record.
        folder: Its folder, for messages.
        name: Its name, for messages.
        fs_hz: Sampling rate of the signal.
        length: Samples of the signal.

    Raises:
        DataError: The file is missing, truncated or something else.
    """
    path = folder / f"{name}.atr"
    try:
        # An MIT annotation file is closed by a zero word; without it the tail is missing.
        content = path.read_bytes()
        closed = content[-2:] == b"\0\0"
        annotation: Any = wfdb.rdann(str(source.path), "atr") if closed else None
    except PARSER_ERRORS as error:
        raise damaged(folder, name, f"{name}.atr cannot be read: {error}.") from error
    if annotation is None:
        raise damaged(folder, name, f"{name}.atr is truncated: its end mark is missing.")
    samples: NDArray[np.int64] = np.asarray(annotation.sample, dtype=np.int64)
    resolution_hz = float(annotation.fs or source.header.fs)
    if resolution_hz != fs_hz:
        scaled = np.rint(samples * (fs_hz / resolution_hz)).astype(np.int64)
        stated = _RESOLUTION in content
        if stated or np.mean(scaled >= length) < _MANY or np.any(samples >= length):
            samples = scaled
    inside = (samples >= 0) & (samples < length)
    symbols = [str(s) for s, kept in zip(annotation.symbol, inside, strict=True) if kept]
    return Annotations(samples[inside], tuple(symbols), int(np.count_nonzero(~inside)))
