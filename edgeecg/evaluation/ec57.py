"""Beats scored as ANSI/AAMI EC57 asks, fusion and unclassifiable beats among them.

A classifier of N, S and V must call every F (fusion) and Q (paced, unclassifiable) beat something.
EC57 does not punish all of it. As de Chazal, O'Dwyer and Reilly applied it (IEEE TBME 51(7), 2004,
section III): an F or Q beat called V is no false positive of V, and a Q beat called S is none of S.
The rest is: F called S, and F and Q called N.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records.beat_classes import CLASSES, OUTSIDE
from edgeecg.schema import ClassScore, Ec57

_FORGIVEN = frozenset({("F", "V"), ("Q", "V"), ("Q", "S")})
"""(true group, called class) that is no false positive."""


def score(
    confusion: NDArray[np.int64], outside: NDArray[np.int64], called: NDArray[np.int64]
) -> Ec57:
    """Add the beats outside the classes to the confusion of those inside.

    Args:
        confusion: Row = true class, column = called class, in the order of ``aami.CLASSES``.
        outside: Group of each beat outside the classes, an index into ``aami.OUTSIDE``, ``(n,)``.
        called: The class it was called, an index into ``aami.CLASSES``, ``(n,)``.
    """
    counts = np.zeros((len(OUTSIDE), len(CLASSES)), np.int64)
    np.add.at(counts, (outside, called), 1)
    per_class = {name: _class_score(confusion, counts, i) for i, name in enumerate(CLASSES)}
    return Ec57(
        per_class=per_class,
        called={
            group: {name: int(count) for name, count in zip(CLASSES, row, strict=True)}
            for group, row in zip(OUTSIDE, counts, strict=True)
        },
    )


def _class_score(confusion: NDArray[np.int64], counts: NDArray[np.int64], index: int) -> ClassScore:
    hit = int(confusion[index, index])
    actual = int(confusion[index].sum())
    punished = sum(
        int(row[index])
        for group, row in zip(OUTSIDE, counts, strict=True)
        if (group, CLASSES[index]) not in _FORGIVEN
    )
    as_called = int(confusion[:, index].sum()) + punished
    return ClassScore(
        recall=hit / max(actual, 1),
        precision=hit / max(as_called, 1),
        f1=2 * hit / max(actual + as_called, 1),
        support=actual,
    )
