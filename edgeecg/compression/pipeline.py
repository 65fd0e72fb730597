"""The pipeline of ``edgeecg compress``: a dense baseline, then pruning and fine-tuning in steps.

The run folder always holds a complete checkpoint: it is written after every epoch of the baseline
and after every compression step, kept or undone, beside the old one, and renamed. A run that is
killed at any moment is resumed from there and, on the same number of threads, ends with the same
weights bit for bit.
"""

from __future__ import annotations

import shlex
from functools import partial

from torch import nn

from edgeecg.compression import budget, guards, run_state
from edgeecg.compression.budget import Goal
from edgeecg.compression.dense import as_performed, dense_model, idle_training
from edgeecg.compression.fidelity import Probe, with_test_scores
from edgeecg.compression.fine_tuning import check_most_epochs, dropout_of, training_of
from edgeecg.compression.guarded_int8 import make_guarded
from edgeecg.compression.job import Job
from edgeecg.compression.objective import objective_of, with_features
from edgeecg.compression.run_state import RunState
from edgeecg.compression.steps import StepPlan, copied, perform_step
from edgeecg.errors import DivergedError, EdgeECGError
from edgeecg.files import write_text
from edgeecg.models import Architecture, architecture, build, is_builtin
from edgeecg.pruning import masks
from edgeecg.pruning.schedule import scheduled
from edgeecg.pruning.traceable import check_traceable, check_weights
from edgeecg.quantization.int8_stage import FineTuning, Int8Stage, check_quantizable
from edgeecg.runs import RunFolder
from edgeecg.runs.journal import Journal
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    ModelCard,
    QuantizationLog,
    Rollback,
)
from edgeecg.training import class_weights
from edgeecg.training.cards import costs, load_weights, make_card, save_model, save_weights

__all__ = ["Job", "check_budgets", "compress", "planned"]


def planned(
    config: CompressionConfig, custom: Architecture | None = None, steps: int | None = None
) -> CompressionConfig:
    """Check that the settings fit together, and choose the number of steps.

    Args:
        config: What is asked for.
        custom: The custom module, where the configuration is of one.
        steps: Number of steps that is asked for beside budgets, or None.

    Returns:
        The same configuration; with budgets, the number of steps follows from them, unless one is
        asked for.

    Raises:
        UsageError: Settings contradict each other, a guard names an unknown class, or single
            weights are to be set to zero and the sparsity is out of reach.
        EdgeECGError: The channels of the model cannot be pruned.
    """
    check_most_epochs(config)
    of = architecture(config.training.model, custom)
    goal = _checked(config, of)
    if config.structure == "none":
        masks.check_sparsity(build(of), scheduled(config), of.INPUT_SHAPE)
    if goal is None:
        return config
    return config.model_copy(update={"steps": goal.steps if steps is None else steps})


def check_budgets(config: CompressionConfig, custom: Architecture | None = None) -> None:
    """Refuse budgets that are out of reach, before the records are read.

    Args:
        config: What is asked for, as :func:`planned` returns it.
        custom: The custom module, where the configuration is of one.

    Raises:
        UsageError: A budget is out of reach; names the smallest that is reachable.
    """
    of = architecture(config.training.model, custom)
    dense = build(of)
    goal = budget.goal(dense, of, config)
    if goal is not None:
        budget.check_reachable(dense, config, goal)


