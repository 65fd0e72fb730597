"""The process in which one file is loaded and measured; :mod:`edgeecg.benchmark.file_process`.

``python -m edgeecg.benchmark.file_worker FILE`` is that process. It reads requests from standard
input and writes an answer to each to standard output, JSON objects, one a line. It ends when its
standard input is closed, even in the middle of a measurement. A file that crashes the native
runtime, or uses up the memory, ends this process and no other.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg import runtimes
from edgeecg.benchmark import child_errors, memory, processors
from edgeecg.benchmark.clock import Clock
from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import ArtifactError, EdgeECGError
from edgeecg.runtimes import Session

RUNS_FOR_MEMORY = 10
"""Number of runs in which the peak memory is measured; the first of them is timed."""

Message = dict[str, Any]


def main(path: Path, requests: int = 0, answers: int = 1) -> None:
    """Answer requests about a file until there are no more.

    Args:
        path: The file.
        requests: File descriptor of the requests.
        answers: File descriptor of the answers.
    """
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_follow, args=(requests, waiting.put), daemon=True).start()
    file = _File(path)
    while True:
        content = json.dumps(_answer(file, json.loads(waiting.get()))).encode() + b"\n"
        while content:
            content = content[os.write(answers, content) :]


def _follow(requests: int, put: Callable[[bytes], None]) -> None:
    """Pass on the requests; end the process with them, because nobody waits for an answer then."""
    with open(requests, "rb", closefd=False) as lines:
        for line in lines:
            put(line)
    os._exit(0)


def _answer(file: _File, request: Message) -> Message:
    try:
        return getattr(file, request.pop("do"))(**request)
    except EdgeECGError as error:
        return child_errors.described(error)
    except Exception as error:
        # Every native runtime has its exception classes; all mean that the file cannot be run.
        return child_errors.described(refused(file.path, str(error)))


def refused(path: Path, cause: str) -> ArtifactError:
    """Return the error about a file that the runtime cannot run."""
    return ArtifactError(
        f"{path} cannot be run.",
        f"The runtime failed on it: {' '.join(cause.split())[:300]}.",
        "It is corrupt, or has operations this runtime lacks; export or copy it again.",
    )


class _File:
    """The file, with a method for each request.

    Modules that loading does not need are imported later, so that they do not count as memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = Clock()

    def load(self, threads: int, cpu: int | None, shapes: dict[str, list[int]]) -> Message:
        if cpu is not None:
            processors.bind(cpu)
        self._threads = threads
        self._shapes: Shapes = {name: tuple(shape) for name, shape in shapes.items()}
        self._runtime = runtimes.for_file(self.path)
        version = self._runtime.version()
        before = memory.begin()
        session = self._runtime.load(self.path, threads, shapes=self._shapes)
        begun = time.perf_counter_ns()
        session.invoke()
        first_ns = time.perf_counter_ns() - begun
        for _ in range(RUNS_FOR_MEMORY - 1):
            session.invoke()
        used = memory.since(before)
        from edgeecg.benchmark.latency import Stopwatch

        self._watch = Stopwatch(session, self._clock)
        self._rated: Session | None = None
        gc.collect()
        gc.disable()
        return {
            "runtime": version,
            "input_shape": list(session.input_shape),
            "manifest": session.manifest_json(),
            "first_s": first_ns * 1e-9,
            "memory": used,
        }

    def parity(self, task: Any) -> Message:
        from edgeecg.benchmark import parity

        session = self._watch.session
        agreement = parity.check(self.path, session, task)
        if agreement.n is None:
            # A probe set would have left its last window as input; without one it is all zeros.
            session.run(self._noise())
        return {"parity": agreement.to_document()}

    def time(self, warm_up: tuple[int, float], collect: tuple[int, float]) -> Message:
        times = self._watch.times
        times.warmup_n, times.samples_ns = 0, []
        self._watch.warm_up(*warm_up)
        self._watch.collect(*collect)
        return {"warmup_n": times.warmup_n, "samples_ns": times.samples_ns}

    def profile(self, runs: int) -> Message:
        found = self._runtime.profile(self.path, self._noise(), self._threads, runs, self._shapes)
        return {
            "operations": [[each.name, each.op, each.seconds] for each in found.operations],
            "reason": found.reason,
            "method": found.method,
            "whole_s": found.whole_s,
        }

    def at_rate(self, rate_hz: float, spin: bool | None, suite: Message) -> Message:
        from edgeecg.benchmark import latency
        from edgeecg.schema import Suite

        watch, cpu_s = latency.at_rate(
            lambda: self._runtime.load(self.path, self._threads, spin, shapes=self._shapes),
            rate_hz,
            Suite.from_document(suite, source="The request"),
            self._clock,
        )
        self._rated, times = watch.session, watch.times
        return {
            "first_s": times.first_s,
            "warmup_n": times.warmup_n,
            "samples_ns": times.samples_ns,
            "cpu_s": cpu_s,
        }

    def window(self, seconds: float, rate_hz: float | None) -> Message:
        from edgeecg.benchmark import energy_windows

        if rate_hz is not None and self._rated is not None:
            run = energy_windows.at_rate(self._rated.invoke, rate_hz, self._clock)
        else:
            run = energy_windows.in_this_process(self._watch.session.invoke, self._clock)
        return {"window": run(seconds, lambda: None).to_document()}

    def kernels(self, dtypes: list[Any], runs: int, seconds: float) -> Message:
        from edgeecg.benchmark import breakdown

        found = breakdown.reference_kernels(
            self._runtime, set(dtypes), self._threads, self._clock, runs, seconds
        )
        peaks = dict(found.peak_macs_per_s)
        return {"empty_graph_s": found.empty_graph_s, "peak_macs_per_s": peaks}

    def _noise(self) -> NDArray[np.float32]:
        """Return a random input, because some operations are faster on zeros than on real data."""
        shape = self._watch.session.input_shape
        return np.random.default_rng(0).standard_normal(shape, np.float32)


if __name__ == "__main__":
    # A Ctrl-C in the terminal is for the process that sends the requests, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.dup(1)
    # What native libraries print must not get between the answers.
    os.dup2(2, 1)
    main(Path(sys.argv[1]), answers=output)
