"""Starting a compression run, resuming one, and running several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg.compression import pipeline, settings
from edgeecg.compression.job import Job, StepCallback
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.interrupts import interruptible
from edgeecg.models import Architecture, architecture
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RUNS, RunFolder, new_run, newest_unfinished
from edgeecg.runs.lock import locked
from edgeecg.runs.options import Options, configured, refuse_changes
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    CustomModule,
    Rollback,
)
from edgeecg.training.start import DataCallback, Listeners, load_records

CustomCallback = Callable[[CustomModule], None]
"""Called before the Python file of a resumed run is run."""


@dataclass(frozen=True)
class RunPlan:
    """A run that can be performed.

    Attributes:
        run: Its folder.
        config: What is to be done.
        custom: The custom module, where the configuration is of one.
        replaced: What the folder of a resumed run holds, where the configuration is another now.
    """

    run: RunFolder
    config: CompressionConfig
    custom: Architecture | None = None
    replaced: CompressionConfig | None = None


def compress(
    model: str | None = None,
    *,
    budget: Mapping[str, float | str] | Sequence[str] | str = (),
    guards: Sequence[str] | str = (),
    name: str | None = None,
    resume: bool = False,
    config: Path | str | None = None,
    on_step: StepCallback | None = None,
    on_progress: ProgressCallback | None = None,
    on_data: DataCallback | None = None,
    **options: Any,
) -> CompressionLog:
    """Compress a model in a run folder.

    Args:
        model: Name of the architecture, or a custom module, ``"path/to/model.py:build"``; with
            ``resume``, that of the run.
        budget: What the compressed model may cost: ``{"energy": 0.2}``, ``{"size": "40kB"}``, or
            one or more texts as for ``--budget``.
        guards: Validation scores that must hold: ``["S:recall>=0.5"]``, or one text.
        name: Name of the folder under ``runs/``; None for the model's name and the time.
        resume: Go on with the named, or the newest, unfinished run.
        config: TOML file with settings, or the ``config.json`` of another run; keyword
            arguments override it.
        on_step: Called after every step, kept or rolled back.
        on_progress: Called after every batch.
        on_data: Called with the data set, once it is loaded.
        **options: Fields of :class:`edgeecg.schema.CompressionConfig` and of its
            :class:`edgeecg.schema.TrainingConfig`, e.g. ``method="l1"``, ``data="synthetic"``,
            ``seed=1``; ``costs`` as the path of a bench report. None switches off a number that
            may be None, such as ``finetune_last_epochs``.

    Returns:
        The log of all steps; the models are in the run folder.

    Raises:
        UsageError: A setting is unknown, has a value that it cannot have or contradicts another; or
            a budget is out of reach (the smallest reachable is named); nothing was written.
        DataError: The records are missing or damaged.
        EdgeECGError: Training diverged, or the disk is full; the last checkpoint is intact.
    """
    given = {"model": model, "budgets": budget, "guards": guards, **options}
    asked = settings.sorted_options(given)
    if config is not None:
        asked = settings.over_file(asked, Path(config))
    plan = resumed(name, asked) if resume else started(name, asked)
    arguments = ", ".join(f"{key}={value!r}" for key, value in asked.values.items())
    return perform(plan, f"edgeecg.compress({arguments})", on_step, Listeners(on_progress, on_data))


def started(name: str | None, options: Options) -> RunPlan:
    """Check the settings and choose the run folder, which is not there yet.

    Args:
        name: Name of the run, or None.
        options: The settings that were given; ``costs`` as the path of a bench report.

    Raises:
        UsageError: Settings contradict each other, a budget is out of reach, the layer costs are
            another model's, or the name is taken.
        SchemaError: The report of layer costs is damaged.
    """
    config, custom = settings.configuration(options)
    run = new_run(name, config.training.model)
    planned = pipeline.planned(config, custom, config.steps if "steps" in options else None)
    pipeline.check_budgets(planned, custom)
    return RunPlan(run, planned, custom)


def resumed(name: str | None, options: Options, on_custom: CustomCallback | None = None) -> RunPlan:
    """Find an unfinished run and its configuration; settings given now must agree with it.

    The peak rate of fine-tuning alone may change: a lower one is the remedy for a loss that is not
    finite.

    Args:
        name: Name of the run; None for the newest that is unfinished.
        options: The settings that were given.
        on_custom: Called before the Python file of a custom module is run.

    Raises:
        UsageError: Another setting differs.
        EdgeECGError: There is no unfinished run.
    """
    return _resumed(newest_unfinished(name), options, on_custom)


def several_seeds(
    name: str | None,
    seeds: int,
    options: Options,
    resume: bool,
    on_custom: CustomCallback | None = None,
) -> list[RunPlan]:
    """Return the runs NAME-0, NAME-1, ... of the seeds 0, 1, ....

    Args:
        name: The part of the names before the number, or None.
        seeds: Number of runs.
        options: The settings that were given; their seed is replaced.
        resume: Resume the runs that exist; start those that do not with the same settings.
        on_custom: Called before the Python file of a custom module is run.

    Raises:
        UsageError: Settings contradict each other, or a name is taken or cannot be a folder's.
        EdgeECGError: There is nothing to resume.
    """
    if resume and name is None:
        raise UsageError(
            "'--seeds' with '--resume' needs the name of the runs.",
            "Several runs belong together, and their names say which.",
            "Give --name NAME for the runs NAME-0, NAME-1, and so on.",
        )
    stem = name or new_run(None, settings.model_name(options)).name
    names = [f"{stem}-{seed}" for seed in range(seeds)]
    if resume:
        return _resumed_seeds(names, options, on_custom)
    return [started(each, _with_seed(options, seed)) for seed, each in enumerate(names)]


def _with_seed(options: Options, seed: int) -> Options:
    """Return settings with a seed in the place of theirs."""
    return Options({"training": {"seed": seed}}).over(options)


def _resumed_seeds(
    names: Sequence[str], options: Options, on_custom: CustomCallback | None
) -> list[RunPlan]:
    """Return the runs of these names, those that were not started with the settings of another.

    Raises:
        UsageError: Settings differ, or a name is taken by something else.
        EdgeECGError: There is nothing to resume.
    """
    folders = [RunFolder(RUNS / name) for name in names]
    plans = {
        run.name: _resumed(run, _with_seed(options, seed), on_custom)
        for seed, run in enumerate(folders)
        if run.config.is_file()
    }
    if not plans:
        raise EdgeECGError(
            "There is nothing to resume.",
            f"None of the runs {', '.join(names)} in '{RUNS}/' was started by 'edgeecg compress'.",
            "Correct --name, or leave --resume out to start these runs.",
        )
    first = next(iter(plans.values()))

    def planned(seed: int, name: str) -> RunPlan:
        training = first.config.training.model_copy(update={"seed": seed})
        config = first.config.model_copy(update={"training": training})
        return RunPlan(new_run(name, training.model), config, first.custom)

    return [plans.get(name) or planned(seed, name) for seed, name in enumerate(names)]


def perform(
    plan: RunPlan,
    command: str,
    on_step: StepCallback | None = None,
    listeners: Listeners | None = None,
) -> CompressionLog:
    """Run to the end; the log of a finished run is only read.

    Args:
        plan: The run.
        command: What started it, for the journal.
        on_step: Called after every step, kept or rolled back.
        listeners: What else is called meanwhile.

    Raises:
        EdgeECGError: Training diverged, the records are others, or the disk is full; the last
            checkpoint is intact.
    """
    run = plan.run
    if run.finished:
        return CompressionLog.from_file(run.compression_log)
    found = architecture(plan.config.training.model, plan.custom)
    dataset = load_records(plan.config.training, found, listeners)
    progress = None if listeners is None else listeners.on_progress
    with locked(run), interruptible() as check_interrupt:

        def after_step(event: CompressionStep | Rollback) -> None:
            if on_step is not None:
                on_step(event)
            check_interrupt()

        _refuse_another_start(plan)
        return pipeline.compress(
            Job(plan.config, dataset, run, command, progress, after_step, plan.custom)
        )


def _refuse_another_start(plan: RunPlan) -> None:
    """Refuse a run that another process has started under the same name with other settings.

    Nothing has the name when it is chosen, and the records are read before the lock is taken.
    """
    held, expected = plan.run.config, plan.replaced or plan.config
    if held.is_file() and CompressionConfig.from_file(held) != expected:
        raise EdgeECGError(
            f"There is a run named '{plan.run.name}' with other settings.",
            f"Another process wrote '{held}' after this one had been started.",
            "Choose another --name, or go on with that run by --resume.",
        )


def score_reduced(run: RunFolder, command: str, custom: str | None = None) -> None:
    """Add the test scores and the card to a run of a search, which has left them out.

    Args:
        run: A run whose compression is over; others are left as they are.
        command: For the journal.
        custom: Where the file of its custom module lies now, ``"path/to/model.py:build"``; None for
            where it was.

    Raises:
        DataError: The records are missing.
        EdgeECGError: They are others than those of the run.
    """
    if run.reduced:
        model = {} if custom is None else {"model": custom}
        perform(_resumed(run, Options(model).under("training"), None), command)


def _resumed(run: RunFolder, options: Options, on_custom: CustomCallback | None) -> RunPlan:
    held = CompressionConfig.from_file(run.config)
    options, custom = settings.with_custom(options)
    if held.custom is not None and custom is None:
        settings.refuse_other_file("run", held.custom)
        if on_custom is not None:
            on_custom(held.custom)
        custom = settings.load_named_custom(held)
    config = settings.with_moved_module(held, custom)
    _refuse_other_costs(run, config, options, architecture(config.training.model, custom))
    kept = {key: value for key, value in options.values.items() if key != "costs"}
    rate = {"finetune_rate": kept.pop("finetune_rate", config.finetune_rate)}
    kept.pop("training", None)
    refuse_changes(run.name, config.training, options.table("training"))
    refuse_changes(run.name, config, Options(kept, options.origins))
    changed = configured(CompressionConfig, config, Options(rate, options.origins))
    if changed == held or run.finished:
        return RunPlan(run, held, custom)
    return RunPlan(run, changed, custom, replaced=held)


def _refuse_other_costs(
    run: RunFolder, config: CompressionConfig, options: Options, of: Architecture
) -> None:
    if settings.measured_costs(options, of).get("costs", config.costs) != config.costs:
        started_with = "without any" if config.costs is None else "with those of another bench"
        raise UsageError(
            f"The run '{run.name}' cannot be resumed with other layer costs.",
            f"It was started {started_with}, and '{options.values['costs']}' holds others.",
            "Leave --costs out (the run keeps what it was started with), or start a new run.",
        )
