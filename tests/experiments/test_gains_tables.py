"""The tables of gains: what each class lost, and on how much the two models decide alike."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest
from harness.aggregate import table_rows
from harness.experiment import load
from harness.results import Results, stored
from harness.statistics_of_seeds import plus_minus
from harness.tables import gains
from harness.tables.options import differing

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
FIDELITY = {0: 0.8, 1: 0.9, 2: 1.0}
SHORT_OF_AIM = ("cnn1d", "resnet1d_attn")


def of(name: str) -> Results:
    return stored(load(name), RESULTS)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Rows of one model as another experiment stored them, with a fidelity of S by seed."""
    wanted, held = load("gains"), stored(load("structured"), RESULTS)
    lines: list[str] = []
    for seed, fidelity in FIDELITY.items():
        for what in ("model", "latency"):
            row = held.last(what=what, cell="cnn1d_budgets=energy=0.15", seed=seed)
            assert row is not None
            classes = {name: {"n": 10, "fidelity": fidelity} for name in ("N", "S", "V")}
            added = {"cell": wanted.run("cnn1d").cell, "fidelity": {"per_class": classes}}
            lines.append(json.dumps({**row, **added}) + "\n")
    (tmp_path / "gains.jsonl").write_text("".join(lines))
    return stored(wanted, tmp_path)


def lost_recall(results: Results, name: str) -> list[float]:
    """Return what a class lost in each seed, from the rows as they are stored."""
    rows = [json.loads(line) for line in (results.folder / "gains.jsonl").read_text().splitlines()]
    pairs = [
        (row["baseline"]["test"]["per_class"][name], row["test"]["per_class"][name])
        for row in rows
        if row["what"] == "model"
    ]
    return [before["recall"] - after["recall"] for before, after in pairs]


def test_every_class_has_its_recall_and_its_fidelity(results: Results) -> None:
    text = gains.classes(results)
    for name in ("N", "S", "V"):
        lost = lost_recall(results, name)
        shown = f"{statistics.mean(lost):+.3f} ± {statistics.stdev(lost):.3f}"
        row = rf"\| cnn1d \| {name} \| [\d.]+ \| {re.escape(shown)} \| - \| 0\.900 ± 0\.100 \|"
        assert re.search(row, text), text
    assert "Still to be run: resnet1d_attn, " in text


def test_the_long_table_has_one_row_for_each_complete_run(results: Results) -> None:
    rows = [line for line in gains.models(results).splitlines() if line.startswith("| cnn1d |")]
    assert len(rows) == 1


def test_what_the_weights_of_the_package_lose_is_what_the_documents_say() -> None:
    rows = {row["label"]: row for row in table_rows("gains_package", of("gains_package"))}
    beyond = {label: row for label, row in rows.items() if label.endswith("at 0.08")}
    most = max(beyond.values(), key=lambda row: row["lost"]["mean"])
    said = plus_minus(most["lost"])
    assert (most["label"], said) == ("cnn1d at 0.08", "0.011 ± 0.002")
    for document in ("README.md", "docs/compression.md"):
        assert said in (RESULTS.parents[1] / document).read_text(encoding="utf-8")
    text = " ".join((RESULTS.parents[1] / "docs/compression.md").read_text("utf-8").split())
    recalls = [plus_minus(rows[f"{name} at 0.08"]["rarest"]["lost"]) for name in SHORT_OF_AIM]
    assert f"At 8 % they lose {recalls[0]} and {recalls[1]};" in text


def test_a_limit_of_epochs_without_effect_is_no_option_of_a_row() -> None:
    rows = table_rows("gains_package", of("gains_package"))
    assert not any("finetune_most" in each for each in differing(rows))
