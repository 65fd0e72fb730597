"""The smallest power that each kind of meter resolves, simulated from its data sheet.

A meter is described by the rate, the noise and the step of its readings. Measurements of the suite
"default" are simulated with it (see ``simulated_meters``), on devices whose power at rest
fluctuates slowly by 1 mW and by 20 mW. No instrument was tried: the gain error of a meter, its
drift, and all that a data sheet leaves out are missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark.counter_energy import CounterCurve
from edgeecg.benchmark.energy import MeterFacts, evaluate
from edgeecg.benchmark.power_energy import from_trace
from edgeecg.schema import Energy

from ..experiment import Context, Experiment
from ..tasks import Task
from .simulated_meters import Scenario, simulated

PACKAGES = ("numpy",)

FLUCTUATIONS_W = (0.001, 0.02)
"""Standard deviation of the power at rest, with a time constant of 20 s."""
RATE = 1000.0
"""Inferences a second of the simulation: 10,000 in a window of 10 s."""

# Net powers that are tried, relative to the detection limit, until enough runs are "measured".
_FACTORS = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0)
_ENOUGH = 0.9


@dataclass(frozen=True)
class MeterSheet:
    """What is known of a kind of meter.

    Attributes:
        meter: The name of the meter in edgeecg.
        instrument: The instrument.
        rate_hz: Rate of the samples that edgeecg takes from it.
        noise_w: Standard deviation of a sample.
        step_w: Step of the readings; 0 where the mean of many readings has none that matters.
        source: Where these figures are from.
        step_j: Step of a meter that counts energy.
        more_w: Power at rest beyond that of the simulated device.
    """

    meter: str
    instrument: str
    rate_hz: float
    noise_w: float
    step_w: float
    source: str
    step_j: float = 0.0
    more_w: float = 0.0


# Currents at a supply of 5 V. Where no noise is stated, it is that of a reading that is off by up
# to half a step of the converter: step / sqrt(12).
_HALF_STEP = 1 / math.sqrt(12)
METERS = (
    MeterSheet(
        "joulescope",
        "Joulescope JS220",
        100.0,
        5.0 * 20.0 / 2**16 * _HALF_STEP / math.sqrt(10_000),
        0.0,
        "assumed to have 16 bits over ±10 A; edgeecg reads means of 10,000 samples",
    ),
    MeterSheet(
        "ppk2",
        "Nordic PPK2",
        1000.0,
        5.0 * 1e-3 * _HALF_STEP / math.sqrt(100),
        0.0,
        "1 mA in its largest range (Nordic); edgeecg takes means of 100 samples; no noise stated",
    ),
    MeterSheet(
        "rapl",
        "RAPL of a processor, 10 W at rest",
        1000.0,
        0.0,
        0.0,
        "a counter with steps of 61 µJ, renewed every millisecond (Intel SDM, volume 3)",
        step_j=2.0**-14,
        more_w=7.5,
    ),
    MeterSheet(
        "usb",
        "RDTech UM25C",
        2.0,
        5.0 * 1e-4 * _HALF_STEP,
        5.0 * 1e-4,
        "steps of 0.1 mA, two readings a second (sigrok, RDTech UM series)",
    ),
    MeterSheet(
        "hwmon",
        "INA219 with 0.1 Ω",
        100.0,
        5.0 * 1e-4,
        5.0 * 1e-3,
        "10 µV over the shunt (TI SBOS448); the kernel gives whole milliamperes",
    ),
    MeterSheet(
        "pi5_pmic",
        "PMIC of a Raspberry Pi 5",
        10.0,
        0.85 * 8.93e-3 * _HALF_STEP,
        0.85 * 8.93e-3,
        "VDD_CORE in steps of 8.93 mA (published outputs of vcgencmd; there is no data sheet)",
    ),
    MeterSheet(
        "usb",
        "RDTech UM24C, UM34C",
        2.0,
        5.0 * 1e-3 * _HALF_STEP,
        5.0 * 1e-3,
        "steps of 1 mA, two readings a second (sigrok, RDTech UM series)",
    ),
    MeterSheet(
        "shelly",
        "Shelly plug",
        1.0,
        0.1 * _HALF_STEP,
        0.1,
        "steps of 0.1 W, about one reading a second (Shelly API)",
    ),
)


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each meter and each device."""
    for sheet in METERS:
        for wander_w in FLUCTUATIONS_W:
            key = {"instrument": sheet.instrument, "fluctuation_w": wander_w}
            yield Task(key, partial(_row, sheet, wander_w, experiment.settings["runs"]))


