"""The script that sets predicted beside measured latency runs, on the smallest of its models."""

from __future__ import annotations

from pathlib import Path

import measured_costs
import pytest
import tables

from edgeecg import resources


def test_a_model_is_cut_to_its_budgets_and_timed_beside_the_dense_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortest = {"warmup_runs": 1, "warmup_seconds": 0.0, "min_runs": 10, "min_seconds": 0.0}
    suite = resources.load_suite("quick").model_copy(update=shortest)
    monkeypatch.setattr(measured_costs, "BUDGETS", ("latency=0.6",))
    monkeypatch.setattr(resources, "load_suite", lambda name: suite)  # pyright: ignore[reportUnknownLambdaType]
    (row,) = measured_costs.compared("cnn1d", tmp_path)
    assert 0.4 < row["predicted"] <= 0.6
    assert row["measured"] > 0
    assert row["measured"] == row["p50_s"] / row["dense_p50_s"]
    assert 0 < row["macs"] < 1
    assert row["runtime"].startswith("onnxruntime ")
    document = {"rows": [row], "git_revision": "abc", "machine": "m", "versions": {"torch": "2"}}
    table = tables.measured_costs(document)
    line = next(line for line in table.splitlines() if "cnn1d" in line)
    assert f"{row['predicted']:.3f}" in line
    assert f"{row['measured']:.3f}" in line
    assert "emulator" not in table
    emulated = {**document, "rows": [{**row, "emulated": True}]}
    assert "an emulator's" in tables.measured_costs(emulated)
