"""The results that a user names on the command line: those of a run, or of a JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from datetime import datetime
from pathlib import Path

from edgeecg import runs
from edgeecg.costs import proxy
from edgeecg.errors import UsageError
from edgeecg.reporting import documents, reading, run_measurements, subjects
from edgeecg.reporting.subjects import Subject
from edgeecg.runs import RunFolder
from edgeecg.runs.bench_documents import holds_instructions, readable
from edgeecg.schema import (
    BenchReport,
    BenchResult,
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
    source, path, wanted = split(name)
    found = _of_run(source) if path is None else subjects.of_document(source, path)
    return chosen(found, source, wanted) if wanted else found


def split(name: str) -> tuple[str, Path | None, str]:
    """Return what a user names: the source, its path unless it is a run, and the label after ``#``.

    Args:
        name: As :func:`read` takes it.
    """
    whole = "#" not in name or Path(name).exists() or (runs.RUNS / name).exists()
    source, _, wanted = (name, "", "") if whole else name.rpartition("#")
    path = Path(source)
    folder = path.is_dir() or (runs.RUNS / source).is_dir()
    is_run = folder or not (path.exists() or path.suffix)
    return source, None if is_run else path, wanted


def folder_of(source: str) -> RunFolder:
    """Return the run that a user names.

    Args:
        source: Its name or folder.

    Raises:
        EdgeECGError: There is no such run, or it is not finished.
    """
    return runs.exportable(source)


def chosen(found: Sequence[Subject], source: str, wanted: str) -> list[Subject]:
    """Return the results with a label or file name.

    Args:
        found: The results of a source.
        source: What the user calls it.
        wanted: The label or file name.

    Raises:
        UsageError: There is none, or results of several files have it.
    """
    kept = [each for each in found if wanted in _names(each)]
    labels = list(dict.fromkeys(each.label for each in kept))
    if not found:
        raise UsageError(
            f"'{source}' has no result '{wanted}'.",
            "It has no exported file and no measurement.",
            "Export its models with 'edgeecg export --run', or name another result.",
        )
    if not kept:
        raise UsageError(
            f"'{source}' has no result '{wanted}'.",
            f"Its results are: {', '.join(dict.fromkeys(each.label for each in found))}.",
            f"Name one of them after the '#', e.g. '{source}#{found[0].label.replace(' ', '-')}'.",
        )
    if len(labels) > 1:
        raise UsageError(
            f"'{source}' has {len(labels)} results '{wanted}'.",
            f"They are: {', '.join(labels)}.",
            f"Name one of them after the '#', e.g. '{source}#{labels[0].replace(' ', '-')}'.",
        )
    return kept


def _names(subject: Subject) -> set[str]:
    names = {subject.label, subject.label.replace(" ", "-")}
    if subject.file is not None:
        names |= {subject.file, Path(subject.file).name, Path(subject.file).stem}
    return names


def _of_run(source: str) -> list[Subject]:
    """Return the compressed model and its files, or the dense model of a run without one."""
    folder = folder_of(source)
    if folder.dense_only:
        return _of_dense_run(source, folder)
    found = documents.read(folder)
    # The newest of each file.
    counts = {each.artifact.sha256: each for report in found.counts for each in report.results}
    rows = [_of_card(source, "compressed model", found.model)]
    for exported in found.exported:
        if exported.manifest.role == "compressed":
            counted = counts.get(exported.sha256)
            base = of_exported(source, exported, counted)
            results = found.of(exported)
            rows += [measured(base, m.result, m.report) for m in results] or [base]
    return [dataclasses.replace(row, unreadable=found.unreadable) for row in rows]


def _of_dense_run(source: str, folder: RunFolder) -> list[Subject]:
    """Return the dense model, and a measurement of each file in each setup."""
    card = reading.load(folder.baseline_card, ModelCard)
    reading.check_scores(folder.baseline_card, (card.test,), card.classes)
    rows = [_of_card(source, "baseline model", card)]
    paths = [path for path in folder.bench_files() if not holds_instructions(path)]
    found, damaged = readable(paths, lambda path: _dated(source, path))
    used: dict[Hashable, tuple[BenchResult, Subject]] = {}
    for _, report, measured_rows in sorted(found.values(), key=_date):
        for result, row in zip(report.results, measured_rows, strict=True):
            key = result.artifact.sha256, row.setup, row.host
            if key not in used or run_measurements.replaces(result, used[key][0]):
                used[key] = result, row
    rows += [row for _, row in used.values()]
    return [dataclasses.replace(row, unreadable=tuple(damaged.values())) for row in rows]


_Dated = tuple[datetime, BenchReport, list[Subject]]


def _dated(source: str, path: Path) -> _Dated:
    """Return when a bench report was written, the report, and its results."""
    report = reading.load(path, BenchReport)
    found = subjects.of_bench(source, path, report)
    return run_measurements.created(path, report), report, found


def _date(dated: _Dated) -> datetime:
    return dated[0]


def _of_card(source: str, label: str, card: ModelCard) -> Subject:
    return Subject(
        source=source,
        label=label,
        scores=card.test,
        labelling=(card.data.class_map, None),
        parameters=card.parameters,
        macs=card.macs,
    )


def of_exported(
    source: str, exported: documents.Exported, counted: InstructionResult | None = None
) -> Subject:
    """Return an exported file of a run, as its manifest describes it.

    Args:
        source: What the user calls the run.
        exported: The file.
        counted: The count of its instructions, or None.
    """
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


def measured(subject: Subject, result: BenchResult, report: BenchReport) -> Subject:
    """Return a file with a measurement.

    Args:
        subject: The file.
        result: The measurement.
        report: The bench report that holds it.
    """
    manifest = result.artifact.manifest
    return dataclasses.replace(
        subject,
        proxy=result.proxy,
        baseline=subjects.baseline(manifest, report.baseline, report.results),
        result=result,
        report=report,
    )
