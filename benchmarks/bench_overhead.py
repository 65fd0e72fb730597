"""What ``edgeecg bench`` adds to what it measures.

Three questions, each answered in rounds that alternate with a bare loop around the runtime:

1. Is p50 that of a bare loop? For a graph of some 50 µs, and for as many runs of it as take 5 ms.
2. How much does the timed loop add to a call that does nothing?
3. How much of a core does a process take that records a power meter?

::

    python benchmarks/bench_overhead.py

writes ``results/bench_overhead.jsonl``. Nothing else may run meanwhile.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from run_provenance import provenance

from edgeecg.benchmark import latency, recording
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.files import write_text
from edgeecg.runtimes import Session, litert
from edgeecg.runtimes._tflite_graphs import fully_connected

RESULT = Path(__file__).parent / "results" / "bench_overhead.jsonl"

_ROUNDS = 15
_RECORDED_S = 20.0


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
    return watch.latency(1, None).p50_s


def ratio_row(target_s: float, runs: int) -> dict[str, Any]:
    """Compare the two medians for a graph that is run several times a call.

    Args:
        target_s: How long a call takes at least, about.
        runs: Calls in a round.
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
    for turn in range(_ROUNDS):
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
        "what": "p50 of bench over that of a bare loop",
        "bare_p50_s": float(np.median(medians)),
        "ratio": middle,
        "ratio_low": low,
        "ratio_high": high,
        "rounds": _ROUNDS,
    }


def added_row(runs: int = 200_000) -> dict[str, Any]:
    """Measure how long the timed loop takes for a call that does nothing."""
    watch = Stopwatch(_Empty(), Clock())
    watch.collect(1000)
    begun = time.perf_counter()
    watch.collect(runs)
    return {
        "what": "seconds that the timed loop adds to a call",
        "seconds": (time.perf_counter() - begun) / runs,
        "runs": runs,
    }


def sampling_row(rate_hz: float) -> dict[str, Any]:
    """Measure the processor time of a process that records a replayed meter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "power.csv"
        t = np.arange(0.0, _RECORDED_S + 20.0, 1 / rate_hz)
        lines = [f"{at:.6f},{2 + at % 1:.4f}\n" for at in t]
        path.write_text("t_s,watts\n" + "".join(lines))
        with recording.recording(f"replay:{path}") as recorder:
            process = psutil.Process(recorder.pid)
            time.sleep(2.0)
            before = process.cpu_times()
            begun = time.perf_counter()
            time.sleep(_RECORDED_S)
            after = process.cpu_times()
            length = time.perf_counter() - begun
    # Each difference by itself, so that equal readings give exactly zero.
    used = (after.user - before.user) + (after.system - before.system)
    return {
        "what": f"share of a core that recording {rate_hz:g} samples a second takes",
        "share": used / length,
        "seconds": length,
    }


def main() -> None:
    """Measure all rows."""
    with latency.undisturbed(1):
        rows = [ratio_row(50e-6, 2000), ratio_row(5e-3, 100), added_row()]
    rows += [sampling_row(10.0), sampling_row(100.0), sampling_row(1000.0)]
    made = provenance(("numpy", "ai-edge-litert", "psutil"))
    for row in rows:
        print(json.dumps(row), flush=True)
    write_text(RESULT, "".join(json.dumps({**row, **made}) + "\n" for row in rows))


if __name__ == "__main__":
    main()
