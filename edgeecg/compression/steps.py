"""One step: prune a copy, fine-tune it, count and score it."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeecg.compression import budget
from edgeecg.compression.budget import Goal
from edgeecg.compression.job import Job
from edgeecg.costs import measured, proxy
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import Architecture, build, nonzero_parameters, parameters
from edgeecg.pruning import masks
from edgeecg.pruning.channels import prune_channels
from edgeecg.pruning.gradients import taylor_importance
from edgeecg.pruning.schedule import scheduled
from edgeecg.schema import CompressionStep, LayerCost, MeasuredCosts, ProxyCoefficients
from edgeecg.training.averaging import running_mean
from edgeecg.training.cards import costs, weight_bytes
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import (
    Objective,
    Stage,
    Trainer,
    make_optimizer,
    supervised_objective,
    training_data,
)
from edgeecg.training.losses import distillation, supervised


@dataclass(frozen=True)
class Try:
    """One step that is tried.

    Attributes:
        number: 1-based, among the steps that are kept.
        attempt: 1-based, among all that are tried.
        progress: How far it goes from the dense model to what was asked for, 0..1.
        goal: Where the budgets lead; None without budgets.
    """

    number: int
    attempt: int
    progress: float
    goal: Goal | None


def take(
    job: Job, dense: nn.Module, model: nn.Module, trial: Try
) -> tuple[nn.Module, CompressionStep]:
    """Prune a copy of a model as far as a step goes, and fine-tune it.

    Args:
        job: The run.
        dense: The dense model: teacher, and what all shares are relative to.
        model: The model of the last kept step, on the CPU; not changed.
        trial: The step.

    Returns:
        The new model on the CPU, and what the step did.

    Raises:
        EdgeECGError: The loss is not finite, or the budget cannot be reached.
    """
    started = time.monotonic()
    pruned, target = _pruned(job, dense, model, trial)
    cut = time.monotonic()
    losses = _fine_tune(job, dense, pruned, trial)
    record = _Record(trial, target, losses, started, cut)
    return pruned, _describe(job, dense, pruned, record)


@dataclass(frozen=True)
class _Record:
    """What happened in a step that the model itself does not tell."""

    trial: Try
    target_sparsity: float | None
    train_loss: tuple[float, ...]
    started: float
    cut: float


def copied(of: Architecture, model: nn.Module) -> nn.Module:
    """Return a freshly built model with the same widths and weights.

    It is what a resumed run has: the same tensors in the same layout.
    """
    fresh = build(of, of.widths(model))
    fresh.load_state_dict(model.state_dict())
    return fresh


def _pruned(
    job: Job, dense: nn.Module, model: nn.Module, trial: Try
) -> tuple[nn.Module, float | None]:
    """Return a pruned copy, and the sparsity that the schedule asked for, if it was the target."""
    config = scheduled(job.config)
    importance = taylor_importance(job.dataset, config)
    if trial.goal is not None:
        cut = budget.cut_to(model, dense, config, trial.goal, trial.progress, importance)
        return copied(job.architecture, cut), None
    pruned = copy.deepcopy(model)
    if config.structure == "none":
        zero = masks.zero_weights(
            pruned, config, trial.progress, job.architecture.INPUT_SHAPE, importance
        )
        return pruned, zero
    target = prune_channels(
        pruned, dense, job.architecture, config, trial.progress, importance=importance
    )
    return copied(job.architecture, pruned), target


def _fine_tune(job: Job, dense: nn.Module, model: nn.Module, trial: Try) -> tuple[float, ...]:
    """Fine-tune in place, zeroed weights kept at zero; return the mean loss of each epoch.

    As in training, what is kept is the running mean of the weights.
    """
    config, training = job.config, job.config.training
    kept = (
        masks.nonzero_masks(model, job.architecture.INPUT_SHAPE)
        if config.structure == "none"
        else {}
    )
    averaged = running_mean(model, training.average)

    def after_update() -> None:
        masks.apply_masks(model, kept)
        averaged.update_parameters(model)

    stage = Stage(
        f"step {trial.number}/{config.steps}",
        trial.attempt,
        config.finetune_epochs,
        config.finetune_rate,
        objective=objective_of(job, dense),
        after_update=after_update,
    )
    accelerator = open_accelerator(training.threads)
    dense.to(accelerator.device)
    averaged.to(accelerator.device)
    data, optimizer = training_data(job.dataset, training), make_optimizer(model, training, stage)
    trainer = Trainer.prepare(accelerator, model, optimizer, data, job.progress)
    losses = tuple(trainer.train_epoch(stage, epoch) for epoch in range(config.finetune_epochs))
    model.load_state_dict(averaged.module.state_dict())
    model.cpu()
    dense.cpu()
    return losses


def _describe(job: Job, dense: nn.Module, model: nn.Module, record: _Record) -> CompressionStep:
    """Count and score the model after a step."""
    base, now = costs(dense, job.architecture), costs(model, job.architecture)
    coefficients = ProxyCoefficients()
    # A layer of a block that was left out is not there any more.
    live = {layer.name: layer.weight_bytes * layer.nonzero_fraction for layer in now.layers}
    whole = proxy.executed(base.totals, coefficients)
    return CompressionStep(
        step=record.trial.number,
        attempt=record.trial.attempt,
        progress=record.trial.progress,
        target_sparsity=record.target_sparsity,
        sparsity=1 - nonzero_parameters(model) / parameters(dense),
        parameters=parameters(model),
        weight_bytes=weight_bytes(model),
        nonzero_parameters=nonzero_parameters(model),
        macs=sum(layer.macs for layer in now.layers),
        proxy_ideal=proxy.ideal(now.totals, coefficients) / whole,
        proxy_executed=proxy.executed(now.totals, coefficients) / whole,
        latency_predicted=_predicted(job.config.costs, base.layers, now.layers),
        widths=now.widths,
        layer_sparsity={
            layer.name: 1 - live.get(layer.name, 0.0) / layer.weight_bytes
            for layer in base.layers
            if layer.weight_bytes
        },
        train_loss=record.train_loss,
        val=evaluate(model, job.dataset, "val"),
        seconds=time.monotonic() - record.started,
        pruning_seconds=record.cut - record.started,
    )


def _predicted(
    costs: MeasuredCosts | None, dense: Sequence[LayerCost], now: Sequence[LayerCost]
) -> float | None:
    """Return the predicted seconds of a model relative to the dense one; None without costs."""
    if costs is None:
        return None
    return measured.seconds(now, costs) / measured.seconds(dense, costs)


def objective_of(job: Job, dense: nn.Module) -> Objective:
    """Return the fine-tuning loss: plain, or shared with the dense model's answers.

    L = (1 - alpha) CE(y, s) + alpha T^2 KL(t || s): the formula of the reference study.
    """
    config, task = job.config, job.dataset.task
    if not config.distill:
        return supervised_objective(task)

    def distilled(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            teacher = dense(windows)
        hard = supervised(logits, target, task)
        soft = distillation(logits, teacher, config.temperature, task)
        return (1 - config.distill_alpha) * hard + config.distill_alpha * soft

    return distilled
