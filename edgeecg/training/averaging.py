"""The running mean of the weights, which is the model that is scored and kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def running_mean(model: nn.Module, average: float) -> AveragedModel:
    """Return the running mean of a model's weights and buffers; ``update_parameters`` adds to it.

    It is young at first, so that the first weights are forgotten. A weight that is always 0 stays
    0 in it.

    Args:
        model: Whose weights; later updates may move them to another device and back.
        average: Weight of the past, 0..1; 0 keeps the last weights themselves.
    """

    def mean(past: Tensor, present: Tensor, count: Tensor | int) -> Tensor:
        if not past.is_floating_point():
            return present
        kept = min(average, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(present, past, kept)

    return AveragedModel(model, avg_fn=mean, use_buffers=True)
