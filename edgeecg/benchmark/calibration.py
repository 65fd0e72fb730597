"""Calibrating a device: measuring small graphs on it and fitting what an operation costs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from edgeecg import resources
from edgeecg.benchmark import conditions, energy_windows, latency, meter_choice
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.config import CalibrationConfig
from edgeecg.benchmark.disturbances import Disturbances
from edgeecg.benchmark.energy_measurement import WindowPlan
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.costs import calibration, proxy
from edgeecg.costs.calibration import Measured
from edgeecg.costs.counting import count
from edgeecg.devices import detection, profile_file
from edgeecg.errors import PluginError, UnknownNameError
from edgeecg.progress import ProgressCallback
from edgeecg.runs.options import configured, keyword_options
from edgeecg.runtimes import Runtime, get, names
from edgeecg.schema import (
    Calibration,
    CalibrationGraph,
    CalibrationReport,
    DeviceProfile,
    Energy,
    FittedCosts,
    LayerCost,
    Suite,
)

_ROUNDS = 3


class CalibratedRuntime(Runtime, Protocol):
    """A runtime that can build graphs to calibrate with."""

    def ladder(self) -> Iterator[tuple[str, bytes]]:
        """Yield files of increasing size with their names."""
        ...


@dataclass(frozen=True)
class _Graph:
    """One measured graph."""

    name: str
    layers: tuple[LayerCost, ...]
    seconds: float
    energy: Energy


def calibrate(
    out: str | Path | None = None,
    *,
    on_progress: ProgressCallback | None = None,
    **options: Any,
) -> CalibrationReport:
    """Measure small graphs on this device and fit time and energy to their operations.

    Args:
        out: Device profile to write, ``NAME.toml``, for ``edgeecg.bench(device="NAME.toml")`` and
            ``edgeecg.compress(costs="NAME.toml")``; None writes nothing.
        on_progress: Called before each graph with its name, its number and how many there are.
        **options: Fields of :class:`edgeecg.benchmark.config.CalibrationConfig`, e.g.
            ``runtime="onnxruntime"``, ``meter="none"``.

    Returns:
        The coefficients, and the measurements with what a fit without each of them predicts.

    Raises:
        UsageError: A setting is unknown or has a value that it cannot have, the device is not
            recognised, the runtime has no graphs, or ``out`` has another suffix.
        UnknownNameError: There is no such device, suite or meter.
        MeterError: The meter that was asked for by name does not work.
        MissingDependencyError: The runtime, or a package that it needs, is not installed.
        EdgeECGError: The profile cannot be written.
    """
    if out is not None:
        profile_file.check(Path(out))
    asked = keyword_options(options, CalibrationConfig.model_fields)
    config = configured(CalibrationConfig, CalibrationConfig(), asked)
    profile, report = measure(config, on_step=on_progress)
    if out is not None:
        profile_file.write(profile, Path(out))
    return report


def measure(
    config: CalibrationConfig,
    *,
    runtime: CalibratedRuntime | None = None,
    clock: Clock | None = None,
    on_step: ProgressCallback | None = None,
) -> tuple[DeviceProfile, CalibrationReport]:
    """Measure small graphs on this device and fit time and energy to their operations.

    Args:
        config: How to measure.
        runtime: The runtime; the one that ``config`` names when None.
        clock: The source of time; the machine's clock when None.
        on_step: Called before each graph with its name, its number and how many there are.

    Returns:
        The device profile with its calibration, and the measurements with what a fit without each
        of them predicts. Without a meter, or where it does not resolve the energy of the graphs,
        the time alone is fitted.

    Raises:
        UsageError: The device is not recognised, or the runtime has no graphs.
        UnknownNameError: There is no such device, suite or meter.
        MeterError: The meter that was asked for by name does not work.
        MissingDependencyError: The runtime, or a package that it needs, is not installed.
    """
    made = _named(config.runtime) if runtime is None else runtime
    profile, doubt = detection.chosen(config.device)
    suite = resources.load_suite(config.suite)
    meter_choice.check(config.meter)
    meter, why_none = meter_choice.chosen(config.meter, profile)
    ladder = list(made.ladder())
    graphs: list[_Graph] = []
    noise = np.random.default_rng(0)
    with latency.undisturbed(config.threads) as cpu, tempfile.TemporaryDirectory() as folder:
        before = detection.state(cpu)
        for number, (name, content) in enumerate(ladder):
            if on_step is not None:
                on_step(name, number, len(ladder))
            path = Path(folder) / f"graph.{made.FORMAT}"
            path.write_bytes(content)
            watch = Stopwatch(made.load(path, config.threads), clock or Clock())
            # Some operations are faster on zeros than on real data.
            watch.session.run(noise.standard_normal(watch.session.input_shape, np.float32))
            _time(watch, suite)
            run = energy_windows.in_this_process(watch.session.invoke, watch.clock)
            plan = WindowPlan(run, suite, watch.clock, disturbance=Disturbances(), cpu=cpu)
            graphs.append(
                _Graph(
                    name=name,
                    layers=count(path),
                    seconds=watch.times.p50_s,
                    energy=meter_choice.measure(meter, why_none, plan).energy,
                )
            )
        described = detection.describe(profile, before, detection.state(cpu))
    facts = _Facts(made.version(), config.threads, described.cpu, described.emulated)
    report = _fitted(graphs, profile.name, facts)
    warnings = (*([doubt] if doubt else []), *conditions.warnings(described, ()))
    report = report.model_copy(update={"warnings": warnings})
    return profile.model_copy(update={"calibration": report.calibration}), report


def _named(name: str) -> CalibratedRuntime:
    if name in names() and hasattr(found := get(name), "ladder"):
        return cast(CalibratedRuntime, found)
    raise UnknownNameError("runtime that can be calibrated", name, _calibrated())


def _calibrated() -> list[str]:
    """Return the runtimes that have graphs; those that cannot be imported are skipped."""
    calibrated: list[str] = []
    for name in names():
        with contextlib.suppress(PluginError):
            if hasattr(get(name), "ladder"):
                calibrated.append(name)
    return calibrated


def _time(watch: Stopwatch, suite: Suite) -> None:
    watch.warm_up(suite.warmup_runs, suite.warmup_seconds)
    for _ in range(_ROUNDS):
        watch.collect(suite.min_runs // _ROUNDS, suite.min_seconds / _ROUNDS / 4)


@dataclass(frozen=True)
class _Facts:
    """What a calibration says of its measurements."""

    runtime: str
    threads: int
    cpu: str | None
    emulated: bool


def _fitted(graphs: list[_Graph], device: str, facts: _Facts) -> CalibrationReport:
    seconds, predicted_s = calibration.fit([_measured(each, each.seconds) for each in graphs])
    joules, predicted_j, reason = _energy(graphs)
    meters = {each.energy.meter for each in graphs if each.energy.meter}
    return CalibrationReport(
        device=device,
        calibration=Calibration(
            runtime=facts.runtime,
            threads=facts.threads,
            cpu=facts.cpu,
            emulated=facts.emulated,
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            meter=next(iter(meters), None) if joules is not None else None,
            replayed=joules is not None and any(each.energy.replayed for each in graphs),
            seconds=seconds,
            joules=joules,
            reason=reason,
        ),
        graphs=tuple(
            CalibrationGraph(
                name=each.name,
                macs=proxy.totals(each.layers).macs,
                moved_bytes=calibration.moved_bytes(each.layers),
                seconds=each.seconds,
                predicted_s=predicted_s[number],
                energy=each.energy,
                predicted_j=predicted_j.get(each.name),
            )
            for number, each in enumerate(graphs)
        ),
    )


def _measured(graph: _Graph, value: float) -> Measured:
    return Measured(graph.layers, value)


def _energy(graphs: list[_Graph]) -> tuple[FittedCosts | None, dict[str, float], str | None]:
    """Return the fitted energy and its predictions by graph, or why there is none."""
    resolved = [each for each in graphs if each.energy.tier == "measured" and each.energy.net_j]
    reasons = [each.energy.reason for each in graphs if each.energy.reason]
    kinds = [{layer.dtype for each in few for layer in each.layers} for few in (graphs, resolved)]
    if kinds[0] != kinds[1]:
        return None, {}, reasons[0] if reasons else "No energy was measured."
    with contextlib.suppress(ValueError):
        points = [_measured(each, each.energy.net_j or 0.0) for each in resolved]
        joules, predicted = calibration.fit(points)
        names = [each.name for each in resolved]
        return joules, dict(zip(names, predicted, strict=True)), None
    why = f"The energy of {len(resolved)} of {len(graphs)} graphs was resolved. "
    return None, {}, why + " ".join(reasons[:1])
