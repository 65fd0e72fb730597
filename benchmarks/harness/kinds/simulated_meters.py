"""How often the 95 % interval of the energy holds the true value, on simulated meters.

Every scenario is a meter and a fault of measurements: noise, drift, idle power that steps, lost
and absurd samples, gaps, a clock that is off. The samples of a run of idle and busy windows with a
known energy per inference are generated, and ``edgeecg.benchmark.power_energy`` computes it from
them, as ``edgeecg bench`` does. A bootstrap of the median, which gave the intervals of earlier
versions, is computed from the same windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark.power_energy import from_trace
from edgeecg.benchmark.recording import PowerTrace, plausible
from edgeecg.meters import Samples
from edgeecg.schema import Energy, EnergyWindow

from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("numpy",)

Floats = NDArray[np.float64]

# The suite "default": five windows of 10 s between idle windows of 10 s.
_WINDOWS, _SECONDS, _INFERENCES = 5, 10.0, 10_000
_IDLE_W = 2.5
_RESAMPLES = 2000


@dataclass(frozen=True)
class Scenario:
    """A meter, and what disturbs it.

    Attributes:
        what: The scenario in words.
        rate_hz: Rate of the samples.
        noise_w: Standard deviation of a sample.
        net_w: True power of the inferences, above idle.
        wander_w: Standard deviation of slow noise, with a time constant of 20 s.
        drift_w: Rise of the idle power over the whole measurement.
        steps: Number of times that the idle power steps by up to ``step_w``, up or down.
        step_w: Largest step.
        lost: Share of samples that are lost.
        gap_s: Length of one gap at a random moment.
        absurd: Share of samples that are absurd.
        offset_s: Standard deviation of the offset of the clocks; twice that is its uncertainty.
        skew: Relative error of the meter's clock.
        step_size_w: Step of the readings, or 0.
        stuck: Whether the meter repeats one value in the second half.
    """

    what: str
    rate_hz: float = 1000.0
    noise_w: float = 0.2
    net_w: float = 0.5
    wander_w: float = 0.0
    drift_w: float = 0.0
    steps: int = 0
    step_w: float = 0.0
    lost: float = 0.0
    gap_s: float = 0.0
    absurd: float = 0.0
    offset_s: float = 0.0
    skew: float = 0.0
    step_size_w: float = 0.0
    stuck: bool = False


QUIET = Scenario("1 kHz, white noise")
SCENARIOS = (
    Scenario("5 Hz, white noise", rate_hz=5.0, noise_w=0.05),
    Scenario("25 Hz, readings in steps of 5 mW", rate_hz=25.0, noise_w=0.01, step_size_w=0.005),
    Scenario("25 Hz, steps of 50 mW, less noise than a step", 25.0, 0.004, step_size_w=0.05),
    QUIET,
    # A meter with 100,000 samples a second delivers means over a millisecond.
    replace(QUIET, what="100 kHz as means over 1 ms, white noise", noise_w=2.0 / 10),
    replace(QUIET, what="idle power drifts by 0.5 W", drift_w=0.5),
    replace(QUIET, what="idle power steps twice by up to 0.25 W", steps=2, step_w=0.25),
    replace(QUIET, what="slow noise of 20 mW", wander_w=0.02),
    replace(QUIET, what="5 % of the samples lost", lost=0.05),
    replace(QUIET, what="a gap of 2 s", gap_s=2.0),
    replace(QUIET, what="1 % absurd samples", absurd=0.01),
    replace(QUIET, what="clocks 20 ms apart, unknown", offset_s=0.02),
    replace(QUIET, what="meter's clock 100 ppm too fast", skew=1e-4),
    replace(QUIET, what="the meter repeats one value from the middle on", stuck=True),
)


BELOW = "half the detection limit"


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each scenario, and for two of them below the detection limit."""
    runs = experiment.settings["runs"]
    for scenario in SCENARIOS:
        yield Task({"scenario": scenario.what}, partial(_row, scenario, runs))
    for scenario in (SCENARIOS[0], QUIET):
        key = {"scenario": f"{scenario.what}; {BELOW}"}
        yield Task(key, partial(_row_below, scenario, runs))


def _row(scenario: Scenario, runs: int) -> list[dict[str, Any]]:
    return [row_of(scenario, runs)]


def _row_below(scenario: Scenario, runs: int) -> list[dict[str, Any]]:
    return [below_the_limit(scenario, runs)]


@dataclass(frozen=True)
class Run:
    """One simulated measurement: what was done, and what the meter delivered."""

    windows: tuple[EnergyWindow, ...]
    trace: PowerTrace
    guard_s: float


