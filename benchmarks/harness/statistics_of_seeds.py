"""Mean and deviation over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

Spread = dict[str, Any]
"""``mean`` and ``std``; the deviation of one value is None."""


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation."""
    return {
        "mean": statistics.mean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
    }


def plus_minus(value: Spread, digits: int = 3, sign: str = "") -> str:
    """Return ``mean ± deviation``, or the one value that there is.

    Args:
        value: What :func:`spread` returned.
        digits: Digits after the point.
        sign: ``"+"`` to write the sign of a positive mean.
    """
    mean = f"{value['mean']:{sign}.{digits}f}"
    return mean if value["std"] is None else f"{mean} ± {value['std']:.{digits}f}"
