"""torch-pruning's own magnitude pruner in the place of edgeecg's choice of channels.

The one function that cuts a model down to a step's budget is exchanged; everything else stays.
torch-pruning ranks the channels of all layers together by the norm of their coupled group (Fang et
al. 2023, arXiv:2301.12900), and keeps at least a tenth of each layer. Convolutional models only: it
does not take recurrent layers apart rightly. It leaves the last stage of ``resnet1d_attn`` whole,
since it takes the broadcast of one attention score over all channels for a coupling.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator
from unittest import mock

import torch
import torch_pruning as tp
from torch import nn

from edgeecg.compression import budget
from edgeecg.compression.budget import Goal
from edgeecg.pruning.importance import WeightImportance
from edgeecg.schema import CompressionConfig

_MOST = 0.9
_HALVINGS = 10


def pruned(model: nn.Module, ratio: float, goal: Goal, round_to: int) -> nn.Module:
    """Return a copy that torch-pruning has removed this share of the channels from."""
    trial = copy.deepcopy(model)
    fixed = [trial.get_submodule(name) for name in goal.architecture.FIXED]
    with torch.enable_grad():
        tp.pruner.BasePruner(
            trial,
            torch.zeros(1, *goal.architecture.INPUT_SHAPE),
            importance=tp.importance.GroupMagnitudeImportance(p=2),
            global_pruning=True,
            pruning_ratio=ratio,
            max_pruning_ratio=_MOST,
            ignored_layers=fixed,
            round_to=round_to,
        ).step()
    return trial


def prune_to_budget(
    model: nn.Module,
    dense: nn.Module,
    config: CompressionConfig,
    goal: Goal,
    progress: float,
    weight_importance: WeightImportance | None = None,
) -> nn.Module:
    """Return a copy pruned by the smallest share that meets the goal, in place of edgeecg's."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if goal.met(pruned(model, middle, goal, config.round_to), progress):
            high = middle
        else:
            low = middle
    return pruned(model, high, goal, config.round_to)


@contextlib.contextmanager
def in_place() -> Generator[None]:
    """Let torch-pruning choose and remove, for as long as this is open."""
    with mock.patch.object(budget, "prune_to_budget", prune_to_budget):
        yield
