"""The fidelity to the dense model: its guards, and what the log and the screen say of it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from small_runs import fidelity_to_dense, small_run

from edgeecg.cli._compression_table import show
from edgeecg.compression import guards
from edgeecg.compression.fidelity import Probe
from edgeecg.compression.pipeline import compress
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.evaluation import named, scoring
from edgeecg.models import architecture, build
from edgeecg.reporting import evaluation
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CompressionLog, Guard, ModelCard


def card_of(start: RunFolder) -> ModelCard:
    return ModelCard.from_json(start.baseline_card.read_bytes(), "card")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("S:fidelity>=0.8", None),
        ("S:fidelity>=0.82", 0.81),
        ("worst_record:fidelity>=0.9", None),
        ("worst_record:fidelity>=0.95", 0.9),
        ("fidelity>=0.95", None),
        ("fidelity>=0.96", 0.95),
    ],
)
def test_guards_of_the_fidelity(text: str, broken: float | None, start: RunFolder) -> None:
    guard = Guard.parse(text)
    assert Guard.parse(str(guard)) == guard
    found = guards.broken_guards((guard,), card_of(start).val, fidelity_to_dense(0.81))
    assert found == ({} if broken is None else {text: broken})


def test_a_class_that_the_dense_model_never_gives_cannot_be_lost(start: RunFolder) -> None:
    guard = Guard.parse("S:fidelity>=0.9")
    assert guards.broken_guards((guard,), card_of(start).val, fidelity_to_dense(None, 0)) == {}


def test_guards_that_cannot_be_checked_are_refused() -> None:
    for text, said in (
        ("worst_record:recall>=0.5", "no metric of the worst record; there are: fidelity"),
        ("fidelty>=0.5", "no metric without a class"),
    ):
        with pytest.raises(UsageError, match=said):
            Guard.parse(text)
    ptbxl = architecture("resnet1d_se_attn")
    guards.check_names((Guard.parse("MI:fidelity>=0.8"),), ptbxl)
    with pytest.raises(UsageError, match="each record is one window"):
        guards.check_names((Guard.parse("worst_record:fidelity>=0.8"),), ptbxl)


def test_a_guard_on_few_beats_warns_and_names_the_count(start: RunFolder) -> None:
    val = card_of(start).val
    few = val.per_class["S"].model_copy(update={"support": 19})
    val = val.model_copy(update={"per_class": {**val.per_class, "S": few}})
    texts = ("S:recall>=0.5", "S:fidelity>=0.8", "worst_record:fidelity>=0.8", "macro_f1>=0.1")
    found = guards.few_beats(tuple(map(Guard.parse, texts)), val, fidelity_to_dense(0.9, 7))
    assert ["19 of the class S" in found[0], "7 that the dense" in found[1]] == [True, True]
    assert "12 of record a" in found[2]
    assert len(found) == 3
    assert guards.few_beats((Guard.parse(texts[1]),), val, fidelity_to_dense(0.9, 20)) == ()


def test_proposed_guards_are_those_of_the_database_unless_replaced_or_switched_off() -> None:
    config = CompressionConfig(default_guards=True)
    (proposed,) = guards.in_force(config, "mitdb")
    assert (proposed.class_name, proposed.metric) == ("S", "fidelity")
    assert guards.in_force(config, "synthetic") == guards.in_force(config, "folder") == ()
    own = Guard.parse("S:fidelity>=0.5")
    assert guards.in_force(config.model_copy(update={"guards": (own,)}), "mitdb") == (own,)
    assert guards.in_force(CompressionConfig(default_guards=False), "mitdb") == ()


def test_the_log_says_how_often_the_models_decide_alike(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", guards=("S:fidelity>=0",))
    log = compress(job)
    assert set(log.steps[0].fidelity) == {"train", "val"}
    assert log.guards == ("S:fidelity>=0",)
    dense, small = (
        build("cnn1d", widths) for widths in (architecture("cnn1d").WIDTHS, log.steps[-1].widths)
    )
    dense.load_state_dict(load_file(job.run.baseline_weights))
    small.load_state_dict(load_file(job.run.model_weights))
    with torch.no_grad():
        first, second = (
            model.eval()(torch.from_numpy(np.array(toy_dataset.test.x))).argmax(dim=1)
            for model in (dense, small)
        )
    found = log.fidelity["test"]
    assert found.overall.fidelity == pytest.approx(float((first == second).float().mean()))
    card = ModelCard.from_json(job.run.model_card.read_bytes(), "card")
    assert log.recall["compressed"]["S"] == card.test.per_class["S"].recall
    assert log.recall["baseline"]["V"] == card_of(start).test.per_class["V"].recall
    stored = CompressionLog.from_json(job.run.compression_log.read_bytes(), "log")
    assert stored == log


def test_the_screen_shows_fidelity_and_warnings(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    given = ("S:fidelity>=0", "worst_record:fidelity>=0")
    job = small_run(toy_dataset, start, tmp_path / "run", guards=given, steps=1)
    log = compress(job)
    cards = [
        ModelCard.from_json(path.read_bytes(), "card")
        for path in (job.run.baseline_card, job.run.model_card)
    ]
    console = Console(record=True, width=100, file=io.StringIO())
    show(console, log.model_copy(update={"warnings": ("Few beats.",)}), *cards)
    text = console.export_text()
    assert "Warning: Few beats." in text
    lowest = log.steps[0].fidelity["train"].worst_class
    (step,) = [line for line in text.splitlines() if line.strip().startswith("1/1")]
    assert step.split()[-3] == f"{lowest:.3f}"
    for name, of_class in log.fidelity["test"].per_class.items():
        (row,) = [line for line in text.splitlines() if f"fidelity of {name}" in line]
        shown = "-" if of_class.fidelity is None else f"{of_class.fidelity:.3f}"
        assert row.split()[-2:] == ["1.000", shown]
    worst = log.fidelity["test"].worst_record
    assert worst is not None
    assert f"worst record: {worst[0]}" in text


def test_evaluate_compares_a_compressed_run_with_its_dense_model(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", steps=1)
    log = compress(job)

    def load(*given: object) -> Dataset:
        return toy_dataset

    monkeypatch.setattr(scoring, "load_dataset", load)
    found = named.evaluate(str(job.run.path))
    assert found.fidelity == log.fidelity["test"]
    document = found.to_document()
    assert document["fidelity"]["per_class"].keys() == {"N", "S", "V"}
    (table,) = [
        each
        for each in evaluation.tables(found.scores, found.summary, found.fidelity)
        if each.title.startswith("Fidelity")
    ]
    assert len(table.rows) == 5
    # The dense model itself has nothing to be compared with.
    alone = named.evaluate(str(start.path))
    assert alone.to_document()["fidelity"] is None
    assert named.evaluate(str(job.run.baseline_weights)).fidelity is None


def test_a_step_that_loses_a_class_is_rolled_back(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "measured", lambda probe, model: fidelity_to_dense(0.6))  # pyright: ignore[reportUnknownLambdaType]
    job = small_run(
        toy_dataset, start, tmp_path / "run", guards=("S:fidelity>=0.7",), retries=0, steps=1
    )
    log = compress(job)
    assert log.rollbacks[0].broken == {"S:fidelity>=0.7": 0.6}
    assert log.steps == ()
