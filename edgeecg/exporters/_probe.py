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
class ProbeSet:
    """Validation windows and PyTorch's outputs for them.

    Attributes:
        x: Windows, float32, ``(n, leads, samples)``.
        logits: Reference outputs, float32, ``(n, classes)``.
        task: One class per window, or any number; decides when two outputs have the same label.
        origin: Where the windows come from, or None if unknown.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]
    task: Task = "beats"
    origin: ProbeOrigin | None = None

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file with ``x``, ``logits`` and the known origins."""
        buffer = io.BytesIO()
        origins = {} if self.origin is None else vars(self.origin)
        np.savez_compressed(buffer, x=self.x, logits=self.logits, **origins)
        return buffer.getvalue()
