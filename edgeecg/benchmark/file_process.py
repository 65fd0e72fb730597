"""A process in which one file is loaded and measured, seen from the process that started it.

Every file has a process of its own, from loading to the last energy window: a file that crashes the
native runtime or uses up the memory costs its own results only, and no file finds the heap of the
process as another one has left it. The processes wait for requests and take no processor time while
another file is measured.
"""

from __future__ import annotations

import contextlib
import json
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from edgeecg.benchmark import child_errors
from edgeecg.benchmark.breakdown import ReferenceKernels
from edgeecg.benchmark.energy_windows import TICK_S
from edgeecg.benchmark.file_worker import RUNS_FOR_MEMORY, Message, refused
from edgeecg.benchmark.latency import Times
from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import ArtifactError
from edgeecg.runtimes import Operation, Profile
from edgeecg.schema import DType, EnergyWindow, Memory, Parity, Suite, Task

_MODULE = "edgeecg.benchmark.file_worker"
_LOAD_TIMEOUT_S = 300.0
_CLOSE_TIMEOUT_S = 5.0
_TAIL = 300


@dataclass(frozen=True)
class Loaded:
    """What is known of a file once it is loaded.

    Attributes:
        runtime: Name and version of the runtime.
        input_shape: Shape of its first input.
        manifest: The text embedded under ``schema.MANIFEST_KEY``, or None.
        first_s: Time of the first inference.
        memory: Memory of the process after a few runs.
    """

    runtime: str
    input_shape: tuple[int, ...]
    manifest: str | None
    first_s: float
    memory: Memory


