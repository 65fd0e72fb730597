"""Draws, augmentation, losses, scores, and a loop that can be stopped and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from edgeecg.data import Beats, Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.models import build
from edgeecg.schema import CompressionConfig
from edgeecg.training.augment import augment
from edgeecg.training.baseline import train_baseline
from edgeecg.training.checkpoint import load_checkpoint, save_checkpoint, weights
from edgeecg.training.loop import Stage, make_optimizer, train_epoch
from edgeecg.training.losses import distillation
from edgeecg.training.metrics import score
from edgeecg.training.sampling import draw

STAGE = Stage("test", 1, 1, 1e-3)


def beats_of(y: list[int], record: list[str]) -> Beats:
    count = len(y)
    return Beats(
        x=np.zeros((count, 1, 256), np.float32),
        y=np.asarray(y, np.int64),
        record=np.asarray(record),
        sample=np.arange(count, dtype=np.int64),
    )


def test_a_draw_is_balanced_by_square_roots() -> None:
    # Class sizes 9000 and 100 in one record each: square roots 94.9 and 10, so 9.5 % are rare.
    beats = beats_of([0] * 9000 + [1] * 100, ["a"] * 9000 + ["b"] * 100)
    drawn = beats.y[draw(beats, 20_000, np.random.default_rng(0))]
    assert drawn.mean() == pytest.approx(10 / (10 + 9000**0.5), abs=0.01)


def test_a_patient_with_most_beats_of_a_class_does_not_rule_it() -> None:
    beats = beats_of([1] * 9900 + [1] * 100, ["a"] * 9900 + ["b"] * 100)
    drawn = beats.record[draw(beats, 20_000, np.random.default_rng(0))]
    assert (drawn == "b").mean() == pytest.approx(10 / (10 + 9900**0.5), abs=0.01)


def test_augmented_windows_are_normalised_and_repeatable() -> None:
    x = torch.randn(8, 1, 256)
    once, again = (augment(x, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.allclose(once, x, atol=0.05)
    torch.testing.assert_close(once.mean(dim=2), torch.zeros(8, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(once.std(dim=2, unbiased=False), torch.ones(8, 1), atol=1e-3, rtol=0)


def test_distillation_by_hand() -> None:
    student = torch.tensor([[1.0, 0.0]])
    teacher = torch.tensor([[0.0, 2.0]])
    # T = 2: softmax(t/T) = softmax(0, 1), softmax(s/T) = softmax(0.5, 0).
    p = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    q = np.exp([0.5, 0.0]) / np.exp([0.5, 0.0]).sum()
    soft = 4 * (p * np.log(p / q)).sum()
    hard = -np.log(np.exp(1) / (np.exp(1) + 1))
    loss = distillation(student, teacher, torch.tensor([0]), alpha=0.25, temperature=2.0)
    assert float(loss) == pytest.approx(0.75 * hard + 0.25 * soft, rel=1e-5)


def test_distillation_from_itself_is_cross_entropy_alone() -> None:
    logits = torch.randn(6, 3)
    target = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = distillation(logits, logits, target, alpha=0.5, temperature=3.0)
    expected = 0.5 * torch.nn.functional.cross_entropy(logits, target)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_scores_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    beats = beats_of(list(truth), [f"r{i % 5}" for i in range(400)])
    logits = rng.standard_normal((400, 3)).astype(np.float32) + np.eye(3, dtype=np.float32)[truth]
    called = logits.argmax(axis=1)
    found = score(logits, beats, ("N", "S", "V"), "test", "synthetic")
    assert found.n == 400
    assert found.accuracy == pytest.approx(accuracy_score(truth, called))
    assert found.macro_f1 == pytest.approx(f1_score(truth, called, average="macro"))
    for i, name in enumerate("NSV"):
        mine = found.per_class[name]
        assert mine.recall == pytest.approx(
            recall_score(truth, called, labels=[i], average="macro")
        )
        assert mine.precision == pytest.approx(
            precision_score(truth, called, labels=[i], average="macro")
        )
    assert set(found.records) == {f"r{i}" for i in range(5)}
    assert np.array_equal(sum(np.asarray(m) for m in found.records.values()), found.confusion)
    assert found.macro_f1_ci95 is not None
    low, high = found.macro_f1_ci95
    assert low < found.macro_f1 < high


def test_a_class_that_is_missing_scores_zero_not_nan() -> None:
    beats = beats_of([0, 0, 1], ["a", "a", "b"])
    logits = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    found = score(logits, beats, ("N", "S", "V"), "val", "synthetic")
    assert found.per_class["V"].f1 == 0.0
    assert found.macro_f1 == pytest.approx(2 / 3)


def test_an_epoch_is_repeatable(toy_dataset: Dataset, toy_config: CompressionConfig) -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        model = build("cnn1d")
        train_epoch(
            model, make_optimizer(model, toy_config, STAGE), toy_dataset.train, toy_config, STAGE, 0
        )
        torch.rand(1)  # whatever happens between epochs must not matter
        results.append(weights(model))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_a_loss_that_is_not_finite_stops_training(
    toy_dataset: Dataset, toy_config: CompressionConfig
) -> None:
    model = build("cnn1d")
    broken = replace(toy_dataset.train, x=np.full_like(toy_dataset.train.x, np.nan))
    with pytest.raises(EdgeECGError, match="The loss is nan"):
        train_epoch(model, make_optimizer(model, toy_config, STAGE), broken, toy_config, STAGE, 0)


class KilledError(Exception):
    """Stands for a kill at this very moment."""


def test_a_baseline_killed_in_any_epoch_ends_the_same(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    whole = train_baseline(toy_dataset, toy_config, tmp_path / "whole")
    calls = 0

    def kill(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls in (2, 9):  # in the first epoch, and after the resume in the second
            raise KilledError

    for _ in range(2):
        with pytest.raises(KilledError):
            train_baseline(toy_dataset, toy_config, tmp_path / "killed", kill)
    resumed = train_baseline(toy_dataset, toy_config, tmp_path / "killed", kill)
    assert resumed.epochs == whole.epochs == toy_config.epochs
    expected, found = weights(whole.model), weights(resumed.model)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_early_stopping(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    config = toy_config.model_copy(
        update={"epochs": 30, "patience": 1, "learning_rate": 1e-12, "epoch_windows": 64}
    )
    assert train_baseline(toy_dataset, config, tmp_path / "state").epochs < 30


def test_a_checkpoint_survives(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    save_checkpoint(path, {"a": torch.arange(3)}, {"epoch": 2, "f1": 0.1 + 0.2})
    tensors, state = load_checkpoint(path)
    assert torch.equal(tensors["a"], torch.arange(3))
    assert state == {"epoch": 2, "f1": 0.1 + 0.2}


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"junk" * 100])
def test_a_damaged_checkpoint_is_explained(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    with pytest.raises(EdgeECGError, match="cannot be read"):
        load_checkpoint(path)


def test_a_checkpoint_holds_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    save_checkpoint(path, {"a": torch.zeros(1)}, {"epoch": 2})
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert json.loads(path.read_bytes()[8 : 8 + header])["__metadata__"]
