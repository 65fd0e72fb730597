"""Measuring the files that a user names, or those of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeecg.benchmark import bundle, protocol, remote, run_artifacts
from edgeecg.benchmark.config import BenchConfig
from edgeecg.devices.emulator.cores import is_emulated
from edgeecg.errors import UsageError
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.runs.config_file import read_options
from edgeecg.runs.options import configured, keyword_options
from edgeecg.schema import BenchReport, InstructionReport


def bench(
    files: str | Path | Sequence[str | Path] = (),
    *,
    run: str | None = None,
    config: str | Path | None = None,
    on_progress: ProgressCallback | None = None,
    **options: Any,
) -> BenchReport:
    """Measure latency, energy, memory and parity of exported files on this machine, or on others.

    Files of a run folder have their results stored there, for ``edgeecg.report``.

    Args:
        files: Exported files or bundles of them; without any, all of a run.
        run: Name or path of the run; None for the newest.
        config: TOML file with settings; keyword arguments override it.
        on_progress: Called at the start of each step.
        **options: Fields of :class:`edgeecg.benchmark.config.BenchConfig`, e.g.
            ``suite="quick"``, ``meter="none"``, ``on="pi@raspberrypi.local"``.

    Returns:
        One result per file.

    Raises:
        UsageError: Files and a run are given, or a setting is unknown or has a value that it cannot
            have.
        ArtifactError: A file is corrupt, or is not the one its manifest describes.
        MeterError: The meter that was asked for by name does not work.
        RemoteError: A machine that ``on`` names cannot be reached, or the measurement failed there.
        EdgeECGError: A file or run does not exist.
    """
    asked = keyword_options(options, BenchConfig.model_fields)
    if config is not None:
        asked = asked.over(read_options(Path(config), BenchConfig))
    settings = configured(BenchConfig, BenchConfig(), asked)
    named = [files] if isinstance(files, (str, Path)) else list(files)
    arguments = ", ".join(f"{key}={value!r}" for key, value in options.items())
    command = f"edgeecg.bench({[str(path) for path in named]}, {arguments})"
    report = measure(to_measure(named, run), settings, command=command, on_step=on_progress)
    run_artifacts.store(report)
    return report


def count_instructions(
    files: str | Path | Sequence[str | Path] = (),
    device: str = "emulated:cortex-a72",
    *,
    run: str | None = None,
    baseline: str | Path | None = None,
    operations: bool = True,
    on_progress: ProgressCallback | None = None,
) -> InstructionReport:
    """Count the instructions of one inference on an emulated core, without noise and without times.

    Args:
        files: Exported ``.tflite`` files; without any, all of a run.
        device: The core, ``"emulated:cortex-a72"`` or ``"emulated:cortex-a76"``.
        run: Name or path of the run; None for the newest.
        baseline: The file that the proxies are relative to; counted, too.
        operations: Whether to count each operation, too, which takes longer.
        on_progress: Called when a file is finished.

    Returns:
        One result per file.

    Raises:
        UnknownNameError: There is no such core.
        UsageError: Files and a run are given, or a file is no ``.tflite`` file.
        ArtifactError: A file is corrupt, cannot be run, or is not the one its manifest describes.
        EdgeECGError: A file or run does not exist, or the emulator or its image is missing
            ('edgeecg emulator build' makes it).
    """
    from edgeecg.benchmark import instructions

    named = [files] if isinstance(files, (str, Path)) else list(files)
    return instructions.count(
        to_measure(named, run),
        device,
        baseline=None if baseline is None else Path(baseline),
        operations=operations,
        command=f"edgeecg.count_instructions({[str(path) for path in named]}, {device!r})",
        on_step=on_progress or ignore,
    )


def measure(
    files: Sequence[Path],
    config: BenchConfig,
    *,
    command: str = "",
    on_step: ProgressCallback | None = None,
) -> BenchReport:
    """Measure exported files on the machine, or the machines, that the settings name.

    A bundle (``edgeecg export --bundle``) stands for the files in it.

    See :func:`edgeecg.benchmark.protocol.measure` and :func:`edgeecg.benchmark.remote.measure`.

    Raises:
        UsageError: A setting of another machine is given without one.
        EdgeECGError: A bundle is damaged.
    """
    with bundle.unpacked(files) as names:
        report = _measured(list(names), config, command, on_step)
    return bundle.named(report, names)


def _measured(
    files: Sequence[Path], config: BenchConfig, command: str, on_step: ProgressCallback | None
) -> BenchReport:
    if is_emulated(config.device):
        raise UsageError(
            f"Nothing can be timed on '{config.device}'.",
            "An emulated core has no time and no energy; its instructions are counted.",
            "Call edgeecg.count_instructions, or use the command 'edgeecg bench --device "
            f"{config.device}'.",
        )
    if config.on is not None:
        return remote.measure(files, config, command=command, on_step=on_step)
    if config.python is not None or config.wheels is not None:
        raise UsageError(
            "--python and --wheels do not fit this measurement.",
            "They are for another machine, and none is named.",
            "Name it with --on HOST, or leave them out.",
        )
    return protocol.measure(files, config, command=command, on_step=on_step)


def to_measure(files: Sequence[str | Path], run: str | None) -> list[Path]:
    """Return the files that are to be measured.

    Raises:
        UsageError: Files and a run are given.
        EdgeECGError: There is no such run, or it has no exported files.
    """
    if files and run:
        raise UsageError(
            "Files and --run were both given.",
            "--run NAME measures all artifacts of that run.",
            "Give one or the other.",
        )
    return [Path(path) for path in files] or run_artifacts.exported_files(run)