class FileProcess:
    """A process that measures one file; a context manager, which ends it.

    Every method raises ArtifactError when the runtime refuses the file or crashes, or when the
    process gives no answer.
    """

    def __init__(self, path: Path) -> None:
        """Start the process.

        Args:
            path: The file.
        """
        self._path = path
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the block.
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        """Return the process."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process; at once after an exception."""
        process = self._process
        if kind is not None:
            process.kill()
        with contextlib.suppress(OSError):
            cast("IO[bytes]", process.stdin).close()
        try:
            process.wait(_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        cast("IO[bytes]", process.stdout).close()
        self._log.close()

    def load(self, threads: int, cpu: int | None, shapes: Shapes) -> Loaded:
        """Load the file and run it a few times.

        Args:
            threads: Number of threads of the runtime.
            cpu: The processor that the process is bound to, or None.
            shapes: Shapes of the inputs.

        Raises:
            ArtifactError: The file cannot be loaded or run, or crashes the process, or the process
                gives no answer.
            MissingDependencyError: The runtime is not installed.
        """
        answer = self._ask("load", _LOAD_TIMEOUT_S, threads=threads, cpu=cpu, shapes=dict(shapes))
        used = answer["memory"]
        memory = (
            Memory(peak_rss_bytes=None, reason="The system has no /proc/self/status.")
            if used is None
            else Memory(peak_rss_bytes=used[0], model_rss_bytes=used[1])
        )
        return Loaded(
            runtime=answer["runtime"],
            input_shape=tuple(answer["input_shape"]),
            manifest=answer["manifest"],
            first_s=answer["first_s"],
            memory=memory,
        )

    def parity(self, task: Task) -> Parity:
        """Compare the file with PyTorch; see :func:`edgeecg.benchmark.parity.check`."""
        answer = self._ask("parity", task=task)
        return Parity.from_document(answer["parity"], source=_MODULE)

    def time(self, times: Times, warm_up: tuple[int, float], collect: tuple[int, float]) -> None:
        """Time a round of runs.

        Args:
            times: Where the times are added.
            warm_up: Runs and seconds of the warm-up, see :class:`latency.Stopwatch`.
            collect: Runs and seconds that are timed.
        """
        answer = self._ask("time", warm_up=warm_up, collect=collect)
        times.warmup_n += answer["warmup_n"]
        times.samples_ns += answer["samples_ns"]

    def profile(self, runs: int) -> Profile:
        """Time the operations of the file with the profiler of its runtime.

        Args:
            runs: Number of runs.
        """
        answer = self._ask("profile", runs=runs)
        operations = tuple(Operation(*each) for each in answer.pop("operations"))
        return Profile(operations, **answer)

    def at_rate(self, rate_hz: float, spin: bool | None, suite: Suite) -> tuple[Times, float]:
        """Time the file at a fixed rate, in a new session; see :func:`latency.at_rate`.

        Args:
            rate_hz: Runs per second.
            spin: Whether idle worker threads spin; None means the runtime's default.
            suite: Gives the warm-up and the shortest time.

        Returns:
            The times, and the processor seconds of one period.

        Raises:
            UsageError: One run takes longer than the period.
        """
        answer = self._ask("at_rate", rate_hz=rate_hz, spin=spin, suite=suite.to_document())
        cpu_s: float = answer.pop("cpu_s")
        return Times(**answer), cpu_s

    def window(
        self, seconds: float, tick: Callable[[], object], rate_hz: float | None = None
    ) -> EnergyWindow:
        """Run inferences for a window.

        Args:
            seconds: Its length; at a rate it is rounded to a whole number of periods.
            tick: Called about once a second meanwhile.
            rate_hz: Runs per second in the session of :meth:`at_rate`; without pauses when None.
        """
        answer = self._ask("window", tick=tick, seconds=seconds, rate_hz=rate_hz)
        return EnergyWindow.from_document(answer["window"], source=_MODULE)

    def kernels(self, dtypes: Sequence[DType], runs: int, seconds: float) -> ReferenceKernels:
        """Measure the reference kernels of the file's runtime; see :mod:`breakdown`.

        Args:
            dtypes: Types whose peak is wanted.
            runs: Smallest number of runs of each.
            seconds: Shortest time of each.
        """
        answer = self._ask("kernels", dtypes=dtypes, runs=runs, seconds=seconds)
        return ReferenceKernels(**answer)

    def _ask(
        self,
        what: str,
        timeout_s: float | None = None,
        tick: Callable[[], object] = lambda: None,
        **values: Any,
    ) -> Message:
        process = self._process
        # A process that has ended is noticed when its answer is read.
        with contextlib.suppress(OSError):
            pipe = cast("IO[bytes]", process.stdin)
            pipe.write(json.dumps({"do": what, **values}).encode() + b"\n")
            pipe.flush()
        output = cast("IO[bytes]", process.stdout)
        begun = time.monotonic()
        while not select.select([output], [], [], TICK_S)[0]:
            tick()
            if timeout_s is not None and time.monotonic() - begun > timeout_s:
                process.kill()
                raise refused(self._path, f"{RUNS_FOR_MEMORY} runs took more than {timeout_s:g} s")
        line = output.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        answer: Message = json.loads(line)
        if "refused" in answer:
            raise child_errors.rebuilt(answer)
        return answer

    def _ended(self) -> ArtifactError:
        status = self._process.wait()
        if status < 0:
            return _crashed(self._path, signal.Signals(-status))
        self._log.seek(0)
        printed = self._log.read().decode("utf-8", "replace").strip()[-_TAIL:]
        return ArtifactError(
            f"The process that measures {self._path} gave no answer.",
            f"It ended with status {status}: {printed}",
            f"Check that this command waits for input: python -m {_MODULE} FILE",
        )


def _crashed(path: Path, cause: signal.Signals) -> ArtifactError:
    if cause is signal.SIGILL:
        return ArtifactError(
            f"{path} cannot be run on this processor.",
            "The runtime executed an instruction that this processor lacks (SIGILL); nothing is "
            "wrong with the file.",
            "Run 'edgeecg doctor', which loads every runtime, and install another version of the "
            "one that fails, or measure on another machine.",
        )
    if cause is signal.SIGKILL:
        return ArtifactError(
            f"{path} cannot be measured.",
            "Its process was killed (SIGKILL), which the system does when memory runs out.",
            "Stop other programs, or measure fewer files at a time.",
        )
    return refused(path, f"it crashed the process ({cause.name})")
