"""Energy of one inference: busy windows between idle windows, with the idle power subtracted.

The scheme is that of MLPerf Tiny's energy mode (median of five windows), with an idle window before
and after each busy one. The idle power during a busy window is interpolated linearly. The detection
limit is sigma * sqrt(2) * T / N, where sigma is the standard deviation of the idle power, T the
length of a busy window and N its number of inferences: idle and busy windows have the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeecg.benchmark.clock import Clock
from edgeecg.errors import MeterError
from edgeecg.meters import EnergyCounter
from edgeecg.schema import Energy, Suite

_READ_EVERY_S = 1.0
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Window:
    """One window of a measurement.

    Attributes:
        seconds: Length of the window.
        joules: Energy during the window, of everything that the meter covers.
        inferences: Number of inferences during the window; 0 for an idle window.
        middle_s: Time of the middle of the window.
    """

    seconds: float
    joules: float
    inferences: int
    middle_s: float

    @property
    def watts(self) -> float:
        """Mean power during the window."""
        return self.joules / self.seconds


def not_measured(reason: str) -> Energy:
    """Return an Energy without figures.

    Args:
        reason: Why the energy was not measured.
    """
    return Energy(
        tier="not measured", meter=None, reason=reason, gross_j=None, net_j=None, ci95_j=None
    )


def measure(invoke: Callable[[], None], meter: EnergyCounter, suite: Suite, clock: Clock) -> Energy:
    """Measure the energy of one inference with an open meter.

    Args:
        invoke: Runs one inference.
        meter: The meter.
        suite: Number and length of the windows, and the warm-up.
        clock: The source of time.

    Raises:
        MeterError: The meter fails, or counts no energy.
    """
    _window(meter, clock, suite.idle_window_seconds, None)
    _window(meter, clock, max(suite.warmup_seconds, 0.1), invoke)
    idle = [_window(meter, clock, suite.idle_window_seconds, None)]
    busy: list[Window] = []
    for _ in range(suite.energy_windows):
        busy.append(_window(meter, clock, suite.energy_window_seconds, invoke))
        idle.append(_window(meter, clock, suite.idle_window_seconds, None))
    if any(window.joules <= 0.0 for window in [*busy, *idle]):
        raise MeterError(
            f"The meter '{meter.name}' counted no energy.",
            "Its value did not change during a whole window, and a running machine uses energy.",
            "Check the meter; if it is slow, use a suite with longer windows.",
        )
    return evaluate(busy, idle, meter)


def evaluate(busy: Sequence[Window], idle: Sequence[Window], meter: EnergyCounter) -> Energy:
    """Compute the energy of one inference from windows.

    Args:
        busy: Windows with inferences.
        idle: Idle windows before, between and after them; at least two.
        meter: The meter that was read.
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


def _window(
    meter: EnergyCounter, clock: Clock, seconds: float, invoke: Callable[[], None] | None
) -> Window:
    """Run inferences, or wait, for a window; read the meter at its ends and once a second."""
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
