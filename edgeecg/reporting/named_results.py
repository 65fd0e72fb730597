"""The results that a user names on the command line: those of a run, or of a JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from edgeecg import runs
from edgeecg.costs import proxy
from edgeecg.errors import UsageError
from edgeecg.reporting import documents, subjects
from edgeecg.reporting.subjects import Subject
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    BenchReport,
    BenchResult,
    InstructionReport,
    InstructionResult,
    ModelCard,
    ProxyCoefficients,
)


def read(name: str) -> list[Subject]:
    """Read the results that a user names.

    Args:
        name: A run's name or folder, or a JSON file that ``bench --json`` or ``evaluate --json``
            wrote; followed by ``#LABEL`` to choose one of several results by its label or file.

    Raises:
        EdgeECGError: There is no such run or file, or it cannot be read.
        SchemaError: The file is damaged or holds something else.
        UsageError: It has no result with this label.
    """
    source, _, wanted = name.rpartition("#") if "#" in name and not Path(name).exists() else (
        name, "", ""
    )  # fmt: skip
    path = Path(source)
    folder = path.is_dir() or (runs.RUNS / source).is_dir()
    if folder or not (path.exists() or path.suffix):
        found = _of_run(source)
    else:
        found = subjects.of_document(source, path)
    return _chosen(found, source, wanted) if wanted else found


def _chosen(found: Sequence[Subject], source: str, wanted: str) -> list[Subject]:
    chosen = [each for each in found if wanted in _names(each)]
    if not chosen:
        raise UsageError(
            f"'{source}' has no result '{wanted}'.",
            f"Its results are: {', '.join(dict.fromkeys(each.label for each in found))}.",
            f"Name one of them after the '#', e.g. '{source}#{found[0].label.replace(' ', '-')}'.",
        )
    return chosen


def _names(subject: Subject) -> set[str]:
    names = {subject.label, subject.label.replace(" ", "-")}
    if subject.file is not None:
        names |= {subject.file, Path(subject.file).name, Path(subject.file).stem}
    return names


def _of_run(source: str) -> list[Subject]:
    """Return the compressed model and its files, or the dense model of a run without one."""
    folder = runs.exportable(source)
    if folder.dense_only:
        return _of_dense_run(source, folder)
    found = documents.read(folder)
    counts = _counts(folder)
    rows = [_of_card(source, "compressed model", found.model)]
    for exported in found.exported:
        if exported.manifest.role == "compressed":
            counted = counts.get(exported.sha256)
            base = _of_manifest(source, exported, counted)
            measured = found.of(exported)
            rows += [_measured(base, m.result, m.report) for m in measured] or [base]
    return rows


def _of_dense_run(source: str, folder: RunFolder) -> list[Subject]:
    card = documents.load(folder.baseline_card, ModelCard)
    documents.check_scores(folder.baseline_card, (card.test,), card.classes)
    rows = [_of_card(source, "baseline model", card)]
    for path in folder.bench_files():
        if subjects.decoded(path).get("schema") == BenchReport.version:
            rows += subjects.of_bench(source, path, documents.load(path, BenchReport))
    return rows


def _of_card(source: str, label: str, card: ModelCard) -> Subject:
    return Subject(
        source=source,
        label=label,
        scores=card.test,
        labelling=(card.data.class_map, None),
        parameters=card.parameters,
        macs=card.macs,
    )


def _of_manifest(
    source: str, exported: documents.Exported, counted: InstructionResult | None
) -> Subject:
    manifest = exported.manifest
    base = None if manifest.baseline is None else manifest.baseline.costs
    found = proxy.relative(manifest.costs, base, ProxyCoefficients())
    return Subject(
        source=source,
        label=exported.label,
        file=exported.file,
        scores=manifest.test,
        labelling=subjects.labelling(manifest),
        size_bytes=exported.size_bytes,
        parameters=manifest.parameters,
        macs=found.macs,
        proxy=found,
        baseline=None if base is None else base.to_json(),
        counted=counted,
    )


def _measured(subject: Subject, result: BenchResult, report: BenchReport) -> Subject:
    manifest = result.artifact.manifest
    return dataclasses.replace(
        subject,
        proxy=result.proxy,
        baseline=subjects.baseline(manifest, report.baseline, report.results),
        result=result,
        report=report,
    )


def _counts(folder: RunFolder) -> dict[str, InstructionResult]:
    """Return the newest count of instructions of each file, by the file's hash."""
    found: dict[str, InstructionResult] = {}
    for path in folder.bench_files():
        if subjects.decoded(path).get("schema") == InstructionReport.version:
            report = documents.load(path, InstructionReport)
            found |= {result.artifact.sha256: result for result in report.results}
    return found
