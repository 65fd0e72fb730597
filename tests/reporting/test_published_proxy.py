"""The published agreement of the proxy with measured times is that of the stored rows."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any, cast

from harness import proxy_figure, proxy_points
from scipy import stats

from edgeecg.reporting import proxy_agreement

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def rank_correlation(x: list[float], y: list[float]) -> float:
    """Return Spearman's correlation as SciPy computes it."""
    return cast(Any, stats.spearmanr(x, y)).statistic


def test_the_files_are_those_that_were_timed() -> None:
    found = proxy_points.points(RESULTS)
    # Of each of six models: a dense int8 file and two compressed ones, on the machine that counted.
    lines = (RESULTS / "instructions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    ratios = {row["x86_ratio"] for row in rows if row["x86_ratio"] != 1}
    assert ratios <= {point.measured for point in found}
    assert len({point.model for point in found}) == 6
    assert {point.dtype for point in found} == {"float32", "int8"}
    assert all(point.measured > 0 and point.predicted["executed"] > 0 for point in found)


def test_correlation_and_ratios_are_those_of_scipy() -> None:
    found = proxy_points.points(RESULTS)
    rows = {row.dtype: row for row in proxy_agreement.rows(found) if row.prediction == "executed"}
    for dtype, row in rows.items():
        here = [p for p in found if dtype in ("all", p.dtype)]
        predicted = [p.predicted["executed"] for p in here]
        measured = [p.measured for p in here]
        assert row.n == len(here)
        assert row.spearman is not None
        assert math.isclose(row.spearman, rank_correlation(predicted, measured))
        ratios = [m / p for m, p in zip(measured, predicted, strict=True)]
        assert math.isclose(row.median_ratio, statistics.median(ratios))
        assert math.isclose(row.worst_ratio, max(ratios, key=lambda r: abs(math.log(r))))
    assert rows["all"].resampled == "groups"


def test_the_figure_is_the_published_one() -> None:
    published = RESULTS.parents[1] / "docs" / "images" / "proxy.svg"
    drawn = proxy_figure.draw(RESULTS)
    assert b"Spearman" in drawn
    assert drawn == published.read_bytes()
