"""Models and files with results, and reading them from JSON documents."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg.errors import EdgeECGError, SchemaError
from edgeecg.files import read_bytes
from edgeecg.reporting import reading
from edgeecg.schema import (
    Artifact,
    BenchReport,
    BenchResult,
    InstructionReport,
    InstructionResult,
    Proxy,
    Scores,
)

_EVALUATION = "edgeecg.evaluation/1"


@dataclass(frozen=True)
class Subject:
    """One model or file, with what is known of it.

    Attributes:
        source: The run or document, as the user named it.
        label: Which of its results, e.g. ``"compressed tflite-int8"``.
        file: Name of the model file, or None.
        scores: Scores on the test records, or None.
        labelling: From annotations to classes: class map and lowest likelihood.
        size_bytes: Size of the file, or None.
        parameters: Number of parameters, or None.
        macs: Multiply-accumulates of one inference, or None.
        proxy: The proxy, or None.
        baseline: What the proxy is relative to; equal for equal baselines.
        result: The measurement, or None.
        report: The bench report that holds it.
        counted: The count of instructions, or None.
        unreadable: Why a file of its run was not read, a text each.
        to_measure: Command that measures it, or None where it is no exported file of a run.
    """

    source: str
    label: str
    file: str | None = None
    scores: Scores | None = None
    labelling: tuple[str | None, float | None] = (None, None)
    size_bytes: int | None = None
    parameters: int | None = None
    macs: int | None = None
    proxy: Proxy | None = None
    baseline: Hashable = None
    result: BenchResult | None = None
    report: BenchReport | None = None
    counted: InstructionResult | None = None
    unreadable: tuple[str, ...] = ()
    to_measure: str | None = None

    @property
    def unmeasured(self) -> str:
        """Why it has no measurement, where it has none."""
        if self.to_measure is None:
            return "Not measured. Exported files are measured by: edgeecg bench FILE"
        return f"Not measured yet. Run: {self.to_measure}"

    @property
    def name(self) -> str:
        """Source and label."""
        return f"{self.source}, {self.label}"

    @property
    def setup(self) -> tuple[str | None, ...]:
        """Device, runtime and threads of its measurement."""
        measured = self.result or self.counted
        if measured is None:
            return ()
        threads = 1 if self.result is None else self.result.latency.threads
        device = measured.device
        return device.name, str(device.emulated), device.cpu, measured.runtime, str(threads)

    @property
    def host(self) -> str | None:
        """The host that it was measured on, as ``--on`` named it, or None."""
        return None if self.result is None else self.result.host


def of_document(source: str, path: Path) -> list[Subject]:
    """Read a bench report, a count of instructions, or an evaluation.

    Args:
        source: What the user calls it.
        path: The JSON file.

    Raises:
        EdgeECGError: It cannot be read.
        SchemaError: It is damaged or holds something else.
    """
    document = decoded(path)
    schema = document.get("schema")
    if schema == BenchReport.version:
        return of_bench(source, path, reading.load(path, BenchReport))
    if schema == InstructionReport.version:
        return _of_counts(source, path, reading.load(path, InstructionReport))
    if schema == _EVALUATION:
        return [_of_evaluation(source, path, document)]
    raise SchemaError(
        f"{path} cannot be used here.",
        f"Its schema is {schema!r}; results have '{BenchReport.version}', "
        f"'{InstructionReport.version}' or '{_EVALUATION}'.",
        "Give what 'edgeecg bench --json' or 'edgeecg evaluate --json' wrote, or a run.",
    )


def decoded(path: Path) -> Mapping[str, Any]:
    """Return the keys of a JSON document.

    Args:
        path: The JSON file.

    Raises:
        EdgeECGError: It cannot be read.
        SchemaError: It is no JSON document.
    """
    content = read_bytes(path, str(path), EdgeECGError, reading.UNREADABLE)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SchemaError(
            f"{path} cannot be read.",
            f"It is not valid JSON: {error}.",
            "The file is damaged or is something else; write it again.",
        ) from error
    if not isinstance(document, dict):
        raise SchemaError(
            f"{path} cannot be used here.",
            f"It holds a {type(document).__name__}, not a document of edgeecg.",
            "Give what 'edgeecg bench --json' or 'edgeecg evaluate --json' wrote, or a run.",
        )
    return {str(key): value for key, value in document.items()}


def _of_evaluation(source: str, path: Path, document: Mapping[str, Any]) -> Subject:
    body = {key: value for key, value in document.items() if key in Scores.model_fields}
    scores = _checked(path, Scores.from_document(body, str(path)))
    class_map = document.get("class_map")
    return Subject(
        source=source,
        label=str(document.get("subject") or document.get("model") or "model"),
        scores=scores,
        labelling=(None if class_map is None else str(class_map), None),
    )


def _checked(path: Path, scores: Scores) -> Scores:
    if scores.confusion or scores.records:
        reading.check_scores(path, [scores], tuple(scores.per_class))
    return scores


def of_bench(source: str, path: Path, report: BenchReport) -> list[Subject]:
    """Return the results of a bench report.

    Args:
        source: What the user calls it.
        path: Its file, for messages.
        report: The report.
    """
    labels = _labels([(each.artifact.manifest, each.artifact.file, _place(each))
                      for each in report.results])  # fmt: skip
    return [
        dataclasses.replace(
            _of_file(source, path, label, result, report), result=result, report=report
        )
        for label, result in zip(labels, report.results, strict=True)
    ]


def _place(result: BenchResult) -> Hashable:
    return result.host, result.device.name, result.latency.threads


def _of_counts(source: str, path: Path, report: InstructionReport) -> list[Subject]:
    labels = _labels([(each.artifact.manifest, each.artifact.file, each.device.name)
                      for each in report.results])  # fmt: skip
    return [
        dataclasses.replace(_of_file(source, path, label, result, report), counted=result)
        for label, result in zip(labels, report.results, strict=True)
    ]


def _of_file(
    source: str,
    path: Path,
    label: str,
    result: BenchResult | InstructionResult,
    report: BenchReport | InstructionReport,
) -> Subject:
    """Return what is known of a file apart from its measurement."""
    manifest = result.artifact.manifest
    scores = None if manifest is None else manifest.test
    return Subject(
        source=source,
        label=label,
        file=result.artifact.file,
        scores=None if scores is None else _checked(path, scores),
        labelling=labelling(manifest),
        size_bytes=result.artifact.size_bytes,
        parameters=None if manifest is None else manifest.parameters,
        macs=result.proxy.macs,
        proxy=result.proxy,
        baseline=baseline(manifest, report.baseline, report.results),
    )


def labelling(manifest: Artifact | None) -> tuple[str | None, float | None]:
    """Return how the test records of a file were labelled: class map and lowest likelihood."""
    return (None, None) if manifest is None else (manifest.class_map, manifest.min_likelihood)


def baseline(
    manifest: Artifact | None,
    named: str | None,
    results: Sequence[BenchResult | InstructionResult],
) -> Hashable:
    """Return what a proxy is relative to, so that equal baselines are equal values."""
    if named is not None:
        wanted = Path(named).absolute()
        return next(
            (r.artifact.sha256 for r in results if Path(r.artifact.file).absolute() == wanted), None
        )
    if manifest is None or manifest.baseline is None:
        return None
    return manifest.baseline.costs.to_json()


def _labels(files: Sequence[tuple[Artifact | None, str, Hashable]]) -> list[str]:
    """Return role and target of files that edgeecg exported, and the names of other files.

    Files whose label would be that of another file in the same place have their names, too, and
    files of equal names their paths.
    """
    models = {manifest.model for manifest, _, _ in files if manifest is not None}
    labels: list[str] = []
    for manifest, file, _ in files:
        if manifest is None:
            labels.append(Path(file).name)
        else:
            label = f"{manifest.role} {manifest.target}"
            labels.append(label if len(models) == 1 else f"{manifest.model} {label}")
    places = [place for _, _, place in files]
    labels = _told_apart(labels, [Path(file).name for _, file, _ in files], places)
    return _told_apart(labels, [file for _, file, _ in files], places)


def _told_apart(
    labels: Sequence[str], otherwise: Sequence[str], places: Sequence[Hashable]
) -> list[str]:
    """Return the labels, or others where a label is there several times in one place."""
    count = Counter(zip(labels, places, strict=True))
    return [
        label if count[label, place] == 1 else other
        for label, other, place in zip(labels, otherwise, places, strict=True)
    ]
