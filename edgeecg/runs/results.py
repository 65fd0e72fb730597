"""What a finished run holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import EdgeECGError
from edgeecg.files import read_bytes
from edgeecg.runs.bench_documents import holds_instructions, readable
from edgeecg.runs.choosing import exportable, newest
from edgeecg.runs.folder import RUNS, RunFolder
from edgeecg.schema import Artifact, BenchReport, CompressionLog, ModelCard, QuantizationLog


@dataclass(frozen=True)
class Run:
    """A run that is finished, or one that holds a trained dense model.

    Attributes:
        folder: The run folder.
        baseline: Card of the dense model.
        compressed: Card of the compressed model; None for a run of a dense model alone.
        log: Every step of the compression, or None.
        quantization: What int8 did to the model, or None.
        artifacts: Manifests of the exported files.
        benches: Bench reports, oldest first.
        unreadable: Why a file in the folder of the bench reports was not read, a text each.
    """

    folder: RunFolder
    baseline: ModelCard
    compressed: ModelCard | None
    log: CompressionLog | None
    quantization: QuantizationLog | None
    artifacts: tuple[Artifact, ...]
    benches: tuple[BenchReport, ...]
    unreadable: tuple[str, ...] = ()


def load_run(name: str | Path | None = None) -> Run:
    """Return what a run holds.

    Args:
        name: Name of a run, or path of its folder; None for the newest that is finished.

    Raises:
        EdgeECGError: There is no such run, or it is not finished.
        SchemaError: A document in it is damaged. Damaged bench reports are left out.
    """
    folder = newest() if name is None else exportable(str(name), RUNS)
    if not folder.baseline_card.is_file():
        raise EdgeECGError(
            f"The run '{folder.name}' has no dense model.",
            f"'{folder.baseline_card}' is missing.",
            "Restore the file from a copy, or run 'edgeecg compress' again.",
        )
    paths = [path for path in folder.bench_files() if not holds_instructions(path)]
    benches, damaged = readable(paths, _bench_report)
    manifests = [path.with_suffix(".json") for path in folder.artifact_files()]
    return Run(
        folder=folder,
        baseline=ModelCard.from_file(folder.baseline_card),
        compressed=ModelCard.from_file(folder.model_card) if folder.finished else None,
        log=CompressionLog.from_file(folder.compression_log)
        if folder.compression_log.is_file()
        else None,
        quantization=QuantizationLog.from_file(folder.quantization)
        if folder.quantization.is_file()
        else None,
        artifacts=tuple(Artifact.from_file(path) for path in manifests if path.is_file()),
        benches=tuple(benches.values()),
        unreadable=tuple(damaged.values()),
    )


def _bench_report(path: Path) -> BenchReport:
    content = read_bytes(path, str(path), EdgeECGError, "Check the permissions of the file.")
    return BenchReport.from_json(content, str(path))
