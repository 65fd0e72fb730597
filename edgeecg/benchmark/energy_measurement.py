"""Measuring the energy of one inference with a meter: its windows, and what disturbs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from edgeecg import meters
from edgeecg.benchmark import energy, power_energy, recording
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.counter_energy import CounterCurve
from edgeecg.benchmark.energy import MeterFacts
from edgeecg.benchmark.energy_windows import RunWindow, WindowRunner
from edgeecg.benchmark.recording import Recorder
from edgeecg.meters import EnergyCounter
from edgeecg.schema import Energy, EnergyWindow, Suite

# So many times the windows of the suite are run to reach --target-error.
_MOST = 10


class Elsewhere(Protocol):
    """The machine that reads the meter, where that is another one."""

    def ran(self, window: EnergyWindow) -> None:
        """Take note of a busy window that has just ended."""
        ...

    def energy(self, windows: Sequence[EnergyWindow]) -> Energy:
        """Return the energy of an inference.

        Args:
            windows: Idle and busy windows in turn.
        """
        ...


@dataclass(frozen=True)
class WindowPlan:
    """How the windows of one file are run.

    Attributes:
        run: Runs a busy window.
        suite: Number and length of the windows, and the warm-up.
        clock: The source of time.
        target_error: Half of the interval relative to the net energy that is wanted, or None for
            the windows of the suite.
        disturbance: Called after each window; returns why it is not valid, or None.
        on_window: Called with what is being done, before each window.
        cpu: The processor that the inferences are bound to, or None.
        elsewhere: The machine that reads the meter, or None.
    """

    run: RunWindow
    suite: Suite
    clock: Clock
    target_error: float | None = None
    disturbance: Callable[[], str | None] = lambda: None
    on_window: Callable[[str], None] = lambda text: None
    cpu: int | None = None
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True)
class MeasuredEnergy:
    """The energy of one inference, and the windows it was measured in."""

    energy: Energy
    windows: tuple[EnergyWindow, ...]


def measure(name: str, plan: WindowPlan) -> MeasuredEnergy:
    """Measure the energy of one inference.

    A meter that fails in between costs the windows that it does not cover, and no more.

    Args:
        name: The meter, as ``--meter`` takes it.
        plan: The windows.

    Raises:
        MeterError: The meter cannot be opened, or is too slow for the windows.
        UnknownNameError: There is no meter of this name.
        MissingDependencyError: Its package is not installed.
        PluginError: It belongs to another package and cannot be imported.
    """
    if not meters.delivers_samples(name):
        with contextlib.closing(cast(EnergyCounter, meters.open_meter(name))) as meter:
            return _counted(meter, plan)
    with recording.recording(name, cpu=plan.cpu) as recorder:
        return _recorded(recorder, plan)


def without_meter(plan: WindowPlan, reason: str) -> MeasuredEnergy:
    """Run the windows for a meter that is read elsewhere, by the times of the windows.

    Args:
        plan: The windows.
        reason: What the result says of its energy where nobody computes it meanwhile.
    """
    run = _Windows(plan, WindowRunner(plan.run, plan.clock))

    def evaluated() -> Energy:
        if plan.elsewhere is None:
            return energy.not_measured(reason)
        return plan.elsewhere.energy(run.windows)

    return MeasuredEnergy(run.all(evaluated), run.windows)


def _counted(meter: EnergyCounter, plan: WindowPlan) -> MeasuredEnergy:
    curve = CounterCurve(meter)
    run = _Windows(plan, WindowRunner(plan.run, plan.clock, curve.read))

    def evaluated() -> Energy:
        facts = MeterFacts(
            name=meter.name,
            zones=tuple(meter.zones),
            sample_rate_hz=meter.sample_rate_hz,
            replayed=meter.replayed,
            warnings=() if curve.error is None else (f"The meter failed: {curve.error}",),
        )
        return energy.evaluate(run.windows, curve, facts, run.disturbed)

    return MeasuredEnergy(run.all(evaluated), run.windows)


def _recorded(recorder: Recorder, plan: WindowPlan) -> MeasuredEnergy:
    # Before the first window, not after the last one.
    guard_s = power_energy.guard_of(recorder.sample_rate_hz)
    energy.check_idle_windows(plan.suite.idle_window_seconds, guard_s)
    run = _Windows(plan, WindowRunner(plan.run, plan.clock), recorder.latest_watts)

    def evaluated() -> Energy:
        # The samples that follow the last window belong to its guard; wait for them.
        recorder.wait_until(run.windows[-1].ended_s)
        return power_energy.from_trace(run.windows, recorder.trace(), disturbed=run.disturbed)

    return MeasuredEnergy(run.all(evaluated), run.windows)


class _Windows:
    """The windows of one measurement, and why some of them are not valid."""

    def __init__(
        self,
        plan: WindowPlan,
        runner: WindowRunner,
        watts: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.disturbed: list[str | None] = []
        self._disturbed_rests: list[str | None] = []
        self._plan = plan
        self._runner = runner
        self._watts = watts

    @property
    def windows(self) -> tuple[EnergyWindow, ...]:
        busy, rests = iter(self.disturbed), iter(self._disturbed_rests)
        return tuple(
            each.model_copy(update={"disturbed": next(busy if each.inferences else rests, None)})
            for each in self._runner.windows
        )

    def all(self, evaluated: Callable[[], Energy]) -> Energy:
        """Run the windows of the suite, and more if the target needs them."""
        suite = self._plan.suite
        # The machine cools down and settles; then the model warms up. Neither counts.
        self._plan.on_window("energy, cooling down")
        self._runner.idle(suite.idle_window_seconds)
        self._runner.busy(max(suite.warmup_seconds, 0.1))
        self._runner.windows.clear()
        self._plan.disturbance()
        self._idle()
        for number in range(suite.energy_windows):
            self._pair(number, suite.energy_windows)
        found = evaluated()
        most = _MOST * suite.energy_windows
        while (error := self._missing(found)) is not None and len(self.disturbed) < most:
            self._pair(len(self.disturbed), most)
            found = evaluated()
        if error is None:
            return found
        doubt = (
            f"After {len(self.disturbed)} windows the 95 % interval is still {100 * error:.2g} % "
            f"wide on either side; {100 * (self._plan.target_error or 0.0):.2g} % were asked for."
        )
        return found.model_copy(update={"warnings": (*found.warnings, doubt)})

    def _missing(self, found: Energy) -> float | None:
        """Return the relative half of the interval, or None where it is narrow enough."""
        target = self._plan.target_error
        if target is None or found.ci95_j is None or not found.net_j:
            return None
        low, high = found.ci95_j
        error = (high - low) / 2 / abs(found.net_j)
        return None if error <= target else error

    def _pair(self, number: int, total: int) -> None:
        watts = self._watts()
        power = "" if watts is None else f", {watts:.3g} W"
        self._plan.on_window(f"energy, window {number + 1} of {total}{power}")
        self._runner.busy(self._plan.suite.energy_window_seconds)
        if self._plan.elsewhere is not None:
            self._plan.elsewhere.ran(self._runner.windows[-1])
        # Between the windows, so that asking costs none of them anything.
        now = self._plan.disturbance()
        self.disturbed.append(now or self._disturbed_rests[-1])
        self._idle()
        # Half of a rest counts for the window before it, and half for the one after it.
        self.disturbed[-1] = self.disturbed[-1] or self._disturbed_rests[-1]

    def _idle(self) -> None:
        self._runner.idle(self._plan.suite.idle_window_seconds)
        self._disturbed_rests.append(self._plan.disturbance())
