"""Seconds of every operation of a ``.tflite`` file.

The method is LiteRT's own profiler where it works and the operations are long enough for its clock.
Otherwise every operation is timed as a file of its own, which lacks the fusions of the whole file
and finds its inputs in the caches; the sum is therefore compared with the time of the whole.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs import count_tflite, tflite_file
from edgeecg.costs.layers import UncountableError
from edgeecg.errors import ArtifactError
from edgeecg.runtimes import Operation, Profile
from edgeecg.runtimes._durations import middle_mean
from edgeecg.runtimes._litert_profiler import DELEGATE, NODE, WHOLE, Event, ProfilerError, events

PROFILER = "LiteRT profiler"
"""Method: the profiler of the runtime."""

SINGLE = "one file per operation"
"""Method: every operation timed alone."""

_ROUNDING_S = 0.5e-6
_SHORTEST_S = 0.002
_LONGEST_S = 0.1
_WARMUP_RUNS = 5
_FEWEST_RUNS = 10
# XNNPACK's names of operations that multiply. A convolution of length 1 may run as fully connected.
_MULTIPLYING = ("Batch Matrix Multiply", "Convolution", "Deconvolution", "Fully Connected")

Load = Callable[[Path], Callable[[], None]]
"""Loads a file, sets its inputs, and returns what runs it once."""


def with_profiler(path: Path, x: NDArray[np.generic], threads: int, runs: int) -> Profile:
    """Time the operations with LiteRT's profiler, in a separate process.

    Args:
        path: The file.
        x: Its first input, in the type of the file.
        threads: Number of threads.
        runs: Number of runs.

    Raises:
        ProfilerError: The profiler does not work here, its operations are not those of the file, or
            they are too short for its clock.
    """
    found = events(path, x, threads, runs)
    whole = [middle_mean(each.microseconds) * 1e-6 for each in found if each.kind == WHOLE]
    nodes = len(tflite_file.read(path).operators)
    # A node that stands for all operations of a delegate comes after the nodes of the file.
    kept = [
        each
        for each in found
        if each.kind == DELEGATE or (each.kind == NODE and each.index < nodes)
    ]
    if not kept or not whole:
        raise ProfilerError("The profiler reports no operations")
    names = _names(kept, path)
    seconds = _seconds(kept, sum(whole))
    operations = tuple(
        Operation(name, event.name, spent)
        for name, event, spent in zip(names, kept, seconds, strict=True)
    )
    return Profile(operations, None, PROFILER, sum(whole))


def _seconds(found: Sequence[Event], whole: float) -> list[float]:
    """Return the seconds of every event.

    XNNPACK rounds down to whole microseconds. Half a microsecond is added to each of its events, or
    less where the sum would exceed the whole.

    Raises:
        ProfilerError: These halves would be more than what was measured.
    """
    plain = [middle_mean(each.microseconds) * 1e-6 for each in found]
    rounded = sum(each.kind == DELEGATE for each in found)
    if rounded * _ROUNDING_S > sum(plain):
        raise ProfilerError(
            "The operations are too short for LiteRT's profiler, which counts whole microseconds"
        )
    spare = max(0.0, whole - sum(plain)) / rounded if rounded else 0.0
    added = min(_ROUNDING_S, spare)
    return [
        spent + (added if each.kind == DELEGATE else 0.0)
        for each, spent in zip(found, plain, strict=True)
    ]


def _names(found: Sequence[Event], path: Path) -> list[str]:
    """Return the name of every event: its node in the file, or else what the runtime calls it.

    A delegate does not tell the nodes of its operations. Those that multiply are in the order of
    the file, so that the first one belongs to the first such node, and so on.

    Raises:
        ProfilerError: The delegate has another number of operations that multiply than the file.
    """
    try:
        nodes = count_tflite.count(path)
    except UncountableError:
        return [each.name for each in found]
    direct = {each.index for each in found if each.kind == NODE}
    multiplying = [
        node.name for index, node in enumerate(nodes) if node.macs and index not in direct
    ]
    delegated = sum(map(_multiplies, found))
    if delegated != len(multiplying):
        raise ProfilerError(
            f"The delegate multiplies in {delegated} operations and the file in {len(multiplying)}"
        )
    names: list[str] = []
    remaining = iter(multiplying)
    for each in found:
        if each.kind == NODE:
            names.append(nodes[each.index].name)
        else:
            names.append(next(remaining) if _multiplies(each) else each.name)
    return names


def _multiplies(event: Event) -> bool:
    return event.kind == DELEGATE and event.name.startswith(_MULTIPLYING)


def one_by_one(path: Path, load: Load, runs: int) -> Profile:
    """Time every operation as a file of its own, without the time of an empty graph.

    Args:
        path: The file.
        load: Loads a file of one operation.
        runs: Number of runs of each, fewer where they take more than a tenth of a second, and more
            where they take less than two milliseconds.

    Returns:
        The profile; empty, with a reason, when an operation cannot be run alone.
    """
    from edgeecg.runtimes import _tflite_graphs, _tflite_operations

    nodes = tflite_file.read(path).operators
    found: list[Operation] = []
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        file = Path(folder) / "operation.tflite"

        def seconds(content: bytes) -> float:
            file.write_bytes(content)
            return _time(load(file), runs)

        call = seconds(_tflite_graphs.empty())
        node = None
        try:
            cut = _tflite_operations.single_operations(path.read_bytes())
            for place, (node, content) in enumerate(zip(nodes, cut, strict=True)):
                name = node.outputs[0].name if node.outputs else ""
                spent = max(0.0, seconds(content) - call)
                found.append(Operation(name or f"operation {place}", node.op, spent))
        except (ArtifactError, ValueError, RuntimeError) as error:
            what = f"The operation {node.op}" if node is not None else "An operation"
            cause = " ".join(str(error).split())[:200]
            return Profile((), f"{what} cannot be timed alone: {cause}")
    return Profile(tuple(found), None, SINGLE)


def _time(invoke: Callable[[], None], runs: int) -> float:
    for _ in range(_WARMUP_RUNS):
        invoke()
    samples: list[int] = []
    begun, spent = time.perf_counter(), 0.0
    while len(samples) < max(runs, _FEWEST_RUNS) or spent < _SHORTEST_S:
        before = time.perf_counter_ns()
        invoke()
        samples.append(time.perf_counter_ns() - before)
        spent = time.perf_counter() - begun
        if len(samples) >= _FEWEST_RUNS and spent > _LONGEST_S:
            break
    return middle_mean(samples) * 1e-9
