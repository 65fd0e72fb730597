"""What a model says of records that nobody has annotated."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.unlabelled import Unlabelled
from edgeecg.evaluation.predictors import Subject

_HALF = 0.5


@dataclass(frozen=True)
class Calls:
    """What a model says of one record.

    Attributes:
        record: What it was asked about.
        classes: Class names in the order of the columns.
        probability: Of each class, float64, ``(n, classes)``; the sum of a row is 1 where a beat
            has one class.
        called: Which classes each window is called, ``(n, classes)``.
    """

    record: Unlabelled
    classes: tuple[str, ...]
    probability: NDArray[np.float64]
    called: NDArray[np.bool_]

    @property
    def counts(self) -> dict[str, int]:
        """Number of windows called each class."""
        return {name: int(n) for name, n in zip(self.classes, self.called.sum(axis=0), strict=True)}

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each window: where it is, what it is called, and every probability."""
        found = self.record
        rows: list[dict[str, Any]] = []
        for sample, chances, called in zip(
            found.sample.tolist(), self.probability.tolist(), self.called.tolist(), strict=True
        ):
            names = [
                name for name, is_called in zip(self.classes, called, strict=True) if is_called
            ]
            where = {"sample": sample, "time_s": round(sample / found.fs_hz, 4)}
            rows.append(
                {
                    **(where if found.peaks != "none needed" else {"record": found.name}),
                    "class": " ".join(names),
                    **{f"p_{c}": round(p, 6) for c, p in zip(self.classes, chances, strict=True)},
                }
            )
        return rows


def call(subject: Subject, record: Unlabelled) -> Calls:
    """Classify one record.

    Args:
        subject: The model. A beat is called the most likely class; a record every class that
            reaches the model's thresholds, or 0.5 where it has none.
        record: Its windows, made with the subject's preprocessing.
    """
    if not len(record.x):
        empty = np.zeros((0, len(subject.classes)))
        return Calls(record, subject.classes, empty, empty > 0)
    logits = subject.logits(record.x).astype(np.float64)
    if subject.task == "records":
        probability = 1 / (1 + np.exp(-logits))
        thresholds = subject.thresholds
        called = probability >= (_HALF if thresholds is None else thresholds)
    else:
        exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
        probability = exponent / exponent.sum(axis=1, keepdims=True)
        called = np.arange(len(subject.classes)) == probability.argmax(axis=1)[:, None]
    return Calls(record, subject.classes, probability, called)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as comma-separated text, with their keys as the first line."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
