"""The whole of ``edgeecg compress``: a dense baseline, then pruning and fine-tuning step by step.

The run folder always holds a whole checkpoint: it is written after every epoch of the baseline and
after every compression step, kept or undone, beside the old one, and renamed. A run that is killed
at any moment goes on from there and, on the same number of threads, ends with the same weights bit
for bit.
"""

from __future__ import annotations

from torch import nn

from edgeecg.compression import budget, guards, run_state
from edgeecg.compression.budget import Goal
from edgeecg.compression.dense import dense_model
from edgeecg.compression.guarded_int8 import make_guarded
from edgeecg.compression.job import Job
from edgeecg.compression.run_state import RunState
from edgeecg.compression.steps import Try, copied, objective_of, take
from edgeecg.errors import DivergedError, EdgeECGError
from edgeecg.files import write_text
from edgeecg.models import Architecture, architecture, build, is_builtin
from edgeecg.pruning.traceable import check_traceable, check_weights
from edgeecg.quantization.int8_stage import FineTuning, Int8Stage, check_quantizable
from edgeecg.runs.journal import Journal
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    QuantizationLog,
    Rollback,
)
from edgeecg.training.cards import costs, make_card, save_model

__all__ = ["Job", "compress", "planned"]


def planned(config: CompressionConfig, custom: Architecture | None = None) -> CompressionConfig:
    """Check that the parts of a request fit together, and choose the number of steps.

    Args:
        config: What is asked for.
        custom: The custom module, where the configuration is of one.

    Returns:
        The same; with budgets, the steps that lead to them at a sensible pace.

    Raises:
        UsageError: Parts of it contradict each other, or a guard names what is not there.
        EdgeECGError: The channels of the model cannot be cut.
    """
    goal = _checked(config, architecture(config.training.model, custom))
    return config if goal is None else config.model_copy(update={"steps": goal.steps})


def compress(job: Job) -> CompressionLog:
    """Do whatever the run folder does not hold yet, and return the finished log.

    Args:
        job: The run. An empty or absent folder starts from the beginning; a checkpoint in it is
            gone on from.

    Raises:
        UsageError: The options contradict each other, or a budget is out of reach (the smallest
            reachable is named); nothing was written.
        EdgeECGError: Training broke down, the checkpoint belongs to other data, or the disk is
            full; the last checkpoint is intact.
    """
    if job.run.finished:
        raise EdgeECGError(
            f"The run '{job.run.name}' is finished.",
            f"'{job.run.model_card}' is there.",
            "Go on with 'edgeecg export', or start a new run.",
        )
    goal = _checked(job.config, job.architecture)
    if not job.run.config.is_file():
        if goal is not None:
            budget.check_reachable(build(job.architecture), job.config, goal)
        write_text(job.run.config, job.config.to_json())
    journal = Journal(job.run.events)
    if journal.commands():
        journal.write("resume", command=job.command)
    else:
        journal.write("start", config=job.config.model_dump(mode="json"), command=job.command)
    dense, card = dense_model(job, journal)
    guards.check_dense(job.config.guards, card.val, job.run.name)
    here = run_state.resumed(job) or RunState(copied(job.architecture, dense))
    for known in sorted((*here.steps, *here.rollbacks), key=lambda event: event.attempt):
        _tell(job, known)
    while (aim := here.aim(job.config.steps, job.config.retries)) is not None:
        _advance(job, dense, here, Try(len(here.steps) + 1, here.attempt, aim, goal), journal)
    int8 = None if job.config.quantize == "none" else _make_ready(job, dense, here, journal)
    return _finish(job, dense, here, int8, journal)


