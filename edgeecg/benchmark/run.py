"""Measuring the files that a user names, or those of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeecg.benchmark import run_artifacts
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.protocol import measure
from edgeecg.errors import UsageError
from edgeecg.progress import ProgressCallback
from edgeecg.runs.config_file import read_options
from edgeecg.runs.options import configured, keyword_options
from edgeecg.schema import BenchReport


def bench(
    files: str | Path | Sequence[str | Path] = (),
    *,
    run: str | None = None,
    config: str | Path | None = None,
    on_progress: ProgressCallback | None = None,
    **options: Any,
) -> BenchReport:
    """Measure latency, energy, memory and parity of exported files on this machine.

    Files of a run folder have their results stored there, for ``edgeecg.report``.

    Args:
        files: Exported files; without any, all of a run.
        run: Name or path of the run; None for the newest.
        config: TOML file with settings; keyword arguments override it.
        on_progress: Called at the start of each step.
        **options: Fields of :class:`edgeecg.benchmark.config.BenchConfig`, e.g.
            ``suite="quick"``, ``meter="none"``.

    Returns:
        One result per file.

    Raises:
        UsageError: Files and a run are given, or a setting is unknown or has a value that it cannot
            have.
        ArtifactError: A file is corrupt, or is not the one its manifest describes.
        MeterError: The meter that was asked for by name does not work.
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
