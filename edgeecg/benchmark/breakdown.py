"""Splitting the median latency: t = empty graph + roofline (MACs / measured peak) + rest."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.runtimes import Runtime
from edgeecg.schema import Breakdown, DType

RUNS = 50
"""Smallest number of runs of a reference kernel."""

SECONDS = 0.1
"""Shortest time of a reference kernel."""


@dataclass(frozen=True)
class ReferenceKernels:
    """How fast one runtime is at best on this core.

    Attributes:
        empty_graph_s: Median of a graph without operations, or None when none can be built.
        peak_macs_per_s: MACs per second of a compute-bound layer, by dtype. A dtype is missing when
            its layer cannot be built.
        failure: Why nothing was measured, or None.
    """

    empty_graph_s: float | None
    peak_macs_per_s: Mapping[DType, float]
    failure: str | None = None


def reference_kernels(
    runtime: Runtime,
    dtypes: set[DType],
    threads: int,
    clock: Clock,
    runs: int = RUNS,
    seconds: float = SECONDS,
) -> ReferenceKernels:
    """Measure a runtime's empty graph, and its peak in each type.

    Args:
        runtime: The runtime.
        dtypes: Types whose peak is wanted.
        threads: Number of threads of the runtime.
        clock: The source of time.
        runs: Smallest number of runs of each.
        seconds: Shortest time of each.
    """

    def samples_s(content: bytes) -> list[float]:
        return _samples_s(runtime, content, threads, clock, (runs, seconds))

    empty = runtime.empty_graph()
    peaks: dict[DType, float] = {}
    for dtype in sorted(dtypes):
        built = runtime.peak_graph(dtype)
        if built is not None:
            content, macs = built
            # The fastest run, because a peak is the most that the core can do.
            peaks[dtype] = macs / min(samples_s(content))
    if empty is None:
        return ReferenceKernels(None, peaks)
    samples = sorted(samples_s(empty))
    return ReferenceKernels(samples[len(samples) // 2], peaks)


def split(
    median_s: float, macs: Mapping[DType, int] | None, dtype: DType, measured: ReferenceKernels
) -> Breakdown:
    """Split a median with the reference kernels of the same runtime.

    Args:
        median_s: Median latency of the file.
        macs: Executed MACs by dtype, or None when they could not be counted.
        dtype: The type most of the file's MACs run in.
        measured: The reference kernels.
    """
    peaks = measured.peak_macs_per_s
    needed: dict[DType, int] = {kind: count for kind, count in (macs or {}).items() if count}
    reasons = [] if measured.failure is None else [measured.failure]
    if measured.empty_graph_s is None and not reasons:
        reasons.append("This runtime cannot build the empty graph.")
    absent = sorted({dtype, *needed} - set(peaks))
    if absent and measured.failure is None:
        reasons.append(f"This runtime cannot build the peak graph in {', '.join(absent)}.")
    if macs is None:
        reasons.append("The MACs could not be counted.")
    roofline = None
    if macs is not None and not absent:
        roofline = sum(count / peaks[kind] for kind, count in needed.items())
    rest = None
    if roofline is not None and measured.empty_graph_s is not None:
        rest = median_s - measured.empty_graph_s - roofline
    return Breakdown(
        empty_graph_s=measured.empty_graph_s,
        peak_macs_per_s=peaks.get(dtype),
        roofline_s=roofline,
        rest_s=rest,
        reason=" ".join(reasons) or None,
    )


def _samples_s(
    runtime: Runtime, content: bytes, threads: int, clock: Clock, least: tuple[int, float]
) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"graph.{runtime.FORMAT}"
        path.write_bytes(content)
        watch = Stopwatch(runtime.load(path, threads), clock)
        watch.warm_up(*least)
        watch.collect(*least)
    return [sample / 1e9 for sample in watch.times.samples_ns]
