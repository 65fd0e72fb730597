"""Running mean of the weights: the model that is scored and saved."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def running_mean(model: nn.Module, average: float) -> AveragedModel:
    """Return the running mean of a model's weights and buffers; ``update_parameters`` updates it.

    The weight of the past grows from 0.1 to ``average``, so that the first weights are soon
    forgotten. A weight that is 0 at every update is 0 in the mean.

    Args:
        model: The model; later updates may move its weights to another device and back.
        average: Weight of the past, 0..1; with 0 the mean is the last weights.
    """

    def mean(past: Tensor, present: Tensor, count: Tensor | int) -> Tensor:
        if not past.is_floating_point():
            return present
        kept = min(average, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(present, past, kept)

    return AveragedModel(model, avg_fn=mean, use_buffers=True)
