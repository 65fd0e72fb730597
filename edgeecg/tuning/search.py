"""Searching for the best trade-offs of a compression: the function behind ``edgeecg search``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError

from edgeecg import arguments
from edgeecg.compression import guards
from edgeecg.compression.dense import dense_model, idle_training
from edgeecg.compression.job import Job
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.interrupts import interruptible
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.runs.journal import Journal
from edgeecg.runs.lock import locked
from edgeecg.schema.search import Front, SearchConfig
from edgeecg.training.start import DataCallback, Listeners
from edgeecg.tuning import plan as plans
from edgeecg.tuning.plan import Plan
from edgeecg.tuning.running import OnStatus, RunningSearch, stopped
from edgeecg.tuning.study import Study, refuse_other
from edgeecg.tuning.workers import InProcess, OnProgress, Processes, Workers

FIRST = 2
"""Trials that a dry run performs, to estimate the others from them."""


def search(
    model: str | None = None,
    *,
    objectives: Sequence[str] | str = (),
    trials: int | None = None,
    name: str | None = None,
    resume: str | None = None,
    config: Path | str | None = None,
    dry_run: bool = False,
    on_status: OnStatus | None = None,
    on_progress: ProgressCallback | None = None,
    on_data: DataCallback | None = None,
    **options: Any,
) -> Front:
    """Search for the best trade-offs of a compression.

    Args:
        model: Name of the architecture, or a custom module, ``"path/to/model.py:build"``.
        objectives: What is traded off: ``"macro_f1"``, ``"macro_auroc"``, ``"energy"``,
            ``"latency"``, ``"size"``; the first and the third where none is named.
        trials: How many trials, those that are pruned or fail included; None for 40.
        name: Name of the search: its folder is ``runs/NAME``, those of its trials are
            ``runs/NAME-000`` and so on.
        resume: Go on with the search of this name; the other arguments may be left out.
        config: TOML file with settings, or the ``search.json`` of another search; keyword
            arguments override it.
        dry_run: Stop after two trials, from which the others can be estimated.
        on_status: Called whenever something has changed.
        on_progress: Called while records are read and the dense model is trained.
        on_data: Called with the data set, once it is loaded.
        **options: Fields of :class:`edgeecg.schema.SearchConfig`, e.g. ``workers=2``,
            ``ray="auto"``, ``sampler="nsga2"``, ``minutes=30``; ``space`` as a table or as the path
            of a TOML file. Fields of :class:`edgeecg.schema.TrainingConfig` and of
            :class:`edgeecg.schema.CompressionConfig`, e.g. ``guards``, ``start`` and ``costs``, are
            settings that all trials share.

    Returns:
        Every trial, and the runs of the front.

    Raises:
        UsageError: A setting is unknown, has a value that it cannot have or contradicts another; or
            the name is of another search.
        DataError: The records are missing.
        EdgeECGError: No cluster answers, or a node does not fit; or the disk is full. What has
            ended is kept.
    """
    goals = arguments.listed("objectives", objectives, "objectives=['macro_f1', 'energy']")
    given = {"model": model, "objectives": goals, "trials": trials, **options}
    asked = plans.sorted_options(given)
    command = f"edgeecg.search({', '.join(f'{k}={v!r}' for k, v in asked.values.items())})"
    if config is not None:
        asked = plans.over_file(asked, Path(config))
    listeners = Listeners(on_progress, on_data)
    plan = (
        plans.started(name, asked, listeners)
        if resume is None
        else plans.resumed(str(resume), asked, listeners)
    )
    return perform(plan, command, dry_run, on_status, on_progress)


def perform(
    plan: Plan,
    command: str,
    dry_run: bool = False,
    on_status: OnStatus | None = None,
    on_progress: ProgressCallback | None = None,
) -> Front:
    """Perform a search, or what is left of it.

    Args:
        plan: The search.
        command: What started it, for the journal.
        dry_run: Stop after :data:`FIRST` trials.
        on_status: Called whenever something has changed.
        on_progress: Called while the dense model is trained.

    Raises:
        UsageError: The storage holds another study of this name, or a custom module was to be sent
            to other machines.
        EdgeECGError: Something went wrong; what has ended is kept.
    """
    config = plan.config
    if config.ray is not None and plan.custom is not None:
        raise UsageError(
            "A custom module cannot be searched on a Ray cluster.",
            "Its Python file is on this machine alone.",
            "Leave --ray out and use --workers, or install the module as a package on every node "
            "(docs/plugins.md).",
        )
    until_s = inf if config.minutes is None else time.monotonic() + 60 * config.minutes
    new = not plan.written.is_file()
    if new:
        # Before anything is written.
        _check_cluster(config)
    with locked(RunFolder(plan.folder)), interruptible() as check_interrupt:
        study = _opened(plan)
        running = RunningSearch(plan, study, command, on_status, check_interrupt)
        job = Job(config.base, plan.dataset, plan.dense, command, on_progress, None, plan.custom)
        limit = min(FIRST, config.trials) if dry_run else config.trials
        if not new and running.left(limit):
            # The dense model may take hours to train.
            _check_cluster(config)
        running.warnings = _prepare_dense_model(job)
        if running.left(limit):
            workers = _workers(plan, running.on_progress)
            try:
                running.until(limit, workers, until_s)
                if not running.left(config.trials):
                    running.score_front(workers)
            except (OSError, StorageInternalError) as error:
                # The storage of the study reads and writes by itself.
                raise stopped(plan.name, error) from error
            finally:
                workers.close()
        return running.ended(finished=not running.left(config.trials))


def _check_cluster(config: SearchConfig) -> None:
    if config.ray is not None:
        from edgeecg.tuning.cluster import check_address

        check_address(config.ray)


def _prepare_dense_model(job: Job) -> tuple[str, ...]:
    """Prepare the dense model that all trials start from; refuse guards that it breaks itself.

    Returns:
        A warning for each setting of its training that comes too late.

    Raises:
        EdgeECGError: It breaks one, which no trial could mend; or it belongs to other records, or
            its training diverged.
    """
    _, card = dense_model(job, Journal(job.run.events))
    guards.check_dense(job.guards, card.val, job.from_its_dense_model("search"))
    return idle_training(job.config, card)


def _opened(plan: Plan) -> Study:
    """Write the plan and open its study; a new search that is refused leaves nothing behind.

    Raises:
        UsageError: Another process has started another search under this name, after the name was
            chosen; or the storage holds the trials of one. Nothing was written.
    """
    new, front = not plan.written.is_file(), plan.folder / "front.json"
    known = len(Front.from_file(front).trials) if front.is_file() else 0
    if not new:
        refuse_other(plan.name, SearchConfig.from_file(plan.written), plan.config)
    plans.write(plan)
    try:
        study = Study(plan.name, plan.folder, plan.config, known)
        if new and study.trials:
            raise UsageError(
                f"There is a study '{plan.name}' in this storage already.",
                f"It has {len(study.trials)} trials, and its run folders are elsewhere.",
                "Go on with it where its folder is (--resume), or choose another --name.",
            )
        return study
    except EdgeECGError:
        if new:
            plan.written.unlink()
        raise


def _workers(plan: Plan, on_progress: OnProgress) -> Workers:
    config = plan.config
    if config.ray is not None:
        from edgeecg.tuning.cluster import Cluster, Place

        place = Place(config.ray, config.workers, config.gpus)
        return Cluster(place, plan.dataset, config.base.training, on_progress)
    if config.workers in (None, 1):
        return InProcess(plan.dataset, plan.custom, on_progress)
    return Processes(config.workers, config.base, on_progress)
