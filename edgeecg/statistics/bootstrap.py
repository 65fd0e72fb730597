"""Bootstrap over patients or records: what is drawn, and the interval of what was computed.

Beats of one patient are not independent, so whole patients (or records) are drawn with replacement
and the 95 % interval is read off the resampled values (percentile interval, Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000

_SEED = 0
_QUANTILES = (0.025, 0.975)


def draw_counts(groups: int, resamples: int = RESAMPLES) -> NDArray[np.int64]:
    """Return how often each patient or record is drawn in each resample.

    The same arguments give the same draws, so that two models that were scored on the same records
    are compared draw by draw.

    Args:
        groups: Number of patients or records.
        resamples: Number of resamples.

    Returns:
        ``(resamples, groups)``; each row sums to ``groups``.
    """
    rng = np.random.default_rng(_SEED)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=resamples)


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of resampled values; NaNs are left out."""
    low, high = np.nanquantile(values, _QUANTILES)
    return float(low), float(high)
