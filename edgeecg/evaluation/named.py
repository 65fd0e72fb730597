"""Evaluating and classifying what a user names, on records that a user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg import arguments
from edgeecg.data import DataRequest, sources, unlabelled
from edgeecg.data.loading import check_leads
from edgeecg.errors import DataError
from edgeecg.evaluation import scoring
from edgeecg.evaluation.predictions import Predictions, classify_record
from edgeecg.evaluation.predictors import Predictor, load_dense, load_predictor
from edgeecg.evaluation.threads import limited_threads
from edgeecg.models import load_custom
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import ClassMapName, DataSummary, Fidelity, Scores, Split
from edgeecg.statistics.confusion import dominant_records


@dataclass(frozen=True)
class Evaluation:
    """Scores of a model or file, and what they are the scores of.

    Attributes:
        predictor: What was scored.
        scores: The scores.
        summary: The records that were scored.
        fidelity: For a compressed model or file in its run folder: how often it decides as the
            dense model of the run; else None.
    """

    predictor: Predictor
    scores: Scores
    summary: DataSummary
    fidelity: Fidelity | None = None

    def to_document(self) -> dict[str, Any]:
        """Return what ``edgeecg evaluate --json`` writes."""
        return {
            "schema": "edgeecg.evaluation/1",
            "model": self.predictor.model,
            "subject": self.predictor.title,
            **self.scores.to_document(),
            "s_without_232": None,  # scripts expect this key for every database
            **{each.key: each.rest.to_document() for each in dominant_records(self.scores)},
            "fidelity": None if self.fidelity is None else self.fidelity.to_document(),
            "class_map": self.summary.class_map,
            "preprocessing": self.predictor.preprocessing.to_document(),
            "licence": self.summary.licence,
            "skipped": self.summary.skipped,
            "notes": list(self.summary.notes),
        }


@dataclass(frozen=True)
class Classification:
    """What a model says of the records of a folder.

    Attributes:
        predictor: What classified.
        records: Its predictions, record by record.
        errors: Records that could not be classified, with the reason.
    """

    predictor: Predictor
    records: list[Predictions]
    errors: dict[str, DataError]


def evaluate(
    model: str,
    data: str | Path | None = None,
    *,
    split: Split = "test",
    leads: Mapping[str, str] | None = None,
    class_map: ClassMapName | None = None,
    min_likelihood: float | None = None,
    custom: str | None = None,
    strict: bool = False,
    threads: int = 1,
    on_progress: ProgressCallback | None = None,
) -> Evaluation:
    """Score a model or an exported file on annotated records.

    Args:
        model: Name of a model or run, or path of a run folder, a ``.tflite``, ``.onnx`` or
            ``.safetensors`` file.
        data: Name of a database or path of a folder of records; None for the model's own database
            if it is found, else synthetic records.
        split: Which split of a database; of a folder every annotated record is scored.
        leads: For a folder: the records' names of the model's leads, ``{"MLII": "II"}``.
        class_map: Mapping from beat symbols to classes; None for the model's own.
        min_likelihood: For PTB-XL: percent from which a statement counts; None for the model's own.
        custom: Of a custom module: its file and function, ``"path/to/model.py:build"``.
        strict: Refuse a folder with a record that cannot be used, instead of leaving it out.
        threads: Threads of PyTorch, or of the runtime of an exported file.
        on_progress: Called after each record that is read and each batch that is classified.

    Raises:
        UnknownNameError: There is no such model, run or file, or no such database, split or class
            map.
        UsageError: ``threads`` is less than 1, or ``leads`` is no mapping.
        ArtifactError: A file is missing, damaged, or not what its card says.
        DataError: The records are missing, damaged, or have other classes than the model.
    """
    arguments.choice("split", split, Split)
    if class_map is not None:
        arguments.choice("class map", class_map, ClassMapName)
    arguments.at_least_one("threads", threads)
    names = arguments.lead_names(leads)
    (on_progress or ignore)("loading the model", 0, 1)
    of = None if custom is None else load_custom(custom)
    predictor = load_predictor(model, of, threads)
    request = DataRequest(
        source=None if data is None else str(data),
        task=predictor.task,
        preprocessing=predictor.preprocessing,
        class_map=class_map or predictor.class_map,
        leads=names,
        min_likelihood=predictor.min_likelihood if min_likelihood is None else min_likelihood,
        strict=strict,
    )
    with limited_threads(threads):
        scores, summary, fidelity = scoring.score_beside_dense(
            predictor, request, split, load_dense(model, of), on_progress
        )
    return Evaluation(predictor, scores, summary, fidelity)


def classify(
    model: str,
    data: str | Path,
    *,
    leads: Mapping[str, str] | None = None,
    custom: str | None = None,
    strict: bool = False,
    threads: int = 1,
    on_progress: ProgressCallback | None = None,
) -> Classification:
    """Classify every beat, or every 12-lead record, of a folder; no annotations are needed.

    Args:
        model: As for :func:`evaluate`.
        data: Path of a folder of WFDB records, or name of a database.
        leads: The records' names of the model's leads, ``{"MLII": "II"}``.
        custom: Of a custom module: its file and function, ``"path/to/model.py:build"``.
        strict: Stop at the first record that cannot be classified, in place of leaving it out.
        threads: Threads of PyTorch, or of the runtime of an exported file.
        on_progress: Called after each record.

    Raises:
        UnknownNameError: There is no such model, run or file, or no such folder.
        UsageError: ``threads`` is less than 1, or ``leads`` is no mapping or names a lead that the
            model does not have.
        DataError: No record could be classified: the error of the first. Or ``strict``, and one
            could not.
    """
    arguments.at_least_one("threads", threads)
    renamed = arguments.lead_names(leads)
    report = on_progress or ignore
    report("loading the model", 0, 1)
    path = sources.find(str(data)).folder()
    predictor = load_predictor(model, None if custom is None else load_custom(custom), threads)
    check_leads(renamed, predictor.preprocessing.leads)
    names = unlabelled.names(path)
    records: list[Predictions] = []
    errors: dict[str, DataError] = {}
    for done, name in enumerate(names, start=1):
        try:
            record = unlabelled.load(path, name, predictor.preprocessing, renamed)
            with limited_threads(threads):
                records.append(classify_record(predictor, record))
        except DataError as error:
            if strict:
                raise
            errors[name] = error
        report("classifying", done, len(names))
    if not records:
        raise next(iter(errors.values()))
    return Classification(predictor, records, errors)