def _row(sheet: MeterSheet, wander_w: float, runs: int) -> list[dict[str, Any]]:
    return [row_of(sheet, wander_w, runs)]


@dataclass
class _Counter:
    """A counter of energy that advances in steps, and that is renewed with every sample."""

    t_s: NDArray[np.float64]
    counted_j: NDArray[np.float64]
    now_s: float = 0.0
    name: str = "simulated"
    zones: tuple[str, ...] = ("package-0",)
    sample_rate_hz: float | None = 1000.0
    replayed: bool = True

    def joules(self) -> float:
        """Return the energy at the last renewal."""
        return float(self.counted_j[np.searchsorted(self.t_s, self.now_s, "right") - 1])

    def close(self) -> None:
        """Do nothing."""


def measured(sheet: MeterSheet, wander_w: float, net_w: float, rng: np.random.Generator) -> Energy:
    """Simulate one measurement.

    Args:
        sheet: The meter.
        wander_w: Slow fluctuation of the power at rest.
        net_w: Power of the inferences.
        rng: Source of the random numbers.
    """
    scenario = Scenario(
        sheet.instrument,
        rate_hz=sheet.rate_hz,
        noise_w=sheet.noise_w,
        net_w=net_w,
        wander_w=wander_w,
        step_size_w=sheet.step_w,
    )
    run = simulated(scenario, rng)
    if not sheet.step_j:
        return from_trace(run.windows, run.trace)
    watts = run.trace.watts + sheet.more_w
    joules = np.cumsum(watts) / sheet.rate_hz + rng.uniform() * sheet.step_j
    counter = _Counter(run.trace.t_s, np.floor(joules / sheet.step_j) * sheet.step_j)
    curve = CounterCurve(counter)
    for window in run.windows:
        times = [window.begun_s, window.ended_s]
        if not window.inferences:
            times.insert(1, (window.begun_s + window.ended_s) / 2)
        for counter.now_s in times:
            curve.read(counter.now_s)
    return evaluate(run.windows, curve, MeterFacts("simulated", counter.zones, sheet.rate_hz, True))


def row_of(sheet: MeterSheet, wander_w: float, runs: int) -> dict[str, Any]:
    """Return the detection limit of a meter, and from which power on it measures.

    Args:
        sheet: The meter.
        wander_w: Slow fluctuation of the power at rest.
        runs: Number of measurements of each power.
    """
    rng = np.random.default_rng(0)
    limits = [measured(sheet, wander_w, 1.0, rng).detection_limit_j for _ in range(runs)]
    limit_w = float(np.median([each for each in limits if each is not None])) * RATE
    resolved_w = None
    for factor in _FACTORS:
        found = [measured(sheet, wander_w, factor * limit_w, rng) for _ in range(runs)]
        if sum(each.tier == "measured" for each in found) >= _ENOUGH * runs:
            resolved_w = factor * limit_w
            break
    return {
        "meter": sheet.meter,
        "instrument": sheet.instrument,
        "rate_hz": sheet.rate_hz,
        "noise_w": sheet.noise_w,
        "step_w": sheet.step_w,
        "step_j": sheet.step_j,
        "source": sheet.source,
        "fluctuation_w": wander_w,
        "detection_limit_w": limit_w,
        "measured_from_w": resolved_w,
        "inferences_per_s": RATE,
        "runs": runs,
        "seed": 0,
    }
