"""Workers on a Ray cluster: each trial is a task, which any node with a free processor takes.

The records are sent into the object store once. A trial works in a temporary folder of its node and
sends the files of its run back after every step, so that nodes need no common file system, and a
trial whose node is lost goes on from its last step on another one.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from edgeecg._version import __version__
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import write_bytes
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import TrainingConfig
from edgeecg.tuning import nodes, trial
from edgeecg.tuning.nodes import Node, check, first_line, remote, source_sha256
from edgeecg.tuning.trial import Outcome, Task
from edgeecg.tuning.workers import Ended, OnProgress

_CONNECT_S = 3.0
_JOIN_S = 24.0
_WITHOUT_NODES_S = 60.0

# Ray warns of what its next version changes; it is of no use to who runs a search.
_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}

Files = dict[str, bytes]
"""The files of a run folder, by name."""


@dataclass(frozen=True)
class Place:
    """Where trials are to be performed.

    Attributes:
        address: ``"auto"``, or ``"HOST:PORT"`` of the head node.
        most: Most trials at a time; None for as many as there are processors.
        gpus: GPUs, or the part of one, that each trial takes.
    """

    address: str
    most: int | None = None
    gpus: float = 0.0


class Cluster:
    """The nodes of a Ray cluster."""

    def __init__(
        self, place: Place, dataset: Dataset, training: TrainingConfig, on_progress: OnProgress
    ) -> None:
        """Join the cluster and check its nodes.

        Args:
            place: Address and limits.
            dataset: The records.
            training: How trials train, for the records that augmentation needs.
            on_progress: Called after every step of a trial.

        Raises:
            UsageError: The address has no port.
            EdgeECGError: Nobody answers, or a node has another version or lacks the records.
        """
        join(place.address)
        self._most = place.most
        self._gpus = place.gpus
        self._on_progress = on_progress
        self._data = ray.put(dataset)
        self._running: dict[Any, tuple[Task, float]] = {}
        self._last_node_s = time.monotonic()
        here = ray.get_runtime_context().get_node_id()
        # The inbox lives where the search runs: it is lost with it alone.
        self._inbox = remote(
            _Inbox, num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False)
        ).remote()
        try:
            found = nodes.asked(place.gpus, nodes.described, self._data, training)
            check(found, source_sha256(), dataset.summary.content_sha256)
        except BaseException:
            ray.shutdown()
            raise

    @property
    def free(self) -> int:
        """Processors of the cluster, as far as they may be used, that have no trial."""
        slots = nodes.slots(self._gpus)
        return max(0, min(slots, self._most or slots) - len(self._running))

    def start(self, task: Task) -> None:
        """Hand a trial to the cluster."""
        files = read_files(RUNS / task.run)
        sent = remote(_perform, num_cpus=1, num_gpus=self._gpus, max_retries=0)
        answer = sent.remote(task, files, self._data, self._inbox, source_sha256())
        self._running[answer] = (task, time.monotonic())

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the trials that have ended, those of nodes that are gone as lost.

        Raises:
            EdgeECGError: A node that has joined since has another version of edgeecg; or no node is
                left.
        """
        if not self._running:
            self._check_nodes()
            time.sleep(timeout_s)
            return []
        done, _ = ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        self._take_steps()
        ended: list[Ended] = []
        for answer in done:
            task, begun = self._running.pop(answer)
            try:
                outcome, files = ray.get(answer)
                write_files(RUNS / task.run, files)
            except RayTaskError as error:
                if isinstance(error.cause, EdgeECGError):
                    raise error.cause from error
                outcome = Outcome("lost", time.monotonic() - begun, None, first_line(error.cause))
            except RayError as error:
                reason = f"Its node or process is gone ({type(error).__name__})."
                outcome = Outcome("lost", time.monotonic() - begun, None, reason)
            ended.append(Ended(task, outcome))
        return ended

    def _check_nodes(self) -> None:
        """Give up where no node has been there for a while.

        Raises:
            EdgeECGError: No node can take a trial.
        """
        now = time.monotonic()
        if nodes.able_nodes(self._gpus):
            self._last_node_s = now
        elif now - self._last_node_s > _WITHOUT_NODES_S:
            check([], "", "")

    def _take_steps(self) -> None:
        """Write what trials have sent; leave out what an attempt sent that was given up since."""
        attempts = {task.number: task for task, _ in self._running.values()}
        steps: dict[int, tuple[int, float, Files]] = ray.get(self._inbox.taken.remote())
        for number, (attempt, progress, files) in steps.items():
            task = attempts.get(number)
            if task is not None and task.attempt == attempt:
                write_files(RUNS / task.run, files)
                self._on_progress(number, progress)

    def close(self) -> None:
        """Leave the cluster; it ends what still runs, and the trials keep their last step."""
        ray.shutdown()


