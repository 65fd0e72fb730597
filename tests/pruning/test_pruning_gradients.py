"""The sample of training windows that the Taylor importance is taken from."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from edgeecg.data import Dataset
from edgeecg.pruning.gradients import taylor_importance
from edgeecg.schema import CompressionConfig, TrainingConfig
from edgeecg.training.sampling import class_shares


def sample(dataset: Dataset, epoch_windows: int | None) -> np.ndarray:
    """Return which training windows the importance is taken from."""
    training = TrainingConfig(model="cnn1d", epoch_windows=epoch_windows)
    config = CompressionConfig(method="taylor", class_weight="balanced", training=training)
    importance = taylor_importance(dataset, config)
    assert importance is not None
    places = {window.tobytes(): place for place, window in enumerate(dataset.train.x)}
    seen: list[int] = []

    def note(_: nn.Module, given: tuple[Tensor]) -> None:
        seen.extend(places[window.tobytes()] for window in given[0].numpy())

    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    model.register_forward_pre_hook(note)
    importance(model)
    return np.array(seen)


def test_an_epoch_of_every_window_is_sampled_as_the_class_weights_assume(
    toy_dataset: Dataset,
) -> None:
    # Balanced weights are those of the classes' natural frequencies then.
    assert sorted(sample(toy_dataset, None)) == list(range(len(toy_dataset.train.y)))


def test_a_balanced_epoch_is_sampled_in_a_balanced_way(toy_dataset: Dataset) -> None:
    y = toy_dataset.train.y
    shares = np.bincount(y[sample(toy_dataset, 64)]) / 1024
    assert shares == pytest.approx(class_shares(np.bincount(y)), abs=0.05)
