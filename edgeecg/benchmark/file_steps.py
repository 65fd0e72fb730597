"""The steps of measuring one file: loading it, its profile, its duty cycle and its energy."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import artifacts, latency, layers, memory, meter_choice, parity
from edgeecg.benchmark.artifacts import ModelFile
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.latency import Stopwatch
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


@dataclass(frozen=True)
class Setup:
    """What is the same for all files of one measurement.

    Attributes:
        config: What was asked for.
        suite: Number and length of the measurements.
        profile: The device.
        clock: The source of time.
        steps: The progress.
    """

    config: BenchConfig
    suite: Suite
    profile: DeviceProfile
    clock: Clock
    steps: Steps


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
    used = memory.probe(file.path, setup.config.threads, file.shapes)
    session = file.runtime.load(file.path, setup.config.threads, shapes=file.shapes)
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
    file, threads = loaded.file, setup.config.threads
    setup.steps.start(f"{file.path.name}: layers")
    x, runs = _noise(loaded.watch.session), min(setup.suite.min_runs, layers.RUNS)
    return file.runtime.profile(file.path, x, threads, runs, file.shapes)


def duty_cycle(loaded: LoadedFile, setup: Setup, cpu: int | None) -> tuple[Latency, ...]:
    """Time a file at the rate that was asked for, with spinning on and off.

    Raises:
        UsageError: One run takes longer than the period.
    """
    file, config = loaded.file, setup.config
    if config.rate_hz is None:
        return ()
    setup.steps.start(f"{file.path.name}: at {config.rate_hz:g} per second")
    measured: list[Latency] = []
    for spin in (True, False) if file.runtime.SPIN_SWITCH else (None,):
        load = functools.partial(
            file.runtime.load, file.path, config.threads, spin, shapes=file.shapes
        )
        watch, cpu_s = latency.at_rate(load, config.rate_hz, setup.suite, setup.clock)
        measured.append(watch.latency(config.threads, cpu, config.rate_hz, spin, cpu_s))
    return tuple(measured)


def energy(loaded: LoadedFile, setup: Setup) -> Energy:
    """Measure the energy of one run of a file.

    Raises:
        MeterError: The meter that was asked for by name fails.
    """
    setup.steps.start(f"{loaded.file.path.name}: energy")
    return meter_choice.measure(
        loaded.watch.session.invoke, setup.config.meter, setup.profile, setup.suite, setup.clock
    )


def _noise(session: Session) -> NDArray[np.float32]:
    """Return a random input, because some operations are faster on zeros than on real data."""
    return np.random.default_rng(0).standard_normal(session.input_shape, np.float32)
