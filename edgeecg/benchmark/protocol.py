"""The whole measurement of some files: what ``edgeecg bench`` does."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg import __version__, meters
from edgeecg.benchmark import artifacts, breakdown, energy, latency, layers, memory, parity
from edgeecg.benchmark.artifacts import Subject
from edgeecg.benchmark.breakdown import ReferenceKernels
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.devices import detection
from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.runtimes import Profile, Session
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    BenchReport,
    BenchResult,
    DeviceProfile,
    DType,
    Energy,
    Latency,
    Memory,
    Parity,
    Suite,
)

ROUNDS = 5
NO_METER = "none"

_TOO_SHORT = "Every operation is over before the profiler's clock has moved on."

Advance = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to measure, and how.

    Attributes:
        files: Exported files.
        suite: Runs, seconds and windows.
        profile: The device.
        threads: Threads of the runtime.
        meter: A meter's name, ``"none"``, or None for the first of the device's that works.
        rate_hz: Also measure at this many runs a second; None does not.
        command: The command line, for the report.
    """

    files: tuple[Path, ...]
    suite: Suite
    profile: DeviceProfile
    threads: int = 1
    meter: str | None = None
    rate_hz: float | None = None
    command: str = ""

    def steps(self) -> int:
        """Return how often :func:`measure` will report progress."""
        return len(self.files) * (4 + ROUNDS + (self.rate_hz is not None))


@dataclass(frozen=True)
class _Bench:
    """One loaded file on its way through the measurement."""

    subject: Subject
    manifest: Artifact | None
    reference: ArtifactRef
    watch: Stopwatch
    memory: Memory
    parity: Parity


def measure(
    request: Request, clock: Clock | None = None, advance: Advance = lambda _: None
) -> BenchReport:
    """Measure files on this machine.

    Every file is first loaded in a process of its own. Then all files are timed in turn, in rounds
    (A B A B ...), so that a drift of the machine hits all of them alike.

    Args:
        request: What and how.
        clock: Where time comes from; the machine's when None.
        advance: Called with a description at the start of each step.

    Raises:
        EdgeECGError: A file is missing, corrupt or foreign; the meter asked for does not work; the
            rate asked for cannot be kept.
    """
    clock = clock or Clock()
    subjects = [artifacts.examine(path) for path in request.files]
    if request.meter not in (None, NO_METER):
        # Asked for by name: say at once that it does not work.
        meters.get(request.meter).open().close()
    with latency.undisturbed(request.threads) as cpu:
        before = detection.state(cpu)
        benches = [_load(subject, request, clock, advance) for subject in subjects]
        _time(benches, suite=request.suite, advance=advance)
        profiles = [_profile(bench, request, advance) for bench in benches]
        kernels = _reference_kernels(benches, request, clock)
        duty_cycles = [_duty_cycle(bench, request, cpu, clock, advance) for bench in benches]
        energies = [_energy(bench, request, clock, advance) for bench in benches]
        after = detection.state(cpu)
    here = detection.describe(request.profile, before, after)
    results: list[BenchResult] = []
    for bench, profile, duty_cycle, used in zip(
        benches, profiles, duty_cycles, energies, strict=True
    ):
        timed = bench.watch.latency(request.threads, cpu)
        operations, profiled_s = layers.normalised(profile, timed.p50_s)
        proxy, costs = artifacts.relative_proxy(
            bench.subject, bench.manifest, request.profile.coefficients
        )
        results.append(
            BenchResult(
                artifact=bench.reference,
                device=here,
                runtime=bench.subject.runtime.version(),
                latency=timed,
                duty_cycle=duty_cycle,
                breakdown=breakdown.split(
                    timed.p50_s,
                    costs.macs if costs else None,
                    bench.reference.dtype,
                    kernels[bench.reference.format],
                ),
                energy=used,
                proxy=proxy,
                memory=bench.memory,
                parity=bench.parity,
                layers=operations,
                layers_profiled_s=profiled_s,
                layers_reason=None if operations else profile.reason or _TOO_SHORT,
            )
        )
    return BenchReport(
        results=tuple(results),
        suite=request.suite,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=request.command,
        edgeecg_version=__version__,
    )


