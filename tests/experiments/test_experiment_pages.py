"""The published pages of real runs, and the times of unstructured files in the proxy figure."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness import experiment, proxy_points
from harness.results import stored
from harness.tables import pages as table_of_pages, proxy as table_of_proxy

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
ROWS = stored(experiment.load("pages"), RESULTS).newest("model")


def test_there_is_a_page_of_both_databases() -> None:
    assert {row["data"] for row in ROWS} == {"mitdb", "ptbxl"}
    # Most of a page is Plotly.
    assert all((RESULTS / row["page"]).stat().st_size < 2_500_000 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_a_page_is_the_one_that_its_row_describes(row: dict[str, Any]) -> None:
    content = (RESULTS / row["page"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == row["page_sha256"]
    text = re.sub(r"<script.*?</script>", "", content.decode("utf-8"), flags=re.DOTALL)
    assert f"{row['before']:.3f}" in text
    assert f"{row['after']:.3f}" in text
    # Where the run lay on the machine is nobody's business.
    assert not re.search(r"(/work|/home|/root|/tmp)/", text)
    assert all(warning in text.replace("&#39;", "'") for warning in row["warnings"])


def test_the_table_names_the_smallest_file() -> None:
    files = [
        {"file": "m-baseline-tflite.tflite", "size_bytes": 9000, "p50_s": 4e-3},
        {"file": "m-compressed-tflite-int8.tflite", "size_bytes": 1000, "p50_s": 1e-3},
        {"file": "m-baseline-onnx.onnx", "size_bytes": 9500, "p50_s": 8e-3},
    ]
    row = {**ROWS[0], "files": files, "before": 0.8, "after": 0.7911, "warnings": []}
    results = stored(experiment.load("pages"), RESULTS)
    text = table_of_pages.table(type(results)(results.experiment, [row], RESULTS))
    assert "| 0.800 | 0.791 | 1 | 0.25 × |" in text
    assert "warning" not in text


def test_times_of_unstructured_files_join_the_proxy_figure(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "instructions.jsonl", tmp_path)
    before = proxy_points.points(tmp_path)
    row = {
        "model": "cnn1d", "dtype": "float32", "ratio": 0.99, "proxy_executed": 1.0,
        "proxy_ideal": 0.21, "versions": {}, "dirty": False,
    }  # fmt: skip
    (tmp_path / "unstructured_times.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    added = proxy_points.points(tmp_path)[len(before) :]
    assert [(p.model, p.dtype, p.measured, p.predicted) for p in added] == [
        ("cnn1d", "float32", 0.99, {"executed": 1.0, "ideal": 0.21})
    ]
    text = table_of_proxy.table(stored(experiment.load("structured"), tmp_path))
    assert "were not timed" not in text
    assert "their executed proxy is that of the dense file" in text


def test_unstructured_files_have_the_sparsity_of_table_iv() -> None:
    published = {run.model: run.options for run in experiment.load("table_iv").runs}
    timed = {run.model: run.options for run in experiment.load("unstructured_times").runs}
    assert timed == published
    assert len(timed) == 6
