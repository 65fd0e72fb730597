"""Measures what is missing of an experiment, and appends it to its results."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeecg.errors import EdgeECGError

from . import rows
from .experiment import Context, Experiment, kind
from .provenance import provenance
from .tasks import Task, UnfinishedError

RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        until_s: ``time.monotonic()`` after which nothing new is begun.
        seeds: A part of the seeds, or None for all of the experiment.
        labels: A part of the runs, or None for all.
        what: Only tasks whose key has this ``what``, or None for all.
        again: Also what there are rows of; the old ones are kept, the newest count.
        results: Folder of the results.
    """

    until_s: float = float("inf")
    seeds: Sequence[int] | None = None
    labels: Sequence[str] | None = None
    what: str | None = None
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


def perform(
    experiment: Experiment, context: Context, plan: Plan, done: Collection[str] = ()
) -> Outcome:
    """Measure what is missing.

    Args:
        experiment: What is to be measured.
        context: How.
        plan: How much.
        done: Names of tasks that were measured just now elsewhere.

    Raises:
        EdgeECGError: A task failed, or gave another number of rows than it announced.
    """
    packages = kind(experiment.kind).PACKAGES
    path = plan.results / f"{experiment.name}.jsonl"
    tasks = tasks_of(part(experiment, plan), replace(context, until_s=plan.until_s), plan.what)
    measured_now = missing = 0
    for task in tasks:
        if shown(task) in done or not (plan.again or lacks_rows(task, path)):
            continue
        if time.monotonic() >= plan.until_s and not task.quickly:
            missing += 1
            continue
        print(f"{experiment.name}: {shown(task)}", flush=True)
        try:
            rows.append(path, measured(task, packages))
        except UnfinishedError:
            missing += 1
        else:
            measured_now += 1
    return Outcome(len(tasks), measured_now, missing)


def part(experiment: Experiment, plan: Plan) -> Experiment:
    """Return the seeds and runs of an experiment that a plan asks for."""
    seeds = experiment.seeds if plan.seeds is None else tuple(plan.seeds)
    labels = plan.labels
    runs = experiment.runs if labels is None else tuple(experiment.run(each) for each in labels)
    return experiment.model_copy(update={"seeds": seeds, "runs": runs})


def tasks_of(experiment: Experiment, context: Context, what: str | None = None) -> list[Task]:
    """Return the tasks of an experiment, in order.

    Args:
        experiment: What is to be measured.
        context: How.
        what: Only tasks whose key has this ``what``, or None for all.
    """
    found = kind(experiment.kind).tasks(experiment, context)
    return [task for task in found if what is None or task.key.get("what") == what]


def lacks_rows(task: Task, path: Path) -> bool:
    """Whether the results do not hold all rows of a task yet."""
    return len(rows.matching(rows.read(path), task.key)) < task.rows


def shown(task: Task) -> str:
    """Return the name of a task within its experiment."""
    return ", ".join(f"{name} {value}" for name, value in task.key.items())


def measured(task: Task, packages: Sequence[str]) -> list[rows.Row]:
    """Measure a task; return its rows with their key and provenance.

    Args:
        task: What to measure.
        packages: Packages whose versions belong into every row.

    Raises:
        EdgeECGError: It failed, or gave another number of rows than it announced.
    """
    found = task.measure()
    if len(found) != task.rows:
        raise EdgeECGError(
            f"The task '{shown(task)}' cannot be kept.",
            f"It gave {len(found)} rows and announced {task.rows}.",
            "Correct 'rows' in the tasks of its kind.",
        )
    made = provenance(packages)
    return [{**task.key, **row, **made} for row in found]
