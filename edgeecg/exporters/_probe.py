"""The windows that a file checks itself with on any device."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Task


@dataclass(frozen=True)
class ProbeSet:
    """Real inputs and the outputs that PyTorch gave for them.

    Attributes:
        x: Windows, float32, ``(n, leads, samples)``.
        logits: Reference outputs, float32, ``(n, classes)``.
        task: One class per window, or any number: says when two outputs have the same label.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]
    task: Task = "beats"

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file with the arrays ``x`` and ``logits``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=self.x, logits=self.logits)
        return buffer.getvalue()
