"""Running a PyTorch model over many windows, and scoring its logits."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeecg.data import Dataset
from edgeecg.evaluation.batches import run_in_batches
from edgeecg.evaluation.freed_memory import keep_freed_memory
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.schema import Scores, Split

_PREDICT_BATCH = 512


def predict(model: nn.Module, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits ``(n, classes)`` of windows ``(n, leads, samples)``, in evaluation mode."""
    training = model.training
    device = next(model.parameters()).device

    def predict_batch(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return model(torch.from_numpy(batch).to(device)).cpu().float().numpy()

    keep_freed_memory()
    model.eval()
    with torch.no_grad():
        logits = run_in_batches(predict_batch, windows, _PREDICT_BATCH)
    model.train(training)
    return logits


def evaluate(model: nn.Module, dataset: Dataset, split: Split) -> Scores:
    """Score a model on one split, in evaluation mode.

    Every decision is taken on ``val``; ``test`` is only used for the final score. For records the
    thresholds are chosen on ``val``, whichever split is scored.
    """
    return score_predictor(partial(predict, model), dataset, split)
