"""Scores with one confusion matrix for each record."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeecg.schema import Scores
from edgeecg.statistics.confusion import accuracy, class_score, macro_f1

CLASSES = ("N", "S", "V")

Rows = tuple[tuple[int, ...], ...]


def scores(records: Mapping[str, Rows]) -> Scores:
    """Return the scores of beats with these confusion matrices."""
    total = np.sum([np.array(rows) for rows in records.values()], axis=0)
    return Scores(
        data="synthetic",
        split="test",
        n=int(total.sum()),
        accuracy=float(accuracy(total)),
        macro_f1=float(macro_f1(total)),
        per_class={name: class_score(total, index) for index, name in enumerate(CLASSES)},
        confusion=tuple(tuple(int(count) for count in row) for row in total),
        records=dict(records),
    )
