"""Measures the tasks of experiments on the nodes of a Ray cluster.

Tasks that have a group (model and seed) are spread over the nodes, those of one group one after the
other. All nodes work in the folder in which this process runs, so they need a common file system.
Rows come back to this process, which alone writes the results. Tasks without a group are performed
here afterwards, as times need a machine that does nothing else.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from edgeecg._version import __version__
from edgeecg.errors import EdgeECGError
from edgeecg.tuning import nodes
from edgeecg.tuning.cluster import join
from edgeecg.tuning.nodes import Node

from . import rows, runner
from .experiment import Context, Experiment, kind
from .rows import Row
from .runner import Outcome, Plan
from .tasks import Task, UnfinishedError

_POLL_S = 0.5
_ATTEMPTS = 3
# The process of a node that was lost may take a moment to end and to give its lock up.
_SETTLE_S = 5.0
_VARIABLES = ("EDGEECG_DATA", "EDGEECG_CACHE")

Done = dict[str, set[str]]
"""Names of the tasks that were measured now, by experiment."""


@dataclass
class _Job:
    """A task to be measured, and how often it was tried."""

    experiment: Experiment
    task: Task
    attempts: int = 0


Queues = Mapping[tuple[str, int], deque[_Job]]


@dataclass(frozen=True)
class Place:
    """Where nodes work.

    Attributes:
        folder: Working folder, the same on all nodes.
        variables: Environment variables that name folders of records.
    """

    folder: str
    variables: Mapping[str, str]


def perform(
    experiments: Sequence[Experiment], context: Context, plan: Plan, address: str
) -> list[Outcome]:
    """Measure what is missing: on a cluster what can be spread, then the rest here.

    Args:
        experiments: What is to be measured.
        context: How.
        plan: How much.
        address: ``"auto"``, or ``"HOST:PORT"`` of the head node.

    Returns:
        How far each experiment is.

    Raises:
        EdgeECGError: Nobody answers at the address, a node does not fit, or a task failed; what
            was measured is kept.
    """
    queues = _queues(experiments, context, plan)
    done: Done = defaultdict(set)
    if queues:
        join(address)
        try:
            _check_nodes()
            failures = _measure(queues, context, plan, done)
        finally:
            ray.shutdown()
        if failures:
            raise failures[0]
    outcomes: list[Outcome] = []
    for each in experiments:
        here = runner.perform(each, context, plan, done[each.name])
        outcomes.append(replace(here, measured=here.measured + len(done[each.name])))
    return outcomes


def _queues(experiments: Sequence[Experiment], context: Context, plan: Plan) -> Queues:
    """Return the tasks that can be spread and have no rows yet, by group."""
    found: dict[tuple[str, int], deque[_Job]] = defaultdict(deque)
    for each in experiments:
        chosen, path = runner.part(each, plan), plan.results / f"{each.name}.jsonl"
        names: set[str] = set()
        for task in runner.tasks_of(chosen, context, plan.what):
            # Runs of the same options are one task.
            if task.group is None or runner.shown(task) in names:
                continue
            names.add(runner.shown(task))
            if plan.again or runner.lacks_rows(task, path):
                found[task.group].append(_Job(chosen, task))
    return found


def _measure(queues: Queues, context: Context, plan: Plan, done: Done) -> list[EdgeECGError]:
    """Hand tasks to nodes and keep their rows, until nothing is left or the time is over.

    Returns:
        Why tasks failed. The other tasks of such a group are left out.
    """
    variables = {
        name: os.path.abspath(os.environ[name]) for name in _VARIABLES if name in os.environ
    }
    place = Place(str(Path.cwd()), variables)
    failures: list[EdgeECGError] = []
    running: dict[Any, tuple[str, int]] = {}
    while True:
        for group in _next(queues, list(running.values()), plan):
            job = queues[group][0]
            print(f"{job.experiment.name}: {runner.shown(job.task)}", flush=True)
            running[_sent(job, context, plan, place)] = group
        if not running:
            return failures
        ready, _ = ray.wait(list(running), num_returns=1, timeout=_POLL_S)
        for answer in ready:
            queue = queues[running.pop(answer)]
            job = queue.popleft()
            name = job.experiment.name
            try:
                found = _answered(answer, job)
            except UnfinishedError:
                continue
            except EdgeECGError as error:
                print(f"{name}: {runner.shown(job.task)} failed: {error.what}", flush=True)
                failures.append(error)
                queue.clear()
                continue
            if found is None:
                queue.appendleft(job)
                continue
            rows.append(plan.results / f"{name}.jsonl", found)
            done[name].add(runner.shown(job.task))


def _next(
    queues: Queues, busy: Sequence[tuple[str, int]], plan: Plan
) -> Generator[tuple[str, int]]:
    """Yield groups whose first task can be started now."""
    free = nodes.slots(0) - len(busy)
    late = time.monotonic() >= plan.until_s
    waiting = [group for group, queue in queues.items() if queue and group not in busy]
    if free <= 0 and waiting and not busy:
        nodes.check([], "", "")
    startable = [each for each in waiting if not late or queues[each][0].task.quickly]
    yield from startable[: max(0, free)]


def _sent(job: _Job, context: Context, plan: Plan, place: Place) -> Any:
    left_s = plan.until_s - time.monotonic()
    sent = nodes.remote(_measured, num_cpus=1, max_retries=0)
    settle_s = _SETTLE_S if job.attempts else 0.0
    job.attempts += 1
    key = dict(job.task.key)
    source = nodes.source_sha256()
    return sent.remote((job.experiment, key), (context, left_s), place, source, settle_s)


def _answered(answer: Any, job: _Job) -> list[Row] | None:
    """Return the rows of a task; None where its node is gone and it is to be tried again.

    Raises:
        EdgeECGError: The task failed, or its nodes were lost again and again.
    """
    what = f"The task '{runner.shown(job.task)}' of '{job.experiment.name}' failed."
    todo = "Run the same command again; what was measured is kept."
    try:
        return ray.get(answer)
    except RayTaskError as error:
        if isinstance(error.cause, EdgeECGError):
            raise error.cause from error
        raise EdgeECGError(what, nodes.first_line(error.cause), todo) from error
    except RayError as error:
        if job.attempts < _ATTEMPTS:
            return None
        why = f"Its node or process was lost {job.attempts} times ({type(error).__name__})."
        raise EdgeECGError(what, why, todo) from error


def _measured(
    what: tuple[Experiment, dict[str, Any]],
    how: tuple[Context, float],
    place: Place,
    source: str,
    settle_s: float,
) -> list[Row]:
    """Measure a task on a node; a task of Ray."""
    here = Node(socket.gethostname(), __version__, nodes.source_sha256(), "")
    nodes.check([here], source, "")
    time.sleep(settle_s)
    os.chdir(place.folder)
    os.environ.update(place.variables)
    (experiment, key), (context, left_s) = what, how
    context = replace(context, until_s=time.monotonic() + left_s)
    tasks = runner.tasks_of(experiment, context)
    task = next(each for each in tasks if each.key == key)
    return runner.measured(task, kind(experiment.kind).PACKAGES)


def _check_nodes() -> None:
    """Refuse nodes with another edgeecg, or that do not see this folder or the records.

    Raises:
        EdgeECGError: There is such a node; names it.
    """
    data = os.environ.get("EDGEECG_DATA")
    with _mark() as mark:
        found = nodes.asked(0, described, mark, data and os.path.abspath(data))
    nodes.check(found, nodes.source_sha256(), "")


@contextmanager
def _mark() -> Generator[Path]:
    """Yield a file in the working folder that the nodes must see."""
    with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".cluster-") as file:
        yield Path(file.name)


def described(name: str, mark: Path, data: str | None) -> Node:
    """Return what this node has; a task of Ray.

    Args:
        name: Of the node.
        mark: A file in the working folder.
        data: Folder of the records, or None.
    """
    fault = None
    if not mark.is_file():
        fault = f"It does not see the folder '{mark.parent}', in which the runs are."
    elif data is not None and not Path(data).is_dir():
        fault = f"It does not see the records in '{data}'."
    return Node(name, __version__, nodes.source_sha256(), "", fault)
