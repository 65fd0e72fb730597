"""Training with teachers: their mean probabilities, their windows, and which are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeecg.data import Dataset
from edgeecg.data.windows.annotated import BEATS
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import architecture
from edgeecg.schema import CompressionConfig, Preprocessing, Rhythm, Task, TrainingConfig
from edgeecg.training.baseline import train
from edgeecg.training.checkpoint import weights
from edgeecg.training.teachers import (
    Ensemble,
    can_be_made,
    load_teachers,
    taught_objective,
    with_strip_of,
)

PLAIN = Preprocessing()


class Fixed(nn.Module):
    """Gives the same logits for every window."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1)


def two(task: Task) -> Ensemble:
    return Ensemble([Fixed(0.0, 2.0), Fixed(4.0, 0.0)], [PLAIN, PLAIN], PLAIN, task)


@pytest.fixture
def beats(toy_dataset: Dataset) -> Dataset:
    """Toy windows that say they are made as those of the package's models."""
    return replace(toy_dataset, preprocessing=BEATS)


@pytest.fixture
def config(toy_config: CompressionConfig) -> TrainingConfig:
    return toy_config.training.model_copy(update={"teachers": ("cnn1d",), "epochs": 1})


def test_the_mean_of_the_probabilities_by_hand() -> None:
    # T = 2: softmax(0, 1) and softmax(2, 0).
    first, second = (np.exp(each) / np.exp(each).sum() for each in ([0.0, 1.0], [2.0, 0.0]))
    logits = two("beats").logits(torch.zeros(1, 1, 256), 2.0)
    found = torch.softmax(logits / 2, dim=1)[0].numpy()
    np.testing.assert_allclose(found, (first + second) / 2, rtol=1e-5)


def test_the_mean_of_several_labels_by_hand() -> None:
    expected = [(1 / (1 + np.exp(-a)) + 1 / (1 + np.exp(-b))) / 2 for a, b in ((0, 2), (1, 0))]
    logits = two("records").logits(torch.zeros(1, 1, 256), 2.0)
    np.testing.assert_allclose(torch.sigmoid(logits / 2)[0].numpy(), expected, rtol=1e-5)


def test_the_loss_is_shared_between_labels_and_teachers() -> None:
    config = TrainingConfig(teachers=("cnn1d",), teacher_weight=0.25, teacher_temperature=1.0)
    teacher = Ensemble([Fixed(0.0, 0.0)], [PLAIN], PLAIN, "beats")
    objective = taught_objective(config, teacher, "beats")
    target = torch.tensor([[1.0, 0.0]])
    loss = objective(torch.tensor([[np.log(3.0), 0.0]]), torch.zeros(1, 1, 256), target)
    # The student says 3/4 and 1/4, the label is the first class, the teacher says one half each.
    hard = -np.log(3 / 4)
    soft = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    assert float(loss) == pytest.approx(0.75 * hard + 0.25 * soft, rel=1e-5)


def test_a_teacher_gets_the_last_intervals_in_its_own_form() -> None:
    given = Preprocessing(window=24, r_index=10, rhythm=Rhythm(beats=4, hold=1))
    wanted = Preprocessing(window=26, r_index=12, rhythm=Rhythm(beats=2, hold=3))
    assert can_be_made(wanted, given)
    assert not can_be_made(given, wanted)
    x = torch.arange(24.0).expand(1, 1, -1)
    made = with_strip_of(x, given, wanted)[0, 0].tolist()
    assert made == [2, 2, 2, 3, 3, 3, *range(4, 24)]


@pytest.mark.parametrize(
    "change",
    [
        {"r_index": 13},
        {"highpass_hz": 1.0},
        {"rhythm": Rhythm(beats=2, hold=3, gain=2.0)},
        {"rhythm": None},
    ],
)
def test_other_windows_cannot_be_made(change: dict[str, object]) -> None:
    given = Preprocessing(window=24, r_index=10, rhythm=Rhythm(beats=4, hold=1))
    wanted = Preprocessing(window=26, r_index=12, rhythm=Rhythm(beats=2, hold=3))
    assert not can_be_made(wanted.model_copy(update=change), given)


def test_the_windows_of_tiny_rhythm_hold_those_of_the_other_beat_models() -> None:
    own = architecture("tiny_rhythm").RECIPE.preprocessing
    assert own is not None
    assert can_be_made(BEATS, own)


def test_a_teacher_changes_the_weights_but_not_what_is_drawn(
    beats: Dataset, config: TrainingConfig, tmp_path: Path
) -> None:
    alone = config.model_copy(update={"teachers": ()})
    # A teacher without weight in the loss draws nothing: bit for bit the run without it.
    silent = config.model_copy(update={"teacher_weight": 0.0})
    found = {
        name: weights(train(beats, each, tmp_path / name).model)
        for name, each in (("alone", alone), ("silent", silent), ("taught", config))
    }
    assert all(torch.equal(found["alone"][key], found["silent"][key]) for key in found["alone"])
    assert any(not torch.equal(found["alone"][key], found["taught"][key]) for key in found["alone"])


def test_a_teacher_of_other_classes_is_refused(beats: Dataset, config: TrainingConfig) -> None:
    other = config.model_copy(update={"teachers": ("cnn1d", "conv_transformer")})
    with pytest.raises(UsageError, match=r"'conv_transformer'.*NORM, MI.*N, S, V"):
        load_teachers(other, beats)


def test_a_teacher_with_other_windows_is_refused(
    toy_dataset: Dataset, config: TrainingConfig
) -> None:
    with pytest.raises(UsageError, match="windows of another kind"):
        load_teachers(config, toy_dataset)


def test_a_teacher_that_saw_a_test_record_is_refused(
    beats: Dataset, config: TrainingConfig
) -> None:
    held_out = {"source": "mitdb", "test_records": ("100", "208")}
    leaking = replace(beats, summary=beats.summary.model_copy(update=held_out))
    with pytest.raises(UsageError, match="for validation or testing: 208"):
        load_teachers(config, leaking)


def test_an_unknown_teacher_is_named(beats: Dataset, config: TrainingConfig) -> None:
    with pytest.raises(EdgeECGError, match="'nobody'"):
        load_teachers(config.model_copy(update={"teachers": ("nobody",)}), beats)


def test_on_wide_windows_the_last_epoch_is_kept(
    beats: Dataset, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.1, 0.9, 0.1])

    def evaluate(*_: object) -> SimpleNamespace:
        return SimpleNamespace(headline=("macro-F1", next(scores)))

    monkeypatch.setattr("edgeecg.training.baseline.evaluate", evaluate)
    two = config.model_copy(update={"epochs": 2})
    assert train(beats, two, tmp_path / "best").best_epoch == 1
    wide = two.model_copy(update={"teacher_windows": "wide"})
    assert train(beats, wide, tmp_path / "last").best_epoch == 2


def test_wide_windows_need_a_teacher_and_change_what_is_learned(
    beats: Dataset, config: TrainingConfig, tmp_path: Path
) -> None:
    def trained(name: str, **update: object) -> dict[str, Tensor]:
        changed = config.model_copy(update={"teacher_weight": 1.0, **update})
        return weights(train(beats, changed, tmp_path / name).model)

    def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
        return all(torch.equal(one[key], other[key]) for key in one)

    plain = trained("plain")
    assert not same(plain, trained("wide", teacher_windows="wide"))
    # Without a teacher the labels would be of windows that are not theirs any more.
    alone = trained("alone", teachers=())
    assert same(alone, trained("alone, wide", teachers=(), teacher_windows="wide"))
