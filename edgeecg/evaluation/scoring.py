"""Scoring a finished model or file on a database's split, or on every record of a folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import DataRequest, Windows, load_dataset
from edgeecg.errors import DataError
from edgeecg.evaluation import fidelity
from edgeecg.evaluation.batches import run_in_batches
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.evaluation.predictors import Predictor
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import DataSummary, Fidelity, Scores, Split

_BATCH = 128


def score_beside_dense(
    predictor: Predictor,
    request: DataRequest,
    split: Split,
    dense: Predictor | None,
    progress: ProgressCallback | None = None,
) -> tuple[Scores, DataSummary, Fidelity | None]:
    """Score a predictor on annotated records, and compare it with its dense model.

    For 12-lead records the thresholds are those stored with the model. A model without them gets
    thresholds chosen on the validation records.

    Args:
        predictor: What is scored.
        request: The records. Of a folder every annotated record is scored: a finished model needs
            no split of records that it was not trained on.
        split: Which split of a database.
        dense: The dense model that the predictor was made from, or None.
        progress: Called after each record that is read and each batch that is classified.

    Returns:
        The scores, the records that they belong to, and, with a dense model, how often the
        predictor decides as that does.

    Raises:
        DataError: The records are missing, damaged, or have other classes than the predictor.
        EdgeECGError: There is nothing to score, or outputs are not finite.
    """
    report = progress or ignore

    def on_record(done: int, total: int) -> None:
        report("reading records", done, total)

    def predict(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        def on_done(done: int) -> None:
            report("classifying", done, len(windows))

        return run_in_batches(predictor.predict, windows, _BATCH, on_done)

    dataset = load_dataset(replace(request, score_only=True), on_record)
    if dataset.summary.source == "folder" and not len(dataset.split(split).y):
        # A folder without folds has everything in the test split.
        split = "test"
    if dataset.summary.classes != predictor.classes:
        raise DataError(
            f"{predictor.title} cannot be evaluated on these records.",
            f"It has the classes {_listed(predictor.classes)}, and the records have "
            f"{_listed(dataset.summary.classes)}.",
            "Choose records with the model's classes.",
        )
    windows = dataset.split(split)
    kept: dict[int, NDArray[np.float32]] = {}

    def predict_once(x: NDArray[np.float32]) -> NDArray[np.float32]:
        if id(x) not in kept:
            kept[id(x)] = predict(x)
        return kept[id(x)]

    scores = score_predictor(predict_once, dataset, split, thresholds=predictor.thresholds)
    found = None
    if dense is not None:
        found = fidelity.compared(
            fidelity.decisions(dense.predict(windows.x), predictor.task),
            fidelity.decisions(predict_once(windows.x), predictor.task),
            windows.record,
            predictor.classes,
            split,
        )
    return scores, _with_note(dataset.summary, predictor, windows), found


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes)


def _with_note(summary: DataSummary, predictor: Predictor, scored: Windows) -> DataSummary:
    """Add a note that names the scored records from which the predictor may have been trained.

    Records are compared by name. Those of another database may only share a name, so that the note
    does not claim more.
    """
    if predictor.task != "beats":
        return summary
    data = predictor.data
    if data is None:
        if summary.source != "folder":
            return summary
        note = (
            "Which records the model was made from is not known of a file outside its run folder, "
            "so nothing says whether some of these are among them."
        )
        return summary.model_copy(update={"notes": (*summary.notes, note)})
    shared = sorted({*data.train_records, *data.val_records} & set(scored.record.tolist()))
    if not shared or (data.source == "synthetic") != (summary.source == "synthetic"):
        return summary
    note = (
        f"The model was made from records of these names: {', '.join(shared)}. "
        "If they are the same records, the scores are too high."
    )
    return summary.model_copy(update={"notes": (*summary.notes, note)})
