"""A whole run with ``--quantize``: pruned and made ready for int8, resumable as any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from small_runs import small_run

from edgeecg import cli
from edgeecg.compression.pipeline import Job, compress
from edgeecg.data import Dataset
from edgeecg.files import sha256
from edgeecg.models import load_custom
from edgeecg.quantization import int8_stage
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, ModelCard, QuantizationLog, Quantize


class KilledError(Exception):
    """Stands for a kill at this very moment."""


def job(
    mode: Quantize, structure: str, dataset: Dataset, config: CompressionConfig, run: Path
) -> Job:
    asked = config.model_copy(update={"quantize": mode, "structure": structure, "steps": 1})
    return Job(asked, dataset, RunFolder(run), "edgeecg compress")


def log_of(run: RunFolder) -> QuantizationLog:
    return QuantizationLog.from_json(run.quantization.read_bytes(), "quantization.json")


@pytest.fixture(scope="module")
def trained(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    """A finished run with quantisation-aware training, of zeroed weights."""
    made = job("qat", "none", toy_dataset, toy_config, tmp_path_factory.mktemp("runs") / "qat")
    compress(made)
    return made.run


def test_pruning_and_training_with_rounding_on_are_one_run(
    trained: RunFolder, toy_config: CompressionConfig
) -> None:
    log = log_of(trained)
    card = ModelCard.from_json(trained.model_card.read_bytes(), "card")
    assert (log.mode, len(log.train_loss)) == ("qat", toy_config.finetune_epochs)
    assert card.epochs == 2
    assert card.weights_sha256 == sha256(trained.model_weights)
    # 60 % of the weights were zeroed before, and are zero after.
    assert card.nonzero_parameters / card.parameters == pytest.approx(0.4, abs=0.01)
    assert log.val_int8 == pytest.approx(card.val.macro_f1, abs=0.1)
    events = [json.loads(line)["event"] for line in trained.events.read_text().splitlines()]
    assert events == ["start", "baseline", "step", "quantization", "finished"]


def test_after_training_alone_the_weights_are_those_of_a_run_without_int8(
    trained: RunFolder, toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    modes: tuple[Quantize, ...] = ("none", "ptq")
    for mode in modes:
        compress(job(mode, "none", toy_dataset, toy_config, tmp_path / mode))
    none, ptq = RunFolder(tmp_path / "none"), RunFolder(tmp_path / "ptq")
    assert sha256(none.model_weights) == sha256(ptq.model_weights) != sha256(trained.model_weights)
    assert not none.quantization.exists()
    assert log_of(ptq).mode == "ptq"


def test_channels_are_cut_and_stay_cut(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    made = job("qat", "channels", toy_dataset, toy_config, tmp_path / "run")
    log = compress(made)
    card = ModelCard.from_json(made.run.model_card.read_bytes(), "card")
    assert card.widths == log.steps[-1].widths
    assert sum(array.size for array in load_file(made.run.model_weights).values()) < 100_000
    assert set(log_of(made.run).lost) == set(log.steps[-1].layer_sparsity)


def test_a_run_killed_while_it_trains_for_int8_ends_with_the_same_weights(
    trained: RunFolder, toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    def kill(what: str, done: int, total: int) -> None:
        if what.startswith("quantisation") and done == 2:
            raise KilledError

    again = job("qat", "none", toy_dataset, toy_config, tmp_path / "run")
    with pytest.raises(KilledError):
        compress(replace(again, progress=kill))
    assert not again.run.finished
    compress(again)
    assert sha256(again.run.model_weights) == sha256(trained.model_weights)
    assert log_of(again.run) == log_of(trained)


NORM_BEHIND_RELU = """
from torch import nn


def build():
    head = nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 3)
    return nn.Sequential(nn.Conv1d(1, 8, 5), nn.ReLU(), nn.BatchNorm1d(8), *head)
"""


@pytest.mark.parametrize("norm", ["batch", "frozen"])
def test_a_norm_that_is_no_part_of_a_layer_is_frozen_where_all_are(
    norm: str, toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(NORM_BEHIND_RELU)
    custom = load_custom(f"{tmp_path / 'net.py'}:build")
    made = job("qat", "none", toy_dataset, toy_config, tmp_path / "run")
    training = made.config.training.model_copy(update={"model": custom.RECIPE.model})
    changes = {"training": training, "finetune_norm": norm, "custom": custom.origin}
    config = made.config.model_copy(update=changes)
    compress(replace(made, config=config, custom=custom))
    files = made.run.baseline_weights, made.run.model_weights
    before, after = (load_file(path)["2.running_mean"] for path in files)
    assert (before == after).all() == (norm == "frozen")


def test_features_are_compared_in_training_with_rounding_on(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    def loss(weight: float) -> float:
        # Steps of one batch, whose learning rate is 0, give the same pruned model.
        folder = tmp_path / f"{weight:g}"
        made = small_run(
            toy_dataset, start, folder, steps=1, quantize="qat", distill_features=weight
        )
        compress(made)
        return log_of(made.run).train_loss[0]

    assert loss(2.0) > loss(1.0) > loss(0.0)


def test_a_model_that_cannot_be_made_ready_costs_no_training(
    toy_dataset: Dataset,
    toy_config: CompressionConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*given: object) -> None:
        raise KilledError

    monkeypatch.setattr(int8_stage, "prepare", refuse)
    made = job("ptq", "none", toy_dataset, toy_config, tmp_path / "run")
    with pytest.raises(KilledError):
        compress(made)
    assert not made.run.path.exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--quantize", "int4"], "quantize"),
        (["--quantize", "qat", "--finetune-epochs", "0"], "finetune_epochs"),
    ],
)
def test_options_that_contradict_one_another_are_refused(
    options: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["compress", "cnn1d", *options]) == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
