"""One step: prune a copy, fine-tune it, count and score it."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from edgeecg.compression import budget
from edgeecg.compression.budget import Goal
from edgeecg.compression.fidelity import Probe
from edgeecg.compression.fine_tuning import fine_tune
from edgeecg.compression.job import Job
from edgeecg.costs import measured, proxy
from edgeecg.errors import DivergedError, NotFiniteError
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import Architecture, build, nonzero_parameters, parameters
from edgeecg.pruning import masks
from edgeecg.pruning.channels import prune_channels
from edgeecg.pruning.gradients import taylor_importance
from edgeecg.pruning.schedule import scheduled
from edgeecg.schema import CompressionStep, LayerCost, MeasuredCosts, ProxyCoefficients
from edgeecg.training.cards import costs, weight_bytes


@dataclass(frozen=True)
class StepPlan:
    """One step that is to be tried.

    Attributes:
        number: 1-based, among the steps that are kept.
        attempt: 1-based, among all that are tried.
        progress: How far it is from the dense model (0) to what was asked for (1).
        goal: What the budgets ask for; None without budgets.
        probes: Windows on which the fidelity to the dense model is measured; that on the first
            decides how long a step is fine-tuned.
    """

    number: int
    attempt: int
    progress: float
    goal: Goal | None
    probes: tuple[Probe, ...]


def perform_step(
    job: Job, dense: nn.Module, model: nn.Module, plan: StepPlan
) -> tuple[nn.Module, CompressionStep]:
    """Prune a copy of a model to the progress of a step, and fine-tune it.

    Args:
        job: The run.
        dense: The dense model: the teacher, and the reference of all shares.
        model: The model of the last kept step, on the CPU; not changed.
        plan: The step.

    Returns:
        The new model on the CPU, and what the step did.

    Raises:
        EdgeECGError: The loss is not finite, or the budget cannot be reached.
    """
    started = time.monotonic()
    pruned, target = _pruned(job, dense, model, plan)
    pruned_at = time.monotonic()
    name = f"step {plan.number}/{job.config.steps}"
    losses = fine_tune(_with_epochs(job, plan), dense, pruned, plan.attempt, name, plan.probes[0])
    record = _Record(plan, target, losses, started, pruned_at)
    try:
        return pruned, _describe(job, dense, pruned, record)
    except NotFiniteError as error:
        raise DivergedError(
            f"Training diverged in {name}.",
            "The outputs of the model are not finite.",
            "Start a new run with a lower learning rate.",
        ) from error


def _with_epochs(job: Job, plan: StepPlan) -> Job:
    """Return the job with as many epochs of fine-tuning as the step has."""
    config = job.config
    if plan.progress < 1 or config.finetune_last_epochs is None:
        return job
    epochs = {"finetune_epochs": config.finetune_last_epochs}
    return replace(job, config=config.model_copy(update=epochs))


@dataclass(frozen=True)
class _Record:
    """What is known of a step beside the model that it gave."""

    plan: StepPlan
    target_sparsity: float | None
    train_loss: tuple[float, ...]
    started: float
    pruned_at: float


def copied(of: Architecture, model: nn.Module) -> nn.Module:
    """Return a newly built model with the same widths and weights.

    A resumed run has the same: its weights repeat bit for bit only if the tensors have the same
    memory layout.
    """
    fresh = build(of, of.widths(model))
    fresh.load_state_dict(model.state_dict())
    return fresh


def _pruned(
    job: Job, dense: nn.Module, model: nn.Module, plan: StepPlan
) -> tuple[nn.Module, float | None]:
    """Return a pruned copy, and the sparsity that the schedule asked for, if it was the target."""
    config = scheduled(job.config)
    importance = taylor_importance(job.dataset, config)
    if plan.goal is not None:
        smaller = budget.prune_to_budget(model, dense, config, plan.goal, plan.progress, importance)
        return copied(job.architecture, smaller), None
    pruned = copy.deepcopy(model)
    if config.structure == "none":
        zero = masks.zero_weights(
            pruned, config, plan.progress, job.architecture.INPUT_SHAPE, importance
        )
        return pruned, zero
    target = prune_channels(
        pruned, dense, job.architecture, config, plan.progress, importance=importance
    )
    return copied(job.architecture, pruned), target


def _describe(job: Job, dense: nn.Module, model: nn.Module, record: _Record) -> CompressionStep:
    """Count and score the model after a step."""
    base, now = costs(dense, job.architecture), costs(model, job.architecture)
    coefficients = ProxyCoefficients()
    # A layer of a block that was removed is not there any more.
    nonzero_bytes = {
        layer.name: layer.weight_bytes * layer.nonzero_fraction for layer in now.layers
    }
    whole = proxy.executed(base.totals, coefficients)
    return CompressionStep(
        step=record.plan.number,
        attempt=record.plan.attempt,
        progress=record.plan.progress,
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
            layer.name: 1 - nonzero_bytes.get(layer.name, 0.0) / layer.weight_bytes
            for layer in base.layers
            if layer.weight_bytes
        },
        train_loss=record.train_loss,
        val=evaluate(model, job.dataset, "val"),
        fidelity={probe.split: probe.measured(model) for probe in record.plan.probes},
        seconds=time.monotonic() - record.started,
        pruning_seconds=record.pruned_at - record.started,
    )


def _predicted(
    costs: MeasuredCosts | None, dense: Sequence[LayerCost], now: Sequence[LayerCost]
) -> float | None:
    """Return the predicted seconds of a model relative to the dense one; None without costs."""
    if costs is None:
        return None
    return measured.seconds(now, costs) / measured.seconds(dense, costs)
