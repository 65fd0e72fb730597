"""Random convolutions as a teacher: it learns, and predicts no records that it was fitted to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edgeecg.data import Dataset, Windows
from edgeecg.errors import DataError, UsageError
from edgeecg.schema import CompressionConfig
from edgeecg.training import random_encoder
from edgeecg.training.baseline import train
from edgeecg.training.random_encoder import encode, with_soft_targets


@pytest.fixture(autouse=True)
def few_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_encoder, "KERNELS", 100)


@pytest.fixture(scope="module")
def waves() -> Windows:
    """Two classes, each a wave of its own on two leads; four records a patient."""
    rng = np.random.default_rng(5)
    y = rng.random((96, 2)) < 0.5
    x = 0.5 * rng.standard_normal((96, 4, 200))
    time = np.arange(200)
    for label, period in enumerate((8, 25)):
        x[y[:, label], 2 * label : 2 * label + 2] += np.sin(2 * np.pi * time / period)
    names = np.array([f"r{number}" for number in range(96)])
    patients = np.array([f"p{number // 4}" for number in range(96)])
    return Windows(
        x.astype(np.float32), y.astype(np.float32), names, patients, np.zeros(96, np.int64)
    )


def test_features_are_the_seeds(waves: Windows) -> None:
    once = encode(waves.x, 1)
    assert once.shape == (96, 200)
    np.testing.assert_array_equal(once, encode(waves.x, 1))
    assert not np.array_equal(once, encode(waves.x, 2))


def test_features_are_a_maximum_and_a_share(waves: Windows) -> None:
    features = encode(waves.x, 1)
    # Per group of 50 kernels: 50 maxima, then 50 shares.
    shares = features.reshape(96, 2, 2, 50)[:, :, 1]
    maxima = features.reshape(96, 2, 2, 50)[:, :, 0]
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert ((maxima > 0) == (shares > 0)).all()


def test_the_teacher_knows_patients_it_has_not_seen(waves: Windows) -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, parts: int) -> None:
        told.append((done, parts))

    soft = with_soft_targets(waves, 1.0, 0, tell).y
    assert told == [(done, 8) for done in range(9)]
    for label in range(2):
        assert roc_auc_score(waves.y[:, label], soft[:, label]) > 0.9
    np.testing.assert_allclose(
        with_soft_targets(waves, 0.25, 0).y, 0.75 * waves.y + 0.25 * soft, rtol=1e-5, atol=1e-6
    )


def test_the_labels_of_a_patient_do_not_reach_its_teacher(waves: Windows) -> None:
    mine = waves.patient == "p7"
    other = waves.y.copy()
    other[mine] = 1 - other[mine]
    before, after = (
        with_soft_targets(waves, 1.0, 0).y,
        with_soft_targets(replace(waves, y=other), 1.0, 0).y,
    )
    np.testing.assert_array_equal(before[mine], after[mine])
    assert not np.array_equal(before[~mine], after[~mine])


def test_too_few_patients_are_refused(waves: Windows) -> None:
    one = replace(waves, patient=np.full(96, "p"))
    with pytest.raises(DataError, match="patients"):
        with_soft_targets(one, 0.5, 0)


def test_a_class_without_records_is_refused(waves: Windows) -> None:
    with pytest.raises(DataError, match="class"):
        with_soft_targets(replace(waves, y=np.zeros_like(waves.y)), 0.5, 0)


def test_beats_have_no_soft_targets(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path
) -> None:
    config = toy_config.training.model_copy(update={"soft_targets": 0.5})
    with pytest.raises(UsageError, match="one class"):
        train(toy_dataset, config, tmp_path / "state")
