"""Windows of a user, to calibrate and check the file of another program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import DataError
from edgeecg.files import read_arrays

_FEWEST = 2
_MOST_COMPARED = 4096
_TODO = (
    "Write them with numpy.savez(FILE, x=windows, y=classes): x of shape (windows, leads, "
    "samples), y optional."
)


@dataclass(frozen=True)
class LabelledWindows:
    """Inputs of a model file.

    Attributes:
        x: Float32, ``(n, *shape of one input without its batch)``.
        y: Class of each window, ``(n,)``, or None.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64] | None = None

    def check(self, path: Path, input_shape: tuple[int, ...]) -> None:
        """Compare the shape with that of a file's input.

        Raises:
            DataError: The file takes other windows, or more than one at a time.
        """
        if input_shape != (1, *self.x.shape[1:]):
            raise DataError(
                f"The windows do not fit {path}.",
                f"Its input has the shape {input_shape}, and the windows {self.x.shape}; the first "
                "axis is the number of windows, of which the file takes one at a time.",
                "Give windows with the leads and samples of the model.",
            )

    def halves(self, calibration: int) -> tuple[NDArray[np.float32], LabelledWindows]:
        """Return windows to calibrate on, and others to compare outputs on.

        Both are spread over all windows, which are often in the order of classes or patients.

        Args:
            calibration: Most windows to calibrate on.
        """
        even, odd = np.arange(0, len(self.x), 2), np.arange(1, len(self.x), 2)
        rest = _spread(odd, _MOST_COMPARED)
        others = LabelledWindows(self.x[rest], None if self.y is None else self.y[rest])
        return self.x[_spread(even, calibration)], others


def _spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many rows, at equal distances."""
    chosen = np.linspace(0, len(rows) - 1, min(most, len(rows)))
    return rows[chosen.round().astype(np.int64)]


def load(path: Path) -> LabelledWindows:
    """Read windows from a ``.npy`` file, or a ``.npz`` file with ``x`` and, if known, ``y``.

    Raises:
        DataError: The file cannot be read, has other arrays, or values that are not finite.
    """
    loaded = read_arrays(path, f"The file of windows {path}", DataError, _TODO)
    if isinstance(loaded, np.ndarray):
        x, y = loaded, None
    elif "x" in loaded:
        x, y = loaded["x"], loaded.get("y")
    else:
        raise _unusable(path, "It has no array 'x'.")
    real = any(np.issubdtype(x.dtype, kind) for kind in (np.integer, np.floating))
    if not real or x.ndim < 2 or len(x) < _FEWEST:
        raise _unusable(path, f"x is {x.dtype} of shape {x.shape}: two windows or more are needed.")
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    if not np.isfinite(x).all():
        raise _unusable(path, "x holds values that are not finite numbers in float32.")
    if y is None:
        return LabelledWindows(x)
    if y.shape != (len(x),) or not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
        raise _unusable(path, f"y should be a class number for each of the {len(x)} windows.")
    return LabelledWindows(x, y.astype(np.int64))


def _unusable(path: Path, why: str) -> DataError:
    return DataError(f"The windows in {path} cannot be used.", why, _TODO)