def simulated(scenario: Scenario, rng: np.random.Generator) -> Run:
    """Return one measurement of a scenario."""
    begun = 100.0
    windows = tuple(
        EnergyWindow(
            begun_s=begun + k * _SECONDS,
            ended_s=begun + (k + 1) * _SECONDS,
            inferences=_INFERENCES * (k % 2),
        )
        for k in range(2 * _WINDOWS + 1)
    )
    length = windows[-1].ended_s - begun + 2.0
    count = int(length * scenario.rate_hz)
    t = begun - 1.0 + (np.arange(count) + rng.uniform()) / scenario.rate_hz
    watts = _idle(scenario, t - t[0], length, rng)
    busy = ((t - begun) // _SECONDS) % 2 == 1
    watts += scenario.net_w * (busy & (t > begun) & (t < windows[-1].ended_s))
    watts += scenario.noise_w * rng.standard_normal(count)
    if scenario.step_size_w:
        watts = np.round(watts / scenario.step_size_w) * scenario.step_size_w
    if scenario.stuck:
        watts[count // 2 :] = watts[count // 2]
    absurd = rng.uniform(size=count) < scenario.absurd
    watts[absurd] = rng.choice([np.nan, 9.8e6, -9.3e8], size=int(absurd.sum()))
    keep = rng.uniform(size=count) >= scenario.lost
    if scenario.gap_s:
        start = rng.uniform(t[0], t[-1] - scenario.gap_s)
        keep &= (t < start) | (t > start + scenario.gap_s)
    seen = t + scenario.offset_s * rng.standard_normal() + scenario.skew * (t - t[0])
    pairs = plausible(Samples(seen[keep], watts[keep]), max_watts=100.0)
    trace = PowerTrace(
        meter="simulated",
        zones=("supply",),
        sample_rate_hz=scenario.rate_hz,
        replayed=True,
        t_s=pairs["t_s"],
        watts=pairs["watts"],
        lost=int((~keep).sum()),
        dropped=int(keep.sum()) - pairs.size,
        resolution_w=scenario.step_size_w,
    )
    return Run(windows, trace, 2 * scenario.offset_s)


def _idle(scenario: Scenario, t: Floats, length: float, rng: np.random.Generator) -> Floats:
    """Return the power at rest: constant, drifting, stepping, wandering."""
    watts = _IDLE_W + scenario.drift_w * t / length
    for moment in rng.uniform(0.0, length, scenario.steps):
        watts = watts + (t > moment) * rng.uniform(-scenario.step_w, scenario.step_w)
    if scenario.wander_w:
        # An Ornstein-Uhlenbeck process, at one value a second.
        seconds = int(length) + 2
        keep = np.exp(-1.0 / 20.0)
        values = np.empty(seconds)
        values[0] = scenario.wander_w * rng.standard_normal()
        shocks = scenario.wander_w * np.sqrt(1 - keep**2) * rng.standard_normal(seconds)
        for k in range(1, seconds):
            values[k] = keep * values[k - 1] + shocks[k]
        watts = watts + np.interp(t, np.arange(seconds), values)
    return watts


def bootstrap(net_j: tuple[float, ...]) -> tuple[float, float]:
    """Return the percentile interval of the median, which is too narrow for five values."""
    values = np.array(net_j)
    drawn = np.random.default_rng(0).choice(values, (_RESAMPLES, values.size))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(low), float(high)


def row_of(scenario: Scenario, runs: int, seed: int = 0) -> dict[str, Any]:
    """Simulate a scenario many times, and count.

    Args:
        scenario: The scenario.
        runs: Number of measurements.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    truth = scenario.net_w * _SECONDS / _INFERENCES
    found: list[Energy] = []
    for _ in range(runs):
        run = simulated(scenario, rng)
        found.append(from_trace(run.windows, run.trace, run.guard_s))
    given = [each for each in found if each.ci95_j is not None]
    wrong = [each for each in given if each.tier == "measured" and not _holds(each.ci95_j, truth)]
    return {
        "rate_hz": scenario.rate_hz,
        "true_net_j": truth,
        "runs": runs,
        "seed": seed,
        "tiers": {
            tier: sum(each.tier == tier for each in found)
            for tier in ("measured", "not resolved", "not measured")
        },
        "interval_holds": _share(given, lambda each: _holds(each.ci95_j, truth)),
        "bootstrap_holds": _share(given, lambda each: _holds(bootstrap(each.window_net_j), truth)),
        "width_over_truth": _median(given, lambda each: _width(each.ci95_j) / truth),
        "error_over_truth": _median(given, lambda each: abs((each.net_j or 0.0) / truth - 1)),
        "largest_error_over_truth": max(
            (abs((each.net_j or 0.0) / truth - 1) for each in wrong), default=0.0
        ),
        "with_warning": sum(bool(each.warnings or each.invalid) for each in found),
        "detection_limit_j": _median(given, lambda each: each.detection_limit_j or 0.0),
    }


def below_the_limit(scenario: Scenario, runs: int) -> dict[str, Any]:
    """Simulate a net energy of half the detection limit; none may be called measured."""
    limit = row_of(scenario, 20, seed=1)["detection_limit_j"]
    weak = replace(scenario, net_w=0.5 * limit * _INFERENCES / _SECONDS)
    return row_of(weak, runs, seed=2)


def _holds(interval: tuple[float, float] | None, truth: float) -> bool:
    return interval is not None and interval[0] <= truth <= interval[1]


def _width(interval: tuple[float, float] | None) -> float:
    return 0.0 if interval is None else interval[1] - interval[0]


def _share(given: list[Energy], holds: Callable[[Energy], bool]) -> float | None:
    return sum(map(holds, given)) / len(given) if given else None


def _median(given: list[Energy], value: Callable[[Energy], float]) -> float | None:
    return float(np.median([value(each) for each in given])) if given else None