def _load(subject: Subject, request: Request, clock: Clock, advance: Advance) -> _Bench:
    advance(f"{subject.path.name}: memory")
    used = memory.probe(subject.path, request.threads)
    session = subject.runtime.load(subject.path, request.threads)
    watch = Stopwatch(session, clock)
    watch.first()
    advance(f"{subject.path.name}: parity")
    held = artifacts.manifest(subject, session)
    agreement = parity.check(subject.path, session, held.task if held else "beats")
    if agreement.n is None:
        # Time it on numbers rather than on the zeros it was loaded with.
        session.run(_noise(session))
    return _Bench(
        subject=subject,
        manifest=held,
        reference=artifacts.reference(subject, held),
        watch=watch,
        memory=Memory(peak_rss_bytes=None, reason="The system has no /proc/self/status.")
        if used is None
        else Memory(peak_rss_bytes=used[0], model_rss_bytes=used[1]),
        parity=agreement,
    )


def _noise(session: Session) -> NDArray[np.float32]:
    """Return an input of numbers: on zeros, an operation may be faster than ever in use."""
    return np.random.default_rng(0).standard_normal(session.input_shape, np.float32)


def _profile(bench: _Bench, request: Request, advance: Advance) -> Profile:
    advance(f"{bench.subject.path.name}: layers")
    x, runs = _noise(bench.watch.session), min(request.suite.min_runs, layers.RUNS)
    return bench.subject.runtime.profile(bench.subject.path, x, request.threads, runs)


def _time(benches: list[_Bench], suite: Suite, advance: Advance) -> None:
    for turn in range(ROUNDS):
        for bench in benches:
            advance(f"{bench.subject.path.name}: latency, round {turn + 1} of {ROUNDS}")
            # Another file has been in the caches since: each round warms up anew, if for shorter.
            share = 1 if turn == 0 else ROUNDS
            bench.watch.warm_up(math.ceil(suite.warmup_runs / share), suite.warmup_seconds / share)
            bench.watch.collect(math.ceil(suite.min_runs / ROUNDS), suite.min_seconds / ROUNDS)


def _reference_kernels(
    benches: list[_Bench], request: Request, clock: Clock
) -> dict[str, ReferenceKernels]:
    """Measure the reference graphs once for each format, in every type its files multiply in."""
    runtimes = {bench.subject.runtime.FORMAT: bench.subject.runtime for bench in benches}
    wanted: dict[str, set[DType]] = {name: set() for name in runtimes}
    for bench in benches:
        counted = bench.subject.layers or (bench.manifest.layers if bench.manifest else ())
        wanted[bench.reference.format] |= {
            bench.reference.dtype,
            *(layer.dtype for layer in counted if layer.macs),
        }
    return {
        name: breakdown.reference_kernels(runtime, wanted[name], request.threads, clock)
        for name, runtime in runtimes.items()
    }


def _duty_cycle(
    bench: _Bench, request: Request, cpu: int | None, clock: Clock, advance: Advance
) -> tuple[Latency, ...]:
    subject, rate_hz = bench.subject, request.rate_hz
    if rate_hz is None:
        return ()
    advance(f"{subject.path.name}: at {rate_hz:g} per second")
    measured: list[Latency] = []
    for spin in (True, False) if subject.runtime.SPIN_SWITCH else (None,):
        load = functools.partial(subject.runtime.load, subject.path, request.threads, spin)
        watch, cpu_s = latency.at_rate(load, rate_hz, request.suite, clock)
        measured.append(watch.latency(request.threads, cpu, rate_hz, spin, cpu_s))
    return tuple(measured)


def _energy(bench: _Bench, request: Request, clock: Clock, advance: Advance) -> Energy:
    advance(f"{bench.subject.path.name}: energy")
    if request.meter == NO_METER:
        return energy.not_measured("Switched off with --meter none.")
    names = request.profile.meters if request.meter is None else (request.meter,)
    reasons: list[str] = []
    for name in names:
        try:
            with contextlib.closing(meters.get(name).open()) as meter:
                return energy.measure(bench.watch.session.invoke, meter, request.suite, clock)
        except (MeterError, MissingDependencyError) as error:
            if request.meter is not None:
                raise
            reasons.append(f"{error.what} {error.why} {error.todo}")
    return energy.not_measured(" ".join([*reasons, request.profile.no_meter]))
