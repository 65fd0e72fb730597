"""Whether the exported files of a run keep its budgets, in words and in JSON."""

from __future__ import annotations

import io

import pytest
from report_run import Builder
from rich.console import Console

from edgeecg.costs.budgets import checks
from edgeecg.reporting import budgets
from edgeecg.reporting.comparison import compare
from edgeecg.reporting.documents import read
from edgeecg.reporting.tables import files
from edgeecg.reporting.terminal import show
from edgeecg.schema import (
    Baseline,
    Budget,
    CompressionConfig,
    CompressionLog,
    CustomModule,
    TrainingConfig,
)

SPACE = "\N{NO-BREAK SPACE}"


def with_budgets(full: Builder, *texts: str) -> CompressionLog:
    config = CompressionConfig(budgets=tuple(Budget.parse(text) for text in texts))
    return full.log().model_copy(update={"config": config})


def test_the_file_decides_where_pytorch_counts_less(full: Builder) -> None:
    # PyTorch's count of the last step is 0.325. The file costs as much as its baseline: 1.
    log, file = with_budgets(full, "energy=0.33"), full.manifest("compressed")
    dense = Baseline(weights_sha256="0" * 64, costs=file.costs)
    same = file.model_copy(update={"baseline": dense})
    line, why = budgets.lines(log, [full.manifest("baseline"), same])
    # No budget is left for the layers with weights: 0.33 - (1 - 0.325) is below 0.
    assert line == (
        "Budget energy=0.33: tflite 1.000, exceeded. "
        "The compression went to 0.325, counted in PyTorch."
    )
    assert "operations without weights" in why
    assert budgets.lines(log, [file.model_copy(update={"baseline": None})]) == ()
    (check,) = checks(log, [full.manifest("baseline"), same])
    assert (check.budget, check.target, check.limit) == ("energy=0.33", "tflite", 0.33)
    assert (check.cost, check.met) == (1.0, False)


def test_a_size_is_that_of_the_whole_file_and_a_smaller_one_is_named(full: Builder) -> None:
    # The file has 4,944 bytes more than its weights, and 392,000 - 4,944 = 387,056.
    log = with_budgets(full, "size=392kB")
    file = full.manifest("compressed")
    assert (log.steps[-1].weight_bytes, file.size_bytes) == (391_568, 396_512)
    (line,) = budgets.lines(log, [file])
    assert line == (
        f"Budget size=392000B: tflite 397{SPACE}kB, exceeded. "
        f"The compression went to 392{SPACE}kB, counted in PyTorch. "
        f"For files within the budget: edgeecg compress resnet1d_attn --budget size=387000B"
    )


def test_the_command_for_a_smaller_file_starts_from_the_model_of_the_run(full: Builder) -> None:
    log, file = with_budgets(full, "size=392kB"), full.manifest("compressed")
    custom = CustomModule(file="/my files/net.py:build", sha256="0" * 64)
    for update, words in (
        ({"training": TrainingConfig(model="tiny_rhythm", leads={})}, "tiny_rhythm"),
        ({"start": "dense"}, "--start dense"),
        ({"custom": custom}, "'/my files/net.py:build'"),
    ):
        config = log.config.model_copy(update=update)
        (line,) = budgets.lines(log.model_copy(update={"config": config}), [file])
        assert line.endswith(f": edgeecg compress {words} --budget size=387000B")


@pytest.mark.parametrize(
    ("asked", "cost", "shown"),
    [
        ("energy=0.5", 0.50004, "0.50004, exceeded"),
        ("energy=0.5", 0.5, "0.500, met"),
        ("energy=0.5", 0.4999999, "0.500, met"),
        ("macs=0.25", 0.2504, "0.2504, exceeded"),
        ("macs=0.25", 0.2511, "0.251, exceeded"),
    ],
)
def test_an_exceeded_share_is_shown_above_its_limit(
    full: Builder, monkeypatch: pytest.MonkeyPatch, asked: str, cost: float, shown: str
) -> None:
    def of_file(*_: object) -> float:
        return cost

    log = with_budgets(full, asked)
    monkeypatch.setattr("edgeecg.costs.budgets.of_file", of_file)
    line = budgets.lines(log, [full.manifest("compressed")])[0]
    assert line.startswith(f"Budget {asked}: tflite {shown}.")


def test_an_exceeded_size_is_shown_above_its_limit(full: Builder) -> None:
    log = with_budgets(full, "size=396510B")
    (line,) = budgets.lines(log, [full.manifest("compressed")])
    assert line.startswith(f"Budget size=396510B: tflite 396,512{SPACE}B, exceeded.")


def test_a_budget_that_the_compression_missed_is_no_reason_to_ask_for_less(full: Builder) -> None:
    # The compression stopped at 0.325: a smaller budget would stop there, too.
    log, file = with_budgets(full, "energy=0.3"), full.manifest("compressed")
    dense = Baseline(weights_sha256="0" * 64, costs=file.costs)
    line, _ = budgets.lines(log, [file.model_copy(update={"baseline": dense})])
    assert "The compression went to 0.325" in line
    assert "--budget" not in line


@pytest.mark.parametrize("texts", [(), ("latency=0.5",)])
def test_a_budget_without_count_is_not_judged(full: Builder, texts: tuple[str, ...]) -> None:
    log = with_budgets(full, *texts)
    assert budgets.lines(log, [full.manifest("compressed")]) == ()
    assert budgets.lines(None, [full.manifest("compressed")]) == ()
    assert budgets.after_compression(log) == ()


def test_the_end_of_a_compression_leaves_the_verdict_to_the_file(full: Builder) -> None:
    log = with_budgets(full, "energy=0.33", "size=392kB")
    assert budgets.after_compression(log) == (
        "Budget energy=0.33: compressed to 0.325; the count of the exported file decides.",
        f"Budget size=392000B: compressed to 392{SPACE}kB; the size of the exported file decides.",
    )


def test_page_screen_and_json_of_the_report_agree(full: Builder) -> None:
    full.run.compression_log.write_text(with_budgets(full, "energy=0.33").to_json(), "utf-8")
    documents = read(full.run)
    compared = compare(documents)
    table = files(documents, compared)
    assert table is not None
    screen = io.StringIO()
    show(documents, compared, Console(file=screen, width=300))
    check = compared.budgets[0]
    said = (
        f"Budget energy=0.33: {check.target} {check.cost:.3f}, {'met' if check.met else 'exceeded'}"
    )
    assert any(note.startswith(said) for note in table.notes)
    assert said in screen.getvalue()
    assert {row[-1] for row in table.rows} == {f"100.0{SPACE}% of 64"}
