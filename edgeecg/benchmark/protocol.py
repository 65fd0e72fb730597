"""Measuring exported files from beginning to end: what ``edgeecg bench`` does."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from edgeecg import resources
from edgeecg._version import __version__
from edgeecg.benchmark import (
    artifacts,
    breakdown,
    conditions,
    file_result,
    file_steps,
    meter_choice,
    processors,
)
from edgeecg.benchmark.artifacts import ModelFile
from edgeecg.benchmark.breakdown import ReferenceKernels
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.energy_measurement import Elsewhere
from edgeecg.benchmark.file_process import FileProcess
from edgeecg.benchmark.file_result import Common, Measured
from edgeecg.benchmark.file_steps import LoadedFile, Setup, Steps
from edgeecg.benchmark.usable import Usable, same
from edgeecg.costs.input_shapes import contradiction
from edgeecg.devices import detection
from edgeecg.errors import ArtifactError, UnknownNameError, UsageError
from edgeecg.progress import ProgressCallback
from edgeecg.schema import BenchReport, BenchResult, CostTotals, DType
from edgeecg.schema.measurement import LATENCY_ROUNDS


def measure(
    files: Sequence[Path],
    config: BenchConfig | None = None,
    *,
    command: str = "",
    on_step: ProgressCallback | None = None,
    clock: Clock | None = None,
    elsewhere: Elsewhere | None = None,
) -> BenchReport:
    """Measure latency, energy, memory and parity of exported files on this machine.

    Every file has a process of its own, so that one that crashes costs its own result only. All
    files are timed in turn, in rounds (A B A B ...), so that a drift of the machine affects all of
    them alike.

    Args:
        files: Exported files. A file that is given twice is measured once.
        config: How to measure; the defaults when None. Its baseline is measured, too.
        command: The command line, for the report.
        on_step: Called at the start of each step with what is done, how many steps are finished
            and how many there are.
        clock: The source of time of the idle windows; the machine's clock when None.
        elsewhere: The machine that reads the meter ``"external"``, or None.

    Returns:
        One result per file, in the order of ``files``; a baseline that is not among them is first.

    Raises:
        UsageError: No file was given, no runtime runs a file, the shape of an input is unknown, the
            device is not recognised, the baseline cannot be used, or the rate cannot be kept.
        UnknownNameError: There is no such device profile, suite, meter or input.
        ArtifactError: The only file, or the baseline, is corrupt, or is not the one its manifest
            describes, or has a manifest that cannot be read. Such a file among others is left out.
        MissingDependencyError: Its runtime is not installed. Such a file among others is left out.
        MeterError: The meter that was asked for by name does not work.
        EdgeECGError: A file does not exist.
    """
    config = config or BenchConfig()
    setup, doubt = _prepared(config, Steps(on_step), clock or Clock(), elsewhere)
    usable = Usable(_paths(files, config), config.baseline)
    examined = usable.each(usable.paths, lambda path: artifacts.examine(path, config.shapes))
    _check_shapes(examined, config)
    baseline = _baseline_costs(examined, config)
    each = 4 + LATENCY_ROUNDS + (config.rate_hz is not None)
    setup.steps.total = len(config.threads) * len(examined) * each
    results: list[BenchResult] = []
    for threads in config.threads:
        examined = [file for file in examined if file.path not in usable.failed]
        results += _measure_all(examined, replace(setup, threads=threads), baseline, usable)
        usable.complete = bool(results)
    return BenchReport(
        results=tuple(results),
        suite=setup.suite,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        edgeecg_version=__version__,
        baseline=None if config.baseline is None else str(config.baseline),
        warnings=(*([doubt] if doubt else []), *conditions.of_results(results)),
        failed_files=tuple(usable.failed.values()),
    )


def _prepared(
    config: BenchConfig, steps: Steps, clock: Clock, elsewhere: Elsewhere | None
) -> tuple[Setup, str | None]:
    """Find the suite, the device and its meter; also return what is doubtful about the device."""
    suite = config.applied_to(resources.load_suite(config.suite))
    profile, doubt = detection.chosen(config.device)
    meter_choice.check(config.meter)
    meter, why_no_meter = meter_choice.chosen(config.meter, profile)
    setup = Setup(
        config=config,
        suite=suite,
        profile=profile,
        clock=clock,
        steps=steps,
        threads=config.threads[0],
        meter=meter,
        why_no_meter=why_no_meter,
        elsewhere=elsewhere,
    )
    return setup, doubt


def _measure_all(
    examined: list[ModelFile], setup: Setup, baseline: CostTotals | None, usable: Usable
) -> list[BenchResult]:
    """Measure all files with one number of threads."""
    cpu = processors.to_bind(setup.threads)
    with processors.other_than(cpu), contextlib.ExitStack() as processes:

        def load(file: ModelFile) -> LoadedFile:
            process = processes.enter_context(FileProcess(file.path))
            return file_steps.load(file, process, setup, cpu)

        with processors.on(cpu):
            before = detection.state(cpu)
        loaded = usable.each(examined, load)
        for turn in range(LATENCY_ROUNDS):
            loaded = usable.each(
                loaded, lambda each, turn=turn: file_steps.time(each, turn, LATENCY_ROUNDS, setup)
            )
        found = usable.each(loaded, lambda each: Measured(each, file_steps.profile(each, setup)))
        found = usable.each(
            found,
            lambda each: replace(each, duty_cycle=file_steps.duty_cycle(each.file, setup, cpu)),
        )
        found = usable.each(
            found, lambda each: replace(each, energy=file_steps.energy(each.file, setup, cpu))
        )
        with processors.on(cpu):
            after = detection.state(cpu)
        kernels = _reference_kernels([each.file for each in found])
    device = detection.describe(setup.profile, before, after, cpu)
    common = Common(device, cpu, kernels, baseline)
    return [file_result.result(each, setup, common) for each in found]


def _paths(files: Sequence[Path], config: BenchConfig) -> list[Path]:
    """Return the files to measure, each once, with the baseline."""
    if not files:
        raise UsageError(
            "There is nothing to measure.", "No file was given.", "Give at least one exported file."
        )
    found = list(dict.fromkeys(files))
    baseline = config.baseline
    if baseline is not None and not any(same(path, baseline) for path in found):
        found.insert(0, baseline)
    return found


def _check_shapes(examined: list[ModelFile], config: BenchConfig) -> None:
    """Refuse shapes of inputs that no file has, or that have another shape in all files."""
    found = [(file, each) for file in examined for each in file.inputs]
    for name, shape in config.shapes.items():
        of_name = [(file, each) for file, each in found if each.name == name]
        if not of_name:
            raise UnknownNameError("input", name, {each.name for _, each in found})
        if not any(file.shapes[name] == shape for file, _ in of_name):
            file, fixed = of_name[0]
            raise contradiction(file.path, fixed, shape)


def _baseline_costs(examined: list[ModelFile], config: BenchConfig) -> CostTotals | None:
    """Return the costs of the baseline that the user named, or None."""
    if config.baseline is None:
        return None
    file = next(each for each in examined if same(each.path, config.baseline))
    costs = artifacts.costs(file, None)
    if costs is None:
        raise UsageError(
            f"'{config.baseline}' cannot be the baseline.",
            file.uncounted or "Its operations cannot be counted.",
            "Name a file whose operations can be counted, or leave --baseline out.",
        )
    for other in examined:
        if other.batch != file.batch:
            raise UsageError(
                f"'{config.baseline}' cannot be the baseline.",
                f"It runs on {file.batch} windows at a time, and '{other.path}' on {other.batch}.",
                "Name a baseline with the same batch, or leave --baseline out.",
            )
    return costs


def _reference_kernels(loaded: list[LoadedFile]) -> dict[str, ReferenceKernels]:
    """Measure the reference kernels once per format, in every type that its files multiply in."""
    wanted: dict[str, set[DType]] = {}
    for each in loaded:
        counted = each.file.layers or (each.manifest.layers if each.manifest else ())
        wanted.setdefault(each.reference.format, set()).update(
            (each.reference.dtype, *(layer.dtype for layer in counted if layer.macs))
        )
    found: dict[str, ReferenceKernels] = {}
    for name, dtypes in wanted.items():
        # Any of the processes serves, as its file has been measured.
        process = next(each.process for each in loaded if each.reference.format == name)
        try:
            found[name] = process.kernels(sorted(dtypes), breakdown.RUNS, breakdown.SECONDS)
        except ArtifactError as error:
            found[name] = ReferenceKernels(
                None, {}, failure=f"No reference kernel ran. {error.why}"
            )
    return found
