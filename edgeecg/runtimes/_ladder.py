"""Sizes and names of the graphs of a calibration, the same for every runtime.

The sizes occur in models for ECG windows.
"""

from __future__ import annotations

DENSE = (
    (1, 64, 64),
    (1, 256, 256),
    (1, 1024, 256),
    (16, 256, 256),
    (64, 256, 256),
    (128, 128, 128),
    (256, 64, 64),
)
"""Rows, inputs and outputs of fully connected layers."""

CONVOLUTIONS = (
    (256, 8, 7, 1),
    (256, 16, 5, 1),
    (128, 32, 5, 1),
    (64, 64, 3, 1),
    (32, 128, 3, 1),
    (64, 128, 3, 1),
    (256, 16, 5, 4),
    (64, 64, 3, 4),
    (256, 24, 5, 2),
)
"""Samples, channels, length of the kernel and number of layers of convolutions."""

DEPTHWISE = ((256, 16, 7), (128, 32, 5), (256, 32, 15), (512, 32, 7), (256, 64, 7))
"""Samples, channels and length of the kernel of convolutions of one lead."""

POOLING = ((256, 32, 2), (128, 64, 2), (64, 64, 2))
"""Samples, channels and length of the kernel of pooling."""


def dense_name(rows: int, inputs: int, outputs: int, dtype: str) -> str:
    """Return the name of a fully connected layer."""
    return f"dense {rows}x{inputs}x{outputs} {dtype}"


def convolution_name(samples: int, channels: int, kernel: int, layers: int, dtype: str) -> str:
    """Return the name of convolutions one after another."""
    return f"convolution {samples}x{channels} kernel {kernel} x{layers} {dtype}"


def one_lead_name(samples: int, channels: int, kernel: int, dtype: str) -> str:
    """Return the name of a convolution of one lead."""
    return f"depthwise convolution {samples}x{channels} kernel {kernel} {dtype}"


def maximum_name(samples: int, channels: int, kernel: int, dtype: str) -> str:
    """Return the name of a pooling."""
    return f"maximum {samples}x{channels} of {kernel} {dtype}"
