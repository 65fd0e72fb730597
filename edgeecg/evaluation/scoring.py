"""Scoring a finished model or file on a database's split, or on every record of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import Request, Windows, load_dataset
from edgeecg.data.loading import is_folder
from edgeecg.errors import DataError
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.evaluation.predictors import Subject
from edgeecg.schema import DataSummary, Scores, Split

Show = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is)."""

_CHUNK = 256


@dataclass(frozen=True)
class Evaluation:
    """What evaluating gave.

    Attributes:
        scores: The scores.
        summary: The records they were computed on.
    """

    scores: Scores
    summary: DataSummary


def evaluate(subject: Subject, request: Request, split: Split, show: Show) -> Evaluation:
    """Score a subject on annotated records.

    Thresholds of records are those that the subject was made with; where it has none, they are
    chosen on the validation records.

    Args:
        subject: What is scored.
        request: The records. Of a folder every annotated record is scored: a finished model needs
            no split of records that it was not made from.
        split: Which split of a database.
        show: Told what is being done.

    Raises:
        DataError: The records are missing, damaged, or have other classes than the subject.
        EdgeECGError: There is nothing to score, or outputs are not finite.
    """

    def on_record(done: int, total: int) -> None:
        show("reading records", done, total)

    def predict(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        parts: list[NDArray[np.float32]] = []
        for start in range(0, len(windows), _CHUNK):
            parts.append(subject.logits(windows[start : start + _CHUNK]))
            show("classifying", min(start + _CHUNK, len(windows)), len(windows))
        return np.concatenate(parts)

    if request.source is not None and is_folder(request.source):
        from edgeecg.data.sources import _folder

        dataset = _folder.load_everything(Path(request.source), request, on_record)
        split = "test" if request.task == "beats" else split
    else:
        dataset = load_dataset(request, on_record)
    if dataset.summary.classes != subject.classes:
        raise DataError(
            f"{subject.title} cannot be evaluated on these records.",
            f"It has the classes {_listed(subject.classes)}, and the records have "
            f"{_listed(dataset.summary.classes)}.",
            "Choose records with the model's classes.",
        )
    scores = score_predictor(predict, dataset, split, thresholds=subject.thresholds)
    return Evaluation(scores, _noted(dataset.summary, subject, dataset.split(split)))


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes)


def _noted(summary: DataSummary, subject: Subject, scored: Windows) -> DataSummary:
    """Add to the notes which of the records that were scored had trained the subject.

    Records of beats are known by their names; of another database they may only share a name,
    so that the note says what is known.
    """
    if subject.card is None or subject.task != "beats":
        return summary
    data = subject.card.data
    shared = sorted({*data.train_records, *data.val_records} & set(scored.record.tolist()))
    if not shared or (data.source == "synthetic") != (summary.source == "synthetic"):
        return summary
    note = (
        f"The model was made from records of these names: {', '.join(shared)}. "
        "If they are the same records, the scores are too high."
    )
    return summary.model_copy(update={"notes": (*summary.notes, note)})
