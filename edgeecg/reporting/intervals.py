"""Intervals of the change of a measured quantity between two results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Energy
from edgeecg.schema.measurement import LATENCY_ROUNDS as ROUNDS
from edgeecg.statistics.student import quantile_975

QUIET_SPREAD, BUSY_SPREAD = 0.02, 0.04
"""Standard deviation of the logarithm of a file's median latency from call to call.

On a shared machine whose load average was above its number of cores, the median of one file had a
deviation of 0.036 to 0.042 over eight calls of ``edgeecg bench --suite quick`` (three files of 1.2,
24 and 70 µs, LiteRT on x86-64). Half of it is assumed for a machine that is not busy.
"""

LOAD_SPREAD_S = 4e-8
"""Standard deviation of a file's median latency from load to load, in seconds.

Two copies of one file, timed in turn by one call, differed by -1.6 % to 8.6 % at 1.2 µs (six
calls), because their memory lies elsewhere. At 24 and 70 µs the rounds alone explained the
differences.
"""

COUNT_ERROR = 0.005
"""Two counts of the instructions of one file agree within this share."""

_FEWEST_SAMPLES = 2 * ROUNDS
_NORMAL_975 = 1.96


def latency_ratio(
    before: Sequence[float], after: Sequence[float], ratio: float, call_spread: float | None
) -> tuple[float, float] | None:
    """Return the 95 % interval of the ratio of two median latencies.

    The samples of a result are those of five rounds, one after the other. They are split into five
    parts of equal size, and the logarithms of the parts' medians are five values whose spread shows
    how much a median varies from round to round (batch means; Law, Simulation Modeling and
    Analysis, section 9.5). The interval is ``exp(log(ratio) ± t * s)``, with Student's t.

    Files of one call are timed in turn, so that round is compared with round: ``s`` is the standard
    error of the five differences, with 4 degrees of freedom. For files of separate calls it is that
    of two independent means (Welch), and the width is widened by the variation from call to call:
    ``sqrt((t * s)² + (1.96 * sqrt(2) * call_spread)²)``. In both cases it is widened likewise by
    :data:`LOAD_SPREAD_S`, which matters below 10 µs.

    Args:
        before: Samples of the reference in seconds, in order.
        after: Samples of the other result.
        ratio: The ratio of the medians of all samples, other over reference.
        call_spread: Standard deviation of the logarithm of a median from call to call; None for
            files that were timed in turn in one call.

    Returns:
        The interval; None where a result has fewer than ten samples or a median of zero.
    """
    if min(len(before), len(after)) < _FEWEST_SAMPLES:
        return None
    first, second = _medians(before), _medians(after)
    if not ratio > 0 or first.min() <= 0 or second.min() <= 0:
        return None
    logs = np.log(first), np.log(second)
    if call_spread is None:
        variances = [float((logs[1] - logs[0]).var(ddof=1)) / ROUNDS]
    else:
        variances = [float(each.var(ddof=1)) / ROUNDS for each in logs]
    width = quantile_975(_degrees(variances)) * math.sqrt(sum(variances))
    width = math.hypot(width, _NORMAL_975 * math.sqrt(2) * (call_spread or 0.0))
    loads = [LOAD_SPREAD_S / float(np.median(each)) for each in (first, second)]
    width = math.hypot(width, *(_NORMAL_975 * each for each in loads))
    centre = math.log(ratio)
    return math.exp(centre - width), math.exp(centre + width)


def _medians(samples: Sequence[float]) -> NDArray[np.float64]:
    parts = np.array_split(np.asarray(samples, dtype=np.float64), ROUNDS)
    return np.array([np.median(part) for part in parts])


def _degrees(variances: Sequence[float]) -> int:
    """Return the degrees of freedom of Welch and Satterthwaite, rounded down."""
    whole = sum(variances)
    if whole <= 0:
        return ROUNDS - 1
    # Relative to the sum, because the fourth power of a small number is zero.
    shares = [(variance / whole) ** 2 / (ROUNDS - 1) for variance in variances]
    # The sum of shares is rounded: five rounds without the other have 4 degrees, not 3.999.
    return max(1, math.floor(1 / sum(shares) + 1e-9))


def energy_ratio(before: Energy, after: Energy) -> tuple[float, float] | None:
    """Return the 95 % interval of the ratio of two net energies.

    It is that of the difference of two independent values with intervals of their own (Zou and
    Donner, Statistics in Medicine 27, 2008), divided by the energy of the reference.

    Args:
        before: Energy of the reference.
        after: Energy of the other result.

    Returns:
        The interval; None where an energy has none, or the reference's is not above zero.
    """
    if before.net_j is None or after.net_j is None or before.net_j <= 0:
        return None
    if before.ci95_j is None or after.ci95_j is None:
        return None
    difference = after.net_j - before.net_j
    low = math.hypot(after.net_j - after.ci95_j[0], before.ci95_j[1] - before.net_j)
    high = math.hypot(after.ci95_j[1] - after.net_j, before.net_j - before.ci95_j[0])
    return 1 + (difference - low) / before.net_j, 1 + (difference + high) / before.net_j


def count_ratio(ratio: float) -> tuple[float, float]:
    """Return the range of the ratio of two counts of instructions.

    Args:
        ratio: The ratio of the counts.
    """
    return ratio * (1 - COUNT_ERROR), ratio * (1 + COUNT_ERROR)
