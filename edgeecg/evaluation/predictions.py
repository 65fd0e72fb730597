"""Predicted classes and probabilities for records without annotations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from edgeecg.data.unlabelled import Unlabelled
from edgeecg.evaluation.predictors import Predictor
from edgeecg.files import csv_text

_HALF = 0.5


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for one record.

    Attributes:
        record: Where the windows come from; the windows themselves are not kept.
        classes: Class names in the order of the columns.
        probability: Of each class, float64, ``(n, classes)``; where each beat has one class, the
            sum of a row is 1.
        predicted: Which classes are predicted for each window, ``(n, classes)``.
    """

    record: Unlabelled
    classes: tuple[str, ...]
    probability: NDArray[np.float64]
    predicted: NDArray[np.bool_]

    @property
    def counts(self) -> dict[str, int]:
        """Number of windows for which each class is predicted."""
        totals = self.predicted.sum(axis=0)
        return {name: int(n) for name, n in zip(self.classes, totals, strict=True)}

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each window: its position, predicted classes and all probabilities."""
        record = self.record
        rows: list[dict[str, Any]] = []
        for sample, quality, probabilities, predicted in zip(
            record.sample.tolist(),
            record.quality.tolist(),
            self.probability.tolist(),
            self.predicted.tolist(),
            strict=True,
        ):
            names = [name for name, is_in in zip(self.classes, predicted, strict=True) if is_in]
            position = {"sample": sample, "time_s": round(sample / record.fs_hz, 4)}
            columns = zip(self.classes, probabilities, strict=True)
            rows.append(
                {
                    **(position if record.peaks != "none needed" else {"record": record.name}),
                    "class": " ".join(names),
                    **{f"p_{name}": round(probability, 6) for name, probability in columns},
                    **({"low_quality": quality} if record.stretches else {}),
                }
            )
        return rows


def classify_record(predictor: Predictor, record: Unlabelled) -> Predictions:
    """Classify one record.

    A beat gets its most likely class. A record gets every class whose probability reaches the
    model's threshold, or 0.5 where the model has none.

    Args:
        predictor: The model.
        record: Windows that were made with the predictor's preprocessing.
    """
    classes, windows = predictor.classes, record.x
    record = replace(record, x=np.empty((0, *windows.shape[1:]), np.float32))
    if not len(windows):
        empty = np.zeros((0, len(classes)))
        return Predictions(record, classes, empty, empty > 0)
    logits = predictor.predict(windows).astype(np.float64)
    if predictor.task == "records":
        probability = expit(logits)
        thresholds = predictor.thresholds
        predicted = probability >= (_HALF if thresholds is None else thresholds)
    else:
        probability = softmax(logits, axis=1)
        predicted = np.arange(len(classes)) == probability.argmax(axis=1)[:, None]
    return Predictions(record, classes, probability, predicted)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as comma-separated text, with their keys as the first line."""
    return csv_text(list(rows[0]), (row.values() for row in rows)) if rows else ""
