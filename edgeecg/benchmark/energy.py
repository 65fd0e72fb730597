"""Energy of one inference: busy windows between idle windows, idle interpolated and subtracted.

The scheme of MLPerf Tiny's energy mode (median of five windows), with an idle window around each
busy one. Detection limit: idle sigma * sqrt(2) * T / N, for idle is subtracted from a window that
carries the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeecg.benchmark.clock import Clock
from edgeecg.errors import MeterError
from edgeecg.meters import Meter
from edgeecg.schema import Energy, Suite

_READ_EVERY_S = 1.0
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Window:
    """One window.

    Attributes:
        seconds: Its length.
        joules: Energy in it, of everything the meter covers.
        inferences: Inferences in it; 0 when idle.
        middle_s: Time of its middle.
    """

    seconds: float
    joules: float
    inferences: int
    middle_s: float

    @property
    def watts(self) -> float:
        """Mean power."""
        return self.joules / self.seconds


def not_measured(reason: str) -> Energy:
    """Return the Energy that says why there is none."""
    return Energy(
        tier="not measured", meter=None, reason=reason, gross_j=None, net_j=None, ci95_j=None
    )


def measure(
    invoke: Callable[[], None],
    meter: Meter,
    suite: Suite,
    clock: Clock,
    advance: Callable[[], None] = lambda: None,
) -> Energy:
    """Measure one file with an open meter.

    Args:
        invoke: Runs one inference.
        meter: The meter.
        suite: Number and length of the windows, and the warm-up.
        clock: Where time comes from.
        advance: Called after each busy window.

    Raises:
        MeterError: The meter fails, or stands still.
    """
    _watched(meter, clock, suite.idle_window_seconds, None)
    _watched(meter, clock, max(suite.warmup_seconds, 0.1), invoke)
    idle = [_watched(meter, clock, suite.idle_window_seconds, None)]
    busy: list[Window] = []
    for _ in range(suite.energy_windows):
        busy.append(_watched(meter, clock, suite.energy_window_seconds, invoke))
        idle.append(_watched(meter, clock, suite.idle_window_seconds, None))
        advance()
    if any(window.joules <= 0.0 for window in [*busy, *idle]):
        raise MeterError(
            f"The meter '{meter.name}' stood still.",
            "A whole window passed without any energy, which no running machine does.",
            "Check the meter; use longer windows if it is slow.",
        )
    return evaluate(busy, idle, meter)


def evaluate(busy: Sequence[Window], idle: Sequence[Window], meter: Meter) -> Energy:
    """Turn windows into joules per inference.

    Args:
        busy: Windows full of inferences.
        idle: Windows around and between them, at least two.
        meter: Where they come from.
    """
    watts = np.interp(
        [window.middle_s for window in busy],
        [window.middle_s for window in idle],
        [window.watts for window in idle],
    )
    net = np.array(
        [
            (window.joules - float(power) * window.seconds) / window.inferences
            for window, power in zip(busy, watts, strict=True)
        ]
    )
    sigma = float(np.std([window.watts for window in idle], ddof=1))
    limit = max(sigma * math.sqrt(2) * w.seconds / w.inferences for w in busy)
    median = float(np.median(net))
    resolved = median >= 2 * limit and median > 0.0
    doubt = f"Net {median:.2g} J per inference is below twice the detection limit, {limit:.2g} J."
    return Energy(
        tier="measured" if resolved else "not resolved",
        meter=meter.name,
        reason=None if resolved else doubt,
        gross_j=float(np.median([window.joules / window.inferences for window in busy])),
        net_j=median,
        ci95_j=_interval(net),
        idle_w=float(np.mean([window.watts for window in idle])),
        detection_limit_j=limit,
        windows=len(busy),
        inferences=sum(window.inferences for window in busy),
        zones=meter.zones,
        sample_rate_hz=meter.sample_rate_hz,
        replayed=meter.replayed,
    )


def _interval(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the bootstrap 95 % interval of the median (percentile method, fixed seed)."""
    drawn = np.random.default_rng(0).choice(values, (_RESAMPLES, values.size))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5)).tolist()
    return low, high


def _watched(
    meter: Meter, clock: Clock, seconds: float, invoke: Callable[[], None] | None
) -> Window:
    """Run, or wait, for a window, and read the meter at its edges and about once a second."""
    before, begun = meter.joules(), clock.now()
    end, read_at = begun + seconds, begun
    runs, now = 0, begun
    while now < end or (invoke is not None and runs == 0):
        if invoke is None:
            clock.sleep(min(_READ_EVERY_S, max(end - now, 0.0)))
        else:
            invoke()
            runs += 1
        now = clock.now()
        if now < end and (invoke is None or now - read_at >= _READ_EVERY_S):
            meter.joules()
            read_at = now
    joules = meter.joules() - before
    now = clock.now()
    return Window(now - begun, joules, runs, (begun + now) / 2)
