"""Workers on this machine: the process itself, or several processes that each take one trial.

A process that is killed takes only its own trial down: another one is started in its place, and the
trial is reported as lost.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from edgeecg.compression.settings import load_named_custom, refuse_other_file
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.models import Architecture, architecture
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import CompressionConfig
from edgeecg.training.start import load_records
from edgeecg.tuning import trial
from edgeecg.tuning.trial import Outcome, Task

_STOP_S = 5.0


@dataclass(frozen=True)
class Ended:
    """A trial that a worker has ended.

    Attributes:
        task: What was to be done.
        outcome: Its outcome.
    """

    task: Task
    outcome: Outcome


class Workers(Protocol):
    """What performs trials."""

    @property
    def free(self) -> int:
        """How many more trials can be started now."""
        ...

    def start(self, task: Task) -> None:
        """Start a trial; there is a free worker."""
        ...

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the trials that have ended since; wait for one for a while if there is none."""
        ...

    def close(self) -> None:
        """Stop what still runs."""
        ...


OnProgress = Callable[[int, float], None]
"""Called with the number of a trial and the fraction of it that is done, 0..1."""


class InProcess:
    """The process itself: one trial at a time, so that a search repeats exactly."""

    def __init__(
        self, dataset: Dataset, custom: Architecture | None, on_progress: OnProgress
    ) -> None:
        """Keep what trials need.

        Args:
            dataset: The records.
            custom: The custom module, if the search is of one.
            on_progress: Called after every step of a trial.
        """
        self._dataset = dataset
        self._custom = custom
        self._on_progress = on_progress
        self._task: Task | None = None

    @property
    def free(self) -> int:
        """One, until a trial is started."""
        return 0 if self._task else 1

    def start(self, task: Task) -> None:
        """Keep a trial, which :meth:`wait` performs."""
        self._task = task

    def wait(self, timeout_s: float) -> list[Ended]:
        """Perform the trial that was started."""
        del timeout_s
        task = self._task
        if task is None:
            return []
        outcome = trial.perform(
            task,
            RunFolder(RUNS / task.run),
            self._dataset,
            self._custom,
            lambda progress: self._on_progress(task.number, progress),
        )
        self._task = None
        return [Ended(task, outcome)]

    def close(self) -> None:
        """Do nothing: nothing runs between two calls."""


@dataclass
class _Worker:
    """A process, the pipe to it, and the trial that it works on."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    task: Task | None = None
    begun: float = 0.0


class Processes:
    """Processes of this machine; each reads the records from the cache once."""

    def __init__(self, count: int, base: CompressionConfig, on_progress: OnProgress) -> None:
        """Start the processes.

        Args:
            count: How many.
            base: Names the records.
            on_progress: Called after every step of a trial.

        Raises:
            UsageError: A custom module has changed since the search was started. That is checked
                again whenever a process takes the place of one that was killed.
        """
        self._context = multiprocessing.get_context("spawn")
        self._base = base
        self._on_progress = on_progress
        self._workers = [self._started() for _ in range(count)]

    def _started(self) -> _Worker:
        # The process reads the file anew.
        if self._base.custom is not None:
            refuse_other_file("search", self._base.custom)
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._base.to_json()), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    @property
    def free(self) -> int:
        """Processes without a trial."""
        return sum(worker.task is None for worker in self._workers)

    def start(self, task: Task) -> None:
        """Send a trial to a free process, or to a new one where that has been killed."""
        number = next(n for n, worker in enumerate(self._workers) if worker.task is None)
        try:
            self._workers[number].pipe.send(task)
        except OSError:
            self._workers[number] = self._started()
            self._workers[number].pipe.send(task)
        self._workers[number].task = task
        self._workers[number].begun = time.monotonic()

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the trials that have ended, those of processes that are gone as lost."""
        busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
        ended: list[Ended] = []
        for pipe in wait(list(busy), timeout_s):
            worker = busy[pipe]  # pyright: ignore[reportArgumentType]
            task = worker.task
            assert task is not None  # It is busy.
            try:
                said: float | Outcome | None = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join()
                if not worker.ready:
                    raise _cannot_start(worker.process.exitcode) from None
                reason = f"Its process ended with exit code {worker.process.exitcode}."
                said = Outcome("lost", time.monotonic() - worker.begun, None, reason)
                self._workers[self._workers.index(worker)] = self._started()
            if said is None:
                worker.ready = True
            elif isinstance(said, Outcome):
                worker.task = None
                ended.append(Ended(task, said))
            else:
                self._on_progress(task.number, said)
        return ended

    def close(self) -> None:
        """End the processes; a trial that still runs keeps its last checkpoint."""
        for worker in self._workers:
            # One without a trial ends with its pipe.
            worker.pipe.close()
            if worker.task is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_STOP_S)
            if worker.process.is_alive():
                worker.process.kill()


def _cannot_start(exit_code: int | None) -> EdgeECGError:
    return EdgeECGError(
        "A worker process cannot start.",
        f"It ended with exit code {exit_code} while it read the records.",
        "Use fewer --workers where the memory does not suffice, and in a script keep your own work "
        'under if __name__ == "__main__"; then go on with --resume.',
    )


def _serve(pipe: Connection, base: str) -> None:
    """Perform one trial after the other, until the search has ended.

    Args:
        pipe: Trials come from it; None, once it is ready, progress and outcomes are sent into it.
        base: The configuration that names the records, as JSON.
    """
    # Ctrl-C is for the search, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = CompressionConfig.from_json(base, "the configuration")
    custom = load_named_custom(config)
    dataset = load_records(config.training, architecture(config.training.model, custom))
    pipe.send(None)
    while True:
        try:
            task: Task = pipe.recv()
            outcome = trial.perform(task, RunFolder(RUNS / task.run), dataset, custom, pipe.send)
            pipe.send(outcome)
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    """End this process as soon as the search is gone, so that nothing works on its runs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
