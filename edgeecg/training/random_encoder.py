"""Random convolutions with a linear head: a baseline, and a teacher for small data sets.

This is ROCKET (Dempster, Petitjean and Webb, Data Mining and Knowledge Discovery 34, 2020,
arXiv:1910.13051): random kernels of 7, 9 or 11 taps with random dilation over random leads, two
features of each (its maximum and its proportion of positive outputs), and one regularised logistic
regression per class. The convolutions are not trained, so a few thousand records are enough.
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
"""Inverse regularisation strength (``C``), chosen on the validation fold."""

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
        The maximum and the proportion of positive outputs of each kernel,
        ``(records, 2 * KERNELS)``.
    """
    rng = np.random.default_rng(seed)
    leads, samples = x.shape[1:]
    features = np.empty((len(x), 2 * KERNELS), np.float32)
    for group in range(KERNELS // _GROUP):
        taps = int(rng.choice([7, 9, 11]))
        dilation = int(2 ** rng.uniform(0, math.log2((samples - 1) / (taps - 1) / 4)))
        weight = rng.normal(size=(_GROUP, leads, taps))
        weight *= rng.random((_GROUP, leads, 1)) < 2 / leads
        weight -= weight.mean(axis=2, keepdims=True)
        weight /= np.linalg.norm(weight, axis=(1, 2), keepdims=True) + 1e-6
        kernel = torch.from_numpy(weight.astype(np.float32))
        bias = torch.from_numpy(rng.uniform(-1, 1, _GROUP).astype(np.float32))
        columns = slice(2 * _GROUP * group, 2 * _GROUP * (group + 1))
        for first in range(0, len(x), _BATCH):
            batch = torch.from_numpy(np.array(x[first : first + _BATCH]))
            out = F.conv1d(batch, kernel, bias, dilation=dilation)
            both = torch.cat([out.amax(dim=2), (out > 0).float().mean(dim=2)], dim=1)
            features[first : first + len(batch), columns] = both.numpy()
    return features


def scale(train: Features, others: Sequence[Features]) -> None:
    """Standardise features in place by mean and deviation of the training features."""
    scaler = StandardScaler(copy=False).fit(train)
    for part in (train, *others):
        part[:] = scaler.transform(part)


def logits_of(
    train: Features, y: NDArray[np.float32], others: Sequence[Features], strength: float = STRENGTH
) -> list[NDArray[np.float32]]:
    """Fit one logistic regression per class and apply it to other records.

    Args:
        train: Features of the training records, standardised by :func:`scale`.
        y: Their labels ``(records, classes)``; each class has positive and negative records.
        others: Features of other records, standardised alike.
        strength: Inverse regularisation strength.

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


def with_soft_targets(
    windows: Windows, share: float, seed: int, on_fold: Callable[[int, int], None] | None = None
) -> Windows:
    """Mix the labels of training records with the probabilities of a teacher (cross-fitting).

    The patients are divided into eight folds. The teacher of a fold is fitted to the other seven,
    so that its probabilities do not repeat the labels that it was fitted to.

    Args:
        windows: Training records with any number of labels, ``y`` ``(records, classes)``.
        share: Weight of the teacher's probability in each target, 0..1.
        seed: Seed of the random convolutions.
        on_fold: Called with (folds done, folds in all), first with 0.

    Returns:
        The same windows with ``y`` between 0 and 1.

    Raises:
        DataError: There are fewer patients than folds, or a class has no positive or no negative
            records outside a fold.
    """
    y = np.asarray(windows.y, np.float32)
    patients = len(np.unique(windows.patient))
    if patients < _FOLDS:
        raise _too_few(f"It needs patients for {_FOLDS} folds, and there are {patients}.")
    if on_fold is not None:
        on_fold(0, _FOLDS)
    features = encode(windows.x, seed)
    logits = np.empty_like(y)
    folds = GroupKFold(_FOLDS).split(features, groups=windows.patient)
    for number, (fitted, left_out) in enumerate(folds):
        if (y[fitted].min(axis=0) == y[fitted].max(axis=0)).any():
            raise _too_few("Outside one fold a class has no records, or all records have it.")
        train, test = features[fitted], features[left_out]
        scale(train, [test])
        (logits[left_out],) = logits_of(train, y[fitted], [test])
        if on_fold is not None:
            on_fold(number + 1, _FOLDS)
    # Not scipy.special.expit: in float32 it rounds differently, and with other targets the weights
    # that come with the package could not be trained again bit for bit.
    return replace(windows, y=(1 - share) * y + share / (1 + np.exp(-logits)))


def _too_few(why: str) -> DataError:
    return DataError(
        "There are too few records to fit a teacher.", why, "Train with soft_targets at 0."
    )
