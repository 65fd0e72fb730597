"""Mean and deviation over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

_CONFIDENCE = 0.95

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


@dataclass(frozen=True)
class Difference:
    """Values of one setting minus those of another, over seeds that both have.

    Attributes:
        mean: Of the differences.
        half_width: Of its 95 % interval, by Student's t; None for fewer than two seeds.
    """

    mean: float
    half_width: float | None

    @property
    def verdict(self) -> str:
        """Whether the first is larger, or that the seeds do not decide it."""
        if self.half_width is None or abs(self.mean) <= self.half_width:
            return "not resolved"
        return "better" if self.mean > 0 else "worse"


def paired(ours: Mapping[int, float], others: Mapping[int, float]) -> Difference | None:
    """Return the difference over the seeds that both have; None where they have none in common.

    Args:
        ours: Value of each seed.
        others: Value of each seed.
    """
    found = [ours[seed] - others[seed] for seed in ours if seed in others]
    if not found:
        return None
    if len(found) == 1:
        return Difference(found[0], None)
    t = float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(found) - 1))
    return Difference(statistics.mean(found), t * statistics.stdev(found) / math.sqrt(len(found)))
