"""Energy of one inference, from busy windows between idle windows.

The idle power during a busy window is interpolated linearly between the halves of the idle windows
next to it, and subtracted. Each half serves one busy window only, so that the windows are
independent. The published figure is the median over the windows, as in MLPerf Tiny's energy mode;
its 95 % interval is that of the mean by Student's t, with the spread of the windows or that of the
idle power, whichever is larger. A bootstrap of five values is too narrow
(``benchmarks/experiments/simulated_meters.toml`` compares the two).

The detection limit is sigma * sqrt(2) * T / N, where sigma is the standard deviation of the idle
power about a linear drift, T the length of a busy window and N its number of inferences: idle and
busy windows have the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgeecg.errors import MeterError
from edgeecg.schema import Energy, EnergyWindow
from edgeecg.statistics.student import quantile_975

MIN_WINDOWS = 3
"""With fewer valid windows there is no interval worth the name."""

# A line through fewer idle windows leaves too few degrees of freedom to estimate their noise.
_MIN_FOR_DRIFT = 4
_MIN_FOR_DEVIATION = 2

# The interval must end so many detection limits above 0. The limit is an estimate from few windows:
# of energies of half the limit, 1 in 1000 would pass by chance (4 in 1000 with a factor of 1).
_CLEAR = 1.5


class InvalidWindowError(Exception):
    """The energy of a window is unknown; the message says why."""


class EnergyCurve(Protocol):
    """The energy that a meter saw over time.

    Attributes:
        guard_s: Time before and after a busy window that is attributed to its inferences.
        resolution_w: Step of the power readings where nothing dithers them, or 0.
    """

    @property
    def guard_s(self) -> float: ...  # noqa: D102
    @property
    def resolution_w(self) -> float: ...  # noqa: D102

    def joules(self, begun_s: float, ended_s: float) -> float:
        """Return the energy of a period.

        Raises:
            InvalidWindowError: The meter does not cover the period, or not reliably.
        """
        ...


@dataclass(frozen=True)
class MeterFacts:
    """What an energy says of the meter that it was measured with; see :class:`Energy`."""

    name: str
    zones: tuple[str, ...]
    sample_rate_hz: float | None
    replayed: bool
    samples: int = 0
    lost: int = 0
    dropped: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Net:
    """Energies of one inference in one window, in joules, and the time of a busy window per run."""

    gross_j: float
    net_j: float
    seconds: float


def not_measured(reason: str) -> Energy:
    """Return an Energy without figures.

    Args:
        reason: Why the energy was not measured.
    """
    return Energy(
        tier="not measured", meter=None, reason=reason, gross_j=None, net_j=None, ci95_j=None
    )


def evaluate(
    windows: Sequence[EnergyWindow],
    curve: EnergyCurve,
    facts: MeterFacts,
    disturbed: Sequence[str | None] = (),
) -> Energy:
    """Compute the energy of one inference.

    Args:
        windows: Idle and busy windows in turn, with an idle one first and last.
        curve: The energy over time, on the clock of the windows.
        facts: The meter.
        disturbed: For each busy window, why it is not valid (the machine throttled), or None;
            empty when nothing is known.

    Returns:
        The energy; ``"not measured"`` when fewer than three windows are valid.

    Raises:
        MeterError: The meter is too slow for windows of this length.
    """
    nets: list[_Net] = []
    invalid: list[str] = []
    inferences = 0
    busy = [k for k, window in enumerate(windows) if window.inferences]
    for number, k in enumerate(busy):
        reason = disturbed[number] if number < len(disturbed) else None
        try:
            if reason is not None:
                raise InvalidWindowError(reason)
            nets.append(_net(windows, k, curve))
            inferences += windows[k].inferences
        except InvalidWindowError as error:
            invalid.append(f"Window {number + 1} of {len(busy)}: {error}")
    idle = _idle(windows, curve)
    if len(nets) < MIN_WINDOWS or idle is None:
        counted = f"{len(nets)} of {len(busy)} windows"
        if len(nets) >= MIN_WINDOWS:
            counted = "one rest, or none,"
        reasons = " ".join(invalid) or "More windows are needed for an interval."
        return not_measured(f"Only {counted} could be used. {reasons}").model_copy(
            update={"invalid": tuple(invalid), **_shared(facts)}
        )
    found = {
        **_statistics(nets, *idle, curve.resolution_w),
        "windows": len(nets),
        "inferences": inferences,
        "invalid": tuple(invalid),
        "guard_s": curve.guard_s,
        **_shared(facts),
    }
    return Energy.model_validate(found)


def check_idle_windows(seconds: float, guard_s: float) -> None:
    """Refuse idle windows of which hardly more than the guards would be left.

    Args:
        seconds: Length of an idle window.
        guard_s: Time at each of its ends that belongs to the window beside it.

    Raises:
        MeterError: The meter is too slow for windows of this length.
    """
    # Half a window counts for the busy window beside it. Less than this would be a sample or two.
    if seconds / 2 - guard_s >= guard_s / 2:
        return
    longer = math.ceil(10 * guard_s)
    raise MeterError(
        "The meter is too slow for windows of this length.",
        f"{guard_s:.3g} s before and after each window are needed to attribute its samples, "
        f"and the idle windows are {seconds:.3g} s long.",
        f"Measure with longer windows: 'edgeecg bench --duration {longer}', or a --suite with "
        f"idle_window_seconds = {longer}.",
    )


def _shared(facts: MeterFacts) -> dict[str, object]:
    return {
        "meter": facts.name,
        "zones": facts.zones,
        "sample_rate_hz": facts.sample_rate_hz,
        "replayed": facts.replayed,
        "samples": facts.samples,
        "lost": facts.lost,
        "dropped": facts.dropped,
        "warnings": facts.warnings,
    }


def _statistics(
    nets: Sequence[_Net], idle_w: float, sigma_w: float, resolution_w: float
) -> dict[str, object]:
    """Return the figures of an energy, and whether they are resolved.

    Args:
        nets: The energies of the valid windows.
        idle_w: Mean power at rest.
        sigma_w: Standard deviation of the mean power of an idle window.
        resolution_w: Step of the power readings, or 0.
    """
    net = np.array([each.net_j for each in nets])
    seconds = max(each.seconds for each in nets)
    # A reading is off by up to half a step, evenly distributed: its deviation is step / sqrt(12).
    step_w = resolution_w / math.sqrt(12)
    limit = math.hypot(sigma_w, step_w) * math.sqrt(2) * seconds
    median, mean = float(np.median(net)), float(net.mean())
    # Five windows may agree by chance: their spread is at least that of the idle power.
    spread = max(float(net.std(ddof=1)), sigma_w * math.sqrt(2) * seconds)
    half = quantile_975(net.size - 1) * spread / math.sqrt(net.size)
    half = math.hypot(half, 1.96 * step_w * math.sqrt(2) * seconds)
    low, high = min(mean - half, median), max(mean + half, median)
    doubt = _doubt(median, low, limit, spread)
    return {
        "tier": "not resolved" if doubt else "measured",
        "reason": doubt,
        "gross_j": float(np.median([each.gross_j for each in nets])),
        "net_j": median,
        "ci95_j": (low, high),
        "idle_w": idle_w,
        "detection_limit_j": limit,
        "window_net_j": tuple(net.tolist()),
    }


def _doubt(net_j: float, low_j: float, limit_j: float, spread_j: float) -> str | None:
    """Return why a net energy is not resolved, or None when it is.

    Args:
        net_j: The net energy of an inference.
        low_j: The low end of its interval.
        limit_j: The detection limit.
        spread_j: What the windows differ by, if that is more.
    """
    if net_j <= 0.0 or net_j < 2 * limit_j:
        return (
            f"Net {net_j:.2g} J per inference is below twice the detection limit, {limit_j:.2g} J."
        )
    if net_j < 2 * spread_j or low_j < _CLEAR * spread_j:
        return (
            f"Net {net_j:.2g} J per inference is not clear of its noise: the windows differ by "
            f"{spread_j:.2g} J, and the detection limit is {limit_j:.2g} J."
        )
    return None


def _net(windows: Sequence[EnergyWindow], k: int, curve: EnergyCurve) -> _Net:
    """Return the energy of an inference in busy window ``k``."""
    busy, guard = windows[k], curve.guard_s
    times: list[float] = []
    watts: list[float] = []
    for begun, ended in _idle_halves(windows, k, guard):
        times.append((begun + ended) / 2)
        watts.append(curve.joules(begun, ended) / (ended - begun))
    idle_w = float(np.interp((busy.begun_s + busy.ended_s) / 2, times, watts))
    length = busy.ended_s - busy.begun_s
    joules = curve.joules(busy.begun_s - guard, busy.ended_s + guard)
    net = (joules - idle_w * (length + 2 * guard)) / busy.inferences
    return _Net(net + idle_w * length / busy.inferences, net, length / busy.inferences)


def _idle_halves(
    windows: Sequence[EnergyWindow], k: int, guard: float
) -> Iterator[tuple[float, float]]:
    """Yield the half of the idle window before busy window ``k``, and that of the one after it."""
    for beside, first_half in ((k - 1, False), (k + 1, True)):
        if not 0 <= beside < len(windows) or windows[beside].inferences:
            raise InvalidWindowError("there is no idle window before and after it.")
        idle = windows[beside]
        begun, ended = idle.begun_s + guard, idle.ended_s - guard
        middle = (idle.begun_s + idle.ended_s) / 2
        check_idle_windows(idle.ended_s - idle.begun_s, guard)
        yield (begun, middle) if first_half else (middle, ended)


def _idle(windows: Sequence[EnergyWindow], curve: EnergyCurve) -> tuple[float, float] | None:
    """Return mean and standard deviation of the power of the idle windows, without a drift.

    None where fewer than two of them could be used as a whole.
    """
    times: list[float] = []
    watts: list[float] = []
    for window in windows:
        begun, ended = window.begun_s + curve.guard_s, window.ended_s - curve.guard_s
        if window.inferences or window.disturbed is not None:
            continue
        try:
            watts.append(curve.joules(begun, ended) / (ended - begun))
            times.append((begun + ended) / 2)
        except InvalidWindowError:
            # The busy windows next to it are left out, with the reason.
            continue
    if len(watts) < _MIN_FOR_DEVIATION:
        return None
    mean = float(np.mean(watts))
    if len(watts) < _MIN_FOR_DRIFT:
        return mean, float(np.std(watts, ddof=1))
    centred = np.array(times) - np.mean(times)
    slope = float(centred @ (np.array(watts) - mean) / (centred @ centred))
    rest = np.array(watts) - mean - slope * centred
    return mean, math.sqrt(float(rest @ rest) / (len(watts) - 2))
