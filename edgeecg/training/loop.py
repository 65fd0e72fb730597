"""The training loop: one epoch over a draw of windows.

Everything random in an epoch is seeded by (seed, stage, epoch), so that a run that was killed and
resumed at an epoch's start goes on exactly as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.data import Dataset, Windows
from edgeecg.errors import DivergedError
from edgeecg.schema import Task, TrainingConfig
from edgeecg.training.augment import Augmenter
from edgeecg.training.losses import supervised
from edgeecg.training.sampling import draw

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, windows, share of each class ``(batch, classes)``) -> mean loss."""

Progress = Callable[[str, int, int], None]
"""(what is being done, batches done, batches in all); called after every batch."""

_WARMUP = 0.1
_PREDICT_BATCH = 512


def plain(task: Task) -> Objective:
    """Return the objective of training without a teacher; the draw is what balances classes."""

    def objective(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        del windows
        return supervised(logits, target, task)

    return objective


@dataclass(frozen=True)
class Stage:
    """One stretch of training with its own learning-rate curve.

    Attributes:
        name: Shown in the progress bar; part of the seed.
        number: 0 for the baseline, 1.. for compression steps; part of the seed.
        epochs: Epochs the learning-rate curve spans.
        rate: Peak learning rate.
        objective: The loss.
        after_update: Called after every optimiser step (masks and running means hang on it).
    """

    name: str
    number: int
    epochs: int
    rate: float
    objective: Objective
    after_update: Callable[[], None] | None = None


@dataclass(frozen=True)
class Material:
    """What training learns from, and how.

    Attributes:
        windows: The training split.
        classes: Number of classes.
        config: Draw size, batch size, mixing, seed.
        augment: Disturbs each batch.
    """

    windows: Windows
    classes: int
    config: TrainingConfig
    augment: Augmenter


def material(dataset: Dataset, config: TrainingConfig) -> Material:
    """Return the training split of a dataset with what a configuration does to it.

    Raises:
        DataError: Recorded noise is asked for, and the noise records are not there.
    """
    recorded = None
    if config.augmentation.recorded_noise:
        from edgeecg.data.windows import noise

        kinds = [noise.bank(kind, dataset.preprocessing, "train") for kind in ("bw", "ma")]
        recorded = np.concatenate(kinds)
    augmenter = Augmenter(config.augmentation, dataset.preprocessing, recorded)
    return Material(dataset.train, len(dataset.summary.classes), config, augmenter)


def make_optimizer(model: nn.Module, config: TrainingConfig, stage: Stage) -> torch.optim.AdamW:
    """Return AdamW over all parameters of the module."""
    return torch.optim.AdamW(model.parameters(), lr=stage.rate, weight_decay=config.weight_decay)


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    material: Material,
    stage: Stage,
    epoch: int,
    accelerator: Accelerator,
    progress: Progress | None = None,
) -> float:
    """Train for one epoch.

    With several processes each takes its share of every batch; gradients are averaged.

    Args:
        model: Trained in place; prepared by ``accelerator``.
        optimizer: Its learning rate follows a warm-up and a cosine over the whole stage.
        material: What is learned from.
        stage: Which stretch of training this is.
        epoch: 0-based epoch within the stage.
        accelerator: From :func:`edgeecg.training.device.open_accelerator`.
        progress: Called after every batch.

    Returns:
        The mean training loss of the epoch.

    Raises:
        DivergedError: The loss is not a finite number.
    """
    config, windows = material.config, material.windows
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, stage.number, epoch]))
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    torch.manual_seed(int(rng.integers(2**31)))  # dropout draws from torch's own generator
    order = draw(windows, config.epoch_windows, rng)
    batches = math.ceil(len(order) / config.batch_size)
    model.train()
    total = 0.0
    for number in range(batches):
        chosen = order[number * config.batch_size : (number + 1) * config.batch_size]
        done = (epoch + (number + 1) / batches) / stage.epochs
        for group in optimizer.param_groups:
            group["lr"] = stage.rate * _rate_factor(done)
        x, target = _mixed(*_batch(material, chosen, generator), config.mixup, rng, generator)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        x, target = x[mine].to(accelerator.device), target[mine].to(accelerator.device)
        with accelerator.autocast():
            loss = stage.objective(model(x), x, target)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"Training broke down in {stage.name}, epoch {epoch + 1}.",
                f"The loss is {value}.",
                "Lower the learning rate; the last checkpoint is intact.",
            )
        optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        if stage.after_update is not None:
            stage.after_update()
        total += value * len(chosen)
        if progress is not None:
            progress(f"{stage.name}, epoch {epoch + 1}/{stage.epochs}", number + 1, batches)
    return total / len(order)


def _batch(
    material: Material, chosen: NDArray[np.int64], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return disturbed windows and the share of each class in them."""
    # Sorted reading is what a memory map does well; the order inside a batch does not matter.
    chosen = np.sort(chosen)
    x = material.augment(torch.from_numpy(material.windows.x[chosen]), generator)
    y = torch.from_numpy(material.windows.y[chosen])
    shares = F.one_hot(y, material.classes).float() if y.ndim == 1 else y
    smoothing = material.config.label_smoothing
    if smoothing:
        rest = 1 / material.classes if y.ndim == 1 else 0.5
        shares = (1 - smoothing) * shares + smoothing * rest
    return x, shares


def _mixed(
    x: Tensor, target: Tensor, mixup: float, rng: np.random.Generator, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return windows and targets mixed with those of another order of the batch."""
    if not mixup:
        return x, target
    share = float(rng.beta(mixup, mixup))
    other = torch.randperm(len(x), generator=generator)
    return (
        share * x + (1 - share) * x[other],
        share * target + (1 - share) * target[other],
    )


def _rate_factor(done: float) -> float:
    """Return the learning rate over its peak: linear warm-up, then a cosine to zero."""
    if done < _WARMUP:
        return done / _WARMUP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARMUP) / (1 - _WARMUP)))
