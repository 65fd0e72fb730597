"""One real trial on toy records: an ordinary run, without test scores until they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_searches import NET, give, small_plan

import edgeecg
from edgeecg.compression import pipeline, settings, start
from edgeecg.compression.job import Job
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.evaluation import inference
from edgeecg.exporters import run_to_export
from edgeecg.files import sha256
from edgeecg.models import build
from edgeecg.runs import RunFolder
from edgeecg.runs.options import Options
from edgeecg.schema import CompressionConfig, CompressionLog, ModelCard
from edgeecg.training import cards
from edgeecg.training.cards import make_card, save_model
from edgeecg.tuning import space, trial, trial_folder
from edgeecg.tuning.trial import Task


@pytest.fixture
def folder(toy_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dense model of a search."""
    monkeypatch.chdir(tmp_path)
    plan = small_plan(tmp_path, toy_dataset)
    model = build("cnn1d").eval()
    card = make_card(model, "baseline", plan.config.base.training, toy_dataset, 1)
    save_model(model, card, plan.dense.baseline_weights, plan.dense.baseline_card)
    return tmp_path


def task(folder: Path, dataset: Dataset, **changes: object) -> tuple[Task, RunFolder]:
    """Return a trial of two short steps, whose run folder is prepared."""
    plan = small_plan(folder, dataset)
    chosen = {"budget": 0.5, "method": "l1", "steps": 2, "finetune_epochs": 1}
    config = space.configured(plan.config.base, plan.config.space, {**chosen, "quantize": "none"})
    training = config.training.model_copy(update={"epoch_windows": 64, "batch_size": 64})
    config = config.model_copy(update={"training": training, **changes})
    trial_folder.prepare(plan.run(0), plan.dense, config)
    made = Task(0, 0, "S-000", config, plan.config.objectives, (), "edgeecg.compress()")
    return made, plan.run(0)


