"""The published tables and figures are those that the stored rows give."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import experiment, figures, render, rows, summary
from harness.aggregate import table_rows, variants
from harness.provenance import KEYS, NOT_RECORDED
from harness.results import Results, stored
from harness.tables import compression, gains, instructions, markdown, options, sentences
from scipy import stats

from edgeecg.cli import run
from edgeecg.errors import EdgeECGError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def of(name: str, folder: Path = RESULTS) -> Results:
    return stored(experiment.load(name), folder)


def lost_of_class(row: dict[str, Any], name: str, measure: str) -> float:
    """Return what the files of a row lost of a class's score, the mean over its seeds."""
    lost: list[float] = []
    for seed in row["variant"].seeds:
        file = next(each for each in seed["files"] if each["role"] == "compressed")
        before = seed["baseline"]["test"]["per_class"][name][measure]
        lost.append(before - file["test"]["per_class"][name][measure])
    return sum(lost) / len(lost)


def test_pages_and_results_hold_what_the_rows_give() -> None:
    pages = render.pages_with_tables(ROOT)
    assert {"README.md", "docs/meters.md", "docs/models.md"} <= set(pages)
    results, texts = render.generated(RESULTS, pages)
    assert texts == pages
    assert results == (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.system
def test_tables_are_made_without_pytorch() -> None:
    """The renderer reads rows: it needs nothing that trains, compresses or measures."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from harness import render\n"
        f"render.generated(Path({str(RESULTS)!r}), {{}})\n"
        "print([n for n in sys.modules if n == 'torch' or n.startswith('harness.kinds')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_figures_are_those_that_the_rows_give() -> None:
    drawn = (ROOT / "docs" / "images" / "gained.svg").read_bytes()
    assert figures.gained(RESULTS) == drawn


def test_every_row_of_a_compression_table_is_in_the_summary() -> None:
    held = json.loads((RESULTS / "summary.json").read_text(encoding="utf-8"))
    assert held == summary.collected(RESULTS)
    assert all(set(row) == set(summary.KEYS) for row in held)
    assert {row["table"] for row in held} <= set(summary.TABLES)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_row_says_what_measured_it(path: Path) -> None:
    for row in rows.read(path):
        assert set(KEYS) <= set(row)
        assert row["dirty"] in (True, False, NOT_RECORDED)
        if isinstance(row["dirty"], bool):
            assert row["dirty"] == row["git_revision"].endswith("+")


def test_latency_ratios_are_those_of_one_bench_call() -> None:
    """The ratio that was stored is that of the two medians beside it."""
    timed = [row for row in of("structured").rows if row["what"] == "latency"]
    assert len(timed) == 30
    for row in timed:
        dense = row["files"]["baseline-tflite"]["p50_s"]
        for file in row["files"].values():
            assert file["ratio"] == pytest.approx(file["p50_s"] / dense, rel=1e-12)


def test_rows_of_two_machines_are_not_put_into_one_ratio(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "structured.jsonl", tmp_path)
    path = tmp_path / "structured.jsonl"
    found = rows.read(path)
    other = next(row for row in found if row["what"] == "latency")
    other["cpu"] = "another processor"
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    with pytest.raises(EdgeECGError, match="from 2 machines"):
        variants(of("structured", tmp_path))


def test_a_run_without_one_of_its_seeds_is_named_and_has_no_row(tmp_path: Path) -> None:
    found = rows.read(RESULTS / "torch_pruning_compared.jsonl")
    kept = [row for row in found if (row["cell"], row["seed"]) != ("cnn1d_budgets=macs=0.15", 2)]
    rows.append(tmp_path / "torch_pruning_compared.jsonl", kept)
    table = compression.torch_pruning_compared(of("torch_pruning_compared", tmp_path))
    assert "Still to be run: cnn1d: edgeecg, energy-aware." in table
    assert "| cnn1d: edgeecg, energy-aware |" not in table


def test_int8_stands_beside_float32_of_the_same_run() -> None:
    table = compression.structured(of("structured"))
    lines = {line.split(" | ")[0]: line for line in table.splitlines() if " QAT: " in line}
    assert set(lines) == {
        f"| {model}, QAT: {file} file"
        for model in ("resnet1d_attn", "conv_transformer")
        for file in ("float32", "int8")
    }
    (int8,) = [
        row
        for row in of("structured").rows
        if row["what"] == "latency"
        and row["seed"] == 0
        and row["cell"] == "resnet1d_attn_budgets=energy=0.12_quantize=qat"
    ]
    assert {"compressed-tflite", "compressed-tflite-int8"} <= set(int8["files"])


def test_raw_medians_of_all_seeds_stand_in_the_table() -> None:
    """3163, 4331 and 4258 µs were measured of one dense model."""
    table = compression.structured(of("structured"))
    (line,) = [line for line in table.splitlines() if "conv_transformer, QAT: int8" in line]
    assert "3163-4331" in line


def test_rows_of_a_changed_checkout_are_marked() -> None:
    results = of("methods")
    assert "to be measured again" not in compression.methods(results)
    cell = "resnet1d_se_attn_budgets=energy=0.35_method=l1_structure=blocks"
    found = [
        {**row, "dirty": True} if (row["cell"], row["seed"]) == (cell, 0) else row
        for row in results.rows
    ]
    table = compression.methods(dataclasses.replace(results, rows=found))
    said = table.split("to be measured again: ")[1]
    assert said.count("(seed ") == 1
    assert "resnet1d_se_attn: l1 (seed 0)" in said


def test_options_that_differ_stand_in_each_row() -> None:
    made = table_rows("structured", of("structured"))
    columns = dict(zip((row["label"] for row in made), options.differing(made), strict=True))
    assert columns["cnn1d"] == "channels, steps=6, energy=0.15"
    assert columns["resnet1d_attn, int8"] == "channels, steps=6, energy=0.12, quantize=qat"
    assert columns["conv_transformer, a tenth"] == "blocks, steps=7, energy=0.09"


def test_options_of_a_run_are_those_of_the_command() -> None:
    options_of_runs = [
        run.options for name in ("pages", "export_table") for run in experiment.load(name).runs
    ]
    for given in options_of_runs:
        line = options.on_the_command_line(given)
        assert run(["compress", "cnn1d", *line.split(), "--help"]) == 0
    shown = options.on_the_command_line({"budgets": ["energy=0.2"], "finetune_epochs": 2})
    assert shown == "--budget energy=0.2 --finetune-epochs 2"
    assert options.on_the_command_line({"distill": False, "retrain": True}) == (
        "--no-distill --retrain"
    )


def test_the_proxy_of_a_row_is_that_of_its_files() -> None:
    row = next(row for row in table_rows("structured", of("structured")) if row["label"] == "cnn1d")
    shares: list[float] = []
    for seed in row["variant"].seeds:
        # Horowitz, ISSCC 2014: 4.6 pJ for a float32 MAC; 100 and 20 pJ for 8 bytes of memory.
        picojoules = {
            file["role"]: 4.6 * file["costs"]["macs"]["float32"]
            + 12.5 * file["costs"]["weight_bytes"]
            + 2.5 * file["costs"]["activation_bytes"]
            for file in seed["files"]
        }
        shares.append(picojoules["compressed"] / picojoules["baseline"])
    assert row["proxy_executed"] == pytest.approx(sum(shares) / len(shares), rel=1e-6)
    in_pytorch = [seed["steps"][-1]["proxy_executed"] for seed in row["variant"].seeds]
    assert max(in_pytorch) < 0.15 < row["proxy_executed"]


def test_a_legend_names_the_fine_tuning_of_earlier_versions() -> None:
    said = "Beat models: fine-tuned as in earlier versions, `--distill-alpha 0.9"
    assert said in compression.table_iv(of("table_iv"))
    assert "as in earlier versions" not in gains.models(of("gains"))


def test_differences_between_methods_are_resolved_by_a_paired_t_test() -> None:
    rows_of_methods = table_rows("methods", of("methods"))
    scores = {(row["model"], row["method"]): row["scores"] for row in rows_of_methods}
    resolved = {
        f"{name} for `{model}`"
        for model in {model for model, _ in scores}
        for way, name in (("l1", "L1"), ("random", "random"))
        if stats.ttest_rel(scores[model, "energy"], scores[model, way]).pvalue < 0.05
    }
    said = sentences.which_method_wins(rows_of_methods).partition("Seed by seed, ")[2]
    assert said.startswith(f"{len(resolved)} of the 12 differences")
    assert set(re.findall(r"(?:L1|random) for `\w+`", said)) == resolved


def test_files_that_are_counted_otherwise_by_now_are_named(tmp_path: Path) -> None:
    counts = [
        {"model": model, "role": "baseline", "dtype": "int8", "cortex-a76_instructions": 1000}
        for model in ("bilstm", "cnn1d")
    ]
    newer = [
        {
            "what": "instructions",
            "run": row["model"],
            "files": {"baseline-tflite-int8": {"cortex-a76": 1000 + more}},
        }
        for row, more in zip(counts, (20, 5), strict=True)
    ]
    rows.append(tmp_path / "export_table.jsonl", newer)
    results = Results(experiment.load("instructions"), counts, tmp_path)
    said = instructions._changed_since(results, counts)  # pyright: ignore[reportPrivateUsage]
    assert "`bilstm`, int8" in said
    assert "cnn1d" not in said


def test_dense_models_have_a_deviation_where_there_are_several() -> None:
    rows = {row["label"]: row for row in table_rows("structured", of("structured"))}
    assert re.fullmatch(r"0\.\d{3} ± 0\.\d{3}", markdown.dense(rows["cnn1d"]))
    assert re.fullmatch(r"0\.\d{3}", markdown.dense(rows["conv_transformer"]))


def test_the_class_that_is_lost_most_easily_stands_in_each_row() -> None:
    """Recall of S of single seeds, and AUROC of the records' classes, are those of the rows."""
    found = {row["label"]: row for row in table_rows("structured", of("structured"))}
    beats, records = found["cnn1d"], found["conv_transformer"]
    assert beats["rarest"]["lost"]["mean"] == pytest.approx(lost_of_class(beats, "S", "recall"))
    assert markdown.rarest(beats).startswith("S: recall 0.719, lost +0.119 ± ")
    classes = records["variant"].seeds[0]["test"]["per_class"]
    most = max(classes, key=lambda name: lost_of_class(records, name, "auroc"))
    assert (records["rarest"]["class"], records["rarest"]["measure"]) == (most, "auroc")


def test_the_methods_that_win_elsewhere_are_named() -> None:
    said = sentences.which_method_wins(table_rows("methods", of("methods")))
    assert "4 of 6 models" in said
    assert "random is higher for `cnn_lstm_attn` (0.825, energy-aware 0.812)" in said
    assert "L1 is higher for `bilstm`" in said
    assert said in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_seed_that_decides_the_mean_is_named() -> None:
    said = sentences.outliers(table_rows("torch_pruning_compared", of("torch_pruning_compared")))
    assert "cnn1d: torch-pruning, magnitude (+0.047, +0.067, +0.208 lost)" in said
    assert said.count("lost)") == 1


def test_a_run_that_tables_share_is_counted_once() -> None:
    seed = {"machine": "this one"}
    shared: dict[str, Any] = {
        "cell": "a",
        "seeds": [0, 1, 2],
        "seconds": 600.0,
        "pruning_seconds": 6.0,
        "variant": type("Variant", (), {"seeds": [seed]}),
    }
    other = shared | {"cell": "b", "seconds": 1200.0, "pruning_seconds": 60.0}
    said = sentences.time_taken([shared, shared | {"step": 2}, shared, other], ["'A'", "'B'"])
    assert "The 6 runs of 'A', 'B' took" in said
    assert "1.5 hours" in said
    assert "at most 5.0%" in said


def test_one_seed_has_no_deviation() -> None:
    row = {"score_mean": 0.5, "score_std": None}
    assert markdown.score(row) == "0.500"
