"""The user's own lines, one after the other, on synthetic records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from system_program import run_in

pytestmark = pytest.mark.system

CONTRACT = {
    "artifact": {"file", "sha256", "format", "dtype", "size_bytes"},
    "device": {"name", "emulated"},
    "latency": {"n", "threads", "p50_s", "p90_s", "p99_s", "first_s"},
    "energy": {"tier", "meter", "reason", "gross_j", "net_j", "ci95_j"},
    "proxy": {"ideal", "executed", "macs", "weight_bytes"},
    "memory": {"peak_rss_bytes"},
    "parity": {"n", "max_abs_diff", "label_agreement"},
}


def test_three_lines_and_a_report(story: Path) -> None:
    edgeecg = run_in(story)
    said = edgeecg("bench", "--suite", "quick").stdout
    assert "synthetic" in said.lower()
    assert "edgeecg report" in said.splitlines()[-1]
    said = edgeecg("report").stdout
    page = story / "runs" / "small" / "report.html"
    assert str(page.relative_to(story)) in "".join(said.split())
    text = page.read_text()
    assert "synthetic" in text.lower()
    assert "measured" in text
    assert "://" not in text.replace("http://www.w3.org/", "")


def test_the_json_of_bench_keeps_its_contract(story: Path) -> None:
    files = sorted(str(path) for path in (story / "runs/small/artifacts").glob("*.tflite"))
    assert len(files) == 4
    said = run_in(story)("bench", *files, "--suite", "quick", "--json", "-").stdout
    document = json.loads(said)
    assert document["schema"] == "edgeecg.bench/1"
    assert [Path(r["artifact"]["file"]).name for r in document["results"]] == [
        Path(file).name for file in files
    ]
    for result in document["results"]:
        for part, keys in CONTRACT.items():
            assert keys <= set(result[part]), part
        assert isinstance(result["runtime"], str)
        latency, energy = result["latency"], result["energy"]
        assert 0 < latency["p50_s"] <= latency["p90_s"] <= latency["p99_s"]
        assert latency["threads"] == 1
        assert energy["tier"] in {"measured", "not measured", "not resolved"}
        if energy["tier"] == "not measured":
            assert energy["net_j"] is None
            assert energy["reason"]
        assert 0 < result["proxy"]["ideal"] <= result["proxy"]["executed"] * 1.001
        assert result["memory"]["peak_rss_bytes"] > 10_000_000
        assert result["parity"]["label_agreement"] >= 0.9
    ratios = {Path(r["artifact"]["file"]).stem: r["proxy"]["executed"] for r in document["results"]}
    assert ratios["cnn1d-baseline-tflite"] == pytest.approx(1.0)
    assert ratios["cnn1d-compressed-tflite"] < 0.6
    assert ratios["cnn1d-compressed-tflite-int8"] < ratios["cnn1d-compressed-tflite"]


def test_onnx_and_tflite_answer_alike(story: Path) -> None:
    files = [
        str(story / f"runs/small/artifacts/cnn1d-compressed-{name}")
        for name in ("onnx.onnx", "tflite.tflite")
    ]
    said = run_in(story)("bench", *files, "--suite", "quick", "--json", "-").stdout
    for result in json.loads(said)["results"]:
        assert result["parity"]["max_abs_diff"] < 1e-4
        assert result["parity"]["label_agreement"] == 1.0


def test_one_copied_file_is_enough(story: Path, tmp_path: Path) -> None:
    shutil.copy(story / "runs/small/artifacts/cnn1d-compressed-tflite.tflite", tmp_path)
    edgeecg = run_in(tmp_path)
    edgeecg("bench", "cnn1d-compressed-tflite.tflite", "--suite", "quick", "--json", "out.json")
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert result["proxy"]["executed"] < 0.6
    assert result["parity"]["n"] is None
    assert result["parity"]["reason"]


@pytest.mark.parametrize("damage", ["foreign", "truncated", "empty"])
def test_a_damaged_file_is_refused(story: Path, tmp_path: Path, damage: str) -> None:
    whole = (story / "runs/small/artifacts/cnn1d-compressed-tflite.tflite").read_bytes()
    content = {"foreign": b"TFL3" * 500, "truncated": whole[: len(whole) // 2], "empty": b""}
    (tmp_path / "model.tflite").write_bytes(content[damage])
    said = run_in(tmp_path)("bench", "model.tflite", status=1).stderr
    assert "model.tflite" in said
    assert "Traceback" not in said


def test_unknown_names_list_the_known_ones(story: Path) -> None:
    edgeecg = run_in(story)
    assert "raspberry-pi-5" in edgeecg("bench", "--device", "raspbery-pi-5", status=2).stderr
    assert "tflite-int8" in edgeecg("export", "--target", "tflite-int4", status=2).stderr


def test_an_exported_file_that_changed_since_is_refused(story: Path, tmp_path: Path) -> None:
    name = "cnn1d-compressed-tflite"
    for suffix in (".tflite", ".json"):
        shutil.copy(story / f"runs/small/artifacts/{name}{suffix}", tmp_path)
    other = story / "runs/small/artifacts/cnn1d-baseline-tflite.tflite"
    shutil.copy(other, tmp_path / f"{name}.tflite")
    said = run_in(tmp_path)("bench", f"{name}.tflite", status=1).stderr
    assert "Traceback" not in said
    assert name in said
