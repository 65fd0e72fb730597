"""How much each class counts in a loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeecg.data import Dataset, Windows
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.schema.class_weights import given_weights
from edgeecg.training.sampling import class_shares


def check_names(text: str, classes: Sequence[str]) -> None:
    """Refuse the weight of a class that a model does not have.

    Args:
        text: Class weights as on the command line.
        classes: Names of the model's classes.

    Raises:
        UnknownNameError: There is no such class.
    """
    for name in given_weights(text):
        if name not in classes:
            raise UnknownNameError("class", name, classes)


def check_classes(dataset: Dataset) -> None:
    """Refuse records whose windows are all of one class, or have all the same labels.

    Raises:
        UsageError: The training records are such.
    """
    counts, windows = _counts(dataset), len(dataset.train.y)
    if not np.isin(counts, (0, windows)).all():
        return
    present = ", ".join(
        name for name, count in zip(dataset.summary.classes, counts, strict=True) if count
    )
    alike = (
        f"are of one class, {present}, so that any model that always gives this class is right"
        if dataset.train.y.ndim == 1
        else f"have the same labels, {present or 'none'}, so that any model that always gives "
        "these is right"
    )
    raise UsageError(
        "A model cannot be compressed with these records.",
        f"All their training windows {alike}.",
        "Add records with other classes, or choose other records.",
    )


def class_weights(text: str, dataset: Dataset, epoch_windows: int | None) -> Tensor | None:
    """Return the weight of each class in a loss.

    Args:
        text: ``"none"``: all alike. ``"balanced"``: inversely proportional to how many windows of
            the class are drawn in an epoch, so that each class has the same total weight.
            ``"S=4,V=2"``: as given; 1 for the other classes.
        dataset: The training windows are counted.
        epoch_windows: As in the training configuration: how the windows of an epoch are drawn.

    Returns:
        ``(classes,)``; None for ``"none"``. A class without windows has the weight 1.

    Raises:
        UsageError: A weight was given to a class of which there is no training window.
    """
    if text == "none":
        return None
    classes, counts = dataset.summary.classes, _counts(dataset)
    given = given_weights(text)
    for name, count in zip(classes, counts, strict=True):
        if name in given and not count:
            raise UsageError(
                f"The class weight {name}={given[name]:g} has no effect.",
                f"The training records hold no window of the class {name}.",
                "Leave it out, or choose other records.",
            )
    if given:
        return torch.tensor([given.get(name, 1.0) for name in classes])
    weights = np.ones(len(classes), np.float32)
    drawn = _drawn(dataset.train, counts, epoch_windows)
    weights[counts > 0] = drawn[counts > 0].mean() / drawn[counts > 0]
    return torch.from_numpy(weights)


def _counts(dataset: Dataset) -> NDArray[np.int64]:
    y = dataset.train.y
    if y.ndim == 1:
        return np.bincount(y, minlength=len(dataset.summary.classes))
    return (y > 0).sum(axis=0)


def _drawn(
    windows: Windows, counts: NDArray[np.int64], epoch_windows: int | None
) -> NDArray[np.float64]:
    """Return the share of each class among the windows of an epoch."""
    return class_shares(counts) if epoch_windows is not None else counts / len(windows.y)
