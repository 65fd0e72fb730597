"""Random convolutions with a linear head: a baseline, and a teacher where records are few.

ROCKET's recipe (Dempster, Petitjean and Webb, Data Mining and Knowledge Discovery 34, 2020,
arXiv:1910.13051): random kernels of 7, 9 or 11 taps with random dilation over random leads; of
each the maximum and the share of positive outputs; then one regularised logistic regression per
class. Nothing in the depth is learned, so that a few thousand records suffice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from edgeecg.data import Windows
from edgeecg.errors import DataError

KERNELS = 2000
STRENGTH = 1e-2
"""Inverse strength of the regularisation; chosen on validation folds."""

_GROUP = 50
_BATCH = 256
_FOLDS = 8
_ITERATIONS = 300

Features = NDArray[np.float32]
"""``(records, 2 * KERNELS)``."""


def encode(x: NDArray[np.float32], seed: int) -> Features:
    """Return the features of records; the same seed gives the same kernels.

    Args:
        x: Windows ``(records, leads, samples)``.
        seed: Seed of the kernels.

    Returns:
        Of each kernel the maximum and the share of positive outputs, ``(records, 2 * KERNELS)``.
    """
    rng = np.random.default_rng(seed)
    leads, samples = x.shape[1:]
    found: list[torch.Tensor] = []
    for _ in range(KERNELS // _GROUP):
        taps = int(rng.choice([7, 9, 11]))
        dilation = int(2 ** rng.uniform(0, math.log2((samples - 1) / (taps - 1) / 4)))
        weight = rng.normal(size=(_GROUP, leads, taps))
        weight *= rng.random((_GROUP, leads, 1)) < 2 / leads
        weight -= weight.mean(axis=2, keepdims=True)
        weight /= np.linalg.norm(weight, axis=(1, 2), keepdims=True) + 1e-6
        kernel = torch.from_numpy(weight.astype(np.float32))
        bias = torch.from_numpy(rng.uniform(-1, 1, _GROUP).astype(np.float32))
        parts: list[torch.Tensor] = []
        for first in range(0, len(x), _BATCH):
            batch = torch.from_numpy(np.array(x[first : first + _BATCH]))
            out = F.conv1d(batch, kernel, bias, dilation=dilation)
            parts.append(torch.cat([out.amax(dim=2), (out > 0).float().mean(dim=2)], dim=1))
        found.append(torch.cat(parts))
    return torch.cat(found, dim=1).numpy()


def scale(train: Features, others: Sequence[Features]) -> None:
    """Scale features in place, to save memory: by mean and deviation of the first records."""
    scaler = StandardScaler(copy=False).fit(train)
    for part in (train, *others):
        part[:] = scaler.transform(part)


def logits_of(
    train: Features, y: NDArray[np.float32], others: Sequence[Features], strength: float = STRENGTH
) -> list[NDArray[np.float32]]:
    """Fit one logistic regression per class and apply it to other records.

    Args:
        train: Features of the records to fit to, from :func:`scale`.
        y: Their labels ``(records, classes)``; each class has records with it and without.
        others: Features of other records, scaled alike.
        strength: Inverse strength of the regularisation.

    Returns:
        For each of ``others`` the logits ``(records, classes)``.
    """
    heads = [
        LogisticRegression(C=strength, max_iter=_ITERATIONS).fit(train, y[:, k])
        for k in range(y.shape[1])
    ]
    return [
        np.stack([head.decision_function(part) for head in heads], axis=1).astype(np.float32)
        for part in others
    ]


def taught(
    windows: Windows, share: float, seed: int, on_part: Callable[[int, int], None] | None = None
) -> Windows:
    """Return training records whose labels are shared with a teacher that has not seen them.

    Each eighth of the patients is judged by heads that were fitted to the other seven, so that the
    teacher does not merely repeat the labels it was shown ("cross-fitting").

    Args:
        windows: Training records with any number of labels, ``y`` ``(records, classes)``.
        share: Part of each label that is the teacher's probability, 0..1.
        seed: Seed of the random convolutions.
        on_part: Called with (parts judged, parts in all), first with 0.

    Raises:
        DataError: There are fewer patients than parts, or a class has no records, or nothing else.
    """
    y = np.asarray(windows.y, np.float32)
    patients = len(np.unique(windows.patient))
    if patients < _FOLDS:
        raise _unteachable(f"It is fitted to {_FOLDS} parts of the patients; here are {patients}.")
    on_part = on_part or (lambda done, parts: None)
    on_part(0, _FOLDS)
    features = encode(windows.x, seed)
    logits = np.empty_like(y)
    folds = GroupKFold(_FOLDS).split(features, groups=windows.patient)
    for number, (fitted, judged) in enumerate(folds):
        if (y[fitted].min(axis=0) == y[fitted].max(axis=0)).any():
            raise _unteachable("Without some patients a class has no records, or all of them.")
        seen, unseen = features[fitted], features[judged]
        scale(seen, [unseen])
        (logits[judged],) = logits_of(seen, y[fitted], [unseen])
        on_part(number + 1, _FOLDS)
    return replace(windows, y=(1 - share) * y + share / (1 + np.exp(-logits)))


def _unteachable(why: str) -> DataError:
    return DataError(
        "There are too few records to teach from.", why, "Train with soft_targets at 0."
    )