def compress(job: Job) -> CompressionLog:
    """Do what the run folder does not hold yet, and return the finished log.

    Args:
        job: The run. With an empty or absent folder it starts from the beginning, else from the
            checkpoint in the folder.

    Raises:
        UsageError: The options contradict each other, or a budget is out of reach (the smallest
            reachable is named); nothing was written.
        EdgeECGError: Training diverged, the checkpoint belongs to other data, or the disk is
            full; the last checkpoint is intact.
    """
    if job.run.finished:
        raise EdgeECGError(
            f"The run '{job.run.name}' is finished.",
            f"'{job.run.model_card}' is there.",
            "Go on with 'edgeecg export', or start a new run.",
        )
    if job.run.reduced:
        return _add_test_scores(job)
    goal = _checked(job.config, job.architecture)
    class_weights.check_classes(job.dataset)
    guards.check_support(job.guards, job.dataset)
    # Refuses weights of classes that the records do not have before anything is written.
    class_weights.class_weights(
        job.config.class_weight, job.dataset, job.config.training.epoch_windows
    )
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
    guards.check_dense(job.guards, card.val, job.from_its_dense_model("compress"))
    _keep_changes(job, journal)
    probes = _probes(job, dense)
    state = run_state.resumed(job) or RunState(copied(job.architecture, dense))
    state.warnings = (
        *idle_training(job.config, card),
        *budget.idle_settings(job.config),
        *budget.missed_sparsity(dense, job.architecture, job.config),
        *guards.few_beats(job.guards, card.val, probes[0].measured(dense)),
    )
    for known in sorted((*state.steps, *state.rollbacks), key=lambda event: event.attempt):
        _report(job, known)
    while (progress := state.next_progress(job.config.steps, job.config.retries)) is not None:
        plan = StepPlan(len(state.steps) + 1, state.attempt, progress, goal, probes)
        _try_step(job, dense, state, plan, journal)
    int8 = None
    if job.config.quantize != "none":
        int8 = _prepare_int8(job, dense, state, probes, journal)
    return _finish(job, dense, state, int8, journal)


def _keep_changes(job: Job, journal: Journal) -> None:
    """Write the configuration of a run that goes on with another rate, or a module elsewhere."""
    before = CompressionConfig.from_file(job.run.config)
    if before.finetune_rate != job.config.finetune_rate:
        journal.write("finetune_rate", was=before.finetune_rate, now=job.config.finetune_rate)
    if before != job.config:
        write_text(job.run.config, job.config.to_json())


def _probes(job: Job, dense: nn.Module) -> tuple[Probe, ...]:
    """Return where the fidelity is measured after every step; guards are checked on the first."""
    return (
        Probe.of_training(dense, job.dataset, job.config.training),
        Probe.of_split(dense, job.dataset, "val"),
    )


def _checked(config: CompressionConfig, of: Architecture) -> Goal | None:
    """Refuse what cannot be done; return what the budgets ask for, None without budgets."""
    guards.check_names(config.guards, of)
    class_weights.check_names(config.class_weight, of.CLASSES)
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


def _try_step(
    job: Job, dense: nn.Module, state: RunState, plan: StepPlan, journal: Journal
) -> None:
    """Try one step and keep or undo it, in the run state, in the checkpoint and in the journal."""
    try:
        model, step = perform_step(job, dense, state.model, plan)
    except DivergedError as error:
        journal.write("diverged", attempt=plan.attempt, why=error.why)
        kept = f"The model of step {len(state.steps)}" if state.steps else "The dense model"
        lower = job.config.finetune_rate / 2
        raise EdgeECGError(
            error.what,
            error.why,
            f"{kept} is kept. Go on from it with a lower learning rate: edgeecg compress --name "
            f"{shlex.quote(job.run.name)} --resume --finetune-rate {lower:g}",
        ) from error
    broken = guards.broken_guards(job.guards, step.val, step.fidelity[guards.GUARDED])
    if broken:
        back = Rollback(
            attempt=plan.attempt,
            after_step=len(state.steps),
            progress=plan.progress,
            broken=broken,
            nonzero_parameters=step.nonzero_parameters,
            weight_bytes=step.weight_bytes,
            proxy_executed=step.proxy_executed,
            latency_predicted=step.latency_predicted,
            seconds=step.seconds,
        )
        state.rollbacks.append(back)
        run_state.save(job, state)
        journal.write("rollback", **back.model_dump(mode="json"))
        _report(job, back)
        return
    state.model = model
    state.steps.append(step)
    run_state.save(job, state)
    journal.write("step", **step.model_dump(mode="json", exclude={"val": {"records"}}))
    _report(job, step)


