"""The training loop: one epoch over a sample of windows.

Everything random in an epoch is seeded by (seed, stage, epoch), so that a run that was killed and
resumed at the start of an epoch ends with the same weights as one that was not interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.data import Dataset, Windows
from edgeecg.data.records.beat_classes import NORMAL
from edgeecg.errors import DivergedError
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import Task, TrainingConfig
from edgeecg.training.augment import Augmenter
from edgeecg.training.losses import supervised
from edgeecg.training.sampling import draw

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, windows, probability of each class ``(batch, classes)``) -> mean loss."""

_WARMUP = 0.1


def supervised_objective(task: Task, class_weight: Tensor | None = None) -> Objective:
    """Return the loss without a teacher.

    Args:
        task: One class per window, or any number.
        class_weight: How much each class counts, ``(classes,)``; None: all alike, so that classes
            are balanced by the sampling alone.
    """

    def objective(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        del windows
        return supervised(logits, target, task, class_weight)

    return objective


@dataclass(frozen=True)
class Stage:
    """A number of epochs with one learning-rate schedule.

    Attributes:
        name: Shown with the progress; part of the error message when training diverges.
        number: 0 for the baseline, 1.. for compression steps; part of the seed.
        epochs: Epochs that the schedule spans.
        rate: Peak learning rate.
        objective: The loss.
        after_update: Called after every optimiser step; applies masks and updates running means.
        frozen: Parts of the model that compute as in evaluation, e.g. batch norms; their weights
            are trained.
    """

    name: str
    number: int
    epochs: int
    rate: float
    objective: Objective
    after_update: Callable[[], None] | None = None
    frozen: tuple[nn.Module, ...] = ()


def batch_norms(model: nn.Module) -> tuple[nn.Module, ...]:
    """Return the batch norms of a module, e.g. for :attr:`Stage.frozen`."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return tuple(module for module in model.modules() if isinstance(module, kinds))


@dataclass(frozen=True)
class TrainingData:
    """The training split, and how batches are drawn from it.

    Attributes:
        windows: The training split.
        classes: Number of classes.
        config: Windows per epoch, batch size, mixup, label smoothing, seed.
        augment: Augments each batch.
        normal: Class of normal beats, or None where there is none.
    """

    windows: Windows
    classes: int
    config: TrainingConfig
    augment: Augmenter
    normal: int | None = None


def training_data(dataset: Dataset, config: TrainingConfig) -> TrainingData:
    """Return the training split of a dataset with the augmentation of a configuration.

    Raises:
        DataError: The configuration asks for recorded noise, and the noise records are missing.
    """
    recorded = None
    if config.augmentation.recorded_noise:
        from edgeecg.data.windows import noise

        kinds = [noise.bank(kind, dataset.preprocessing, "train") for kind in ("bw", "ma")]
        recorded = np.concatenate(kinds)
    augmenter = Augmenter(config.augmentation, dataset.preprocessing, recorded)
    classes = dataset.summary.classes
    normal = classes.index(NORMAL) if NORMAL in classes else None
    return TrainingData(dataset.train, len(classes), config, augmenter, normal)


def make_optimizer(model: nn.Module, config: TrainingConfig, stage: Stage) -> torch.optim.AdamW:
    """Return AdamW over all parameters of the module."""
    return torch.optim.AdamW(model.parameters(), lr=stage.rate, weight_decay=config.weight_decay)


@dataclass(frozen=True)
class Trainer:
    """Trains a module, an epoch at a time.

    Attributes:
        model: Trained in place; prepared by ``accelerator``.
        optimizer: Its learning rate follows the schedule of the stage.
        accelerator: From :func:`edgeecg.training.device.open_accelerator`.
        data: The training windows.
        progress: Called after every batch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    data: TrainingData
    progress: ProgressCallback = ignore

    @classmethod
    def prepare(
        cls,
        accelerator: Accelerator,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        data: TrainingData,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return a trainer whose model and optimiser are on the accelerator's device."""
        prepared, on_device = accelerator.prepare(model, optimizer)
        return cls(prepared, on_device, accelerator, data, progress or ignore)

    def train_epoch(self, stage: Stage, epoch: int) -> float:
        """Train for one epoch.

        With several processes each takes its share of every batch, and gradients are averaged.

        Args:
            stage: Loss and learning-rate schedule: a warm-up, then a cosine over all its epochs.
            epoch: 0-based epoch within the stage.

        Returns:
            The mean training loss of the epoch.

        Raises:
            DivergedError: The loss is not a finite number.
        """
        config = self.data.config
        rng = np.random.default_rng(np.random.SeedSequence([config.seed, stage.number, epoch]))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        torch.manual_seed(int(rng.integers(2**31)))  # dropout uses torch's global generator
        order = draw(self.data.windows, config.epoch_windows, rng)
        batches = _batches(order, config.batch_size)
        self.model.train()
        for part in stage.frozen:
            part.eval()
        total = 0.0
        for number, chosen in enumerate(batches, start=1):
            self._set_rate(stage, (epoch + number / len(batches)) / stage.epochs)
            x, target = _mixed(*_batch(self.data, chosen, generator), config.mixup, rng, generator)
            total += self._update(x, target, stage, epoch) * len(chosen)
            what = f"{stage.name}, epoch {epoch + 1}/{stage.epochs}"
            self.progress(what, number, len(batches))
        return total / len(order)

    def _set_rate(self, stage: Stage, done: float) -> None:
        """Set the learning rate after ``done``, 0..1, of the stage."""
        for group in self.optimizer.param_groups:
            group["lr"] = stage.rate * _rate_factor(done)

    def _update(self, x: Tensor, target: Tensor, stage: Stage, epoch: int) -> float:
        """Take one optimiser step; return the loss."""
        accelerator = self.accelerator
        share = slice(accelerator.process_index, None, accelerator.num_processes)
        x, target = x[share].to(accelerator.device), target[share].to(accelerator.device)
        with accelerator.autocast():
            loss = stage.objective(self.model(x), x, target)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"Training diverged in {stage.name}, epoch {epoch + 1}.",
                f"The loss is {value}.",
                "Start a new run with a lower learning rate.",
            )
        self.optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.model.parameters(), self.data.config.clip_norm)
        self.optimizer.step()
        if stage.after_update is not None:
            stage.after_update()
        return value


def _batches(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Return the windows of each batch of an epoch.

    One window that is left over joins the batch before it: a batch norm over features has no
    deviation of a single window.
    """
    starts = list(range(0, len(order), size))
    if size > 1 and len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    return np.split(order, starts[1:])


def _batch(
    data: TrainingData, chosen: NDArray[np.int64], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return augmented windows and the probability of each class for each of them."""
    # A memory map is read fastest in its own order; the order within a batch has no effect.
    chosen = np.sort(chosen)
    x = data.augment(torch.from_numpy(data.windows.x[chosen]), generator)
    y = torch.from_numpy(data.windows.y[chosen])
    if data.normal is not None:
        x = data.augment.irregular(x, y == data.normal, generator)
    target = F.one_hot(y, data.classes).float() if y.ndim == 1 else y
    smoothing = data.config.label_smoothing
    if smoothing:
        uniform = 1 / data.classes if y.ndim == 1 else 0.5
        target = (1 - smoothing) * target + smoothing * uniform
    return x, target


def _mixed(
    x: Tensor, target: Tensor, mixup: float, rng: np.random.Generator, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return windows and targets after mixup with another order of the same batch."""
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
