"""Custom modules in int8: prepared rightly, or refused before training."""

from __future__ import annotations

import copy
from collections.abc import Callable

import custom_modules as custom
import pytest
import torch
from torch import nn

from edgeecg import resources
from edgeecg.errors import EdgeECGError
from edgeecg.quantization.fake_quant import QuantizedLayer
from edgeecg.quantization.fake_quantized import prepare
from edgeecg.quantization.int8_stage import check_quantizable

INT8 = resources.load_target("tflite-int8")
SHAPE = (1, 256)


def image() -> nn.Module:
    return custom.Custom(
        lambda m, x: m.head(m.norm(m.inner(x[:, None])).mean((2, 3))),
        inner=nn.Conv2d(1, 8, (1, 7), stride=(1, 4)),
        norm=nn.BatchNorm2d(8),
        head=nn.Linear(8, 3),
    )


@pytest.mark.parametrize(
    ("make", "folded"),
    [(custom.norm_behind_linear, 0), (custom.norm_called_twice, 0), (image, 1)],
)
def test_without_rounding_the_copy_equals_the_module(
    make: Callable[[], nn.Module], folded: int
) -> None:
    model = make().eval()
    quantized = prepare(model, INT8, SHAPE)
    layers = [each for each in quantized.module.modules() if isinstance(each, QuantizedLayer)]
    assert sum(each.norm is not None for each in layers) == folded
    x = torch.randn(4, *SHAPE)
    quantized.calibrate(x.numpy())
    for layer in layers:
        layer.int8 = False
    for tensor in quantized.tensors.values():
        tensor.active = False
    with torch.no_grad():
        torch.testing.assert_close(quantized.module.eval()(x), model(x), atol=1e-5, rtol=1e-5)
    check_quantizable(model, SHAPE)


def test_a_copy_that_computes_something_else_is_noticed() -> None:
    model = custom.with_statistics(image())
    quantized = prepare(model, INT8, SHAPE)
    assert quantized.equals(model, SHAPE)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.get_parameter("head.bias")[1] += 0.5
    assert not quantized.equals(other, SHAPE)


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.GRU(8, 12, batch_first=True), "GRU"),
        (nn.RNN(8, 12, batch_first=True), "RNN"),
    ],
)
def test_a_layer_whose_rounding_is_not_simulated_is_refused(layer: nn.Module, kind: str) -> None:
    model = custom.Custom(
        lambda m, x: m.head(m.lstm(custom.sequence(m, x))[0][:, -1]),
        stem=custom.stem(),
        lstm=layer,
        head=nn.Linear(12, 3),
    )
    with pytest.raises(EdgeECGError, match=rf"layer 'lstm' of the type {kind} cannot be prepared"):
        check_quantizable(model, SHAPE)


def test_a_transposed_convolution_is_refused() -> None:
    model = nn.Sequential(custom.stem(), nn.ConvTranspose1d(8, 3, 3), nn.AdaptiveAvgPool1d(1))
    with pytest.raises(EdgeECGError, match=r"layer '1' of the type ConvTranspose1d"):
        check_quantizable(model, SHAPE)