def _checked(config: CompressionConfig, of: Architecture) -> Goal | None:
    """Refuse what cannot be done; return where the budgets lead, None without budgets."""
    guards.check_names(config.guards, of)
    budget.check_structure(config)
    if config.quantize != "none":
        check_quantizable(build(of), of.INPUT_SHAPE)
    dense = build(of)
    budget.check_costs(dense, of, config)
    if config.structure == "none":
        check_weights(dense, of)
        return None
    if not is_builtin(of):
        check_traceable(dense, of, config)
    return budget.goal(dense, of, config)


def _advance(job: Job, dense: nn.Module, here: RunState, trial: Try, journal: Journal) -> None:
    """Try one step and keep or undo it, in the run state, in the checkpoint and in the journal."""
    try:
        model, step = take(job, dense, here.model, trial)
    except DivergedError as error:
        journal.write("diverged", attempt=trial.attempt, why=error.why)
        kept = f"The model of step {len(here.steps)}" if here.steps else "The dense model"
        lower = job.config.finetune_rate / 2
        raise EdgeECGError(
            error.what,
            error.why,
            f"{kept} is kept. Go on from it with a lower learning rate: edgeecg compress --name "
            f"{job.run.name} --resume --finetune-rate {lower:g}",
        ) from error
    broken = guards.broken_guards(job.config.guards, step.val)
    if broken:
        back = Rollback(
            attempt=trial.attempt,
            after_step=len(here.steps),
            progress=trial.progress,
            broken=broken,
            nonzero_parameters=step.nonzero_parameters,
            weight_bytes=step.weight_bytes,
            proxy_executed=step.proxy_executed,
            latency_predicted=step.latency_predicted,
            seconds=step.seconds,
        )
        here.rollbacks.append(back)
        run_state.save(job, here)
        journal.write("rollback", **back.model_dump(mode="json"))
        _tell(job, back)
        return
    here.model = model
    here.steps.append(step)
    run_state.save(job, here)
    journal.write("step", **step.model_dump(mode="json", exclude={"val": {"records"}}))
    _tell(job, step)


def _make_ready(job: Job, dense: nn.Module, here: RunState, journal: Journal) -> QuantizationLog:
    """Make the pruned model ready for int8; killed here, a run does this again from the start."""
    config = job.config
    tuning = FineTuning(
        here.attempt,
        config.finetune_epochs,
        config.finetune_rate,
        objective_of(job, dense),
        dense,
    )
    shape = job.architecture.INPUT_SHAPE
    stage = Int8Stage(config.quantize, shape, config.training, job.dataset, tuning, job.progress)
    log = make_guarded(here.model, stage, config.guards)
    write_text(job.run.quantization, log.to_json())
    journal.write(
        "quantization",
        kept=log.kept,
        broken=log.broken,
        float_layers=log.float_layers,
        val_int8=log.val_int8,
    )
    return log


def _tell(job: Job, event: CompressionStep | Rollback) -> None:
    if job.watch is not None:
        job.watch(event)


def _finish(
    job: Job, dense: nn.Module, here: RunState, int8: QuantizationLog | None, journal: Journal
) -> CompressionLog:
    """Write the model, the log and, last of all, the card that says the run is finished."""
    run = job.run
    stages = len(here.steps) + (int8 is not None and int8.kept == "qat")
    epochs = stages * job.config.finetune_epochs
    commands = journal.commands()
    log = CompressionLog(
        config=job.config,
        data=job.dataset.summary,
        steps=tuple(here.steps),
        rollbacks=tuple(here.rollbacks),
        stopped=here.stopped,
        baseline_costs=costs(dense, job.architecture).totals,
        command=commands[0],
        resumed=tuple(commands[1:]),
    )
    write_text(run.compression_log, log.to_json())
    card = make_card(
        here.model, "compressed", job.config.training, job.dataset, epochs, run, job.custom
    )
    save_model(here.model, card, run.model_weights, run.model_card)
    for leftover in (run.checkpoint, run.baseline_checkpoint):
        leftover.unlink(missing_ok=True)
    journal.write("finished", weights_sha256=card.weights_sha256, stopped=here.stopped)
    return log
