"""The steps of measuring one file: loading it, its profile, its duty cycle and its energy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import artifacts, latency, layers, memory, meter_choice, parity
from edgeecg.benchmark.artifacts import ModelFile
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.energy_measurement import MeasuredEnergy, WindowPlan
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.devices import detection
from edgeecg.progress import ProgressCallback
from edgeecg.runtimes import Profile, Session
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    DeviceProfile,
    Energy,
    Latency,
    Memory,
    Parity,
    Suite,
)


@dataclass
class Steps:
    """Counts the steps of a measurement and reports them.

    Attributes:
        total: Number of steps.
        on_step: Called at the start of each step.
        done: Number of steps that were started.
    """

    total: int
    on_step: ProgressCallback | None
    done: int = 0

    def start(self, what: str) -> None:
        """Report the start of the next step."""
        if self.on_step is not None:
            self.on_step(what, self.done, self.total)
        self.done += 1

    def detail(self, what: str) -> None:
        """Report what the current step is doing."""
        if self.on_step is not None:
            self.on_step(what, self.done - 1, self.total)


@dataclass(frozen=True)
class Setup:
    """What is the same for all files of one measurement.

    Attributes:
        config: What was asked for.
        suite: Number and length of the measurements.
        profile: The device.
        clock: The source of time.
        steps: The progress.
        threads: Number of threads of the runtime.
        meter: The energy meter, or ``"none"``.
        why_no_meter: What a result says when there is none.
    """

    config: BenchConfig
    suite: Suite
    profile: DeviceProfile
    clock: Clock
    steps: Steps
    threads: int
    meter: str
    why_no_meter: str


@dataclass(frozen=True)
class LoadedFile:
    """One loaded file, and what is known of it before it is timed.

    Attributes:
        file: The file, checked and counted.
        manifest: Its manifest, or None for a foreign file.
        reference: The description that its result carries.
        watch: Its session, and the times so far.
        memory: Memory of a separate process that ran it.
        parity: Agreement with PyTorch.
    """

    file: ModelFile
    manifest: Artifact | None
    reference: ArtifactRef
    watch: Stopwatch
    memory: Memory
    parity: Parity


def load(file: ModelFile, setup: Setup) -> LoadedFile:
    """Run a file in a separate process, then load it here and compare it with PyTorch.

    Raises:
        ArtifactError: The file cannot be run, or its probe set is damaged.
        SchemaError: Its manifest is damaged.
    """
    setup.steps.start(f"{file.path.name}: memory")
    used = memory.probe(file.path, setup.threads, file.shapes)
    session = file.runtime.load(file.path, setup.threads, shapes=file.shapes)
    watch = Stopwatch(session, setup.clock)
    watch.first()
    setup.steps.start(f"{file.path.name}: parity")
    manifest = artifacts.read_manifest(file, session)
    agreement = parity.check(file.path, session, manifest.task if manifest else "beats")
    if agreement.n is None:
        # A probe set would have left its last window as input; without one it is all zeros.
        session.run(_noise(session))
    return LoadedFile(
        file=file,
        manifest=manifest,
        reference=artifacts.reference(file, manifest),
        watch=watch,
        memory=Memory(peak_rss_bytes=None, reason="The system has no /proc/self/status.")
        if used is None
        else Memory(peak_rss_bytes=used[0], model_rss_bytes=used[1]),
        parity=agreement,
    )


def profile(loaded: LoadedFile, setup: Setup) -> Profile:
    """Time the operations of a file with the profiler of its runtime."""
    file, threads = loaded.file, setup.threads
    setup.steps.start(f"{file.path.name}: layers")
    x, runs = _noise(loaded.watch.session), min(setup.suite.min_runs, layers.RUNS)
    return file.runtime.profile(file.path, x, threads, runs, file.shapes)


@dataclass(frozen=True)
class DutyCycle:
    """A file at a fixed rate, with spinning on and off where the runtime has that option.

    Attributes:
        latencies: Times of the runs, one for each setting of spinning.
        energies: Energies of one period, as many; empty without a meter.
    """

    latencies: tuple[Latency, ...] = ()
    energies: tuple[Energy, ...] = ()


def duty_cycle(loaded: LoadedFile, setup: Setup, cpu: int | None) -> DutyCycle:
    """Time a file at the rate that was asked for, and measure the energy of a period.

    Raises:
        UsageError: One run takes longer than the period.
    """
    file, rate = loaded.file, setup.config.rate_hz
    if rate is None:
        return DutyCycle()
    name = f"{file.path.name}: at {rate:g} per second"
    setup.steps.start(name)
    latencies: list[Latency] = []
    energies: list[Energy] = []
    for spin in (True, False) if file.runtime.SPIN_SWITCH else (None,):
        load = functools.partial(
            file.runtime.load, file.path, setup.threads, spin, shapes=file.shapes
        )
        watch, cpu_s = latency.at_rate(load, rate, setup.suite, setup.clock)
        latencies.append(watch.latency(setup.threads, cpu, rate, spin, cpu_s))
        if setup.meter not in (meter_choice.NO_METER, meter_choice.EXTERNAL):
            paced = latency.Paced(watch.session.invoke, 1.0 / rate, setup.clock)
            energies.append(_measured(paced, name, setup, cpu).energy)
    return DutyCycle(tuple(latencies), tuple(energies))


def energy(loaded: LoadedFile, setup: Setup, cpu: int | None) -> MeasuredEnergy:
    """Measure the energy of one run of a file.

    Args:
        loaded: The file.
        setup: The meter and the windows.
        cpu: The processor that this thread is bound to, or None.
    """
    name = loaded.file.path.name
    setup.steps.start(f"{name}: energy")
    return _measured(loaded.watch.session.invoke, name, setup, cpu)


def _measured(
    invoke: Callable[[], None], name: str, setup: Setup, cpu: int | None
) -> MeasuredEnergy:
    plan = WindowPlan(
        invoke=invoke,
        suite=setup.suite,
        clock=setup.clock,
        target_error=setup.config.target_error,
        disturbance=functools.partial(_disturbance, cpu),
        on_window=lambda what: setup.steps.detail(f"{name}: {what}"),
        cpu=cpu,
    )
    return meter_choice.measure(setup.meter, setup.why_no_meter, plan)


def _disturbance(cpu: int | None) -> str | None:
    """Return why the window that has just ended is not valid, or None."""
    return "the processor throttled." if detection.state(cpu).throttled else None


def _noise(session: Session) -> NDArray[np.float32]:
    """Return a random input, because some operations are faster on zeros than on real data."""
    return np.random.default_rng(0).standard_normal(session.input_shape, np.float32)
