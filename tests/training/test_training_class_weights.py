"""Class weights: how they are written, what they come to, and how they enter the losses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edgeecg.data import Dataset
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.schema.class_weights import checked, given_weights
from edgeecg.training.class_weights import check_classes, check_names, class_weights
from edgeecg.training.losses import distillation, feature_similarity, supervised
from edgeecg.training.sampling import draw


def with_classes(dataset: Dataset, y: list[int]) -> Dataset:
    """Return a data set whose training windows have these classes."""
    chosen = np.arange(len(y)) % len(dataset.train.y)
    train = dataset.train
    made = replace(
        train,
        x=train.x[chosen],
        y=np.array(y),
        record=train.record[chosen],
        patient=train.patient[chosen],
        sample=train.sample[chosen],
    )
    return replace(dataset, train=made)


def test_weights_are_written_as_class_and_number() -> None:
    assert given_weights("S=4,V=2.5") == {"S": 4, "V": 2.5}
    assert checked(" S=4, V=2 ") == "S=4,V=2"
    assert given_weights("balanced") == given_weights("none") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("S", "Expected is"),
        ("S=", "Expected is"),
        ("S=-1", "Expected is"),
        ("S=0", "above 0"),
        ("S=1,S=2", "two weights"),
        ("", "Expected is"),
    ],
)
def test_other_texts_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked(text)


def test_balanced_classes_have_equal_total_weight(toy_dataset: Dataset) -> None:
    dataset = with_classes(toy_dataset, [0] * 900 + [1] * 30 + [2] * 70)
    weights = class_weights("balanced", dataset, None)
    assert weights is not None
    # As scikit-learn's "balanced": n / (classes * count).
    expected = 1000 / (3 * np.array([900, 30, 70]))
    assert (weights / weights[0]).tolist() == pytest.approx((expected / expected[0]).tolist())


def test_balanced_weights_count_what_is_drawn_in_an_epoch(toy_dataset: Dataset) -> None:
    dataset = with_classes(toy_dataset, [0] * 900 + [1] * 30 + [2] * 70)
    weights = class_weights("balanced", dataset, 20_000)
    assert weights is not None
    drawn = np.bincount(dataset.train.y[draw(dataset.train, 20_000, np.random.default_rng(0))])
    totals = drawn * weights.numpy()
    assert totals / totals.sum() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_given_weights_are_taken_and_the_others_are_one(toy_dataset: Dataset) -> None:
    weights = class_weights("S=4,V=2", toy_dataset, 64)
    assert weights is not None
    assert weights.tolist() == [1, 4, 2]
    assert class_weights("none", toy_dataset, 64) is None


def test_a_weight_for_a_class_that_is_not_there_is_refused(toy_dataset: Dataset) -> None:
    with pytest.raises(UnknownNameError, match="known classes are: N, S, V"):
        check_names("X=2", ("N", "S", "V"))
    with pytest.raises(UsageError, match="no window of the class S"):
        class_weights("S=2", with_classes(toy_dataset, [0] * 10 + [2] * 5), 64)


def test_records_of_one_class_are_refused(toy_dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="of one class, V"):
        check_classes(with_classes(toy_dataset, [2] * 10))
    check_classes(toy_dataset)


def test_the_weighted_loss_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 3, generator=generator)
    y = torch.tensor([0, 0, 1, 2, 2, 1, 0, 0])
    weight = torch.tensor([1.0, 4.0, 2.0])
    found = supervised(logits, F.one_hot(y, 3).float(), "beats", weight)
    assert float(found) == pytest.approx(float(F.cross_entropy(logits, y, weight=weight)))
    labels = (torch.rand(8, 3, generator=generator) > 0.5).float()
    of_records = supervised(logits, labels, "records", weight)
    expected = F.binary_cross_entropy_with_logits(logits, labels, weight=weight) / weight.mean()
    assert float(of_records) == pytest.approx(float(expected))


@pytest.mark.parametrize("task", ["beats", "records"])
def test_equal_weights_change_no_distillation_loss(task: str) -> None:
    generator = torch.Generator().manual_seed(1)
    student, teacher = torch.randn(2, 8, 3, generator=generator)
    target = F.one_hot(torch.arange(8) % 3, 3).float()
    plain = distillation(student, teacher, 2.0, task)  # pyright: ignore[reportArgumentType]
    weighted = distillation(
        student,
        teacher,
        2.0,
        task,  # pyright: ignore[reportArgumentType]
        (target, torch.full((3,), 5.0)),
    )
    assert float(weighted) == pytest.approx(float(plain), rel=1e-5)


def test_a_heavy_class_decides_the_distillation_loss() -> None:
    target = F.one_hot(torch.tensor([0, 1]), 3).float()
    teacher = torch.tensor([[2.0, 0, 0], [0, 2.0, 0]])
    student = torch.tensor([[2.0, 0, 0], [0, 0, 2.0]])  # Only the window of class 1 differs.
    light, heavy = (
        float(distillation(student, teacher, 1.0, "beats", (target, torch.tensor(weight))))
        for weight in ([1.0, 1.0, 1.0], [1.0, 3.0, 1.0])
    )
    # Half of the weight before, three quarters after.
    assert heavy == pytest.approx(1.5 * light)


def test_features_of_other_widths_can_be_alike() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(6, 4, generator=generator)
    # Copied and scaled features find the same windows alike.
    wider = torch.cat([features, features], dim=1)
    assert float(feature_similarity(3 * wider, features)) == pytest.approx(0, abs=1e-6)
    assert float(feature_similarity(features.flip(0), features)) > 0.01


def test_labels_that_are_alike_in_all_windows_are_refused(records_dataset: Dataset) -> None:
    train = records_dataset.train

    def labelled(y: np.ndarray) -> Dataset:
        return replace(records_dataset, train=replace(train, y=y.astype(train.y.dtype)))

    one_of_them = np.zeros_like(train.y)
    one_of_them[::2, 1] = 1
    # Half of the records have this label and the others have none: there is something to learn.
    check_classes(labelled(one_of_them))
    for alike in (np.zeros_like(train.y), np.eye(5)[[1] * len(train.y)]):
        with pytest.raises(UsageError, match="the same labels"):
            check_classes(labelled(alike))
