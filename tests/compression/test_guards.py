"""A step that breaks a guard is undone, and a smaller one is tried; at the end all guards hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import (
    KilledError,
    dense_run,
    fill_disk_at,
    kill_at,
    recall_falls_below,
    small_run,
)
from torch import nn

from edgeecg.compression import guards
from edgeecg.compression.pipeline import Job, compress, planned
from edgeecg.compression.run_state import RunState
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import sha256
from edgeecg.models import architecture
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionLog, CompressionStep, Guard, ModelCard, Rollback


@pytest.fixture(scope="module")
def start(toy_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = dense_run(toy_dataset, tmp_path_factory.mktemp("runs") / "dense")
    # What was trained finds some S beats; this one is not trained.
    card = ModelCard.from_json(run.baseline_card.read_bytes(), "card")
    s = card.val.per_class["S"].model_copy(update={"recall": 0.9})
    val = card.val.model_copy(update={"per_class": {**card.val.per_class, "S": s}})
    run.baseline_card.write_text(card.model_copy(update={"val": val}).to_json())
    return run


@pytest.fixture
def job(toy_dataset: Dataset, start: RunFolder, tmp_path: Path) -> Job:
    return small_run(toy_dataset, start, tmp_path / "run", guards=("S:recall>=0.5",), retries=2)


def kept(progress: float) -> CompressionStep:
    return CompressionStep.model_construct(progress=progress)


def undone(progress: float, after: int) -> Rollback:
    return Rollback.model_construct(progress=progress, after_step=after)


@pytest.mark.parametrize(
    ("steps", "rollbacks", "aim"),
    [
        ([], [], 0.25),
        ([0.25], [], 0.5),
        ([0.25], [(0.5, 1)], 0.375),
        ([0.25], [(0.5, 1), (0.375, 1)], 0.3125),
        ([0.25, 0.375], [(0.5, 1)], 0.5),
        ([0.25, 0.375], [(0.5, 1), (0.5, 2)], 0.4375),
        ([0.25, 0.375], [(0.5, 1), (0.5, 2), (0.4375, 2)], None),
        ([0.25, 0.5], [(0.5, 1), (0.375, 1)], 0.75),
        ([0.25, 0.5, 0.75, 1.0], [], None),
        ([], [(0.25, 0), (0.125, 0), (0.0625, 0)], None),
    ],
)
def test_what_is_tried_next(
    steps: list[float], rollbacks: list[tuple[float, int]], aim: float | None
) -> None:
    state = RunState(
        nn.Identity(), [kept(at) for at in steps], [undone(*each) for each in rollbacks]
    )
    assert state.next_progress(4, retries=2) == aim
    assert state.attempt == len(steps) + len(rollbacks) + 1


def test_a_step_that_breaks_a_guard_is_undone_and_the_run_ends_where_it_holds(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall_falls_below(monkeypatch, 115_000)
    told: list[CompressionStep | Rollback] = []
    log = compress(replace(job, on_step=told.append))
    card = ModelCard.from_json(job.run.model_card.read_bytes(), "card")
    assert log.steps
    assert len(log.rollbacks) == 3
    assert all(step.parameters >= 115_000 for step in log.steps)
    assert all(back.nonzero_parameters < 115_000 for back in log.rollbacks)
    assert all(back.broken == {"S:recall>=0.5": 0.1} for back in log.rollbacks)
    # Half as far is kept, the whole step then breaks it again, three quarters do too.
    assert [back.progress for back in log.rollbacks] == [0.5, 0.5, 0.375]
    assert [step.progress for step in log.steps] == [0.25]
    assert card.parameters == log.steps[-1].parameters
    assert log.stopped is not None
    assert "S:recall>=0.5 (0.100)" in log.stopped
    assert f"has {log.steps[-1].nonzero_parameters:,} non-zero parameters" in log.stopped
    attempts = [event.attempt for event in told]
    assert attempts == list(range(1, len(log.steps) + len(log.rollbacks) + 1))
    events = [json.loads(line)["event"] for line in job.run.events.read_text().splitlines()]
    assert events.count("rollback") == 3
    assert CompressionLog.from_json(job.run.compression_log.read_bytes(), "log") == log


@pytest.mark.parametrize("batch", [2, 4])
def test_a_run_killed_between_retries_ends_with_the_same_weights(
    batch: int, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall_falls_below(monkeypatch, 115_000)
    whole = compress(replace(job, run=RunFolder(tmp_path / "whole")))
    with pytest.raises(KilledError):
        compress(kill_at(job, batch))
    assert not job.run.finished
    again = compress(job)
    assert sha256(job.run.model_weights) == sha256(tmp_path / "whole" / "model.safetensors")
    assert [back.progress for back in again.rollbacks] == [b.progress for b in whole.rollbacks]
    assert [step.widths for step in again.steps] == [step.widths for step in whole.steps]


@pytest.mark.parametrize("write", [9, 13])
def test_a_disk_that_fills_up_between_retries_costs_nothing(
    write: int, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall_falls_below(monkeypatch, 115_000)
    compress(replace(job, run=RunFolder(tmp_path / "whole")))
    with monkeypatch.context() as patch:
        fill_disk_at(patch, write)
        with pytest.raises(EdgeECGError, match="No space left"):
            compress(job)
    compress(job)
    assert sha256(job.run.model_weights) == sha256(tmp_path / "whole" / "model.safetensors")


def test_when_nothing_holds_the_dense_model_stays(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall_falls_below(monkeypatch, 10**9)
    log = compress(job)
    assert log.steps == ()
    assert log.stopped is not None
    assert "is the dense one" in log.stopped
    card = ModelCard.from_json(job.run.model_card.read_bytes(), "card")
    assert card.weights_sha256 == sha256(job.run.baseline_weights)


def test_a_dense_model_that_breaks_the_guard_is_not_cut(job: Job) -> None:
    bound = Guard.parse("S:recall>=0.95")
    strict = replace(job, config=job.config.model_copy(update={"guards": (bound,)}))
    with pytest.raises(EdgeECGError, match=r"dense model breaks the guard.*0\.900") as caught:
        compress(strict)
    assert f"edgeecg compress --start {job.run.path}" in caught.value.todo
    assert not job.run.checkpoint.exists()


def test_guards_of_what_is_not_there_are_refused(job: Job) -> None:
    for text, said in (
        ("X:recall>=0.5", "known classes are: N, S, V"),
        ("S:auroc>=0.5", "scored by recall, precision and F1"),
        ("macro_auroc>=0.5", "scored by recall, precision and F1"),
    ):
        config = job.config.model_copy(update={"guards": (Guard.parse(text),)})
        with pytest.raises(UsageError, match=said):
            planned(config)
    ptbxl = architecture("resnet1d_se_attn")
    guards.check_names((Guard.parse("MI:auroc>=0.8"), Guard.parse("macro_auroc>=0.8")), ptbxl)


def test_a_loss_that_is_no_number_keeps_the_last_step_and_says_how_to_go_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeecg.compression import objective

    plain, calls = objective.distillation, 0

    def breaks(*rest: object) -> torch.Tensor:
        nonlocal calls
        calls += 1
        loss: torch.Tensor = plain(*rest)  # pyright: ignore[reportArgumentType]
        return loss * float("nan") if calls == 2 else loss

    named = RunFolder(job.run.path.with_name("a run"))
    unguarded = replace(job, run=named, config=job.config.model_copy(update={"guards": ()}))
    with monkeypatch.context() as patch:
        patch.setattr(objective, "distillation", breaks)
        with pytest.raises(EdgeECGError, match="loss is nan") as caught:
            compress(unguarded)
    assert "The model of step 1 is kept" in caught.value.todo
    assert "--name 'a run' --resume --finetune-rate 0.0005" in caught.value.todo
    log = compress(unguarded)
    assert [step.step for step in log.steps] == [1, 2]


def test_a_guard_on_a_class_without_a_validation_window_is_refused(toy_dataset: Dataset) -> None:
    y = toy_dataset.val.y.copy()
    y[y == 1] = 0
    without = replace(toy_dataset, val=replace(toy_dataset.val, y=y))
    guards.check_support([Guard.parse("S:recall>=0.1")], toy_dataset)
    guards.check_support([Guard.parse("N:recall>=0.1"), Guard.parse("macro_f1>=0.1")], without)
    with pytest.raises(UsageError, match="S:recall") as raised:
        guards.check_support([Guard.parse("S:recall>=0.1")], without)
    assert "No validation window is of class S" in raised.value.why
