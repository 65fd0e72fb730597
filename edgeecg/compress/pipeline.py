"""The whole of ``edgeecg compress``: a dense baseline, then pruning and fine-tuning step by step.

The run folder always holds a whole checkpoint: it is written after every epoch of the baseline and
after every compression step, beside the old one, and renamed. A run that is killed at any moment
goes on from there and, on the same number of threads, ends with the same weights bit for bit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeecg.compress import masks
from edgeecg.compress.cards import costs, make_card, save_model
from edgeecg.compress.channels import prune_channels
from edgeecg.compress.gradients import measured
from edgeecg.compress.journal import Journal
from edgeecg.data import Dataset
from edgeecg.energy import proxy
from edgeecg.errors import EdgeECGError
from edgeecg.files import write_bytes, write_text
from edgeecg.models import architecture, build, load, shipped
from edgeecg.models.costs import nonzero_parameters, parameters
from edgeecg.runs import RunFolder, trained
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    ModelCard,
    ProxyCoefficients,
)
from edgeecg.training.baseline import train
from edgeecg.training.checkpoint import load_checkpoint, prefixed, save_checkpoint, unprefixed
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import (
    Objective,
    Progress,
    Stage,
    evaluate,
    make_optimizer,
    material,
    plain,
    train_epoch,
)
from edgeecg.training.losses import distillation, supervised


@dataclass(frozen=True)
class Job:
    """One run: what to do, on what, where.

    Attributes:
        config: What was asked for.
        dataset: What it runs on.
        run: The folder everything is written to.
        command: The command line, for the record.
        progress: Called after every batch of training.
    """

    config: CompressionConfig
    dataset: Dataset
    run: RunFolder
    command: str
    progress: Progress | None = None

    @property
    def model(self) -> str:
        """Name of the architecture."""
        return self.config.training.model


@dataclass(frozen=True)
class _Course:
    """What happened in a step that the model itself does not tell."""

    number: int
    target_sparsity: float
    train_loss: tuple[float, ...]
    started: float


def compress(job: Job) -> CompressionLog:
    """Do whatever the run folder does not hold yet, and return the finished log.

    Args:
        job: The run. An empty or absent folder starts from the beginning; a checkpoint in it is
            gone on from.

    Raises:
        EdgeECGError: Training broke down, the checkpoint belongs to other data, or the disk is
            full; the last checkpoint is intact.
    """
    if job.run.finished:
        raise EdgeECGError(
            f"The run '{job.run.name}' is finished.",
            f"'{job.run.model_card}' is there.",
            "Go on with 'edgeecg export', or start a new run.",
        )
    if not job.run.config.is_file():
        write_text(job.run.config, job.config.to_json())
    journal = Journal(job.run.events)
    dense = _baseline(job, journal)
    card = ModelCard.from_json(
        job.run.baseline_card.read_bytes(), source=str(job.run.baseline_card)
    )
    if not _trained_on(card, job.dataset):
        raise EdgeECGError(
            f"The run '{job.run.name}' cannot go on with these records.",
            f"Its baseline was trained on {card.data.source} records with other content.",
            "Point EDGEECG_DATA at the records it was started with, or start a new run.",
        )
    model, steps = _resumed(job) or (_copy(job.model, dense), [])
    while len(steps) < job.config.steps:
        model, step = _step(job, dense, model, len(steps) + 1)
        steps.append(step)
        _checkpoint(job, model, steps)
        journal.write("step", **step.model_dump(mode="json", exclude={"val": {"records"}}))
    return _finish(job, dense, model, steps, journal)


def _baseline(job: Job, journal: Journal) -> nn.Module:
    """Return the dense model: the run's own, else the package's, else trained now."""
    run, training = job.run, job.config.training
    if not run.baseline_card.is_file():
        journal.write("start", config=job.config.model_dump(mode="json"), command=job.command)
        ready = _ready(job)
        if ready is not None:
            weights, card = ready
            write_bytes(run.baseline_weights, weights.read_bytes())
            write_text(run.baseline_card, card.to_json())
            journal.write("baseline", weights=weights.name, sha256=card.weights_sha256)
        else:
            made = train(job.dataset, training, run.baseline_checkpoint, job.progress)
            card = make_card(made.model, "baseline", training, job.dataset, made.epochs)
            save_model(made.model, card, run.baseline_weights, run.baseline_card)
            run.baseline_checkpoint.unlink(missing_ok=True)
            journal.write("baseline", epochs=made.epochs, seconds=made.seconds)
    card = ModelCard.from_json(run.baseline_card.read_bytes(), source=str(run.baseline_card))
    return load(run.baseline_weights, card)


def _ready(job: Job) -> tuple[Path, ModelCard] | None:
    """Return weights to start from: those of a named run, or the package's own for these records.

    Raises:
        EdgeECGError: The named run has none.
    """
    if job.config.start is not None:
        found = trained(job.config.start)
        card = ModelCard.from_json(found.baseline_card.read_bytes(), str(found.baseline_card))
        return found.baseline_weights, card
    ready = None if job.config.retrain else shipped(job.model)
    return ready if ready is not None and _trained_on(ready[1], job.dataset) else None


def _trained_on(card: ModelCard, dataset: Dataset) -> bool:
    """Whether a model was trained on these very records, prepared in this very way."""
    return card.data.content_sha256 == dataset.summary.content_sha256


def _step(
    job: Job, dense: nn.Module, model: nn.Module, number: int
) -> tuple[nn.Module, CompressionStep]:
    """Prune to the schedule's next point and fine-tune."""
    config, training = job.config, job.config.training
    started = time.monotonic()
    shape = architecture(job.model)
    t = number / config.steps
    squares = measured(job.dataset, config)
    if config.structure != "none":
        target = prune_channels(model, dense, shape, config, t, squares=squares)
        # Rebuilt, as it would be after a resume: the same tensors in the same layout.
        model = _copy(job.model, model)
        alive: masks.Masks = {}
    else:
        target = masks.zero_weights(model, config, t, shape.INPUT_SHAPE, squares)
        alive = masks.masks(model)
    stage = Stage(
        f"step {number}/{config.steps}",
        number,
        config.finetune_epochs,
        config.finetune_rate,
        objective=_objective(job, dense),
        after_update=lambda: masks.apply(model, alive),
    )
    accelerator = open_accelerator(training.threads)
    dense.to(accelerator.device)
    prepared, optimizer = accelerator.prepare(model, make_optimizer(model, training, stage))
    learned = material(job.dataset, training)
    losses = tuple(
        train_epoch(prepared, optimizer, learned, stage, epoch, accelerator, job.progress)
        for epoch in range(config.finetune_epochs)
    )
    model.cpu()
    dense.cpu()
    return model, _describe(job, dense, model, _Course(number, target, losses, started))


