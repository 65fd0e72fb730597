"""The loss that the Taylor measure takes gradients of: that of a draw of training windows."""

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


def measured(dataset: Dataset, config: CompressionConfig) -> WeightImportance | None:
    """Return what a run's method measures single weights by; None for their magnitude.

    The windows are drawn from the training split as an epoch's are, by the training's seed, and are
    not disturbed; the model is in evaluation mode, so that what is measured is what will be used.

    Args:
        dataset: What the run is on.
        config: ``method``, and the training's seed.
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
