"""Scores of beats as ANSI/AAMI EC57 asks for them, with fusion and unclassifiable beats.

A classifier of N, S and V also predicts one of these for every F (fusion) and Q (paced,
unclassifiable) beat. EC57 does not count all of these predictions as errors. As de Chazal, O'Dwyer
and Reilly applied it (IEEE TBME 51(7), 2004, section III), an F or Q beat predicted as V is no
false positive of V, and a Q beat predicted as S is no false positive of S. The others count: F
predicted as S, and F and Q predicted as N.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records.beat_classes import CLASSES, OUTSIDE
from edgeecg.schema import ClassScore, Ec57
from edgeecg.statistics.confusion import score_of_counts

_NOT_COUNTED = frozenset({("F", "V"), ("Q", "V"), ("Q", "S")})
"""(true group, predicted class) that is no false positive."""


def score(
    matrix: NDArray[np.int64], outside: NDArray[np.int64], predicted: NDArray[np.int64]
) -> Ec57:
    """Add the beats outside the classes to the confusion matrix of those inside.

    Args:
        matrix: Row = true class, column = predicted class, in the order of
            ``beat_classes.CLASSES``.
        outside: Group of each beat outside the classes, an index into ``beat_classes.OUTSIDE``,
            ``(n,)``.
        predicted: Its predicted class, an index into ``beat_classes.CLASSES``, ``(n,)``.
    """
    counts = np.zeros((len(OUTSIDE), len(CLASSES)), np.int64)
    np.add.at(counts, (outside, predicted), 1)
    per_class = {name: _class_score(matrix, counts, i) for i, name in enumerate(CLASSES)}
    return Ec57(
        per_class=per_class,
        called={
            group: {name: int(count) for name, count in zip(CLASSES, row, strict=True)}
            for group, row in zip(OUTSIDE, counts, strict=True)
        },
    )


def _class_score(matrix: NDArray[np.int64], counts: NDArray[np.int64], index: int) -> ClassScore:
    false_positives = sum(
        int(row[index])
        for group, row in zip(OUTSIDE, counts, strict=True)
        if (group, CLASSES[index]) not in _NOT_COUNTED
    )
    return score_of_counts(
        hits=int(matrix[index, index]),
        support=int(matrix[index].sum()),
        predicted=int(matrix[:, index].sum()) + false_positives,
    )
