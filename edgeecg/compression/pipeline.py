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
from edgeecg.compression.fidelity import Probe, with_test_scores
from edgeecg.compression.fine_tuning import training_of, without_dropout
from edgeecg.compression.guarded_int8 import make_guarded
from edgeecg.compression.job import Job
from edgeecg.compression.objective import objective_of
from edgeecg.compression.run_state import RunState
from edgeecg.compression.steps import Try, copied, take
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
from edgeecg.training import class_weights
from edgeecg.training.cards import costs, load_weights, make_card, save_model, save_weights

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
    if job.run.reduced:
        return _scored(job)
    goal = _checked(job.config, job.architecture)
    class_weights.check_classes(job.dataset)
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
    guards.check_dense(job.guards, card.val, job.run.name)
    probes = _probes(job, dense)
    here = run_state.resumed(job) or RunState(copied(job.architecture, dense))
    here.warnings = guards.few_beats(job.guards, card.val, probes[0].measured(dense))
    for known in sorted((*here.steps, *here.rollbacks), key=lambda event: event.attempt):
        _tell(job, known)
    while (aim := here.aim(job.config.steps, job.config.retries)) is not None:
        trial = Try(len(here.steps) + 1, here.attempt, aim, goal, probes)
        _advance(job, dense, here, trial, journal)
    int8 = None
    if job.config.quantize != "none":
        int8 = _make_ready(job, dense, here, probes, journal)
    return _finish(job, dense, here, int8, journal)


def _probes(job: Job, dense: nn.Module) -> tuple[Probe, ...]:
    """Return where the fidelity is measured after every step; guards are checked on the first."""
    return (
        Probe.of_training(dense, job.dataset, job.config.training),
        Probe.of_split(dense, job.dataset, "val"),
    )


def _checked(config: CompressionConfig, of: Architecture) -> Goal | None:
    """Refuse what cannot be done; return where the budgets lead, None without budgets."""
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
    broken = guards.broken_guards(job.guards, step.val, step.fidelity[guards.GUARDED])
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


def _make_ready(
    job: Job, dense: nn.Module, here: RunState, probes: tuple[Probe, ...], journal: Journal
) -> QuantizationLog:
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
    stage = Int8Stage(
        config.quantize,
        shape,
        training_of(config),
        job.dataset,
        tuning,
        job.progress,
        probes[0].measured,
    )
    with without_dropout(here.model, config):
        log = make_guarded(here.model, stage, job.guards)
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
    """Write the log, the model and, last of all, the card that says the run is finished."""
    run = job.run
    commands = journal.commands()
    log = CompressionLog(
        config=job.config,
        data=job.dataset.summary,
        steps=tuple(here.steps),
        rollbacks=tuple(here.rollbacks),
        stopped=here.stopped,
        guards=tuple(map(str, job.guards)),
        warnings=here.warnings,
        baseline_costs=costs(dense, job.architecture).totals,
        command=commands[0],
        resumed=tuple(commands[1:]),
    )
    write_text(run.compression_log, log.to_json())
    if job.score_test:
        log = _write_card(job, dense, here.model, log, int8)
    else:
        save_weights(here.model, run.model_weights)
        journal.write("reduced", stopped=here.stopped)
    for leftover in (run.checkpoint, run.baseline_checkpoint):
        leftover.unlink(missing_ok=True)
    return log


def _write_card(
    job: Job, dense: nn.Module, model: nn.Module, log: CompressionLog, int8: QuantizationLog | None
) -> CompressionLog:
    """Score a model on the test records, and write it, its log and its card; return the log."""
    run = job.run
    epochs = sum(len(step.train_loss) for step in log.steps)
    if int8 is not None and int8.kept == "qat":
        epochs += job.config.finetune_epochs
    card = make_card(model, "compressed", job.config.training, job.dataset, epochs, run, job.custom)
    log = with_test_scores(log, job, dense, model, card)
    write_text(run.compression_log, log.to_json())
    save_model(model, card, run.model_weights, run.model_card)
    Journal(run.events).write("finished", weights_sha256=card.weights_sha256, stopped=log.stopped)
    return log


def _scored(job: Job) -> CompressionLog:
    """Finish a run that lacks its test scores and its card alone.

    Raises:
        SchemaError: A document of the run is damaged.
        EdgeECGError: The run belongs to other records.
    """
    run = job.run
    log = CompressionLog.from_json(run.compression_log.read_bytes(), str(run.compression_log))
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
    int8 = (
        QuantizationLog.from_json(run.quantization.read_bytes(), str(run.quantization))
        if run.quantization.is_file()
        else None
    )
    log = _write_card(job, dense, model, log, int8)
    for leftover in (run.checkpoint, run.baseline_checkpoint):
        leftover.unlink(missing_ok=True)
    return log
