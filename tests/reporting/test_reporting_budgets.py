"""The budgets of a run beside the costs of its exported files, in words."""

from __future__ import annotations

import pytest
from report_run import Builder

from edgeecg.reporting import budgets
from edgeecg.reporting.comparison import compare
from edgeecg.reporting.documents import read
from edgeecg.reporting.tables import files
from edgeecg.schema import Baseline, Budget, CompressionConfig, CompressionLog


def with_budgets(full: Builder, *texts: str) -> CompressionLog:
    config = CompressionConfig(budgets=tuple(Budget.parse(text) for text in texts))
    return full.log().model_copy(update={"config": config})


def test_a_file_above_the_budget_that_pytorch_meets_is_called_so(full: Builder) -> None:
    # PyTorch's count of the last step is 0.325. The file costs as much as its baseline: 1.
    log, file = with_budgets(full, "energy=0.33"), full.manifest("compressed")
    dense = Baseline(weights_sha256="0" * 64, costs=file.costs)
    same = file.model_copy(update={"baseline": dense})
    line, why = budgets.lines(log, [full.manifest("baseline"), same])
    assert line == "Budget energy=0.33: PyTorch 0.325, met; tflite 1.000, exceeded."
    assert "operations without weights" in why
    assert budgets.lines(log, [file.model_copy(update={"baseline": None})]) == ()


def test_a_size_is_that_of_the_whole_file(full: Builder) -> None:
    (line,) = budgets.lines(with_budgets(full, "size=392kB"), [full.manifest("compressed")])
    size = "397\N{NO-BREAK SPACE}kB, exceeded"
    assert line == f"Budget size=392000B: PyTorch 392\N{NO-BREAK SPACE}kB, met; tflite {size}."


@pytest.mark.parametrize("texts", [(), ("latency=0.5",)])
def test_a_budget_without_count_is_not_judged(full: Builder, texts: tuple[str, ...]) -> None:
    assert budgets.lines(with_budgets(full, *texts), [full.manifest("compressed")]) == ()
    assert budgets.lines(None, [full.manifest("compressed")]) == ()


def test_the_report_says_it_under_the_exported_files_with_the_probe_windows(full: Builder) -> None:
    full.run.compression_log.write_text(with_budgets(full, "energy=0.33").to_json(), "utf-8")
    documents = read(full.run)
    table = files(documents, compare(documents))
    assert table is not None
    assert any(note.startswith("Budget energy=0.33: PyTorch 0.325, met;") for note in table.notes)
    assert {row[-1] for row in table.rows} == {"100.0\N{NO-BREAK SPACE}% of 64"}
