"""Windows with reference outputs, with which a file is verified on any device."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Task


@dataclass(frozen=True)
class ProbeOrigin:
    """Where the windows of a probe set come from.

    Attributes:
        record: Name of the record, ``(n,)``.
        patient: Name of the patient, ``(n,)``.
        sample: The R peak at the record's own sampling rate, 0-based, ``(n,)``.
        label: Annotated class index ``(n,)``, or classes ``(n, classes)``.
    """

    record: NDArray[np.str_]
    patient: NDArray[np.str_]
    sample: NDArray[np.int64]
    label: NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True)
class ProbeStrips:
    """The record around some windows of a probe set, for people to look at.

    Attributes:
        window: Which window of the probe set each strip is around, ``(strips,)``.
        microvolts: The first lead as it was recorded, int16, ``(strips, samples)``.
        length: How many of the samples of each strip count, ``(strips,)``.
        fs_hz: Sampling rate of each record, ``(strips,)``.
        start: Position of the first sample of each strip in its record, 0-based, ``(strips,)``.
    """

    window: NDArray[np.int64]
    microvolts: NDArray[np.int16]
    length: NDArray[np.int64]
    fs_hz: NDArray[np.float64]
    start: NDArray[np.int64]


@dataclass(frozen=True)
class ProbeSet:
    """Validation windows and PyTorch's outputs for them.

    Attributes:
        x: Windows, float32, ``(n, leads, samples)``.
        logits: Reference outputs, float32, ``(n, classes)``.
        task: One class per window, or any number; decides when two outputs have the same label.
        origin: Where the windows come from, or None if unknown.
        strips: The record around some of them, or None.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]
    task: Task = "beats"
    origin: ProbeOrigin | None = None
    strips: ProbeStrips | None = None

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file: ``x``, ``logits``, the known origins, the strips.

        The arrays of the strips have names that start with ``strip_``.
        """
        buffer = io.BytesIO()
        more = {} if self.origin is None else dict(vars(self.origin))
        if self.strips is not None:
            more |= {f"strip_{name}": value for name, value in vars(self.strips).items()}
        np.savez_compressed(buffer, x=self.x, logits=self.logits, **more)
        return buffer.getvalue()
