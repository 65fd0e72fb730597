"""Training a dense model: a running mean of the weights, a checkpoint every epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import build
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
from edgeecg.training.loop import Progress, Stage, make_optimizer, material, plain, train_epoch
from edgeecg.training.random_encoder import taught


@dataclass(frozen=True)
class Trained:
    """What training produced.

    Attributes:
        model: The model of the best epoch, on the processor, in evaluation mode.
        epochs: Epochs that were run.
        best_epoch: The epoch whose running mean scored best on validation, 1-based.
        seconds: Wall time, over all sittings.
    """

    model: nn.Module
    epochs: int
    best_epoch: int
    seconds: float


@dataclass
class _State:
    """Everything that an interrupted training needs to go on."""

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
    progress: Progress | None = None,
) -> Trained:
    """Train a dense model; go on from ``checkpoint`` when it is there.

    After every epoch the running mean of the weights is scored on the validation records, by
    :attr:`edgeecg.schema.Scores.headline`; the best of them is kept.

    Args:
        dataset: Fitted on its training records, chosen by its validation records.
        config: Model, epochs, rates, augmentation, seed.
        checkpoint: Written after every epoch.
        progress: Called after every batch.

    Raises:
        EdgeECGError: The loss is not finite, the checkpoint belongs to other records, or it cannot
            be read or written.
    """
    accelerator = open_accelerator(config.threads)
    task = dataset.task
    torch.manual_seed(config.seed)
    model = build(config.model)
    averaged = running_mean(model, config.average)
    stage = Stage(
        "training",
        0,
        config.epochs,
        config.learning_rate,
        plain(task),
        after_update=lambda: averaged.update_parameters(model),
    )
    state = _State(model, make_optimizer(model, config, stage), averaged, weights(model))
    content = dataset.summary.content_sha256
    if checkpoint.is_file():
        tensors, facts = load_checkpoint(checkpoint)
        if facts["content_sha256"] != content:
            raise EdgeECGError(
                f"The training of '{config.model}' cannot go on with these records.",
                f"'{checkpoint}' was written on records with other content.",
                "Point EDGEECG_DATA at the records it was started with, or start a new run.",
            )
        _restore(state, tensors, facts)
    averaged.to(accelerator.device)
    prepared, optimizer = accelerator.prepare(model, state.optimizer)
    learned = material(_taught(dataset, config, progress), config)
    while state.epoch < config.epochs:
        started = time.monotonic()
        train_epoch(prepared, optimizer, learned, stage, state.epoch, accelerator, progress)
        state.epoch += 1
        found = evaluate(averaged.module, dataset, "val").headline[1]
        if found > state.best_score:
            state.best, state.best_score = weights(averaged.module), found
            state.best_epoch = state.epoch
        state.seconds += time.monotonic() - started
        if accelerator.is_main_process:
            _save(checkpoint, state, content)
    final = build(config.model)
    final.load_state_dict(state.best)
    return Trained(final.eval(), state.epoch, state.best_epoch, state.seconds)


def _taught(dataset: Dataset, config: TrainingConfig, progress: Progress | None) -> Dataset:
    """Return the dataset with the training labels that the configuration asks for.

    Raises:
        UsageError: Soft targets are asked for where a window has one class.
    """
    if not config.soft_targets:
        return dataset
    if dataset.task != "records":
        raise UsageError(
            f"The model '{config.model}' cannot be trained on soft targets.",
            "They are for records with any number of labels; a beat has one class.",
            "Leave soft_targets at 0.",
        )
    show = None if progress is None else partial(progress, "fitting the teacher")
    return replace(dataset, train=taught(dataset.train, config.soft_targets, config.seed, show))


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


def _restore(state: _State, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
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
