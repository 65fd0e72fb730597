"""Counting the instructions of an inference on an emulated core.

This is what ``edgeecg bench --device emulated:CORE`` does. The files are loaded and run by the same
runtime as on a board, in a machine that :mod:`edgeecg.devices.emulator` starts.
"""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgeecg._version import __version__
from edgeecg.benchmark import artifacts, probe_set
from edgeecg.benchmark._instructions_guest import COUNTED, FOLDER, JOB, MARK
from edgeecg.benchmark.artifacts import ModelFile
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.meter_choice import NO_METER
from edgeecg.costs import tflite_file
from edgeecg.costs.input_shapes import Shapes
from edgeecg.devices.emulator import archive, cores, image, machine
from edgeecg.devices.emulator.cores import Core
from edgeecg.devices.emulator.image import Image
from edgeecg.errors import ArtifactError, EdgeECGError, UsageError
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import (
    MANIFEST_KEY,
    Artifact,
    CostTotals,
    DeviceInfo,
    DeviceState,
    InstructionReport,
    InstructionResult,
    Instructions,
    OperationInstructions,
    Parity,
    ProxyCoefficients,
)
from edgeecg.schema.options import option_of

SECONDS = 300.0
"""The machine is stopped after this time, and as much again for each file."""

PROBES = 64
"""About as many windows of a probe set are compared."""

_TIMED = ("threads", "windows", "duration", "target_error", "rate_hz", "on")
_MODULE = "edgeecg.benchmark._instructions_guest"
_SUFFIX = ".tflite"
_UNKNOWN = DeviceState(
    governor=None, frequency_hz=None, temperature_c=None, throttled=None, load=None
)


@dataclass(frozen=True)
class _Machine:
    """What the results of all files have in common."""

    core: Core
    image: Image
    emulator: str


def count(
    files: Sequence[Path],
    device: str,
    *,
    shapes: Shapes | None = None,
    baseline: Path | None = None,
    operations: bool = True,
    command: str = "",
    on_step: ProgressCallback = ignore,
) -> InstructionReport:
    """Count the instructions that one inference of each file takes on an emulated core.

    Args:
        files: Exported ``.tflite`` files. A file that is given twice is counted once.
        device: Name of the emulated device, e.g. ``"emulated:cortex-a72"``.
        shapes: Shapes of the inputs that have free axes.
        baseline: The file that the proxies are relative to; counted, too.
        operations: Whether to count each operation, too, which takes longer.
        command: The command line, for the report.
        on_step: Called when a file is finished.

    Returns:
        One result per file, in the order of ``files``; a baseline that is not among them is first.

    Raises:
        UnknownNameError: There is no such emulated device.
        UsageError: No file was given, or one is no ``.tflite`` file.
        ArtifactError: A file is corrupt, cannot be run, or is not the one its manifest describes.
        EdgeECGError: A file does not exist, or the emulator or its image is missing or fails.
    """
    core = cores.named(device)
    examined = [artifacts.examine(path, shapes) for path in _paths(files, baseline)]
    used = _Machine(core, image.installed(), machine.emulator())
    dense = next((each for each in examined if each.path == baseline), None)
    costs = None if dense is None else artifacts.costs(dense, None)
    manifests = [
        artifacts.read_manifest(each, tflite_file.metadata(each.path, MANIFEST_KEY))
        for each in examined
    ]
    found = _run(used, examined, _job(examined, manifests, operations), on_step)
    results = tuple(
        _result(used, file, manifest, counted, costs)
        for file, manifest, counted in zip(examined, manifests, found, strict=True)
    )
    return InstructionReport(
        results=results,
        image=used.image.manifest,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        edgeecg_version=__version__,
        baseline=None if baseline is None else str(baseline),
    )


def check(config: BenchConfig) -> None:
    """Refuse settings of a measurement that an emulated core cannot have.

    Args:
        config: What was asked for; its device is emulated.

    Raises:
        UnknownNameError: There is no such emulated device.
        UsageError: A setting asks for times, energy or several threads.
    """
    cores.named(config.device or "")
    plain = BenchConfig(device=config.device, meter=config.meter)
    unsuitable = [name for name in _TIMED if getattr(config, name) != getattr(plain, name)]
    if config.meter not in (None, NO_METER):
        unsuitable.append("meter")
    if unsuitable:
        option = option_of(BenchConfig.model_fields[unsuitable[0]]) or unsuitable[0]
        raise UsageError(
            f"The option '{option}' cannot be used with '--device {config.device}'.",
            "On an emulated core instructions are counted, with one thread; it has neither time "
            "nor energy.",
            "Leave one of the two options out.",
        )


def _paths(files: Sequence[Path], baseline: Path | None) -> list[Path]:
    """Return the files to count, each once, with the baseline."""
    found = list(dict.fromkeys(files))
    if baseline is not None and baseline not in found:
        found.insert(0, baseline)
    if not found:
        raise UsageError(
            "There is nothing to count.", "No file was given.", "Give at least one .tflite file."
        )
    for path in found:
        if path.suffix != _SUFFIX:
            raise UsageError(
                f"The instructions of {path} cannot be counted.",
                f"The emulated machine has LiteRT, which runs {_SUFFIX} files.",
                "Export the model with --target tflite or tflite-int8.",
            )
    return found


