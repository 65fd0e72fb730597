"""Training a dense model: a running mean of the weights, a checkpoint every epoch."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from edgeecg.data import Dataset
from edgeecg.errors import DivergedError, EdgeECGError, NotFiniteError, UsageError
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import Architecture, architecture, build
from edgeecg.progress import ProgressCallback
from edgeecg.schema import TrainingConfig
from edgeecg.training.averaging import running_mean
from edgeecg.training.checkpoint import (
    load_checkpoint,
    prefixed,
    save_checkpoint,
    unprefixed,
    weights,
)
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import (
    Stage,
    Trainer,
    make_optimizer,
    supervised_objective,
    training_data,
)
from edgeecg.training.random_encoder import with_soft_targets
from edgeecg.training.teachers import load_teachers, taught_objective
from edgeecg.training.wide_windows import on_wide_windows, without_dropout


@dataclass(frozen=True)
class Trained:
    """The result of :func:`train`.

    Attributes:
        model: The model of the epoch that was kept, on the CPU, in evaluation mode.
        epochs: Epochs that were run.
        best_epoch: The epoch whose running mean was kept, 1-based: that which scored best on
            validation, or the last one of learning from teachers on wide windows.
        seconds: Wall time, including that before an interruption.
    """

    model: nn.Module
    epochs: int
    best_epoch: int
    seconds: float


@dataclass
class _State:
    """What a checkpoint contains."""

    model: nn.Module
    optimizer: torch.optim.AdamW
    averaged: AveragedModel
    best: dict[str, Tensor]
    best_score: float = -1.0
    best_epoch: int = 0
    epoch: int = 0
    seconds: float = 0.0


def train(
    dataset: Dataset,
    config: TrainingConfig,
    checkpoint: Path,
    progress: ProgressCallback | None = None,
    custom: Architecture | None = None,
) -> Trained:
    """Train a dense model; resume from ``checkpoint`` when it exists.

    After every epoch the running mean of the weights is scored on the validation records by
    :attr:`edgeecg.schema.Scores.headline`; the best epoch is kept. Where teachers are learned from
    on wide windows, the last epoch is kept: it is nearest to them on the validation records, while
    the scores of a few patients rise and fall from epoch to epoch.

    Args:
        dataset: Its training records are fitted, its validation records choose the epoch.
        config: Model, epochs, learning rate, augmentation, seed.
        checkpoint: Written after every epoch.
        progress: Called after every batch.
        custom: The custom module, where the configuration is of one.

    Raises:
        UsageError: The configuration names a teacher that cannot be used.
        EdgeECGError: The loss is not finite, the checkpoint belongs to other records, or it cannot
            be read or written.
    """
    accelerator = open_accelerator(config.threads)
    teachers = load_teachers(config, dataset)
    torch.manual_seed(config.seed)
    found = architecture(config.model, custom)
    model = build(found)
    averaged = running_mean(model, config.average)
    stage = Stage(
        "training",
        0,
        config.epochs,
        config.learning_rate,
        supervised_objective(dataset.task)
        if teachers is None
        else taught_objective(config, teachers.to(accelerator.device), dataset.task),
        after_update=lambda: averaged.update_parameters(model),
    )
    state = _State(model, make_optimizer(model, config, stage), averaged, weights(model))
    content = dataset.summary.content_sha256
    if checkpoint.is_file():
        _restore(state, checkpoint, config.model, content)
    averaged.to(accelerator.device)
    wide = teachers is not None and config.teacher_windows == "wide"
    drawn = on_wide_windows(config) if wide else config
    data = training_data(_with_targets(dataset, config, progress), drawn)
    trainer = Trainer.prepare(accelerator, model, state.optimizer, data, progress)
    with without_dropout(model) if wide else contextlib.nullcontext():
        while state.epoch < config.epochs:
            _train_and_score(trainer, stage, state, dataset, keep_last=wide)
            if accelerator.is_main_process:
                _save(checkpoint, state, content)
    best = build(found)
    best.load_state_dict(state.best)
    return Trained(best.eval(), state.epoch, state.best_epoch, state.seconds)


def _train_and_score(
    trainer: Trainer, stage: Stage, state: _State, dataset: Dataset, *, keep_last: bool
) -> None:
    """Train for one epoch, score the running mean on validation, and keep it if it is the best.

    Args:
        trainer: Trains the model of the state.
        stage: Loss and learning-rate schedule.
        state: Changed in place.
        dataset: Its validation records are scored.
        keep_last: Keep it whatever its score is.
    """
    started = time.monotonic()
    trainer.train_epoch(stage, state.epoch)
    state.epoch += 1
    try:
        score = evaluate(state.averaged.module, dataset, "val").headline[1]
    except NotFiniteError as error:
        raise DivergedError(
            f"Training diverged in {stage.name}, epoch {state.epoch}.",
            "The outputs of the model are not finite.",
            "Start a new run with a lower learning rate.",
        ) from error
    if keep_last or score > state.best_score:
        state.best, state.best_score = weights(state.averaged.module), score
        state.best_epoch = state.epoch
    state.seconds += time.monotonic() - started


def _with_targets(
    dataset: Dataset, config: TrainingConfig, progress: ProgressCallback | None
) -> Dataset:
    """Return the dataset with the training targets that the configuration asks for.

    Raises:
        UsageError: The configuration asks for soft targets where a window has one class.
    """
    if not config.soft_targets:
        return dataset
    if dataset.task != "records":
        raise UsageError(
            f"The model '{config.model}' cannot be trained on soft targets.",
            "Soft targets are for records with any number of classes; a beat has one class.",
            "Leave soft_targets at 0.",
        )
    on_fold = None if progress is None else partial(progress, "fitting the teacher")
    train = with_soft_targets(dataset.train, config.soft_targets, config.seed, on_fold)
    return replace(dataset, train=train)


def _save(path: Path, state: _State, content_sha256: str) -> None:
    slots = state.optimizer.state_dict()["state"]
    moments = {f"{i}/{key}": value for i, slot in slots.items() for key, value in slot.items()}
    tensors = {
        **prefixed("model", weights(state.model)),
        **prefixed("averaged", weights(state.averaged)),
        **prefixed("best", state.best),
        **prefixed("optimizer", moments),
    }
    facts = {
        "content_sha256": content_sha256,
        "best_score": state.best_score,
        "best_epoch": state.best_epoch,
        "epoch": state.epoch,
        "seconds": state.seconds,
    }
    save_checkpoint(path, tensors, facts)


def _restore(state: _State, checkpoint: Path, model: str, content_sha256: str) -> None:
    """Fill a state from a checkpoint.

    Raises:
        EdgeECGError: The checkpoint cannot be read, or was written on other records.
    """
    tensors, facts = load_checkpoint(checkpoint)
    if facts["content_sha256"] != content_sha256:
        raise EdgeECGError(
            f"The training of '{model}' cannot be resumed with these records.",
            f"'{checkpoint}' was written on records with other content.",
            "Point EDGEECG_DATA at the records of the first part, or start a new run.",
        )
    state.model.load_state_dict(unprefixed("model", tensors))
    state.averaged.load_state_dict(unprefixed("averaged", tensors))
    state.best = unprefixed("best", tensors)
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in unprefixed("optimizer", tensors).items():
        index, _, key = name.partition("/")
        slots.setdefault(int(index), {})[key] = value
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    state.best_score = float(facts["best_score"])
    state.best_epoch = int(facts["best_epoch"])
    state.epoch = int(facts["epoch"])
    state.seconds = float(facts["seconds"])
