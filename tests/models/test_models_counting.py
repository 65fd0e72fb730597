"""Costs of layers, against torch's own FLOP counter and by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from custom_modules import Custom, sequence, stem
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from edgeecg.models import architecture, build, layer_costs, names, weighted_layers

STEM = 8 * 8 * 32
"""MACs of the stem."""


def flops(model: nn.Module, shape: tuple[int, int]) -> int:
    """Return what torch counts, with the fused kernels off that its counter does not see."""
    torch.backends.mha.set_fastpath_enabled(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            torch.no_grad(),
            torch.backends.mkldnn.flags(enabled=False),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            model.eval()(torch.zeros(1, *shape))
    torch.backends.mha.set_fastpath_enabled(True)
    return counter.get_total_flops()


@pytest.mark.parametrize("name", names())
def test_macs_of_every_model_are_half_of_torchs_flops(name: str) -> None:
    shape = architecture(name).INPUT_SHAPE
    model = build(name)
    assert 2 * sum(layer.macs for layer in layer_costs(model, shape)) == flops(model, shape)


def recurrent(layer: nn.Module) -> Custom:
    return Custom(lambda m, x: m.head(m.lstm(sequence(m, x))[0]), stem=stem(), lstm=layer,
                  head=nn.Linear(24, 3))  # fmt: skip


def time_first(layer: nn.Module) -> Custom:
    return Custom(
        lambda m, x: m.lstm(sequence(m, x).transpose(0, 1))[0][-1], stem=stem(), lstm=layer
    )


def on_images(*layers: nn.Module) -> Custom:
    return Custom(lambda m, x: m.inner(x[:, None]).mean((2, 3)), inner=nn.Sequential(*layers))


def attention(layer: nn.Module) -> Custom:
    return Custom(lambda m, x: m.inner(*3 * [sequence(m, x)])[0], stem=stem(), inner=layer)


def self_attention(x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x)


CUSTOM: dict[str, tuple[Callable[[], Custom], int]] = {
    # name: the module, and its MACs by hand without those of the stem
    "Conv2d": (
        lambda: on_images(
            nn.Conv2d(1, 8, (1, 7), stride=(1, 4)), nn.Conv2d(8, 16, (1, 5), groups=4)
        ),
        8 * 7 * 63 + 16 * 2 * 5 * 59 - STEM,
    ),
    "ConvTranspose1d": (
        lambda: Custom(
            lambda m, x: m.inner(m.stem(x)),
            stem=stem(),
            inner=nn.ConvTranspose1d(8, 6, 5, stride=2, groups=2),
        ),
        8 * 3 * 5 * 32,
    ),
    # Three gates and one, in both directions; each weight is used once a step.
    "GRU": (
        lambda: recurrent(nn.GRU(8, 12, batch_first=True, bidirectional=True)),
        2 * 32 * 3 * 12 * (8 + 12) + 24 * 3 * 32,
    ),
    "RNN, two layers": (
        lambda: recurrent(nn.RNN(8, 24, 2, batch_first=True)),
        32 * 24 * ((8 + 24) + (24 + 24)) + 24 * 3 * 32,
    ),
    "LSTM, time first": (lambda: time_first(nn.LSTM(8, 12)), 32 * 4 * 12 * (8 + 12)),
    # The state is projected to 5 values, which the gates see in the next step.
    "LSTM, projected": (
        lambda: time_first(nn.LSTM(8, 12, proj_size=5)),
        32 * (4 * 12 * (8 + 5) + 12 * 5),
    ),
    "GRUCell, called twice": (
        lambda: Custom(
            lambda m, x: m.lstm(m.stem(x)[..., 0], m.lstm(m.stem(x)[..., 1])),
            stem=stem(),
            lstm=nn.GRUCell(8, 6),
        ),
        STEM + 2 * 3 * 6 * (8 + 6),
    ),
    # Queries, keys, values and outputs; 32 x 32 scores and mixtures of 8 values over all heads.
    "MultiheadAttention": (
        lambda: attention(nn.MultiheadAttention(8, 2, batch_first=True)),
        32 * 4 * 8 * 8 + 2 * 32 * 32 * 8,
    ),
    "TransformerEncoderLayer": (
        lambda: Custom(
            lambda m, x: m.inner(sequence(m, x)),
            stem=stem(),
            inner=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        ),
        32 * 4 * 8 * 8 + 2 * 32 * 32 * 8 + 2 * 32 * 8 * 16,
    ),
    "a parameter of the module": (
        lambda: Custom(
            lambda m, x: sequence(m, x) @ m.weight + m.offset,
            stem=stem(),
            weight=nn.Parameter(torch.randn(8, 5)),
            offset=nn.Parameter(torch.zeros(32, 5)),
        ),
        32 * 8 * 5,
    ),
    "attention in forward()": (
        lambda: Custom(
            lambda m, x: self_attention(sequence(m, x)[:, None]), stem=stem()
        ),
        2 * 32 * 32 * 8,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", CUSTOM)
def test_macs_of_a_custom_module(name: str) -> None:
    make, expected = CUSTOM[name]
    model = make()
    counted = sum(layer.macs for layer in layer_costs(model, (1, 256)))
    assert counted == STEM + expected
    assert 2 * counted == flops(model, (1, 256))


def test_a_bilinear_layer_by_hand() -> None:
    # One MAC per weight and row; torch's counter does not know this layer.
    model = Custom(lambda m, x: m.inner(x[..., :4], x[..., 4:10]), inner=nn.Bilinear(4, 6, 3))
    (cost,) = layer_costs(model, (2, 10))
    assert (cost.macs, cost.weight_bytes) == (2 * 3 * 4 * 6, 4 * (3 * 4 * 6 + 3))


def test_a_product_with_a_vector_by_hand() -> None:
    model = Custom(lambda m, x: x @ m.weight, weight=nn.Parameter(torch.randn(10)))
    (cost,) = layer_costs(model, (2, 10))
    assert cost.macs == 2 * 10


def test_inputs_may_be_named() -> None:
    model = Custom(lambda m, x: m.stem(input=x), stem=stem())
    (cost,) = layer_costs(model, (1, 256))
    assert (cost.macs, cost.activation_bytes) == (STEM, 4 * (256 + 8 * 32))


def test_a_layer_that_is_called_twice_is_counted_once_with_the_macs_of_both_calls() -> None:
    model = Custom(lambda m, x: m.inner(m.inner(x)), inner=nn.Linear(10, 10))
    (cost,) = layer_costs(model, (2, 10))
    assert (cost.macs, cost.weight_bytes) == (2 * 2 * 10 * 10, 4 * (100 + 10))


def weights_of(model: Custom) -> dict[str, tuple[str, ...]]:
    return {cost.name: weights for cost, weights in weighted_layers(model, (1, 256))}


def test_weights_are_what_is_multiplied() -> None:
    model = CUSTOM["a parameter of the module"][0]()
    assert weights_of(model) == {"stem": ("stem.weight",), "": ("weight",)}
    attention = weights_of(CUSTOM["MultiheadAttention"][0]())
    assert set(attention["inner"]) == {"inner.in_proj_weight", "inner.out_proj.weight"}


def test_counting_leaves_no_hooks_and_changes_no_settings() -> None:
    model = CUSTOM["MultiheadAttention"][0]().train()
    first, again = (layer_costs(model, (1, 256)) for _ in range(2))
    assert first == again
    assert model.training
    assert torch.backends.mha.get_fastpath_enabled()
    hooks: list[Any] = [getattr(module, "_forward_hooks") for module in model.modules()]  # noqa: B009
    assert not any(hooks)