def _describe(job: Job, dense: nn.Module, model: nn.Module, course: _Course) -> CompressionStep:
    """Count and score the model after a step."""
    base, now = costs(dense, job.model), costs(model, job.model)
    coefficients = ProxyCoefficients()
    # A layer of a block that was left out is not there any more.
    live = {layer.name: layer.weight_bytes * layer.nonzero_fraction for layer in now.layers}
    whole = proxy.executed(base.totals, coefficients)
    return CompressionStep(
        step=course.number,
        target_sparsity=course.target_sparsity,
        sparsity=1 - nonzero_parameters(model) / parameters(dense),
        parameters=parameters(model),
        nonzero_parameters=nonzero_parameters(model),
        macs=sum(layer.macs for layer in now.layers),
        proxy_ideal=proxy.ideal(now.totals, coefficients) / whole,
        proxy_executed=proxy.executed(now.totals, coefficients) / whole,
        widths=now.widths,
        layer_sparsity={
            layer.name: 1 - live.get(layer.name, 0.0) / layer.weight_bytes
            for layer in base.layers
            if layer.weight_bytes
        },
        train_loss=course.train_loss,
        val=evaluate(model, job.dataset, "val"),
        seconds=time.monotonic() - course.started,
    )


def _objective(job: Job, dense: nn.Module) -> Objective:
    """Return the fine-tuning loss: plain, or shared with the dense model's answers.

    L = (1 - alpha) CE(y, s) + alpha T^2 KL(t || s): the seed document's formula.
    """
    config, task = job.config, job.dataset.task
    if not config.distill:
        return plain(task)

    def distilled(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            teacher = dense(windows)
        hard = supervised(logits, target, task)
        soft = distillation(logits, teacher, config.temperature, task)
        return (1 - config.distill_alpha) * hard + config.distill_alpha * soft

    return distilled


def _copy(name: str, model: nn.Module) -> nn.Module:
    """Return a freshly built model with the same widths and weights."""
    fresh = build(name, architecture(name).widths(model))
    fresh.load_state_dict(model.state_dict())
    return fresh


def _checkpoint(job: Job, model: nn.Module, steps: list[CompressionStep]) -> None:
    state = {
        "widths": architecture(job.model).widths(model),
        "steps": [step.model_dump(mode="json") for step in steps],
    }
    save_checkpoint(job.run.checkpoint, prefixed("model", model.state_dict()), state)


def _resumed(job: Job) -> tuple[nn.Module, list[CompressionStep]] | None:
    """Return the model after the last finished step, or None before the first."""
    if not job.run.checkpoint.is_file():
        return None
    tensors, state = load_checkpoint(job.run.checkpoint)
    model = build(job.model, {k: tuple(v) for k, v in state["widths"].items()})
    model.load_state_dict(unprefixed("model", tensors))
    source = str(job.run.checkpoint)
    return model, [CompressionStep.from_document(step, source) for step in state["steps"]]


def _finish(
    job: Job,
    dense: nn.Module,
    model: nn.Module,
    steps: list[CompressionStep],
    journal: Journal,
) -> CompressionLog:
    """Write the model, the log and, last of all, the card that says the run is finished."""
    run = job.run
    epochs = job.config.steps * job.config.finetune_epochs
    log = CompressionLog(
        config=job.config,
        data=job.dataset.summary,
        steps=tuple(steps),
        baseline_costs=costs(dense, job.model).totals,
        command=job.command,
    )
    write_text(run.compression_log, log.to_json())
    card = make_card(model, "compressed", job.config.training, job.dataset, epochs, parent=run)
    save_model(model, card, run.model_weights, run.model_card)
    for leftover in (run.checkpoint, run.baseline_checkpoint):
        leftover.unlink(missing_ok=True)
    journal.write("finished", weights_sha256=card.weights_sha256)
    return log
