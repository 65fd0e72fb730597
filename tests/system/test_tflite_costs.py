"""From an exported .tflite file through its measured layers to a compressed model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from system_program import run_in

pytestmark = [pytest.mark.system, pytest.mark.alone]


def test_a_latency_budget_on_the_seconds_of_a_tflite_file(story: Path, tmp_path: Path) -> None:
    edgeecg = run_in(tmp_path)
    # A folder of its own: in that of the story the new run would be the newest of other tests.
    shutil.copytree(story / "runs/small", tmp_path / "runs/small")
    (file,) = (tmp_path / "runs/small/artifacts").glob("*-baseline-tflite.tflite")
    edgeecg("bench", str(file), "--suite", "quick", "--meter", "none", "--json", "pi.json")
    (result,) = json.loads((tmp_path / "pi.json").read_text())["results"]
    assert result["layers_method"] in ("LiteRT profiler", "one file per operation")
    assert abs(result["layers_unexplained"]) < 0.5
    arguments = ("--start", "small", "--finetune-epochs", "1", "--name", "half")
    edgeecg("compress", *arguments, "--costs", "pi.json", "--budget", "latency=0.5")
    log = json.loads((tmp_path / "runs/half/compression.json").read_text())
    assert log["config"]["costs"]["runtime"].startswith("litert")
    assert log["steps"][-1]["latency_predicted"] <= 0.5


def test_a_calibrated_profile_takes_the_place_of_a_measured_file(tmp_path: Path) -> None:
    edgeecg = run_in(tmp_path)
    edgeecg("calibrate", "here.toml", "--meter", "none", "--json", "graphs.json")
    small = ("--data", "synthetic", "--epochs", "1", "--epoch-windows", "256")
    budget = ("--finetune-epochs", "1", "--budget", "latency=0.5")
    edgeecg("compress", "cnn1d", *small, *budget, "--costs", "here.toml", "--name", "half")
    edgeecg("export", "--run", "half", "--target", "tflite")
    edgeecg(
        "bench", "--run", "half", "--device", "here.toml", "--suite", "quick", "--meter", "none"
    )
    (stored,) = (tmp_path / "runs/half/bench").glob("*.json")
    for result in json.loads(stored.read_text())["results"]:
        assert result["calibrated"]["seconds"] > 0
        assert result["calibrated"]["seconds_error"] > 0
