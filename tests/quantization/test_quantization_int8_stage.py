"""The stage that prepares a pruned model for int8."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeecg.data import Dataset, Windows
from edgeecg.errors import EdgeECGError
from edgeecg.models import build
from edgeecg.pruning import masks
from edgeecg.quantization import sensitivity
from edgeecg.quantization.int8_stage import FineTuning, Int8Stage, check_quantizable, prepare_int8
from edgeecg.schema import QuantizationLog, TrainingConfig
from edgeecg.training.loop import supervised_objective

NARROW = {"conv": (4, 8, 8), "dense": (8,)}
TRAINING = TrainingConfig(model="cnn1d", epoch_windows=256, batch_size=32, seed=5)


def narrow() -> nn.Module:
    torch.manual_seed(2)
    model = build("cnn1d", NARROW).train()
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(32, 1, 256))
    return model.eval()


def stage(mode: str, dataset: Dataset, epochs: int = 2, rate: float = 5e-2) -> Int8Stage:
    sealed = replace(dataset, test=cast(Windows, None))
    loss = contextlib.nullcontext(supervised_objective(dataset.task))
    tuning = FineTuning(3, epochs, rate, lambda _: loss, nn.Linear(1, 1))
    return Int8Stage("qat" if mode == "qat" else "ptq", (1, 256), TRAINING, sealed, tuning)


def state(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def test_post_training_quantization_does_not_change_the_weights(toy_dataset: Dataset) -> None:
    model = narrow()
    before = state(model)
    log = prepare_int8(model, stage("ptq", toy_dataset))
    assert all(torch.equal(before[key], value) for key, value in state(model).items())
    assert (log.mode, log.target, log.train_loss) == ("ptq", "tflite-int8", ())
    assert log.calibration_windows == 256
    layers = ["features.0", "features.4", "features.8", "dense", "head"]
    assert list(log.lost) == layers
    assert {"input", *layers} <= set(log.ranges)
    assert QuantizationLog.from_json(log.to_json(), "log") == log


def test_ranges_are_measured_on_training_windows(toy_dataset: Dataset) -> None:
    log = prepare_int8(narrow(), stage("ptq", toy_dataset))
    low, high = log.ranges["input"]
    assert low == pytest.approx(float(toy_dataset.train.x.min()), rel=0.2)
    assert high <= float(toy_dataset.train.x.max())
    # Validation windows that are a hundred times as large do not change them.
    loud = replace(toy_dataset.val, x=100 * toy_dataset.val.x)
    other = prepare_int8(narrow(), stage("ptq", replace(toy_dataset, val=loud)))
    assert other.ranges == log.ranges


def test_quantization_aware_training_keeps_zeros_and_reduces_the_loss(toy_dataset: Dataset) -> None:
    model = narrow()
    with torch.no_grad():
        for name, mask in masks.nonzero_masks(model, (1, 256)).items():
            if "features" in name:
                keep = torch.rand(mask.shape, generator=torch.Generator().manual_seed(1)) > 0.5
                model.get_parameter(name).mul_(keep)
    dead = {name: ~mask for name, mask in masks.nonzero_masks(model, (1, 256)).items()}
    before = state(model)
    log = prepare_int8(model, stage("qat", toy_dataset, epochs=3))
    after = state(model)
    assert sum(int(mask.sum()) for mask in dead.values()) > 50
    for name, mask in dead.items():
        assert not after[name][mask].any()
        assert not torch.equal(after[name], before[name])
    assert len(log.train_loss) == 3
    assert log.train_loss[-1] < log.train_loss[0]
    running = [key for key in before if "running" in key]
    assert all(torch.equal(before[key], after[key]) for key in running)
    assert isinstance(model.get_submodule("features.0"), nn.Conv1d)


def test_the_same_run_gives_the_same_weights(toy_dataset: Dataset) -> None:
    one, other = narrow(), narrow()
    assert prepare_int8(one, stage("qat", toy_dataset)) == prepare_int8(
        other, stage("qat", toy_dataset)
    )
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_layers_that_lose_most_stay_in_float32_up_to_a_limit() -> None:
    lost = {"a": 0.004, "b": 0.02, "c": -0.1, "d": 0.03, "e": 0.02, "f": 0.0, "g": 0.0, "h": 0.0}
    assert sensitivity.max_float_layers(8) == 2
    assert sensitivity.layers_to_keep(lost) == ("b", "d")
    assert sensitivity.layers_to_keep({"a": 0.0049, "b": -1.0}) == ()
    assert sensitivity.layers_to_keep({"a": 0.3}) == ("a",)


def test_a_layer_that_loses_accuracy_in_int8_is_found(toy_dataset: Dataset) -> None:
    model = narrow()
    prepare_int8(model, stage("qat", toy_dataset, epochs=4))
    # Weights so large that the steps of their channels round all others to 0.
    with torch.no_grad():
        head = model.get_submodule("head")
        head.get_parameter("weight")[:, 0] = 3e3
        model.get_submodule("dense").get_parameter("weight")[0] = 0.0
        model.get_submodule("dense").get_parameter("bias")[0] = 0.0
    log = prepare_int8(model, stage("ptq", toy_dataset))
    assert log.float_layers == ("head",)
    assert log.lost["head"] == max(log.lost.values()) > log.threshold
    assert log.val_int8 > log.val_float32 - log.lost["head"]


def test_validation_windows_are_thinned_evenly(toy_dataset: Dataset) -> None:
    many = {key: np.concatenate([value] * 100) for key, value in vars(toy_dataset.val).items()}
    thinned = sensitivity.thinned(replace(toy_dataset, val=Windows(**many))).val
    assert len(thinned.y) == 3000
    assert np.array_equal(thinned.y[:30], toy_dataset.val.y[::3])


def test_a_damaged_training_window_is_refused(toy_dataset: Dataset) -> None:
    x = toy_dataset.train.x.copy()
    x[:] = np.nan
    broken = replace(toy_dataset, train=replace(toy_dataset.train, x=x))
    with pytest.raises(EdgeECGError, match="not finite numbers"):
        prepare_int8(narrow(), stage("ptq", broken))


def test_a_model_that_cannot_be_traced_is_refused() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(256, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x[:, 0]) if x.max() > 0 else self.head(-x[:, 0])

    with pytest.raises(EdgeECGError, match="cannot be prepared for int8"):
        check_quantizable(Branching(), (1, 256))
    check_quantizable(narrow(), (1, 256))
