"""Rounding in PyTorch: the arithmetic by hand, and the model itself is not changed."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from small_network import SHAPE, randomized
from torch import Tensor, nn

from edgeecg import resources
from edgeecg.errors import EdgeECGError
from edgeecg.models import architecture, build, names
from edgeecg.quantization.fake_quant import QuantizedLayer, TensorRange, rounded_weight
from edgeecg.quantization.fake_quantized import FakeQuantized, prepare

INT8 = resources.load_target("tflite-int8")


def measured(low: float, high: float) -> TensorRange:
    made = TensorRange()
    made.measuring = True
    made(torch.tensor([low, high]))
    made.measuring = False
    return made


def windows(count: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


def prepared(model: nn.Module) -> FakeQuantized:
    quantized = prepare(model, INT8, SHAPE)
    quantized.calibrate(windows(32).numpy())
    return quantized


# ------------------------------------------------------------------------------------- arithmetic


def test_weights_are_rounded_channel_by_channel() -> None:
    # Largest 1.27: steps of 0.01. Largest 0.0254: steps of 0.0002.
    weight = torch.tensor([[1.27, -0.634, 0.004], [0.01013, -0.0254, -0.01274]])
    expected = torch.tensor([[1.27, -0.63, 0.0], [0.0102, -0.0254, -0.0128]])
    torch.testing.assert_close(rounded_weight(weight), expected)


def test_an_activation_has_256_steps_one_of_which_is_exactly_0() -> None:
    # Steps of 4 / 255; 0 is 63.75 steps above -1, rounded to -128 + 64.
    tensor = measured(-1.0, 3.0)
    assert tensor.scale_and_zero_point() == (pytest.approx(4 / 255), -64)
    found = tensor(torch.tensor([0.0, 0.5, -9.0, 9.0]))
    step = 4 / 255
    torch.testing.assert_close(found, torch.tensor([0.0, 32 * step, -64 * step, 191 * step]))


@given(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32))
def test_0_is_exact_whatever_the_range(a: float, b: float) -> None:
    tensor = measured(min(a, b), max(a, b))
    scale, zero_point = tensor.scale_and_zero_point()
    assert scale > 0
    assert -128 <= zero_point <= 127
    assert float(tensor(torch.zeros(1))) == 0.0


def test_a_constant_activation_has_a_range() -> None:
    assert measured(0.0, 0.0).scale_and_zero_point() == (pytest.approx(1 / 255), -128)
    assert float(measured(2.0, 2.0)(torch.tensor(2.0))) == pytest.approx(2.0)
    assert float(measured(-2.0, -2.0)(torch.tensor(-2.0))) == pytest.approx(-2.0)


def test_gradients_pass_where_nothing_is_clipped() -> None:
    x = torch.tensor([-2.0, -0.5, 1.234, 3.5], requires_grad=True)
    measured(-1.0, 3.0)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("bias", [True, False])
def test_a_folded_layer_is_convolution_and_norm_in_evaluation_mode(bias: bool) -> None:
    torch.manual_seed(0)
    convolution, norm = nn.Conv1d(2, 6, 5, stride=2, bias=bias), nn.BatchNorm1d(6)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-1, 1)
        norm(convolution(3 * torch.randn(64, *SHAPE)))
    norm.eval()
    x = windows()
    expected = norm(convolution(x))
    folded = QuantizedLayer(convolution, norm).train()
    folded.int8 = False
    torch.testing.assert_close(folded(x), expected)
    before = norm.running_mean
    assert before is not None
    kept = before.clone()
    folded(100 + x)
    assert torch.equal(before, kept)


# ---------------------------------------------------------------------------- fake-quantised copies


@pytest.mark.parametrize("name", names())
def test_without_rounding_the_copy_equals_the_model(name: str) -> None:
    torch.manual_seed(0)
    shape = architecture(name)
    widths = {key: tuple(max(4, w // 8) for w in value) for key, value in shape.WIDTHS.items()}
    model = build(name, widths).eval()
    quantized = prepare(model, INT8, shape.INPUT_SHAPE)
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv1d, nn.Linear))]
    assert sorted(quantized.layers) == sorted(layers)
    x = torch.randn(3, *shape.INPUT_SHAPE)
    with torch.no_grad():
        quantized.calibrate(x.numpy())
        rounded = quantized.module.eval()(x)
        for layer in quantized.layers.values():
            layer.int8 = False
        for tensor in quantized.tensors.values():
            tensor.active = False
        torch.testing.assert_close(quantized.module(x), model(x), atol=1e-5, rtol=1e-5)
        assert not torch.equal(rounded, model(x))


def test_training_the_copy_trains_the_model() -> None:
    model = randomized()
    before = copy.deepcopy(model.state_dict())
    quantized = prepared(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    quantized.module.train()
    quantized.module(windows()).square().sum().backward()
    optimizer.step()
    model.eval()
    after = model.state_dict()
    assert list(after) == list(before)
    still = [key for key in before if torch.equal(before[key], after[key])]
    # The statistics of the batch norms are frozen; everything else is trained, gamma and beta too.
    # A bias of keys or of attention scores shifts all scores alike and has no gradient but for
    # rounding.
    moved = [key for key in still if "running" not in key and "num_batches" not in key]
    assert set(moved) <= {"pooling.score.bias", "encoder.attention.key.bias"}
    assert sum("running" in key for key in still) == 8


def test_one_layer_alone_is_rounded() -> None:
    quantized = prepared(randomized())
    assert quantized.neighbours["stem"] == ("input", "stem")
    assert quantized.neighbours["residual.conv2"] == ("residual.conv1", "residual.conv2")
    assert quantized.neighbours["residual.skip.0"] == ("stem", "residual.skip.0")
    query, key = (
        quantized.neighbours["encoder.attention.query"],
        quantized.neighbours["encoder.attention.key"],
    )
    assert query[0] == key[0] == "encoder.norm1"
    quantized.quantize_only("head")
    assert [name for name, layer in quantized.layers.items() if layer.int8] == ["head"]
    active = [name for name, tensor in quantized.tensors.items() if tensor.active]
    assert active == ["pooling.sum", "head"]
    quantized.quantize_only(None)
    assert all(layer.int8 for layer in quantized.layers.values())
    assert all(tensor.active for tensor in quantized.tensors.values())


def test_each_calibration_starts_from_an_empty_range() -> None:
    quantized = prepared(randomized())
    first = quantized.ranges
    quantized.calibrate(10 * windows(32).numpy())
    assert quantized.ranges["input"][1] == pytest.approx(10 * first["input"][1])
    quantized.calibrate(windows(32).numpy())
    assert quantized.ranges == first
    assert quantized.ranges["pooling.tanh"] == (-1.0, 127 / 128)


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(("value", "why"), [(np.nan, "not finite"), (np.inf, "not finite")])
def test_a_damaged_calibration_window_is_refused(value: float, why: str) -> None:
    x = windows().numpy()
    x[3, 0, 5] = value
    with pytest.raises(EdgeECGError, match=rf"cannot be calibrated.*{why}"):
        prepare(randomized(), INT8, SHAPE).calibrate(x)
    with pytest.raises(EdgeECGError, match=r"There are no training windows"):
        prepare(randomized(), INT8, SHAPE).calibrate(x[:0])


@pytest.mark.parametrize("weight", [1e38, math.nan])
def test_a_model_that_overflows_names_the_layer(weight: float) -> None:
    model = randomized()
    with torch.no_grad():
        model.residual.conv1.weight.fill_(weight)
    with pytest.raises(EdgeECGError, match=r"'residual\.conv1' is not a finite number"):
        prepared(model)


def test_a_model_that_branches_on_its_input_is_refused() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x[:, 0] if x.sum() > 0 else x[:, 1])

    with pytest.raises(EdgeECGError, match=r"Branching cannot be prepared.*--quantize"):
        prepare(Branching(), INT8, SHAPE)


def test_an_unknown_float_layer_lists_the_known_ones() -> None:
    wrong = INT8.model_copy(update={"float_layers": ("steam",)})
    with pytest.raises(EdgeECGError, match=r"'steam' cannot be kept.*are: stem, residual\.conv1"):
        prepare(randomized(), wrong, SHAPE)


def test_dead_units_are_quantized() -> None:
    model = randomized()
    with torch.no_grad():
        model.norm.bias.fill_(-1000.0)
    quantized = prepared(model)
    assert quantized.ranges["stem"] == (0.0, 0.0)
    with torch.no_grad():
        found, expected = quantized.module.eval()(windows()), model(windows())
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0)