def _run(
    used: _Machine,
    files: Sequence[ModelFile],
    job: Sequence[archive.Entry],
    on_step: ProgressCallback,
) -> list[dict[str, Any]]:
    """Run all files in one machine, and return what it found for each of them."""
    found: dict[int, dict[str, Any]] = {}
    on_step(f"starting the emulated {used.core.title}", 0, len(files))

    def read(line: str) -> None:
        _, mark, text = line.partition(MARK)
        if not mark:
            return
        counted = json.loads(text)
        found[counted["file"]] = counted
        on_step(f"{files[counted['file']].path.name}: counted", len(found), len(files))

    last = machine.run(used.image, used.core, _MODULE, job, read, SECONDS * (1 + len(files)))
    missing = [each.path for index, each in enumerate(files) if index not in found]
    if missing:
        raise EdgeECGError(
            f"The emulated machine did not count the instructions of {missing[0]}.",
            f"It stopped before that; it printed last: {last or 'nothing'}.",
            "Build its image again with 'edgeecg emulator build --rebuild'. If that does not help, "
            "report this as a bug of edgeecg.",
        )
    for index, each in enumerate(files):
        _check(each.path, found[index])
    return [found[index] for index in range(len(files))]


def _check(path: Path, counted: Mapping[str, Any]) -> None:
    """Raise the error that the machine reports for a file."""
    if "error" not in counted:
        return
    what, why, todo = counted["error"]
    raise ArtifactError(
        (what or f"{path} cannot be run on the emulated core.").replace(
            str(FOLDER / str(counted["file"])), str(path.parent)
        ),
        why,
        todo or "Check that 'edgeecg bench' runs the file here; if so, report this as a bug.",
    )


def _job(
    files: Sequence[ModelFile], manifests: Sequence[Artifact | None], operations: bool
) -> list[archive.Entry]:
    """Return the files, their probe sets and the list of them, as the guest program reads them."""
    folder = str(FOLDER).lstrip("/")
    entries = [archive.folder(folder)]
    jobs: list[dict[str, Any]] = []
    for index, (file, manifest) in enumerate(zip(files, manifests, strict=True)):
        # A folder for each: files of several runs may have equal names.
        place = f"{folder}/{index}"
        entries += [archive.folder(place), archive.file(f"{place}/{file.path.name}", file.path)]
        probe = probe_set.probe_path(file.path)
        if probe.is_file():
            entries.append(archive.file(f"{place}/{probe.name}", _fewer_windows(probe)))
        jobs.append(
            {
                "path": f"/{place}/{file.path.name}",
                "shapes": {name: list(shape) for name, shape in file.shapes.items()},
                "task": manifest.task if manifest else "beats",
                "operations": operations,
            }
        )
    entries.append(archive.file(str(JOB).lstrip("/"), json.dumps(jobs).encode()))
    return entries


def _fewer_windows(probe: Path) -> bytes | Path:
    """Return a shorter probe set, because an emulated core is some ten times slower than this one.

    One that cannot be read is returned as it is: the emulated machine reports what is wrong.
    """
    try:
        arrays = probe_set.read(probe)
    except ArtifactError:
        return probe
    every = max(1, len(arrays["x"]) // PROBES)
    content = io.BytesIO()
    np.savez(content, x=arrays["x"][::every], logits=arrays["logits"][::every])
    return content.getvalue()


def _result(
    used: _Machine,
    file: ModelFile,
    manifest: Artifact | None,
    counted: Mapping[str, Any],
    baseline: CostTotals | None,
) -> InstructionResult:
    samples = counted["samples"]
    if len(samples) != COUNTED:
        raise EdgeECGError(
            f"The instructions of {file.path} were not counted.",
            f"The emulated machine returned {len(samples)} counts instead of {COUNTED}.",
            "Build its image again with 'edgeecg emulator build --rebuild'.",
        )
    return InstructionResult(
        artifact=artifacts.reference(file, manifest),
        device=DeviceInfo(
            name=used.core.device,
            emulated=True,
            machine=image.MACHINE,
            cpu=used.core.title,
            cores=1,
            memory_bytes=machine.MEMORY_BYTES,
            system=counted["system"],
            python=counted["python"],
            before=_UNKNOWN,
            after=_UNKNOWN,
        ),
        runtime=counted["runtime"],
        input_shape=tuple(counted["input_shape"]),
        instructions=Instructions(
            per_inference=round(statistics.median(samples)),
            core=used.core.name,
            emulator=used.emulator,
            samples=tuple(samples),
            operations=tuple(
                OperationInstructions(name=name, op=op, instructions=number)
                for name, op, number in counted["operations"]
            ),
            operations_method=counted["operations_method"],
            operations_reason=counted["operations_reason"],
        ),
        proxy=artifacts.relative_proxy(file, manifest, ProxyCoefficients(), baseline),
        parity=Parity.model_validate(counted["parity"]),
    )