def _prepare_int8(
    job: Job, dense: nn.Module, state: RunState, probes: tuple[Probe, ...], journal: Journal
) -> QuantizationLog:
    """Make the pruned model ready for int8; killed here, a run does this again from the start."""
    config = job.config
    tuning = FineTuning(
        state.attempt,
        config.finetune_epochs,
        config.finetune_rate,
        partial(with_features, job, objective_of(job, dense), dense),
        dense,
        freeze_norms=config.finetune_norm == "frozen",
    )
    shape = job.architecture.INPUT_SHAPE
    stage = Int8Stage(
        config.quantize,
        shape,
        training_of(config),
        job.dataset,
        tuning,
        job.progress,
        probes[0].measured,
    )
    with dropout_of(state.model, config):
        log = make_guarded(state.model, stage, job.guards)
    write_text(job.run.quantization, log.to_json())
    journal.write(
        "quantization",
        kept=log.kept,
        broken=log.broken,
        float_layers=log.float_layers,
        val_int8=log.val_int8,
    )
    return log


def _report(job: Job, event: CompressionStep | Rollback) -> None:
    """Pass a step that was kept or undone to the callback of the run."""
    if job.on_step is not None:
        job.on_step(event)


def _finish(
    job: Job, dense: nn.Module, state: RunState, int8: QuantizationLog | None, journal: Journal
) -> CompressionLog:
    """Write the log, the model and, last of all, the card that says the run is finished."""
    run = job.run
    # The journal may have lost the line that a killed process was writing.
    command, *resumed = journal.commands() or ["not recorded"]
    log = CompressionLog(
        config=job.config,
        data=job.dataset.summary,
        steps=tuple(state.steps),
        rollbacks=tuple(state.rollbacks),
        stopped=state.stopped,
        guards=tuple(map(str, job.guards)),
        warnings=state.warnings,
        baseline_costs=costs(dense, job.architecture).totals,
        command=command,
        resumed=tuple(resumed),
    )
    write_text(run.compression_log, log.to_json())
    if job.score_test:
        log = _write_card(job, dense, state.model, log, int8)
    else:
        save_weights(state.model, run.model_weights)
        journal.write("reduced", stopped=state.stopped)
    _remove_checkpoints(run)
    return log


def _remove_checkpoints(run: RunFolder) -> None:
    for path in (run.checkpoint, run.baseline_checkpoint):
        path.unlink(missing_ok=True)


def _write_card(
    job: Job, dense: nn.Module, model: nn.Module, log: CompressionLog, int8: QuantizationLog | None
) -> CompressionLog:
    """Score a model on the test records, and write it, its log and its card; return the log."""
    run = job.run
    epochs = sum(len(step.train_loss) for step in log.steps)
    if int8 is not None and int8.kept == "qat":
        epochs += job.config.finetune_epochs
    training = as_performed(job.config, ModelCard.from_file(run.baseline_card))
    card = make_card(model, "compressed", training, job.dataset, epochs, run, job.custom)
    log = with_test_scores(log, job, dense, model, card)
    write_text(run.compression_log, log.to_json())
    save_model(model, card, run.model_weights, run.model_card)
    Journal(run.events).write("finished", weights_sha256=card.weights_sha256, stopped=log.stopped)
    return log


def _add_test_scores(job: Job) -> CompressionLog:
    """Finish a run that lacks only its test scores and its card.

    Raises:
        SchemaError: A document of the run is damaged.
        EdgeECGError: The run belongs to other records.
    """
    run = job.run
    log = CompressionLog.from_file(run.compression_log)
    if not job.score_test:
        return log
    journal = Journal(run.events)
    # Also refuses records other than those that the run was started with.
    dense, _ = dense_model(job, journal)
    journal.write("resume", command=job.command)
    log = log.model_copy(update={"resumed": tuple(journal.commands()[1:])})
    write_text(run.compression_log, log.to_json())
    widths = log.steps[-1].widths if log.steps else job.architecture.widths(dense)
    model = build(job.architecture, widths)
    model.load_state_dict(load_weights(run.model_weights))
    int8 = QuantizationLog.from_file(run.quantization) if run.quantization.is_file() else None
    log = _write_card(job, dense, model, log, int8)
    _remove_checkpoints(run)
    return log
