"""The steps of measuring one file: loading it, its profile, its duty cycle and its energy."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

from edgeecg.benchmark import artifacts, layers, meter_choice
from edgeecg.benchmark.artifacts import ModelFile
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.disturbances import Disturbances
from edgeecg.benchmark.energy_measurement import Elsewhere, MeasuredEnergy, WindowPlan
from edgeecg.benchmark.energy_windows import RunWindow
from edgeecg.benchmark.file_process import FileProcess, Loaded
from edgeecg.benchmark.latency import Times
from edgeecg.errors import UsageError
from edgeecg.progress import ProgressCallback
from edgeecg.runtimes import Profile
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    DeviceProfile,
    Energy,
    Latency,
    Parity,
    Suite,
)


@dataclass
class Steps:
    """Counts the steps of a measurement and reports them.

    Attributes:
        on_step: Called at the start of each step.
        total: Number of steps; set before the first one starts.
        done: Number of steps that were started.
    """

    on_step: ProgressCallback | None
    total: int = 0
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
        elsewhere: The machine that reads the meter, or None.
    """

    config: BenchConfig
    suite: Suite
    profile: DeviceProfile
    clock: Clock
    steps: Steps
    threads: int
    meter: str
    why_no_meter: str
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True)
class LoadedFile:
    """One loaded file, and what is known of it before it is timed.

    Attributes:
        file: The file, checked and counted.
        process: The process that it is loaded in.
        loaded: What that process says of it.
        manifest: Its manifest, or None for a foreign file.
        reference: The description that its result carries.
        times: The times so far.
        parity: Agreement with PyTorch.
    """

    file: ModelFile
    process: FileProcess
    loaded: Loaded
    manifest: Artifact | None
    reference: ArtifactRef
    times: Times
    parity: Parity

    @property
    def path(self) -> Path:
        """The file's path."""
        return self.file.path


def load(file: ModelFile, process: FileProcess, setup: Setup, cpu: int | None) -> LoadedFile:
    """Load a file in its process, and compare it with PyTorch.

    Raises:
        ArtifactError: The file cannot be run, or its manifest or its probe set is damaged.
    """
    setup.steps.start(f"{file.path.name}: memory")
    loaded = process.load(setup.threads, cpu, file.shapes)
    setup.steps.start(f"{file.path.name}: parity")
    manifest = artifacts.read_manifest(file, loaded.manifest)
    return LoadedFile(
        file=file,
        process=process,
        loaded=loaded,
        manifest=manifest,
        reference=artifacts.reference(file, manifest),
        times=Times(loaded.first_s),
        parity=process.parity(manifest.task if manifest else "beats"),
    )


def time(each: LoadedFile, turn: int, rounds: int, setup: Setup) -> LoadedFile:
    """Time one round of a file, and return the file.

    The other files have displaced it from the caches since the round before, so every round warms
    up again, the later ones for a shorter time.

    Args:
        each: The file.
        turn: Number of the round, from 0.
        rounds: How many there are.
        setup: The number of runs and seconds of all rounds together.
    """
    suite, times = setup.suite, each.times
    so_far = f", p50 so far {times.p50_s * 1e6:.4g} µs" if times.samples_ns else ""
    setup.steps.start(f"{each.path.name}: latency, round {turn + 1} of {rounds}{so_far}")
    share = 1 if turn == 0 else rounds
    each.process.time(
        times,
        (math.ceil(suite.warmup_runs / share), suite.warmup_seconds / share),
        (math.ceil(suite.min_runs / rounds), suite.min_seconds / rounds),
    )
    return each


def profile(loaded: LoadedFile, setup: Setup) -> Profile:
    """Time the operations of a file with the profiler of its runtime."""
    setup.steps.start(f"{loaded.path.name}: layers")
    return loaded.process.profile(min(setup.suite.min_runs, layers.RUNS))


@dataclass(frozen=True)
class DutyCycle:
    """A file at a fixed rate, with spinning on and off where the runtime has that option.

    Attributes:
        latencies: Times of the runs, one for each setting of spinning.
        energies: Energies of one period, as many; empty without a meter.
        reason: Why a setting is missing, or None.
    """

    latencies: tuple[Latency, ...] = ()
    energies: tuple[Energy, ...] = ()
    reason: str | None = None


def duty_cycle(loaded: LoadedFile, setup: Setup, cpu: int | None) -> DutyCycle:
    """Time a file at the rate that was asked for, and measure the energy of a period.

    A file that cannot run that often keeps what else was measured of it.
    """
    process, rate = loaded.process, setup.config.rate_hz
    if rate is None:
        return DutyCycle()
    name = f"{loaded.path.name}: at {rate:g} per second"
    setup.steps.start(name)
    latencies: list[Latency] = []
    energies: list[Energy] = []
    for spin in (True, False) if loaded.file.runtime.SPIN_SWITCH else (None,):
        try:
            times, cpu_s = process.at_rate(rate, spin, setup.suite)
        except UsageError as error:
            why = f"{error.what} {error.why} {error.todo}"
            return DutyCycle(tuple(latencies), tuple(energies), why)
        latencies.append(times.latency(setup.threads, cpu, rate, spin, cpu_s))
        read_elsewhere = setup.meter == meter_choice.EXTERNAL and setup.elsewhere is None
        if setup.meter != meter_choice.NO_METER and not read_elsewhere:
            run = functools.partial(process.window, rate_hz=rate)
            energies.append(_measured(run, name, setup, cpu).energy)
    return DutyCycle(tuple(latencies), tuple(energies))


def energy(loaded: LoadedFile, setup: Setup, cpu: int | None) -> MeasuredEnergy:
    """Measure the energy of one run of a file.

    Args:
        loaded: The file.
        setup: The meter and the windows.
        cpu: The processor that this thread is bound to, or None.
    """
    name = loaded.path.name
    setup.steps.start(f"{name}: energy")
    return _measured(loaded.process.window, name, setup, cpu)


def _measured(run: RunWindow, name: str, setup: Setup, cpu: int | None) -> MeasuredEnergy:
    plan = WindowPlan(
        run=run,
        suite=setup.suite,
        clock=setup.clock,
        target_error=setup.config.target_error,
        disturbance=Disturbances(),
        on_window=lambda what: setup.steps.detail(f"{name}: {what}"),
        cpu=cpu,
        elsewhere=setup.elsewhere,
    )
    return meter_choice.measure(setup.meter, setup.why_no_meter, plan)