def test_a_trial_has_the_values_of_its_log_and_no_look_at_the_test_records(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scored(model: object, dataset: Dataset, split: str) -> object:
        assert split != "test"
        return inference.evaluate(model, dataset, split)  # pyright: ignore[reportArgumentType]

    what, run = task(folder, toy_dataset)
    with monkeypatch.context() as patch:
        patch.setattr(cards, "evaluate", scored)
        outcome = trial.perform(what, run, toy_dataset)
    assert outcome.state == "complete", outcome.reason
    log = CompressionLog.from_json(run.compression_log.read_bytes(), "log")
    assert outcome.values == (log.steps[-1].val.macro_f1, log.steps[-1].proxy_executed)
    assert len(log.steps) == 2
    assert run.reduced
    assert not run.finished
    # The same trial again, as after a kill just before its outcome was kept.
    again = trial.perform(what, run, toy_dataset)
    assert again.values == outcome.values
    # At the end of the search, where it is in the front.
    last = trial.perform(replace(what, score_test=True), run, toy_dataset)
    assert (last.state, last.values) == ("complete", outcome.values)
    assert run.finished


def test_a_trial_becomes_the_run_that_compress_would_have_made(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, run = task(folder, toy_dataset)
    trial.perform(what, run, toy_dataset)
    give(monkeypatch, toy_dataset)
    start.score_reduced(run, "edgeecg export --run S-000")
    assert run.finished
    whole = RunFolder(Path("runs/whole"))
    trial_folder.prepare(whole, RunFolder(Path("runs/S-dense")), what.config)
    log = pipeline.compress(Job(what.config, toy_dataset, whole, "edgeecg compress"))
    assert sha256(run.model_weights) == sha256(whole.model_weights)
    cards_ = [ModelCard.from_json(each.model_card.read_bytes(), "card") for each in (run, whole)]
    assert cards_[0] == cards_[1]
    scored = CompressionLog.from_json(run.compression_log.read_bytes(), "log")
    assert [step.val for step in scored.steps] == [step.val for step in log.steps]
    assert scored.resumed == ("edgeecg export --run S-000",)
    # Its settings, steps that a budget alone would not have, make the same run again.
    asked = settings.over_file(Options(), run.config)
    assert start.started("again", asked).config == what.config


def test_a_trial_of_a_module_that_lies_elsewhere_now_is_scored(
    toy_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    give(monkeypatch, toy_dataset)
    net = Path("net.py")
    net.write_text(NET, encoding="utf-8")
    options: dict[str, Any] = {
        "epochs": 1,
        "epoch_windows": 64,
        "batch_size": 64,
        "finetune_epochs": 1,
    }
    space = {"budget": {"low": 0.5, "high": 0.6}}
    edgeecg.search(f"{net}:build", name="S", dry_run=True, space=space, data="synthetic", **options)
    Path("moved").mkdir()
    net.rename("moved/net.py")
    with pytest.raises(UsageError, match=r"net\.py"):
        run_to_export("S-000", None)
    run = run_to_export("S-000", None, "moved/net.py:build")
    assert run.finished
    log = CompressionLog.from_json(run.compression_log.read_bytes(), "log")
    assert log.resumed == ("edgeecg export --run S-000 --custom moved/net.py:build",)


def test_a_trial_that_a_finished_one_beats_is_pruned_and_can_be_resumed(
    folder: Path, toy_dataset: Dataset
) -> None:
    what, run = task(folder, toy_dataset)
    outcome = trial.perform(replace(what, finished=((1.0, 0.01),)), run, toy_dataset)
    assert outcome.state == "pruned"
    assert "After step 1" in (outcome.reason or "")
    assert run.checkpoint.is_file()
    # A finished trial with a better score that costs more says nothing about this one.
    assert trial.perform(replace(what, finished=((1.0, 0.9),)), run, toy_dataset).state == (
        "complete"
    )


def test_a_trial_without_a_budget_is_not_pruned(folder: Path, toy_dataset: Dataset) -> None:
    # How much of the cost its later steps remove does not follow from the first ones.
    what, run = task(folder, toy_dataset, budgets=(), sparsity=0.75, schedule="uniform", steps=2)
    finished = ((1.0, 0.01),)
    assert trial.perform(replace(what, finished=finished), run, toy_dataset).state == "complete"


def test_a_loss_that_is_not_finite_fails_with_its_reason(
    folder: Path, toy_dataset: Dataset
) -> None:
    x = toy_dataset.train.x * float("nan")
    broken = replace(toy_dataset, train=replace(toy_dataset.train, x=x))
    what, run = task(folder, toy_dataset)
    outcome = trial.perform(what, run, broken)
    assert outcome.state == "failed"
    assert "The loss is nan" in (outcome.reason or "")


@pytest.mark.parametrize(("number", "state"), [(28, "full"), (13, "failed")])
def test_a_full_disk_is_told_from_other_faults(
    number: int,
    state: str,
    folder: Path,
    toy_dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, "it cannot be written")

    what, run = task(folder, toy_dataset)
    monkeypatch.setattr("edgeecg.files.tempfile.mkstemp", refused)
    monkeypatch.setattr("edgeecg.compression.run_state.save_checkpoint", refused)
    assert trial.perform(what, run, toy_dataset).state == state


def test_int8_values_are_those_of_an_int8_file(folder: Path, toy_dataset: Dataset) -> None:
    what, run = task(folder, toy_dataset, quantize="ptq")
    three = replace(what, objectives=("macro_f1", "energy", "size"))
    outcome = trial.perform(three, run, toy_dataset)
    log = CompressionLog.from_json(run.compression_log.read_bytes(), "log")
    assert outcome.values is not None
    float32 = log.steps[-1]
    # All weights of a cnn1d are in convolutions and linear layers, but for the normalisations.
    assert outcome.values[2] < 0.35 * float32.weight_bytes
    assert outcome.values[1] < 0.25 * float32.proxy_executed


def test_the_configuration_of_a_trial_can_be_read_again(folder: Path, toy_dataset: Dataset) -> None:
    what, run = task(folder, toy_dataset)
    assert CompressionConfig.from_json(run.config.read_bytes(), "config") == what.config


def test_what_a_listener_raises_is_no_failure_of_the_trial(
    folder: Path, toy_dataset: Dataset
) -> None:
    def lost(progress: float) -> None:
        raise ConnectionError("The search is gone.")

    what, run = task(folder, toy_dataset)
    with pytest.raises(ConnectionError, match="The search is gone"):
        trial.perform(what, run, toy_dataset, on_step=lost)
