"""Least squares in which no coefficient is negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-10


def non_negative(features: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative coefficients with the least squared relative error.

    The active-set method of Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23.

    Args:
        features: One row for each value.
        values: The values, all positive.
    """
    relative = features / values[:, None]
    scale = np.linalg.norm(relative, axis=0)
    scale[scale == 0.0] = 1.0
    return _solved(relative / scale, np.ones(values.size)) / scale


def _solved(matrix: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = matrix.shape[1]
    free = np.zeros(columns, bool)
    found = np.zeros(columns)
    # Each round frees one column; more rounds than this only repeat what rounding undoes.
    for _ in range(10 * columns):
        gradient = np.where(free, -np.inf, matrix.T @ (wanted - matrix @ found))
        best = int(gradient.argmax())
        if gradient[best] <= _TOLERANCE:
            break
        free[best] = True
        while True:
            step = np.zeros(columns)
            step[free] = np.linalg.lstsq(matrix[:, free], wanted)[0]
            negative = free & (step <= 0.0)
            if not negative.any():
                break
            # As far towards the solution as no coefficient becomes negative.
            share = np.min(found[negative] / (found[negative] - step[negative]))
            found += share * (step - found)
            free &= found > _TOLERANCE
            found[~free] = 0.0
        found = step
    return found
