"""Instructions counted by a real QEMU: the image is built once, and the counts repeat."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from system_program import run_in

from edgeecg.devices.emulator import machine

pytestmark = pytest.mark.system

NAME = "runs/small/artifacts/cnn1d-compressed"


@pytest.fixture(scope="module")
def counts(story: Path) -> dict[str, list[dict[str, Any]]]:
    """The results of a float32 and an int8 file: twice on an A76, once on an A72."""
    for program in (machine.PROGRAM, "apt-get"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; .ci/run installs it")
    edgeecg = run_in(story)
    edgeecg("emulator", "build")
    files = [f"{NAME}-tflite.tflite", f"{NAME}-tflite-int8.tflite"]
    found: dict[str, list[dict[str, Any]]] = {}
    for label in ("cortex-a76", "cortex-a76 again", "cortex-a72"):
        device = f"emulated:{label.removesuffix(' again')}"
        printed = edgeecg("bench", *files, "--device", device, "--json", "-").stdout
        (story / "counts.json").write_text(printed)
        found[label] = json.loads(printed)["results"]
    return found


def test_two_runs_agree_within_half_a_percent(counts: dict[str, list[dict[str, Any]]]) -> None:
    for first, second in zip(counts["cortex-a76"], counts["cortex-a76 again"], strict=True):
        once, twice = (r["instructions"]["per_inference"] for r in (first, second))
        assert once == pytest.approx(twice, rel=0.005)


def test_the_result_is_no_time_and_no_board(counts: dict[str, list[dict[str, Any]]]) -> None:
    for core in ("cortex-a72", "cortex-a76"):
        for result in counts[core]:
            assert result["tier"] == "emulated"
            assert result["device"]["emulated"] is True
            assert result["device"]["machine"] == "aarch64"
            assert result["instructions"]["core"] == core
            assert result["instructions"]["emulator"].startswith("qemu ")
            assert "latency" not in result
            assert result["parity"]["n"] >= 64


def test_a_count_is_of_the_order_of_the_multiplications(
    counts: dict[str, list[dict[str, Any]]],
) -> None:
    # A float32 vector instruction of NEON does 4 multiply-accumulates.
    result = counts["cortex-a72"][0]
    per_mac = result["instructions"]["per_inference"] / result["proxy"]["macs"]
    assert 0.25 < per_mac < 25
    operations = sum(each["instructions"] for each in result["instructions"]["operations"])
    assert operations == pytest.approx(result["instructions"]["per_inference"], rel=0.2)


def test_the_answers_are_those_of_pytorch(counts: dict[str, list[dict[str, Any]]]) -> None:
    for core in ("cortex-a72", "cortex-a76"):
        float32, int8 = counts[core]
        assert float32["parity"]["label_agreement"] == 1.0
        assert int8["parity"]["label_agreement"] >= 0.9


def test_dot_products_make_int8_cheaper(counts: dict[str, list[dict[str, Any]]]) -> None:
    # The A76 has instructions for dot products of int8, and the A72 has not.
    without, with_dotprod = (
        counts[core][1]["instructions"]["per_inference"] for core in ("cortex-a72", "cortex-a76")
    )
    assert with_dotprod < 0.8 * without


def test_the_report_says_that_counts_are_no_times(
    counts: dict[str, list[dict[str, Any]]], story: Path
) -> None:
    options = ("--run", "small", "--bench", "counts.json", "--html", "counts.html")
    run_in(story)("report", *options)
    page = (story / "counts.html").read_text()
    assert "counts.json" in page
    assert "instructions that were counted on an emulated core" in page
