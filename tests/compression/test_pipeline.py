"""A whole run: what it leaves, and that a kill or a full disk anywhere costs nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from small_runs import KilledError, dense_run, fill_disk_at, kill_at, small_run

from edgeecg.compression.pipeline import Job, compress
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.files import sha256
from edgeecg.models import load
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CompressionLog, ModelCard, TrainingConfig


@pytest.fixture
def job(toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path) -> Job:
    return Job(toy_config, toy_dataset, RunFolder(tmp_path / "run"), "edgeecg compress")


def card(path: Path) -> ModelCard:
    return ModelCard.from_json(path.read_bytes(), str(path))


@pytest.fixture(scope="module")
def finished(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("runs") / "whole")
    compress(Job(toy_config, toy_dataset, run, "edgeecg compress"))
    return run


def test_what_a_run_leaves(finished: RunFolder, toy_config: CompressionConfig) -> None:
    log = CompressionLog.from_json(finished.compression_log.read_bytes(), "log")
    baseline, compressed = card(finished.baseline_card), card(finished.model_card)
    assert finished.finished
    assert not finished.checkpoint.exists()
    assert [step.step for step in log.steps] == [1, 2]
    assert log.config == toy_config
    assert baseline.parameters == 188_035
    assert compressed.parameters == log.steps[-1].parameters < 0.45 * 188_035
    assert compressed.parent_sha256 == baseline.weights_sha256 == sha256(finished.baseline_weights)
    assert compressed.weights_sha256 == sha256(finished.model_weights)
    assert compressed.test.n == 120
    targets = [step.target_sparsity or 0.0 for step in log.steps]
    assert 0 < targets[0] < targets[1] == pytest.approx(0.6)
    assert 0 < log.steps[1].proxy_executed < log.steps[0].proxy_executed < 1
    model = load(finished.model_weights, compressed)
    assert sum(p.numel() for p in model.parameters()) == compressed.parameters
    events = [json.loads(line)["event"] for line in finished.events.read_text().splitlines()]
    assert events == ["start", "baseline", "step", "step", "finished"]


def test_channels_are_gone_in_both_readings_of_the_proxy(finished: RunFolder) -> None:
    log = CompressionLog.from_json(finished.compression_log.read_bytes(), "log")
    for step in log.steps:
        assert step.proxy_ideal == pytest.approx(step.proxy_executed, rel=1e-3)
        assert set(step.layer_sparsity) == {
            "features.0",
            "features.4",
            "features.8",
            "dense",
            "head",
        }


def test_zeroed_weights_cost_nothing_only_ideally(job: Job) -> None:
    log = compress(replace(job, config=job.config.model_copy(update={"structure": "none"})))
    last = log.steps[-1]
    assert last.proxy_executed == pytest.approx(1.0)
    assert last.proxy_ideal < 0.75
    assert last.parameters == 188_035
    assert last.sparsity == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("structure", ["blocks", "none"])
@pytest.mark.parametrize("method", ["taylor", "random"])
def test_other_methods_reach_the_same_size(structure: str, method: str, job: Job) -> None:
    changes = {"structure": structure, "method": method, "steps": 1}
    log = compress(replace(job, config=job.config.model_copy(update=changes)))
    assert 0.55 < log.steps[-1].sparsity < 0.65


def test_a_run_without_some_blocks_counts_their_layers_as_gone(
    toy_dataset: Dataset, tmp_path: Path
) -> None:
    training = TrainingConfig(
        model="resnet1d_attn", epochs=1, epoch_windows=64, batch_size=32, average=0.5
    )
    config = CompressionConfig(
        training=training, structure="blocks", steps=1, finetune_epochs=1, sparsity=0.6
    )
    run = RunFolder(tmp_path / "blocks")
    log = compress(Job(config, toy_dataset, run, "edgeecg compress"))
    step = log.steps[-1]
    assert 0 in step.widths["inner"]
    gone = step.widths["inner"].index(0)
    assert step.layer_sparsity[f"stages.{gone // 2}.1.conv1"] == 1.0
    assert load(run.model_weights, card(run.model_card)).eval()


@pytest.mark.parametrize("batch", [3, 7, 11, 15])
def test_a_run_killed_in_any_stage_ends_with_the_same_weights(
    batch: int, job: Job, finished: RunFolder
) -> None:
    with pytest.raises(KilledError):
        compress(kill_at(job, batch))
    assert not job.run.finished
    compress(job)
    assert sha256(job.run.model_weights) == sha256(finished.model_weights)
    assert sha256(job.run.baseline_weights) == sha256(finished.baseline_weights)


@pytest.mark.parametrize("write", range(2, 14, 2))
def test_a_disk_that_fills_up_at_any_write_costs_nothing(
    write: int, job: Job, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fill_disk_at(patch, write)
        with pytest.raises(EdgeECGError, match="No space left"):
            compress(job)
    assert not job.run.finished
    for path in job.run.path.glob("*.safetensors"):
        load_file(path)
    compress(job)
    assert sha256(job.run.model_weights) == sha256(finished.model_weights)


def test_a_finished_run_is_not_trained_again(finished: RunFolder, job: Job) -> None:
    before = sha256(finished.model_weights)
    with pytest.raises(EdgeECGError, match="finished"):
        compress(replace(job, run=finished))
    assert sha256(finished.model_weights) == before


@pytest.mark.parametrize("moment", ["training, epoch 2", "step"])
def test_other_records_are_refused_on_resume(job: Job, moment: str) -> None:
    def kill_in_step(what: str, done: int, total: int) -> None:
        if what.startswith(moment):
            raise KilledError

    with pytest.raises(KilledError):
        compress(replace(job, progress=kill_in_step))
    summary = job.dataset.summary.model_copy(update={"content_sha256": "1" * 64})
    with pytest.raises(EdgeECGError, match="with these records"):
        compress(replace(job, dataset=replace(job.dataset, summary=summary)))


def test_training_that_the_dense_model_did_not_have_is_said_and_left_out_of_the_card(
    toy_dataset: Dataset, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, dense_run(toy_dataset, tmp_path / "dense"), tmp_path / "run")
    training = job.config.training.model_copy(update={"epochs": 3, "learning_rate": 0.5})
    asked = replace(job, config=job.config.model_copy(update={"training": training}))
    epochs, rate = compress(asked).warnings
    assert epochs.startswith(
        "--epochs 3 has no effect: the dense model is trained already, with 8."
    )
    assert rate.startswith("--learning-rate 0.5 has no effect")
    made = card(asked.run.model_card).training
    dense = card(asked.run.baseline_card).training
    assert (made.epochs, made.learning_rate) == (dense.epochs, dense.learning_rate)
    assert made.batch_size == 64
