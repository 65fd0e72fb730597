"""The benchmark of the benchmark measures what it says, at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import experiment
from harness.kinds import bench_overhead
from harness.results import stored
from harness.tables import overhead

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def test_the_ratio_to_a_bare_loop_is_about_one() -> None:
    row = bench_overhead.ratio_row(50e-6, runs=50, rounds=3)
    # On a busy machine single rounds differ; a wrong unit or a double count would be far off.
    assert 0.3 < row["ratio"] < 3
    assert 1e-6 < row["bare_p50_s"] < 1e-1


def test_the_timed_loop_adds_little() -> None:
    assert 0 < bench_overhead.added_row(1000)["seconds"] < 1e-3


def test_recording_is_timed_in_the_process_that_reads() -> None:
    row = bench_overhead.sampling_row(100.0, seconds=1.0)
    assert 0 <= row["share"] < 1
    assert row["seconds"] > 0.9


def test_the_published_figures_keep_their_limits() -> None:
    results = stored(experiment.load("bench_overhead"), RESULTS)
    figures = results.newest("what", "about_s")
    assert [row["ratio"] for row in figures if "ratio" in row] == pytest.approx([1, 1], abs=0.03)
    assert all(row["share"] < 0.01 for row in figures if "share" in row)
    assert all(row["seconds"] < 2e-6 for row in figures if "call" in row["what"])
    table = overhead.added(results)
    assert table.count("\n| ") == len(figures)
