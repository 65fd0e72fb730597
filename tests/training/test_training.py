"""Draws, augmentation, losses, scores, and a loop that can be stopped and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgeecg.data import Dataset, Windows
from edgeecg.errors import EdgeECGError
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import build
from edgeecg.schema import (
    Augmentation,
    CompressionConfig,
    Preprocessing,
    Reference,
    Rhythm,
    Task,
    TrainingConfig,
)
from edgeecg.training.augment import Augmenter
from edgeecg.training.baseline import train
from edgeecg.training.checkpoint import load_checkpoint, save_checkpoint, unprefixed, weights
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import (
    Stage,
    Trainer,
    make_optimizer,
    supervised_objective,
    training_data,
)
from edgeecg.training.losses import distillation
from edgeecg.training.sampling import draw

STAGE = Stage("test", 1, 1, 1e-3, supervised_objective("beats"))


@pytest.fixture
def config(toy_config: CompressionConfig) -> TrainingConfig:
    return toy_config.training


def epoch(model: nn.Module, dataset: Dataset, config: TrainingConfig) -> None:
    optimizer = make_optimizer(model, config, STAGE)
    data = training_data(dataset, config)
    Trainer.prepare(open_accelerator(1), model, optimizer, data).train_epoch(STAGE, 0)


def beats_of(y: list[int], record: list[str]) -> Windows:
    count = len(y)
    return Windows(
        x=np.zeros((count, 1, 256), np.float32),
        y=np.asarray(y, np.int64),
        record=np.asarray(record),
        patient=np.asarray(record),
        sample=np.arange(count, dtype=np.int64),
    )


def test_a_draw_is_balanced() -> None:
    # Class sizes 9000 and 100 in one record each: 24.2 and 5.0 to the power of 0.35, 17 % are rare.
    beats = beats_of([0] * 9000 + [1] * 100, ["a"] * 9000 + ["b"] * 100)
    drawn = beats.y[draw(beats, 20_000, np.random.default_rng(0))]
    assert drawn.mean() == pytest.approx(100**0.35 / (100**0.35 + 9000**0.35), abs=0.01)


def test_a_patient_with_most_beats_of_a_class_does_not_rule_it() -> None:
    beats = beats_of([1] * 9900 + [1] * 100, ["a"] * 9900 + ["b"] * 100)
    drawn = beats.record[draw(beats, 20_000, np.random.default_rng(0))]
    assert (drawn == "b").mean() == pytest.approx(10 / (10 + 9900**0.5), abs=0.01)


STRIP = Rhythm(beats=8, hold=4)
RHYTHM = Preprocessing(rhythm=STRIP, r_index=166)
EVERYTHING = Augmentation(
    shift=4,
    stretch=0.1,
    gain=0.2,
    warp=0.1,
    colour=0.3,
    wander=0.5,
    noise=0.3,
    lead_dropout=0.1,
    rhythm_jitter=0.05,
    rhythm_gain=0.1,
)


def test_augmented_windows_are_normalised_and_repeatable() -> None:
    x = torch.randn(8, 1, 256)
    augment = Augmenter(Augmentation(), Preprocessing())
    once, again = (augment(x, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.allclose(once, x, atol=0.05)
    torch.testing.assert_close(once.mean(dim=2), torch.zeros(8, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(once.std(dim=2, unbiased=False), torch.ones(8, 1), atol=1e-3, rtol=0)


def test_augmentation_that_is_all_off_changes_nothing() -> None:
    x = torch.randn(4, 12, 500)
    fixed = Preprocessing(
        window=500,
        r_index=None,
        highpass_hz=None,
        normalisation="global-zscore",
        mean_mv=0,
        deviation_mv=1,
    )
    off = Augmentation(shift=0, wander=0, noise=0)
    assert torch.equal(Augmenter(off, fixed)(x, torch.Generator()), x)


def test_the_rhythm_strip_stays_a_strip() -> None:
    rhythm = STRIP
    strip = torch.randn(6, 1, rhythm.beats).repeat_interleave(rhythm.hold, dim=2)
    x = torch.cat([strip, torch.randn(6, 1, 256 - rhythm.samples)], dim=2)
    made = Augmenter(EVERYTHING, RHYTHM)(x, torch.Generator().manual_seed(1))
    assert made.shape == x.shape
    changed = made[:, :, : rhythm.samples].unflatten(2, (rhythm.beats, rhythm.hold))
    assert torch.equal(changed.amin(dim=3), changed.amax(dim=3))
    assert changed.abs().max() <= 4
    assert not torch.equal(changed[:, 0, :, 0], strip[:, 0, :: rhythm.hold])
    # Scaled and jittered, but still those intervals.
    both = torch.stack([changed[:, 0, :, 0].flatten(), strip[:, 0, :: rhythm.hold].flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.9


def test_without_a_signal_the_strip_is_all_there_is() -> None:
    x = torch.randn(5, 1, 256)
    sizes = Augmentation(signal_dropout=1.0)
    made = Augmenter(sizes, RHYTHM)(x, torch.Generator().manual_seed(1))
    strip = STRIP.samples
    assert torch.count_nonzero(made[:, :, strip:]) == 0
    torch.testing.assert_close(made[:, :, :strip:4], x[:, :, :strip:4].clamp(-4, 4))


def test_with_a_reference_everything_off_changes_nothing() -> None:
    whole = Preprocessing(rhythm=STRIP, reference=Reference(), r_index=82)
    signal = torch.randn(4, 1, 112)
    signal = (signal - signal.mean(2, keepdim=True)) / signal.std(2, keepdim=True, unbiased=False)
    mean_beat = torch.randn(4, 1, 112)
    mean_beat -= mean_beat.mean(dim=2, keepdim=True)
    x = torch.cat([torch.zeros(4, 1, 32), signal, signal - mean_beat], dim=2)
    off = Augmentation(shift=0, wander=0, noise=0)
    torch.testing.assert_close(Augmenter(off, whole)(x, torch.Generator()), x, atol=1e-4, rtol=0)
    # Stretched and filtered alike, beat and mean beat still cancel where they are the same.
    same = torch.cat([torch.zeros(4, 1, 32), signal, torch.zeros(4, 1, 112)], dim=2)
    alike = Augmentation(shift=4, stretch=0.1, warp=0.2, colour=0.3, wander=0, noise=0)
    made = Augmenter(alike, whole)(same, torch.Generator().manual_seed(0))
    assert made[:, :, 144:].abs().max() < 1e-4
    assert not torch.allclose(made[:, :, 32:144], signal, atol=0.1)
    # Without its signal a window still has the difference.
    blank = Augmentation(shift=0, wander=0, noise=0, signal_dropout=1.0)
    made = Augmenter(blank, whole)(x, torch.Generator())
    assert torch.count_nonzero(made[:, :, 32:144]) == 0
    torch.testing.assert_close(made[:, :, 144:], x[:, :, 144:], atol=1e-4, rtol=0)


def test_normal_beats_get_the_rhythm_of_atrial_fibrillation() -> None:
    window = Preprocessing(window=100, r_index=60, rhythm=Rhythm(beats=16, hold=2, gain=4.0))
    x = torch.zeros(4000, 1, 100)
    normal = torch.arange(4000) % 2 == 0
    sizes = Augmentation(irregular_rhythm=0.25)
    made = Augmenter(sizes, window).irregular(x, normal, torch.Generator().manual_seed(0))
    assert torch.count_nonzero(made[:, :, 32:]) == 0
    changed = torch.count_nonzero(made, dim=(1, 2)) > 0
    assert not changed[~normal].any()
    assert 0.22 < changed[normal].float().mean() < 0.28
    # Each interval is held for two samples; ln(RR) has a deviation between 0.1 and 0.3.
    assert torch.equal(made[:, 0, 0:32:2], made[:, 0, 1:32:2])
    deviations = (made[changed, 0, 0:32:2] / 4).std(dim=1)
    assert 0.1 < deviations.mean() < 0.3
    off = Augmenter(Augmentation(), window)
    assert off.irregular(x, normal, torch.Generator()) is x


def test_recorded_noise_is_added_and_nothing_else() -> None:
    x = torch.zeros(3, 2, 100)
    fixed = Preprocessing(
        window=100,
        r_index=None,
        highpass_hz=None,
        normalisation="global-zscore",
        mean_mv=0,
        deviation_mv=1,
        leads=("I", "II"),
    )
    sizes = Augmentation(shift=0, wander=0, noise=0, recorded_noise=0.5)
    ramp = np.arange(2000, dtype=np.float32).reshape(2, 1000)
    made = Augmenter(sizes, fixed, ramp)(x, torch.Generator().manual_seed(0))
    steps = made.diff(dim=2)
    # A ramp of slope one, scaled by a factor of up to one half, the same over a window.
    assert 0 < steps.min() <= steps.max() <= 0.5
    torch.testing.assert_close(steps, steps[:, :1, :1].expand_as(steps), rtol=1e-3, atol=1e-4)


def test_distillation_by_hand() -> None:
    student = torch.tensor([[1.0, 0.0]])
    teacher = torch.tensor([[0.0, 2.0]])
    # T = 2: softmax(t/T) = softmax(0, 1), softmax(s/T) = softmax(0.5, 0).
    p = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    q = np.exp([0.5, 0.0]) / np.exp([0.5, 0.0]).sum()
    expected = 4 * (p * np.log(p / q)).sum()
    loss = distillation(student, teacher, 2.0, "beats")
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_distillation_of_several_labels_by_hand() -> None:
    student, teacher = torch.tensor([[0.0, 2.0]]), torch.tensor([[2.0, 2.0]])
    # T = 2: the second label agrees. The first: Bernoulli(sigmoid(1)) against Bernoulli(1/2).
    p = 1 / (1 + np.exp(-1.0))
    divergence = p * np.log(p / 0.5) + (1 - p) * np.log((1 - p) / 0.5)
    loss = distillation(student, teacher, 2.0, "records")
    assert float(loss) == pytest.approx(4 * divergence / 2, rel=1e-5)


@pytest.mark.parametrize("task", ["beats", "records"])
def test_distillation_from_itself_is_nothing(task: Task) -> None:
    logits = torch.randn(6, 3)
    assert float(distillation(logits, logits, 3.0, task)) == pytest.approx(0, abs=1e-6)


def test_an_epoch_is_repeatable(toy_dataset: Dataset, config: TrainingConfig) -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        model = build("cnn1d")
        epoch(model, toy_dataset, config)
        torch.rand(1)  # whatever happens between epochs must not matter
        results.append(weights(model))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_a_loss_that_is_not_finite_stops_training(
    toy_dataset: Dataset, config: TrainingConfig
) -> None:
    broken = replace(toy_dataset.train, x=np.full_like(toy_dataset.train.x, np.nan))
    with pytest.raises(EdgeECGError, match="The loss is nan"):
        epoch(build("cnn1d"), replace(toy_dataset, train=broken), config)


@pytest.mark.parametrize(
    ("size", "batches"),
    [(299, [300]), (298, [298, 2]), (150, [150, 150]), (23, [*[23] * 12, 24])],
)
def test_a_window_that_is_left_over_is_no_batch_of_its_own(
    size: int, batches: list[int], toy_dataset: Dataset, config: TrainingConfig
) -> None:
    seen: list[int] = []
    # A batch norm over features takes no batch of one window.
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    every_window = {"epoch_windows": None, "batch_size": size}
    epoch(model, toy_dataset, config.model_copy(update=every_window))
    assert seen == batches


def test_records_of_several_classes_are_learned(records_dataset: Dataset, tmp_path: Path) -> None:
    config = TrainingConfig(
        model="resnet1d_se_attn",
        epochs=1,
        epoch_windows=None,
        batch_size=4,
        mixup=0.2,
        label_smoothing=0.05,
        average=0.5,
        augmentation=Augmentation(shift=20, lead_dropout=0.05),
    )
    trained = train(records_dataset, config, tmp_path / "state")
    found = evaluate(trained.model, records_dataset, "test")
    assert found.macro_auroc is not None
    assert found.macro_auroc > 0.8
    assert found.headline == ("macro AUROC", found.macro_auroc)


def test_a_split_without_a_beat_outside_the_classes_is_scored(toy_dataset: Dataset) -> None:
    val = toy_dataset.val
    none = Windows(val.x[:0], val.y[:0], val.record[:0], val.patient[:0], val.sample[:0])
    model = build("cnn1d")
    plain = evaluate(model, toy_dataset, "val")
    found = evaluate(model, replace(toy_dataset, outside={"val": none}), "val")
    assert plain.ec57 is None
    assert found.ec57 is not None
    assert found.macro_f1 == plain.macro_f1


def test_a_balanced_draw_needs_one_class_each(records_dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="epoch_windows to None"):
        draw(records_dataset.train, 64, np.random.default_rng(0))


def test_each_window_once() -> None:
    beats = beats_of([0] * 5 + [1], ["a"] * 6)
    assert sorted(draw(beats, None, np.random.default_rng(0))) == list(range(6))


class KilledError(Exception):
    """Stands for a kill at this very moment."""


def test_a_baseline_killed_in_any_epoch_ends_the_same(
    toy_dataset: Dataset, config: TrainingConfig, tmp_path: Path
) -> None:
    whole = train(toy_dataset, config, tmp_path / "whole")
    calls = 0

    def kill(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls in (2, 9):  # in the first epoch, and after the resume in the second
            raise KilledError

    for _ in range(2):
        with pytest.raises(KilledError):
            train(toy_dataset, config, tmp_path / "killed", kill)
    resumed = train(toy_dataset, config, tmp_path / "killed", kill)
    assert resumed.epochs == whole.epochs == config.epochs
    expected, found = weights(whole.model), weights(resumed.model)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_running_mean_of_the_best_epoch_is_kept(
    toy_dataset: Dataset, config: TrainingConfig, tmp_path: Path
) -> None:
    class StoppedError(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("training, epoch 3"):
            raise StoppedError

    long = config.model_copy(update={"epochs": 3})
    with pytest.raises(StoppedError):
        train(toy_dataset, long, tmp_path / "state", stop)
    tensors, facts = load_checkpoint(tmp_path / "state")
    last, mean = unprefixed("model", tensors), unprefixed("averaged", tensors)
    assert facts["epoch"] == 2
    assert not torch.equal(last["dense.weight"], mean["module.dense.weight"])
    best = unprefixed("best", tensors)
    kept_last = torch.equal(best["dense.weight"], mean["module.dense.weight"])
    assert kept_last == (facts["best_epoch"] == 2)


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