class _Inbox:
    """Holds the latest step of every trial until the search takes it; an actor of Ray."""

    def __init__(self) -> None:
        self._steps: dict[int, tuple[int, float, Files]] = {}

    def put(self, number: int, attempt: int, progress: float, files: Files) -> None:
        """Keep a step in the place of the last one."""
        self._steps[number] = (attempt, progress, files)

    def taken(self) -> dict[int, tuple[int, float, Files]]:
        """Return the steps that came since the last call."""
        found, self._steps = self._steps, {}
        return found


def check_address(address: str) -> None:
    """Refuse an address where no cluster answers, before the work that a cluster is needed after.

    Args:
        address: ``HOST:PORT``, or ``auto``.

    Raises:
        UsageError: The address is no ``HOST:PORT``.
        EdgeECGError: No cluster answers there within 30 seconds.
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()):
            raise UsageError(
                f"'{address}' is no address of a Ray cluster.",
                "Expected is HOST:PORT of the head node, or 'auto' on a node of a cluster.",
                "The command 'ray start --head' prints the address.",
            )
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise _no_answer(address, str(error)) from error
    os.environ.update({key: os.environ.get(key, value) for key, value in _ENVIRONMENT.items()})
    # Ray may wait for minutes, or end the process, where something else answers: ask it apart.
    code = f"import ray; ray.init({address!r}, log_to_driver=False, logging_level='ERROR')"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_JOIN_S
        )
    except subprocess.TimeoutExpired as error:
        raise _no_answer(address, f"nothing came within {_JOIN_S:g} s") from error
    if tried.returncode != 0:
        lines = tried.stderr.strip().splitlines()
        raise _no_answer(address, lines[-1] if lines else f"exit code {tried.returncode}")


def join(address: str) -> None:
    """Connect this process to a cluster.

    Raises:
        UsageError: The address is no ``HOST:PORT``.
        EdgeECGError: No cluster answers there within 30 seconds.
    """
    check_address(address)
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)


def read_files(folder: Path) -> Files:
    """Return the files of a run folder, without its lock and without sub-folders."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.glob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a run folder hold these files, and no checkpoint that is not among them.

    Raises:
        EdgeECGError: The disk is full.
    """
    # The weights say that the compression is over, and the card that the run is: both come last.
    run = RunFolder(folder)
    last = {run.model_weights.name: 1, run.model_card.name: 2}
    for name, content in sorted(files.items(), key=lambda file: last.get(file[0], 0)):
        path = folder / Path(name).name
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)
    for path in folder.glob("checkpoint*"):
        if path.name not in files:
            path.unlink()


def _perform(task: Task, files: Files, dataset: Dataset, inbox: Any, source: str) -> Any:
    """Perform a trial on a node; return its outcome and the files of its run."""
    here = Node(socket.gethostname(), __version__, source_sha256(), "")
    check([here], source, "")
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as temporary:
        run = RunFolder(Path(temporary) / task.run)
        try:
            write_files(run.path, files)
        except EdgeECGError as error:
            reason = f"On {here.name}: {error.what} {error.why}"
            return Outcome("full", 0.0, None, reason), files

        def send(progress: float) -> None:
            step = (task.number, task.attempt, progress, read_files(run.path))
            ray.get(inbox.put.remote(*step))

        outcome = trial.perform(task, run, dataset, None, send)
        return outcome, read_files(run.path)


def _no_answer(address: str, why: str) -> EdgeECGError:
    return EdgeECGError(
        f"No Ray cluster answers at '{address}'.",
        f"{why.strip().rstrip('.')}.",
        "Start one: 'ray start --head' there, 'ray start --address HEAD:PORT' on the other nodes; "
        "or leave --ray out and use --workers.",
    )
