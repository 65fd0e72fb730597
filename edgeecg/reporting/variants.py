"""The files of runs and bench reports as variants: what a page with many of them shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.reporting import (
    documents,
    named_results,
    prediction,
    reading,
    run_measurements,
    subjects,
)
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.prediction import Prediction
from edgeecg.reporting.subjects import Subject
from edgeecg.schema import Artifact, BenchReport, BenchResult

MODEL = "PyTorch model"
"""Type of a variant that is no file."""


@dataclass(frozen=True)
class Variant:
    """One file in one measuring setup, or a file or model that was not measured.

    Attributes:
        subject: What is known of it.
        manifest: The manifest of the file, or None.
        prediction: Its measured ratios to its reference; None where it was not measured.
        place: Device, runtime and threads in words; empty for what was not measured.
        dense: The dense float32 file that it was compressed from, measured in the same place where
            possible; None for a dense model, and where the source does not hold that file.
    """

    subject: Subject
    manifest: Artifact | None = None
    prediction: Prediction | None = None
    place: str = ""
    dense: Variant | None = None

    @property
    def model(self) -> str:
        """The architecture, or the file's name."""
        if self.manifest is not None:
            return self.manifest.model
        return self.subject.source if self.subject.file is None else Path(self.subject.file).name

    @property
    def dtype(self) -> str:
        """The type of weights and activations, in words."""
        artifact = None if self.subject.result is None else self.subject.result.artifact
        if artifact is None:
            return MODEL if self.manifest is None else self.manifest.dtype
        if artifact.activation_dtype in (None, artifact.dtype):
            return artifact.dtype
        return f"{artifact.dtype} weights, {artifact.activation_dtype} activations"


def of_run(source: str, found: RunDocuments) -> list[Variant]:
    """Return the files of a run, the baseline's first; a file for each setup it was measured in.

    Args:
        source: What the user calls the run.
        found: Its documents.
    """
    variants: list[Variant] = []
    for exported in found.exported:
        subject = dataclasses.replace(
            named_results.of_exported(source, exported),
            unreadable=found.unreadable,
            to_measure=found.to_measure,
        )
        measured = found.of(exported)
        for m in measured:
            reference = found.reference_of(m)
            predicted = Prediction(None, None, m.result.proxy.executed)
            if reference is not None:
                predicted = prediction.against(m.result, reference.result)
            variants.append(
                Variant(
                    named_results.measured(subject, m.result, m.report),
                    exported.manifest,
                    predicted,
                    m.place,
                )
            )
        if not measured:
            variants.append(Variant(subject, exported.manifest))
    return _beside_dense(variants)


def of_bench(source: str, path: Path, report: BenchReport) -> list[Variant]:
    """Return the files of a bench report.

    Args:
        source: What the user calls it.
        path: Its file, for messages.
        report: The report.
    """
    read = subjects.of_bench(source, path, report)
    return _beside_dense(
        [
            Variant(subject, result.artifact.manifest, predicted, run_measurements.place(result))
            for subject, result, predicted in zip(
                read, report.results, prediction.predictions(report), strict=True
            )
        ]
    )


def _beside_dense(variants: Sequence[Variant]) -> list[Variant]:
    """Return the variants of one source, each with its dense file."""
    return [dataclasses.replace(each, dense=_dense_of(each, variants)) for each in variants]


def _dense_of(variant: Variant, variants: Sequence[Variant]) -> Variant | None:
    manifest = variant.manifest
    if manifest is None or manifest.role == "baseline":
        return None
    found = [
        each
        for each in variants
        if each.manifest is not None and each.manifest.is_dense_file_of(manifest)
    ]
    # Measured in the same place where possible.
    found.sort(key=lambda each: each.place != variant.place)
    return found[0] if found else None


def of_name(name: str) -> list[Variant]:
    """Return the variants that a user names: those of a run or of a JSON document.

    Args:
        name: As :func:`named_results.read` takes it.

    Raises:
        EdgeECGError: There is no such run or file, or it cannot be read.
        SchemaError: The file is damaged or holds something else.
        UsageError: It has no result with this label.
    """
    source, path, wanted = named_results.split(name)
    if path is None:
        folder = named_results.folder_of(source)
        if not folder.dense_only:
            found = of_run(source, documents.read(folder))
            return chosen(found, source, wanted)
    elif subjects.decoded(path).get("schema") == BenchReport.version:
        found = of_bench(source, path, reading.load(path, BenchReport))
        return chosen(found, source, wanted)
    return [_other(subject) for subject in named_results.read(name)]


def chosen(found: Sequence[Variant], source: str, wanted: str) -> list[Variant]:
    """Return the variants with a label or file name.

    Args:
        found: The variants of a source.
        source: What the user calls it.
        wanted: The label or file name; all variants where it is empty.

    Raises:
        UsageError: There is none.
    """
    if not wanted:
        return list(found)
    kept = named_results.chosen([each.subject for each in found], source, wanted)
    return [each for each in found if each.subject in kept]


def _other(subject: Subject) -> Variant:
    measured = subject.result or subject.counted
    manifest = None if measured is None else measured.artifact.manifest
    if not isinstance(measured, BenchResult) or subject.report is None:
        return Variant(subject, manifest)
    predicted = prediction.predictions(subject.report)[subject.report.results.index(measured)]
    return Variant(subject, manifest, predicted, run_measurements.place(measured))
