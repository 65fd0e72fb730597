"""The Taylor importance of weights, from the loss on a sample of training windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.data import Dataset
from edgeecg.pruning.importance import WeightImportance, largest, taylor
from edgeecg.schema import CompressionConfig
from edgeecg.training.class_weights import class_weights
from edgeecg.training.losses import supervised
from edgeecg.training.sampling import balanced_subset, draw

_WINDOWS = 1024
_BATCH = 64


def taylor_importance(dataset: Dataset, config: CompressionConfig) -> WeightImportance | None:
    """Return the function that measures single weights for the method ``taylor``.

    The windows are drawn from the training split as for an epoch, with the training's seed and
    without augmentation. The model is in evaluation mode, as it is when it is used.

    Args:
        dataset: The data set of the run.
        config: ``method``, ``class_weight``, ``class_importance``, and the training's
            ``epoch_windows`` and seed.

    Returns:
        The function; None for the other methods, which use the magnitude of the weights.
    """
    if config.method != "taylor":
        return None
    if config.class_importance == "largest":
        return _by_class(dataset)
    training = config.training
    rng = np.random.default_rng(training.seed)
    count = None if training.epoch_windows is None else _WINDOWS
    drawn = draw(dataset.train, count, rng)[:_WINDOWS]
    weight = class_weights(config.class_weight, dataset, training.epoch_windows)
    return taylor(lambda model: _losses(model, dataset, drawn, weight))


def _by_class(dataset: Dataset) -> WeightImportance:
    """Return the function that takes the largest of the importances for each class.

    Each class has as many of the windows as their number allows.
    """
    windows = dataset.train
    drawn = balanced_subset(windows.y, _WINDOWS)
    y = windows.y[drawn]
    of_class = [
        drawn[(y == index) if y.ndim == 1 else (y[:, index] > 0)]
        for index in range(len(dataset.summary.classes))
    ]
    measures = [_of_windows(dataset, chosen) for chosen in of_class if len(chosen)]

    def measure(model: nn.Module) -> Mapping[str, Tensor]:
        return largest([each(model) for each in measures])

    return measure


def _of_windows(dataset: Dataset, chosen: NDArray[np.int64]) -> WeightImportance:
    return taylor(lambda model: _losses(model, dataset, chosen, None))


def _losses(
    model: nn.Module, dataset: Dataset, drawn: NDArray[np.int64], weight: Tensor | None
) -> Iterator[Tensor]:
    """Yield the loss of each batch of the drawn windows, in evaluation mode."""
    windows = dataset.train
    training = model.training
    model.eval()
    for start in range(0, len(drawn), _BATCH):
        chosen = np.sort(drawn[start : start + _BATCH])
        y = torch.from_numpy(windows.y[chosen])
        target = F.one_hot(y, len(dataset.summary.classes)).float() if y.ndim == 1 else y
        logits = model(torch.from_numpy(windows.x[chosen]))
        yield supervised(logits, target, dataset.task, weight)
    model.train(training)
