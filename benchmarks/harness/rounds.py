"""Times files and PyTorch modules in turns, as ``edgeecg bench`` times files.

Each file has a process of its own, bound to one core; all are timed in turn, in rounds
(A B C A B C ...), so that a drift of the machine affects all of them alike. The ratio of two is
taken in each round by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import latency, processors
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.file_process import FileProcess
from edgeecg.benchmark.latency import Stopwatch, Times

_WARM_UP = (10, 0.02)
_FEWEST_RUNS = 20


@dataclass(frozen=True)
class Rounds:
    """How long everything is timed.

    Attributes:
        count: Number of rounds.
        seconds: Shortest time of one file in one round.
    """

    count: int
    seconds: float


Collect = Callable[[Times, float], None]
"""Times one file or module for some seconds after a warm-up, and adds the times."""

Ready = Callable[[int | None], AbstractContextManager[tuple[str, Collect]]]
"""Loads a file or a module on a processor; gives the runtime's name and a function that times."""


@contextlib.contextmanager
def file_ready(path: Path, cpu: int | None) -> Generator[tuple[str, Collect]]:
    """Load a file in a process of its own, on one thread.

    Args:
        path: A ``.tflite`` or ``.onnx`` file.
        cpu: The processor that the process is bound to, or None.
    """
    with FileProcess(path) as process:
        runtime = process.load(1, cpu, {}).runtime

        def collect(times: Times, seconds: float) -> None:
            process.time(times, _WARM_UP, (_FEWEST_RUNS, seconds))

        yield runtime, collect


class _Module:
    """A PyTorch module as a session, so that it is timed like a file."""

    dtype = "float32"

    def __init__(self, module: Any, shape: tuple[int, int]) -> None:
        import torch

        self.input_shape = (1, *shape)
        noise = np.random.default_rng(0).standard_normal(self.input_shape, np.float32)
        self._module, self._x = module.eval(), torch.from_numpy(noise)

    def invoke(self) -> None:
        self._module(self._x)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        return self._module(torch.from_numpy(x)).numpy()

    def manifest_json(self) -> None:
        return None


@contextlib.contextmanager
def module_ready(
    module: Any, shape: tuple[int, int], cpu: int | None
) -> Generator[tuple[str, Collect]]:
    """Time a module in this process, on one thread, without gradients.

    Args:
        module: A PyTorch module.
        shape: ``(leads, samples)`` of a window.
        cpu: The processor that this process is bound to while it is timed, or None.
    """
    import torch

    session = _Module(module, shape)

    def collect(times: Times, seconds: float) -> None:
        watch, threads = Stopwatch(session, Clock(), times), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with latency.undisturbed(1), processors.on(cpu), torch.inference_mode():
                watch.warm_up(*_WARM_UP)
                watch.collect(_FEWEST_RUNS, seconds)
        finally:
            torch.set_num_threads(threads)

    yield f"torch {torch.__version__}", collect


def timed(
    ready: Mapping[str, Ready], references: Mapping[str, str], rounds: Rounds
) -> dict[str, dict[str, Any]]:
    """Time everything in rounds.

    Args:
        ready: What loads each, by name.
        references: The name that a ratio is relative to, by name; one that is not timed gives none.
        rounds: How long.

    Returns:
        By name: ``p50_s`` over all rounds, the ``runtime``, and ``ratio``, ``ratio_low`` and
        ``ratio_high``: median, smallest and largest of the rounds' ratios of medians.
    """
    cpu = processors.to_bind(1)
    samples: dict[str, list[list[int]]] = {name: [] for name in ready}
    with contextlib.ExitStack() as loaded:
        begun = {name: loaded.enter_context(load(cpu)) for name, load in ready.items()}
        # Not the rounds of edgeecg.benchmark.protocol: those keep the times of all rounds together,
        # leave out files that fail, and time files only. One run of a file is timed alike in both,
        # by FileProcess.time.
        for _ in range(rounds.count):
            for name, (_, collect) in begun.items():
                times = Times()
                collect(times, rounds.seconds)
                samples[name].append(times.samples_ns)
        runtimes = {name: runtime for name, (runtime, _) in begun.items()}
    medians = {name: [float(np.median(each)) for each in found] for name, found in samples.items()}
    found: dict[str, dict[str, Any]] = {}
    for name in ready:
        p50_s = float(np.median(np.concatenate(samples[name]))) * 1e-9
        found[name] = {"p50_s": p50_s, "runtime": runtimes[name]}
        if references[name] in medians:
            pairs = zip(medians[name], medians[references[name]], strict=True)
            ratios = [one / other for one, other in pairs]
            found[name] |= {
                "ratio": float(np.median(ratios)),
                "ratio_low": min(ratios),
                "ratio_high": max(ratios),
            }
    return found
