"""Searching for the best trade-offs of a compression: the function behind ``edgeecg search``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg.compression.dense import dense_model
from edgeecg.compression.job import Job
from edgeecg.compression.start import sorted_options
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.runs.journal import Journal
from edgeecg.runs.lock import locked
from edgeecg.schema.search import Front, Sampler
from edgeecg.training.start import DataCallback, Listeners
from edgeecg.tuning import plan as plans
from edgeecg.tuning.plan import Plan, Request
from edgeecg.tuning.running import OnStanding, RunningSearch, stopped
from edgeecg.tuning.study import Study
from edgeecg.tuning.workers import InProcess, OnProgress, Processes, Workers

FIRST = 2
"""Trials that a dry run performs, to estimate the others from them."""


@dataclass(frozen=True)
class Crew:
    """Who performs the trials.

    Attributes:
        workers: Trials at a time; on a cluster None means all of its processors.
        ray: Address of a Ray cluster, or None for this machine.
        gpus: GPUs that a trial takes on a cluster.
    """

    workers: int | None = None
    ray: str | None = None
    gpus: float = 0.0


def search(
    model: str | None = None,
    *,
    objectives: Sequence[str] = (),
    trials: int | None = None,
    name: str | None = None,
    resume: str | None = None,
    space: Path | str | None = None,
    guards: Sequence[str] = (),
    sampler: Sampler | None = None,
    prune: bool | None = None,
    storage: str | None = None,
    crew: Crew | None = None,
    dry_run: bool = False,
    on_standing: OnStanding | None = None,
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
        space: TOML file with what may be chosen; None for the default.
        guards: Validation scores that every trial must hold: ``["S:recall>=0.5"]``.
        sampler: ``"tpe"`` (the default), ``"nsga2"`` or ``"random"``.
        prune: Whether trials that a finished one beats in everything are stopped early.
        storage: URL of a database that holds the study; None for a file in the folder.
        crew: Who performs the trials; None for this process.
        dry_run: Stop after two trials, from which the others can be estimated.
        on_standing: Called whenever something has changed.
        on_progress: Called while records are read and the dense model is trained.
        on_data: Called with the data set, once it is loaded.
        **options: Fields of :class:`edgeecg.schema.TrainingConfig`, and ``start`` and ``costs`` as
            for :func:`edgeecg.compress`.

    Returns:
        Every trial, and the runs of the front.

    Raises:
        UsageError: A part of the request cannot be, or the name is of another search.
        DataError: The records are missing.
        EdgeECGError: No cluster answers, or a node does not fit; or the disk is full. What has
            ended is kept.
    """
    asked = sorted_options({"model": model, "guards": list(guards), **options})
    request = Request(
        asked,
        tuple(objectives),
        trials,
        None if space is None else Path(space),
        sampler,
        prune,
        storage,
    )
    listeners = Listeners(on_progress, on_data)
    plan = (
        plans.started(name, request, listeners)
        if resume is None
        else plans.resumed(resume, request, listeners)
    )
    command = f"edgeecg.search({', '.join(f'{k}={v!r}' for k, v in asked.values.items())})"
    return perform(plan, command, crew or Crew(), dry_run, on_standing, on_progress)


def perform(
    plan: Plan,
    command: str,
    crew: Crew,
    dry_run: bool = False,
    on_standing: OnStanding | None = None,
    on_progress: ProgressCallback | None = None,
) -> Front:
    """Perform a search, or what is left of it.

    Args:
        plan: The search.
        command: What started it, for the journal.
        crew: Who performs the trials.
        dry_run: Stop after :data:`FIRST` trials.
        on_standing: Called whenever something has changed.
        on_progress: Called while the dense model is trained.

    Raises:
        UsageError: The storage holds another study of this name, or a custom module was to be sent
            to other machines.
        EdgeECGError: Something went wrong; what has ended is kept.
    """
    if crew.ray is not None and plan.custom is not None:
        raise UsageError(
            "A custom module cannot be searched on a Ray cluster.",
            "Its Python file is on this machine alone.",
            "Leave --ray out and use --workers, or install the module as a package on every node "
            "(docs/plugins.md).",
        )
    with locked(RunFolder(plan.folder)):
        study = _opened(plan)
        running = RunningSearch(plan, study, command, on_standing)
        job = Job(
            plan.config.base, plan.dataset, plan.dense, command, on_progress, None, plan.custom
        )
        dense_model(job, Journal(plan.dense.events))
        limit = min(FIRST, plan.config.trials) if dry_run else plan.config.trials
        if running.left(limit):
            workers = _workers(plan, crew, running.on_progress)
            try:
                running.until(limit, workers)
            except OSError as error:
                # The journal of the study writes by itself.
                raise stopped(plan.name, f"The system said: {error.strerror or error}.") from error
            finally:
                workers.close()
        return running.ended(finished=not dry_run)


def _opened(plan: Plan) -> Study:
    """Write the plan and open its study; a new search that is refused leaves nothing behind."""
    new = not plan.written.is_file()
    plans.write(plan)
    try:
        return Study(plan.name, plan.folder, plan.config)
    except EdgeECGError:
        if new:
            plan.written.unlink()
        raise


def _workers(plan: Plan, crew: Crew, on_progress: OnProgress) -> Workers:
    if crew.ray is not None:
        from edgeecg.tuning.cluster import Cluster, Place

        place = Place(crew.ray, crew.workers, crew.gpus)
        return Cluster(place, plan.dataset, plan.config.base.training, on_progress)
    if crew.workers is None or crew.workers == 1:
        return InProcess(plan.dataset, plan.custom, on_progress)
    return Processes(crew.workers, plan.config.base, on_progress)
