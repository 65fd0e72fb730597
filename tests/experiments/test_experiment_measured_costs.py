"""The script that sets predicted beside measured latency runs, on the smallest of its models."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import experiment
from harness.kinds import measured_costs
from harness.provenance import provenance
from harness.results import Results
from harness.tables import costs

from edgeecg import resources


@pytest.mark.system
@pytest.mark.alone
def test_a_model_is_cut_to_its_budgets_and_timed_beside_the_dense_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortest = {"warmup_runs": 1, "warmup_seconds": 0.0, "min_runs": 10, "min_seconds": 0.0}
    suite = resources.load_suite("quick").model_copy(update=shortest)
    monkeypatch.setattr(resources, "load_suite", lambda name: suite)  # pyright: ignore[reportUnknownLambdaType]
    (row,) = measured_costs.compared("cnn1d", ["latency=0.6"], "quick", tmp_path)
    assert 0.4 < row["predicted"] <= 0.6
    assert row["measured"] > 0
    assert row["measured"] == row["p50_s"] / row["dense_p50_s"]
    assert 0 < row["macs"] < 1
    assert row["runtime"].startswith("onnxruntime ")
    row |= {"model": "cnn1d", **provenance()}
    found = Results(experiment.load("measured_costs"), [row], tmp_path)
    table = costs.measured_costs(found)
    line = next(line for line in table.splitlines() if "cnn1d" in line)
    assert f"{row['predicted']:.3f}" in line
    assert f"{row['measured']:.3f}" in line
    assert "emulator" not in table
    emulated = Results(found.experiment, [{**row, "emulated": True}], tmp_path)
    assert "an emulator's" in costs.measured_costs(emulated)
