"""Windows with reference outputs, with which a file is verified on any device."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Task


@dataclass(frozen=True)
class ProbeSet:
    """Validation windows and PyTorch's outputs for them.

    Attributes:
        x: Windows, float32, ``(n, leads, samples)``.
        logits: Reference outputs, float32, ``(n, classes)``.
        task: One class per window, or any number; decides when two outputs have the same label.
    """

    x: NDArray[np.float32]
    logits: NDArray[np.float32]
    task: Task = "beats"

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file with the arrays ``x`` and ``logits``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=self.x, logits=self.logits)
        return buffer.getvalue()
