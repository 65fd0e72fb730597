"""Fidelity: the share of windows on which a compressed model decides as its dense model does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import EdgeECGError
from edgeecg.schema import Fidelity, FidelityShare, Split, Task


def decisions(logits: NDArray[np.float32], task: Task) -> NDArray[np.bool_]:
    """Return which classes a model gives to windows.

    Args:
        logits: ``(n, classes)``.
        task: ``"beats"``: the class of the largest logit; ``"records"``: every class with a
            probability of 0.50 and more.

    Returns:
        ``(n, classes)``.
    """
    if task == "records":
        return logits >= 0
    return np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, None]


def compared(
    dense: NDArray[np.bool_],
    compressed: NDArray[np.bool_],
    record: NDArray[np.str_],
    classes: tuple[str, ...],
    split: Split,
) -> Fidelity:
    """Compare the decisions of two models on the same windows.

    Args:
        dense: Decisions of the dense model, ``(n, classes)``.
        compressed: Decisions of the compressed model, ``(n, classes)``.
        record: Name of the record of each window, ``(n,)``.
        classes: Names of the classes, in the order of the columns.
        split: Where the windows come from.

    Raises:
        EdgeECGError: The two models have other classes.
    """
    if dense.shape != compressed.shape:
        raise EdgeECGError(
            "The decisions of the two models cannot be compared.",
            f"One has {dense.shape[1]} classes and the other {compressed.shape[1]}.",
            "Compare a model with the dense model that it was made from.",
        )
    alike = (dense == compressed).all(axis=1)
    names, of_record = np.unique(record, return_inverse=True)
    several = len(names) < len(record)
    return Fidelity(
        split=split,
        overall=_share(alike),
        per_class={
            name: _share(compressed[dense[:, index], index]) for index, name in enumerate(classes)
        },
        per_record={
            str(name): _share(alike[of_record == number]) for number, name in enumerate(names)
        }
        if several
        else {},
    )


def _share(alike: NDArray[np.bool_]) -> FidelityShare:
    return FidelityShare(n=len(alike), fidelity=float(alike.mean()) if len(alike) else None)
