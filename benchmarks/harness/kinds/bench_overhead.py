"""What ``edgeecg bench`` adds to what it measures.

Three questions, each answered in rounds that alternate with a bare loop around the runtime:

1. Is p50 that of a bare loop? For a graph of some 50 µs, and for as many runs of it as take 5 ms.
2. How much does the timed loop add to a call that does nothing?
3. How much of a core does a process take that records a power meter?

Nothing else may run meanwhile.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edgeecg.benchmark import latency, recording
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.runtimes import Session, litert
from edgeecg.runtimes._tflite_graphs import fully_connected

from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("numpy", "ai-edge-litert", "psutil")


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each figure."""
    rounds, seconds = experiment.settings["rounds"], experiment.settings["recorded_s"]
    what = "p50 of bench over that of a bare loop"
    for target_s, runs in ((50e-6, 2000), (5e-3, 100)):
        key = {"what": what, "about_s": target_s}
        yield Task(key, partial(_undisturbed, partial(ratio_row, target_s, runs, rounds)))
    key = {"what": "seconds that the timed loop adds to a call"}
    yield Task(key, partial(_undisturbed, added_row))
    for rate_hz in (10.0, 100.0, 1000.0):
        key = {"what": f"share of a core that recording {rate_hz:g} samples a second takes"}
        yield Task(key, partial(_sampled, rate_hz, seconds))


def _undisturbed(measure: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    with latency.undisturbed(1):
        return [measure()]


def _sampled(rate_hz: float, seconds: float) -> list[dict[str, Any]]:
    return [sampling_row(rate_hz, seconds)]


class _Empty:
    """A session whose run does nothing."""

    input_shape = (1,)
    dtype = "float32"

    def invoke(self) -> None:
        pass

    def run(self, x: Any) -> Any:
        return x

    def manifest_json(self) -> None:
        return None


def bare_p50_s(invoke: Callable[[], None], runs: int) -> float:
    """Return the median of a loop with nothing in it but the clock and the call."""
    now = time.perf_counter_ns
    samples: list[int] = []
    for _ in range(runs):
        begun = now()
        invoke()
        samples.append(now() - begun)
    return float(np.median(samples)) * 1e-9


def stopwatch_p50_s(session: Session, runs: int) -> float:
    """Return the median as ``edgeecg bench`` measures it."""
    watch = Stopwatch(session, Clock())
    watch.collect(runs)
    return watch.times.latency(1, None).p50_s


def ratio_row(target_s: float, runs: int, rounds: int) -> dict[str, Any]:
    """Compare the two medians for a graph that is run several times a call.

    Args:
        target_s: How long a call takes at least, about.
        runs: Calls in a round.
        rounds: How many.
    """
    content, _ = fully_connected(quantised=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.tflite"
        path.write_bytes(content)
        session = litert.load(path)
    graph = session.invoke
    calls = max(1, round(target_s / bare_p50_s(graph, 100)))

    class Repeated(_Empty):
        def invoke(self) -> None:
            for _ in range(calls):
                graph()

    session = Repeated()
    ratios: list[float] = []
    medians: list[float] = []
    bare_p50_s(session.invoke, runs)
    for turn in range(rounds):
        # A B B A: a drift of the machine favours neither.
        if turn % 2:
            measured = stopwatch_p50_s(session, runs)
            bare = bare_p50_s(session.invoke, runs)
        else:
            bare = bare_p50_s(session.invoke, runs)
            measured = stopwatch_p50_s(session, runs)
        ratios.append(measured / bare)
        medians.append(bare)
    low, middle, high = np.percentile(ratios, (2.5, 50, 97.5)).tolist()
    return {
        "bare_p50_s": float(np.median(medians)),
        "ratio": middle,
        "ratio_low": low,
        "ratio_high": high,
        "rounds": rounds,
    }


def added_row(runs: int = 200_000) -> dict[str, Any]:
    """Measure how long the timed loop takes for a call that does nothing."""
    watch = Stopwatch(_Empty(), Clock())
    watch.collect(1000)
    begun = time.perf_counter()
    watch.collect(runs)
    return {
        "seconds": (time.perf_counter() - begun) / runs,
        "runs": runs,
    }


def sampling_row(rate_hz: float, seconds: float) -> dict[str, Any]:
    """Measure the processor time of a process that records a replayed meter.

    Args:
        rate_hz: Samples a second.
        seconds: How long it records.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "power.csv"
        t = np.arange(0.0, seconds + 20.0, 1 / rate_hz)
        lines = [f"{at:.6f},{2 + at % 1:.4f}\n" for at in t]
        path.write_text("t_s,watts\n" + "".join(lines))
        with recording.recording(f"replay:{path}") as recorder:
            process = psutil.Process(recorder.pid)
            time.sleep(2.0)
            before = process.cpu_times()
            begun = time.perf_counter()
            time.sleep(seconds)
            after = process.cpu_times()
            length = time.perf_counter() - begun
    # Each difference by itself, so that equal readings give exactly zero.
    used = (after.user - before.user) + (after.system - before.system)
    return {
        "share": used / length,
        "seconds": length,
    }
