"""The training loop: one epoch over a balanced draw, and the baseline with early stopping.

Everything random in an epoch is seeded by (seed, stage, epoch), so that a run that was killed and
resumed at an epoch's start goes on exactly as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.data import Beats, Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.schema import CompressionConfig, Scores
from edgeecg.training.augment import augment
from edgeecg.training.metrics import score
from edgeecg.training.sampling import draw

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, windows, class indices) -> mean loss."""

Progress = Callable[[str, int, int], None]
"""(what is being done, batches done, batches in all); called after every batch."""

_WARMUP = 0.05
_PREDICT_BATCH = 512


def cross_entropy(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
    """Objective of baseline training: plain cross-entropy; the draw is what balances classes."""
    del windows
    return F.cross_entropy(logits, target)


@dataclass(frozen=True)
class Stage:
    """One stretch of training with its own learning-rate curve.

    Attributes:
        name: Shown in the progress bar; part of the seed.
        number: 0 for the baseline, 1.. for compression steps; part of the seed.
        epochs: Epochs the learning-rate curve spans.
        rate: Peak learning rate.
        objective: The loss.
        after_update: Called after every optimiser step (masks are applied there).
    """

    name: str
    number: int
    epochs: int
    rate: float
    objective: Objective = cross_entropy
    after_update: Callable[[], None] | None = None


def make_optimizer(model: nn.Module, config: CompressionConfig, stage: Stage) -> torch.optim.AdamW:
    """Return AdamW over all parameters of the module."""
    return torch.optim.AdamW(model.parameters(), lr=stage.rate, weight_decay=config.weight_decay)


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    beats: Beats,
    config: CompressionConfig,
    stage: Stage,
    epoch: int,
    progress: Progress | None = None,
) -> float:
    """Train for one epoch of ``config.epoch_windows`` windows.

    Args:
        model: Trained in place.
        optimizer: Its learning rate follows a warm-up and a cosine over the whole stage.
        beats: The training split.
        config: Draw size, batch size and seed.
        stage: Which stretch of training this is.
        epoch: 0-based epoch within the stage.
        progress: Called after every batch.

    Returns:
        The mean training loss of the epoch.

    Raises:
        EdgeECGError: The loss is not a finite number.
    """
    seed = np.random.SeedSequence([config.seed, stage.number, epoch])
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    torch.manual_seed(int(rng.integers(2**31)))  # dropout draws from torch's own generator
    order = draw(beats, config.epoch_windows, rng)
    batches = math.ceil(len(order) / config.batch_size)
    model.train()
    total = 0.0
    for number in range(batches):
        chosen = order[number * config.batch_size : (number + 1) * config.batch_size]
        done = (epoch + (number + 1) / batches) / stage.epochs
        for group in optimizer.param_groups:
            group["lr"] = stage.rate * _rate_factor(done)
        x = augment(torch.from_numpy(beats.x[chosen]), generator)
        loss = stage.objective(model(x), x, torch.from_numpy(beats.y[chosen]))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise EdgeECGError(
                f"Training broke down in {stage.name}, epoch {epoch + 1}.",
                f"The loss is {value}.",
                "Lower the learning rate; the last checkpoint is intact.",
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if stage.after_update is not None:
            stage.after_update()
        total += value * len(chosen)
        if progress is not None:
            progress(f"{stage.name}, epoch {epoch + 1}/{stage.epochs}", number + 1, batches)
    return total / len(order)


def predict(model: nn.Module, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits ``(n, classes)`` of windows ``(n, leads, samples)``, in evaluation mode."""
    training = model.training
    model.eval()
    with torch.no_grad():
        parts = [
            model(torch.from_numpy(windows[start : start + _PREDICT_BATCH])).numpy()
            for start in range(0, len(windows), _PREDICT_BATCH)
        ]
    model.train(training)
    return np.concatenate(parts)


def evaluate(model: nn.Module, dataset: Dataset, split: Literal["val", "test"]) -> Scores:
    """Score a model on one split, in evaluation mode.

    Every decision is taken on ``val``; ``test`` is looked at once, when everything is decided.
    """
    beats = dataset.val if split == "val" else dataset.test
    summary = dataset.summary
    return score(predict(model, beats.x), beats, summary.classes, split, summary.source)


def _rate_factor(done: float) -> float:
    """Return the learning rate over its peak: linear warm-up, then a cosine to zero."""
    if done < _WARMUP:
        return done / _WARMUP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARMUP) / (1 - _WARMUP)))
