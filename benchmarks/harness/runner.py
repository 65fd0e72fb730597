"""Measures what is missing of an experiment, and appends it to its results."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import EdgeECGError

from . import rows
from .experiment import Context, Experiment, kind
from .provenance import provenance
from .tasks import Task

RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        until_s: ``time.monotonic()`` after which nothing new is begun.
        seeds: A part of the seeds, or None for all of the experiment.
        labels: A part of the runs, or None for all.
        again: Also what there are rows of; the old ones are kept, the newest count.
        results: Folder of the results.
    """

    until_s: float = float("inf")
    seeds: Sequence[int] | None = None
    labels: Sequence[str] | None = None
    again: bool = False
    results: Path = RESULTS


@dataclass(frozen=True)
class Outcome:
    """How far an experiment is.

    Attributes:
        tasks: How many tasks it has in the chosen part.
        measured: How many were measured now.
        missing: How many are left.
    """

    tasks: int
    measured: int
    missing: int


def perform(experiment: Experiment, context: Context, plan: Plan) -> Outcome:
    """Measure what is missing.

    Args:
        experiment: What is to be measured.
        context: How.
        plan: How much.

    Raises:
        EdgeECGError: A task failed, or gave another number of rows than it announced.
    """
    module = kind(experiment.kind)
    path = plan.results / f"{experiment.name}.jsonl"
    seeds = experiment.seeds if plan.seeds is None else plan.seeds
    experiment = _part(experiment, plan).model_copy(update={"seeds": tuple(seeds)})
    tasks = list(module.tasks(experiment, context))
    measured = missing = 0
    for task in tasks:
        if not plan.again and len(rows.matching(rows.read(path), task.key)) >= task.rows:
            continue
        if time.monotonic() >= plan.until_s and not task.quickly:
            missing += 1
            continue
        print(f"{experiment.name}: {_shown(task)}", flush=True)
        rows.append(path, _measured(task, module.PACKAGES))
        measured += 1
    return Outcome(len(tasks), measured, missing)


def _part(experiment: Experiment, plan: Plan) -> Experiment:
    if plan.labels is None:
        return experiment
    chosen = tuple(experiment.run(label) for label in plan.labels)
    return experiment.model_copy(update={"runs": chosen})


def _shown(task: Task) -> str:
    return ", ".join(f"{name} {value}" for name, value in task.key.items())


def _measured(task: Task, packages: Sequence[str]) -> list[rows.Row]:
    found = task.measure()
    if len(found) != task.rows:
        raise EdgeECGError(
            f"The task '{_shown(task)}' cannot be kept.",
            f"It gave {len(found)} rows and announced {task.rows}.",
            "Correct 'rows' in the tasks of its kind.",
        )
    made = provenance(packages)
    return [{**task.key, **row, **made} for row in found]
