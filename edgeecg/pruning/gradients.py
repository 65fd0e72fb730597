"""The Taylor importance of weights, from the loss on a sample of training windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.data import Dataset
from edgeecg.pruning.importance import WeightImportance, taylor
from edgeecg.schema import CompressionConfig
from edgeecg.training.losses import supervised
from edgeecg.training.sampling import draw

_WINDOWS = 1024
_BATCH = 64


def taylor_importance(dataset: Dataset, config: CompressionConfig) -> WeightImportance | None:
    """Return the function that measures single weights for the method ``taylor``.

    The windows are drawn from the training split as for an epoch, with the training's seed and
    without augmentation. The model is in evaluation mode, as it is when it is used.

    Args:
        dataset: The data set of the run.
        config: ``method``, and the training's seed.

    Returns:
        The function; None for the other methods, which use the magnitude of the weights.
    """
    if config.method != "taylor":
        return None
    windows = dataset.train
    balanced = windows.y.ndim == 1
    rng = np.random.default_rng(config.training.seed)
    drawn = draw(windows, _WINDOWS if balanced else None, rng)[:_WINDOWS]

    def losses(model: nn.Module) -> Iterator[Tensor]:
        training = model.training
        model.eval()
        for start in range(0, len(drawn), _BATCH):
            chosen = np.sort(drawn[start : start + _BATCH])
            y = torch.from_numpy(windows.y[chosen])
            target = F.one_hot(y, len(dataset.summary.classes)).float() if balanced else y
            yield supervised(model(torch.from_numpy(windows.x[chosen])), target, dataset.task)
        model.train(training)

    return taylor(losses)
