"""The probe set beside a file: windows, with the outputs that PyTorch has for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import ArtifactError
from edgeecg.files import read_arrays

_TODO = "Export or copy the file and its probe set again, or remove the probe set."


def probe_path(path: Path) -> Path:
    """Return the path of a file's probe set: ``STEM.probe.npz`` beside the file."""
    return path.with_name(f"{path.stem}.probe.npz")


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a probe set.

    Args:
        path: The probe set.

    Returns:
        The windows ``x``, float32 ``(n, leads, samples)``, the outputs ``logits``, float32
        ``(n, classes)``, both finite, and what else is known of the windows, which is not checked.

    Raises:
        ArtifactError: The probe set is damaged.
    """
    arrays = read_arrays(path, f"The probe set {path}", ArtifactError, _TODO)
    if isinstance(arrays, np.ndarray):
        raise misfit(path, "It is a single array")
    for name, axes in (("x", 3), ("logits", 2)):
        if name not in arrays:
            raise misfit(path, f"It has no array '{name}'")
        array = arrays[name]
        if array.ndim != axes or array.dtype != np.float32 or not array.size:
            raise misfit(
                path,
                f"'{name}' should be float32 with {axes} axes and is {array.dtype} of shape "
                f"{array.shape}",
            )
        if not np.isfinite(array).all():
            raise misfit(path, f"'{name}' contains values that are not finite")
    windows, rows = len(arrays["x"]), len(arrays["logits"])
    if windows != rows:
        raise misfit(path, f"It has {windows} windows and {rows} rows of logits")
    return arrays


def misfit(path: Path, cause: str) -> ArtifactError:
    """Return the error about a probe set that does not fit its file.

    Args:
        path: The probe set.
        cause: Why, without a full stop.
    """
    return ArtifactError(f"The probe set {path} does not fit its file.", f"{cause}.", _TODO)
