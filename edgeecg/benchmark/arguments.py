"""Checking what ``edgeecg bench`` was asked for, before anything slow is imported.

On a Raspberry Pi the import of numpy and of the runtimes takes seconds, and an answer to a wrong
name should not.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from edgeecg import meters, resources
from edgeecg.benchmark.config import BenchConfig
from edgeecg.errors import ON_A_WORKSTATION, EdgeECGError, UsageError, measures_only
from edgeecg.runs import RUNS
from edgeecg.schema import MODEL_SUFFIXES

NO_METER = "none"
"""The name with which no energy is measured."""

EXTERNAL = "external"
"""The name with which the windows are run for a meter that another program reads."""


def check(files: Sequence[Path], config: BenchConfig) -> None:
    """Check that everything that is named exists.

    Args:
        files: Exported files.
        config: How to measure.

    Raises:
        UnknownNameError: There is no such suite, device profile or meter.
        SchemaError: A suite or a profile is damaged.
        UsageError: A folder is named in place of a file.
        EdgeECGError: There is no such file.
    """
    resources.load_suite(config.suite)
    if config.device is not None:
        from edgeecg.devices.emulator.cores import is_emulated

        if not is_emulated(config.device):
            resources.load_device(config.device)
    if config.meter not in (None, NO_METER, EXTERNAL):
        name = config.meter.partition(":")[0]
        if name in (NO_METER, EXTERNAL):
            raise UsageError(
                f"'{config.meter}' cannot be used with --meter.",
                f"'{name}' is no meter with a place.",
                f"Give --meter {name}.",
            )
        meters.require(name)
    for path in files if config.baseline is None else [*files, config.baseline]:
        # A file of another format is refused later, with the list of formats.
        if path.suffix in MODEL_SUFFIXES:
            require_file(path)
        elif path.is_dir() or (RUNS / path).is_dir():
            raise UsageError(
                f"'{path}' is a folder, and not an exported file.",
                "The files of a run are measured with --run.",
                f"Run: edgeecg bench --run {shlex.quote(str(path))}",
            )


def require_file(path: Path) -> None:
    """Check that an exported file exists.

    Raises:
        EdgeECGError: There is no such file.
    """
    if path.is_file():
        return
    raise EdgeECGError(
        f"There is no file '{path}'.",
        "Nothing lies at this path, or it is a folder.",
        f"Check the name. {ON_A_WORKSTATION}"
        if measures_only()
        else "Check the name; 'edgeecg export' writes to runs/NAME/artifacts/.",
    )
