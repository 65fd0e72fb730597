"""Measuring exported files from beginning to end: what ``edgeecg bench`` does."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg import resources
from edgeecg._version import __version__
from edgeecg.benchmark import artifacts, breakdown, latency, layers, memory, meter_choice, parity
from edgeecg.benchmark.artifacts import ModelFile
from edgeecg.benchmark.breakdown import ReferenceKernels
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.devices import detection
from edgeecg.errors import UsageError
from edgeecg.progress import ProgressCallback
from edgeecg.runtimes import Profile, Session
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    BenchReport,
    BenchResult,
    DeviceInfo,
    DeviceProfile,
    DType,
    Energy,
    Latency,
    Memory,
    Parity,
    Suite,
)

_ROUNDS = 5
_TOO_SHORT = "Every operation is shorter than the resolution of the profiler's clock."


@dataclass
class _Steps:
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
class _Setup:
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
    steps: _Steps


@dataclass(frozen=True)
class _Loaded:
    """One loaded file, and what is known of it before it is timed."""

    file: ModelFile
    manifest: Artifact | None
    reference: ArtifactRef
    watch: Stopwatch
    memory: Memory
    parity: Parity


@dataclass(frozen=True)
class _Measured:
    """What was measured of one file after its latency."""

    profile: Profile
    duty_cycle: tuple[Latency, ...]
    energy: Energy


def measure(
    files: Sequence[Path],
    config: BenchConfig | None = None,
    *,
    command: str = "",
    on_step: ProgressCallback | None = None,
    clock: Clock | None = None,
) -> BenchReport:
    """Measure latency, energy, memory and parity of exported files on this machine.

    Every file is first loaded in a separate process. Then all files are timed in turn, in rounds
    (A B A B ...), so that a drift of the machine affects all of them alike.

    Args:
        files: Exported files. A file that is given twice is measured once.
        config: How to measure; the defaults when None.
        command: The command line, for the report.
        on_step: Called at the start of each step with what is done, how many steps are finished
            and how many there are.
        clock: The source of time; the machine's clock when None.

    Returns:
        One result per file, in the order of ``files``.

    Raises:
        UsageError: No file was given, no runtime runs a file, the device is not recognised, or the
            rate cannot be kept.
        UnknownNameError: There is no such device profile, suite or meter.
        ArtifactError: A file is corrupt, or is not the one its manifest describes.
        MeterError: The meter that was asked for by name does not work.
        EdgeECGError: A file does not exist.
    """
    config = config or BenchConfig()
    if not files:
        raise UsageError(
            "There is nothing to measure.", "No file was given.", "Give at least one exported file."
        )
    suite = resources.load_suite(config.suite)
    profile = resources.load_device(config.device) if config.device else detection.detect()
    meter_choice.check(config.meter)
    examined = [artifacts.examine(path) for path in dict.fromkeys(files)]
    steps = _Steps(len(examined) * (4 + _ROUNDS + (config.rate_hz is not None)), on_step)
    setup = _Setup(config, suite, profile, clock or Clock(), steps)
    with latency.undisturbed(config.threads) as cpu:
        before = detection.state(cpu)
        loaded = [_load(file, setup) for file in examined]
        _time(loaded, setup)
        profiles = [_profile(each, setup) for each in loaded]
        kernels = _reference_kernels(loaded, setup)
        duty_cycles = [_duty_cycle(each, setup, cpu) for each in loaded]
        energies = [_energy(each, setup) for each in loaded]
        after = detection.state(cpu)
    measured = map(_Measured, profiles, duty_cycles, energies)
    here = detection.describe(profile, before, after)
    return BenchReport(
        results=tuple(
            _result(each, found, setup, here, kernels, cpu)
            for each, found in zip(loaded, measured, strict=True)
        ),
        suite=suite,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        edgeecg_version=__version__,
    )


def _result(
    loaded: _Loaded,
    measured: _Measured,
    setup: _Setup,
    device: DeviceInfo,
    kernels: dict[str, ReferenceKernels],
    cpu: int | None,
) -> BenchResult:
    timed = loaded.watch.latency(setup.config.threads, cpu)
    operations, profiled_s = layers.normalised(measured.profile, timed.p50_s)
    proxy, costs = artifacts.relative_proxy(
        loaded.file, loaded.manifest, setup.profile.coefficients
    )
    reference = loaded.reference
    return BenchResult(
        artifact=reference,
        device=device,
        runtime=loaded.file.runtime.version(),
        latency=timed,
        duty_cycle=measured.duty_cycle,
        breakdown=breakdown.split(
            timed.p50_s, costs.macs if costs else None, reference.dtype, kernels[reference.format]
        ),
        energy=measured.energy,
        proxy=proxy,
        memory=loaded.memory,
        parity=loaded.parity,
        layers=operations,
        layers_profiled_s=profiled_s,
        layers_reason=None if operations else measured.profile.reason or _TOO_SHORT,
    )


def _load(file: ModelFile, setup: _Setup) -> _Loaded:
    setup.steps.start(f"{file.path.name}: memory")
    used = memory.probe(file.path, setup.config.threads)
    session = file.runtime.load(file.path, setup.config.threads)
    watch = Stopwatch(session, setup.clock)
    watch.first()
    setup.steps.start(f"{file.path.name}: parity")
    manifest = artifacts.read_manifest(file, session)
    agreement = parity.check(file.path, session, manifest.task if manifest else "beats")
    if agreement.n is None:
        # The probe set would have left its last window as input; without one it is all zeros.
        session.run(_noise(session))
    return _Loaded(
        file=file,
        manifest=manifest,
        reference=artifacts.reference(file, manifest),
        watch=watch,
        memory=Memory(peak_rss_bytes=None, reason="The system has no /proc/self/status.")
        if used is None
        else Memory(peak_rss_bytes=used[0], model_rss_bytes=used[1]),
        parity=agreement,
    )


def _noise(session: Session) -> NDArray[np.float32]:
    """Return a random input, because some operations are faster on zeros than on real data."""
    return np.random.default_rng(0).standard_normal(session.input_shape, np.float32)


def _time(loaded: list[_Loaded], setup: _Setup) -> None:
    suite = setup.suite
    for turn in range(_ROUNDS):
        for each in loaded:
            setup.steps.start(f"{each.file.path.name}: latency, round {turn + 1} of {_ROUNDS}")
            # The other files have displaced this one from the caches: every round warms up again,
            # the later ones for a shorter time.
            share = 1 if turn == 0 else _ROUNDS
            each.watch.warm_up(math.ceil(suite.warmup_runs / share), suite.warmup_seconds / share)
            each.watch.collect(math.ceil(suite.min_runs / _ROUNDS), suite.min_seconds / _ROUNDS)


def _profile(loaded: _Loaded, setup: _Setup) -> Profile:
    setup.steps.start(f"{loaded.file.path.name}: layers")
    x, runs = _noise(loaded.watch.session), min(setup.suite.min_runs, layers.RUNS)
    return loaded.file.runtime.profile(loaded.file.path, x, setup.config.threads, runs)


def _reference_kernels(loaded: list[_Loaded], setup: _Setup) -> dict[str, ReferenceKernels]:
    """Measure the reference kernels once per format, in every type that its files multiply in."""
    runtimes = {each.file.runtime.FORMAT: each.file.runtime for each in loaded}
    wanted: dict[str, set[DType]] = {name: set() for name in runtimes}
    for each in loaded:
        counted = each.file.layers or (each.manifest.layers if each.manifest else ())
        wanted[each.reference.format] |= {
            each.reference.dtype,
            *(layer.dtype for layer in counted if layer.macs),
        }
    return {
        name: breakdown.reference_kernels(runtime, wanted[name], setup.config.threads, setup.clock)
        for name, runtime in runtimes.items()
    }


def _duty_cycle(loaded: _Loaded, setup: _Setup, cpu: int | None) -> tuple[Latency, ...]:
    file, config = loaded.file, setup.config
    if config.rate_hz is None:
        return ()
    setup.steps.start(f"{file.path.name}: at {config.rate_hz:g} per second")
    measured: list[Latency] = []
    for spin in (True, False) if file.runtime.SPIN_SWITCH else (None,):
        load = functools.partial(file.runtime.load, file.path, config.threads, spin)
        watch, cpu_s = latency.at_rate(load, config.rate_hz, setup.suite, setup.clock)
        measured.append(watch.latency(config.threads, cpu, config.rate_hz, spin, cpu_s))
    return tuple(measured)


def _energy(loaded: _Loaded, setup: _Setup) -> Energy:
    setup.steps.start(f"{loaded.file.path.name}: energy")
    return meter_choice.measure(
        loaded.watch.session.invoke, setup.config.meter, setup.profile, setup.suite, setup.clock
    )
