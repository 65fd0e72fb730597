"""Training the dense baseline: early stopping on validation macro-F1, a checkpoint every epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.models import build
from edgeecg.schema import CompressionConfig
from edgeecg.training.checkpoint import (
    load_checkpoint,
    prefixed,
    save_checkpoint,
    unprefixed,
    weights,
)
from edgeecg.training.loop import Progress, Stage, evaluate, make_optimizer, train_epoch


@dataclass(frozen=True)
class Trained:
    """What training produced.

    Attributes:
        model: The model of the best epoch, in evaluation mode.
        epochs: Epochs that were run.
        seconds: Wall time, over all sittings.
    """

    model: nn.Module
    epochs: int
    seconds: float


@dataclass
class _State:
    """Everything that an interrupted training needs to go on."""

    model: nn.Module
    optimizer: torch.optim.AdamW
    best: dict[str, Tensor]
    best_f1: float = -1.0
    best_epoch: int = 0
    epoch: int = 0
    seconds: float = 0.0


def train_baseline(
    dataset: Dataset,
    config: CompressionConfig,
    checkpoint: Path,
    progress: Progress | None = None,
) -> Trained:
    """Train the dense model; go on from ``checkpoint`` when it is there.

    Args:
        dataset: Fitted on its training records, stopped by its validation records.
        config: Model, epochs, patience, rates, seed.
        checkpoint: Written after every epoch.
        progress: Called after every batch.

    Raises:
        EdgeECGError: The loss is not finite, the checkpoint belongs to other records, or it cannot
            be read or written.
    """
    stage = Stage("baseline", 0, config.epochs, config.learning_rate)
    torch.manual_seed(config.seed)
    model = build(config.model)
    state = _State(model, make_optimizer(model, config, stage), weights(model))
    content = dataset.summary.content_sha256
    if checkpoint.is_file():
        tensors, facts = load_checkpoint(checkpoint)
        if facts["content_sha256"] != content:
            raise EdgeECGError(
                "The training of the baseline cannot go on with these records.",
                f"'{checkpoint}' was written on records with other content.",
                "Point EDGEECG_DATA at the records it was started with, or start a new run.",
            )
        _restore(state, tensors, facts)
    while state.epoch < config.epochs and state.epoch - state.best_epoch < config.patience:
        started = time.monotonic()
        train_epoch(
            model, state.optimizer, dataset.train, config, stage, state.epoch, progress=progress
        )
        state.epoch += 1
        macro_f1 = evaluate(model, dataset, "val").macro_f1
        if macro_f1 > state.best_f1:
            state.best, state.best_f1, state.best_epoch = weights(model), macro_f1, state.epoch
        state.seconds += time.monotonic() - started
        _save(checkpoint, state, content)
    model.load_state_dict(state.best)
    return Trained(model.eval(), state.epoch, state.seconds)


def _save(path: Path, state: _State, content_sha256: str) -> None:
    slots = state.optimizer.state_dict()["state"]
    moments = {f"{i}/{key}": value for i, slot in slots.items() for key, value in slot.items()}
    tensors = {
        **prefixed("model", weights(state.model)),
        **prefixed("best", state.best),
        **prefixed("optimizer", moments),
    }
    facts = {
        "content_sha256": content_sha256,
        "best_f1": state.best_f1,
        "best_epoch": state.best_epoch,
        "epoch": state.epoch,
        "seconds": state.seconds,
    }
    save_checkpoint(path, tensors, facts)


def _restore(state: _State, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    state.model.load_state_dict(unprefixed("model", tensors))
    state.best = unprefixed("best", tensors)
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in unprefixed("optimizer", tensors).items():
        index, _, key = name.partition("/")
        slots.setdefault(int(index), {})[key] = value
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    state.best_f1 = float(facts["best_f1"])
    state.best_epoch = int(facts["best_epoch"])
    state.epoch = int(facts["epoch"])
    state.seconds = float(facts["seconds"])
