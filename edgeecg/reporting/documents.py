"""Reading the JSON documents of a run, and sorting out those that do not belong to it."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgeecg.errors import EdgeECGError, SchemaError
from edgeecg.files import sha256 as file_sha256
from edgeecg.reporting import reading, run_measurements
from edgeecg.reporting.remarks import Remark
from edgeecg.reporting.run_measurements import Measurement
from edgeecg.runs import RunFolder
from edgeecg.runs.bench_documents import holds_instructions, readable
from edgeecg.schema import (
    Artifact,
    BenchReport,
    CompressionLog,
    InstructionReport,
    ModelCard,
    QuantizationLog,
    Value,
)

_Document = TypeVar("_Document", bound=Value)


@dataclass(frozen=True)
class Exported:
    """One exported file of the run.

    Attributes:
        manifest: What the file is.
        file: File name.
        sha256: Hash of the file.
        size_bytes: Size of the file.
    """

    manifest: Artifact
    file: str
    sha256: str
    size_bytes: int

    @property
    def label(self) -> str:
        """A short name for tables and figures, e.g. ``"compressed tflite-int8"``."""
        return f"{self.manifest.role} {self.manifest.target}"


@dataclass(frozen=True)
class RunDocuments:
    """All documents that a report is made from.

    Attributes:
        name: Name of the run.
        shell_name: What names it in a command line.
        model: Card of the compressed model.
        baseline: Card of the dense baseline, or None when the file is missing.
        log: The compression steps, or None when the file is missing.
        quantization: How the model was quantised, or None when that was not asked for.
        exported: Exported files of the weights that the run has now.
        measurements: The newest measurement of each file in each setup, newest first.
        left_out: What was found and not used, with the reason.
        counts: Counts of instructions, oldest first.
        unreadable: Why a file in the folder of the bench reports was not read, a text each; these
            files are among those left out.
    """

    name: str
    shell_name: str
    model: ModelCard
    baseline: ModelCard | None
    log: CompressionLog | None
    quantization: QuantizationLog | None
    exported: tuple[Exported, ...]
    measurements: tuple[Measurement, ...]
    left_out: tuple[Remark, ...]
    counts: tuple[InstructionReport, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def _custom_file(self) -> str | None:
        """File and function of a custom module, where the log names it."""
        custom = None if self.log is None else self.log.config.custom
        return None if custom is None else custom.file

    def of(self, exported: Exported) -> list[Measurement]:
        """Return the measurements of one exported file, newest first."""
        return [m for m in self.measurements if m.result.artifact.sha256 == exported.sha256]

    def reference_of(self, measurement: Measurement) -> Measurement | None:
        """Return the measurement of the baseline's float32 file of this format in this setup.

        That of the same call of ``edgeecg bench`` is preferred to a newer one.

        Args:
            measurement: A measurement of the run.
        """
        wanted = {
            exported.sha256
            for exported in self.exported
            if exported.manifest.role == "baseline"
            and exported.manifest.dtype == "float32"
            and exported.manifest.format == measurement.result.artifact.format
        }
        same_call = (
            dataclasses.replace(measurement, result=result) for result in measurement.report.results
        )
        for other in (*same_call, *self.measurements):
            if other.result.artifact.sha256 in wanted and other.setup == measurement.setup:
                return other
        return None

    def missing(self) -> list[Remark]:
        """Return the parts that do not exist yet, each with the command that makes it."""
        remarks: list[Remark] = []
        model = shlex.quote(self._custom_file or self.model.name)
        again = f"Copy it from where the run was made, or run: edgeecg compress {model}"
        if self.baseline is None:
            remarks.append(Remark("Baseline", f"baseline.json is missing. {again}"))
        if self.log is None:
            remarks.append(Remark("Compression steps", f"compression.json is missing. {again}"))
        if not self.exported:
            remarks.append(Remark("Exported files", f"none yet. Run: {self.to_export}"))
        elif not self.measurements:
            remarks.append(Remark("Measurements", f"none yet. Run: {self.to_measure}"))
        return remarks

    @property
    def to_export(self) -> str:
        """The command that exports the models of the run."""
        custom = self._custom_file
        option = "" if custom is None else f" --custom {shlex.quote(custom)}"
        return f"edgeecg export --run {self.shell_name}{option} --target tflite"

    @property
    def to_measure(self) -> str:
        """The command that measures the exported files of the run."""
        return f"edgeecg bench --run {self.shell_name}"


def read(run: RunFolder, bench_files: Sequence[Path] = ()) -> RunDocuments:
    """Read a finished run.

    Args:
        run: The run folder.
        bench_files: Bench reports besides those in the run folder, e.g. reports that were copied
            from a board.

    Returns:
        The documents. A file in the run's folder of bench reports that is damaged is left out,
        unless it is one of ``bench_files``.

    Raises:
        SchemaError: A document is damaged or is something else; the message names the file.
        EdgeECGError: A document cannot be opened, or the run is removed while it is read.
    """
    before = _in_folder(run)
    try:
        found = _read(run, bench_files)
    except FileNotFoundError as error:
        raise _removed(run, error.filename) from error
    # What was removed before it was read looks like a part that never was.
    if gone := before - _in_folder(run):
        raise _removed(run, min(gone))
    return found


def _in_folder(run: RunFolder) -> set[str]:
    """Return the names of the documents of a run."""
    folders = (run.path, run.artifacts, run.bench)
    return {str(path) for folder in folders for path in folder.glob("[!.]*.json")}


def _removed(run: RunFolder, name: str) -> EdgeECGError:
    return EdgeECGError(
        f"{run.path} cannot be read.",
        f"'{name}' was removed in the meantime.",
        "Wait until nothing else changes the run, then do it again.",
    )


def _read(run: RunFolder, bench_files: Sequence[Path]) -> RunDocuments:
    model = reading.load(run.model_card, ModelCard)
    baseline = _load_if_there(run.baseline_card, ModelCard)
    for path, card in ((run.model_card, model), (run.baseline_card, baseline)):
        if card is not None:
            reading.check_scores(path, (card.val, card.test), card.classes)
    exported, stale = _exported(run, model, baseline)
    # A file of the run's own may be named, too.
    named = {path.resolve(): path for path in bench_files}
    own = [path for path in run.bench_files() if path.resolve() not in named]
    found, damaged = readable(own, _bench_document)
    found |= {path: _bench_document(path) for path in named.values()}
    counts = {path: each for path, each in found.items() if isinstance(each, InstructionReport)}
    reports = [(path, each) for path, each in found.items() if isinstance(each, BenchReport)]
    measurements, not_used = run_measurements.of_reports(
        reports, {each.sha256: each.manifest for each in exported}
    )
    return RunDocuments(
        name=run.path.resolve().name,
        shell_name=run.shell_name,
        model=model,
        baseline=baseline,
        log=_load_if_there(run.compression_log, CompressionLog),
        quantization=_load_if_there(run.quantization, QuantizationLog),
        exported=tuple(exported),
        measurements=tuple(measurements),
        left_out=(
            *stale,
            *(Remark(path.name, why) for path, why in damaged.items()),
            *not_used,
            *map(_counted, counts),
        ),
        counts=tuple(counts.values()),
        unreadable=tuple(damaged.values()),
    )


def _bench_document(path: Path) -> BenchReport | InstructionReport:
    if holds_instructions(path):
        return reading.load(path, InstructionReport)
    report = reading.load(path, BenchReport)
    run_measurements.created(path, report)
    return report


def _counted(path: Path) -> Remark:
    text = "instructions that were counted on an emulated core; they are not times, see its JSON"
    return Remark(path.name, text)


def _load_if_there(path: Path, value: type[_Document]) -> _Document | None:
    return reading.load(path, value) if path.exists() else None


def _exported(
    run: RunFolder, model: ModelCard, baseline: ModelCard | None
) -> tuple[list[Exported], list[Remark]]:
    weights = {"compressed": model.weights_sha256}
    if baseline is not None:
        weights["baseline"] = baseline.weights_sha256
    elif model.parent_sha256 is not None:
        weights["baseline"] = model.parent_sha256
    exported: list[Exported] = []
    remarks: list[Remark] = []
    for path in sorted(run.artifacts.glob("*.json")):
        found = _describe(path)
        beside = path.with_name(found.file)
        if found.manifest.weights_sha256 != weights.get(found.manifest.role):
            text = "made from other weights than the run has now; export it again"
            remarks.append(Remark(found.file, text))
        elif beside.is_file() and file_sha256(beside) != found.sha256:
            text = "not the file that its manifest describes; export it again"
            remarks.append(Remark(found.file, text))
        else:
            exported.append(found)
    exported.sort(key=lambda e: (e.manifest.role != "baseline", e.manifest.target, e.file))
    return exported, remarks


def _describe(path: Path) -> Exported:
    manifest = reading.load(path, Artifact)
    if manifest.file is None or manifest.sha256 is None or manifest.size_bytes is None:
        raise SchemaError(
            f"{path} does not describe a file.",
            "Its 'file', 'sha256' or 'size_bytes' is null.",
            "Export the file again.",
        )
    if Path(manifest.file).name != manifest.file:
        raise SchemaError(
            f"{path} does not describe a file beside it.",
            f"Its 'file' is a path: {manifest.file!r}.",
            "Export the file again.",
        )
    reading.check_scores(path, [manifest.test] if manifest.test else [], manifest.classes)
    return Exported(manifest, manifest.file, manifest.sha256, manifest.size_bytes)
