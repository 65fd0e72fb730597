"""Sizes and names of the graphs of a calibration, the same for every runtime.

The sizes occur in models for ECG windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def graphs(
    dense: Callable[[int, int, int, bool], bytes],
    convolutions: Callable[[int, int, int, int, bool], bytes],
    one_lead: Callable[[int, int, int, bool], bytes],
    maxima: Callable[[int, int, int, bool], bytes | None],
) -> Iterator[tuple[str, bytes]]:
    """Yield graphs of increasing size with their names: kinds of layers x sizes x types.

    Each function builds a file of a runtime from a size above and from whether the graph is int8.

    Args:
        dense: Builds a fully connected layer.
        convolutions: Builds convolutions one after another.
        one_lead: Builds a convolution of one lead with one kernel for each channel.
        maxima: Builds a pooling; None where the runtime's format does not have it in a type.
    """
    for quantised in (False, True):
        dtype = "int8" if quantised else "float32"
        for rows, inputs, outputs in DENSE:
            content = dense(rows, inputs, outputs, quantised)
            yield f"dense {rows}x{inputs}x{outputs} {dtype}", content
        for samples, channels, kernel, layers in CONVOLUTIONS:
            content = convolutions(samples, channels, kernel, layers, quantised)
            yield f"convolution {samples}x{channels} kernel {kernel} x{layers} {dtype}", content
        for samples, channels, kernel in DEPTHWISE:
            content = one_lead(samples, channels, kernel, quantised)
            yield f"depthwise convolution {samples}x{channels} kernel {kernel} {dtype}", content
        for samples, channels, kernel in POOLING:
            pooling = maxima(samples, channels, kernel, quantised)
            if pooling is not None:
                yield f"maximum {samples}x{channels} of {kernel} {dtype}", pooling
