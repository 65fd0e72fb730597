"""Masked weights stay zero."""

from __future__ import annotations

import pytest
import torch
from reference_models import half_width

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import architecture, names
from edgeecg.pruning import masks
from edgeecg.pruning.importance import taylor
from edgeecg.pruning.schedule import scheduled
from edgeecg.schema import CompressionConfig


@pytest.mark.parametrize("name", names())
def test_masks_are_kept_through_fine_tuning(name: str) -> None:
    found = architecture(name)
    model = half_width(name)
    config = CompressionConfig(structure="none", sparsity=0.5)
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    total = sum(weight.numel() for weight in weights)
    x = torch.randn(2, *found.INPUT_SHAPE)
    zeros: list[int] = []
    for t in (0.5, 1.0):
        masks.zero_weights(model, config, t, found.INPUT_SHAPE)
        kept = masks.nonzero_masks(model, found.INPUT_SHAPE)
        zero = sum(int((~mask).sum()) for mask in kept.values())
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        model(x).square().sum().backward()
        optimizer.step()
        masks.apply_masks(model, kept)
        zeros.append(sum(int((weight == 0).sum()) for weight in weights))
        assert zeros[-1] == zero
    assert zeros[0] < zeros[1]
    assert zeros[1] / total == pytest.approx(0.5, abs=0.001)


def test_both_directions_of_an_lstm_lose_weights_from_input_and_state() -> None:
    model = half_width("bilstm")
    masks.zero_weights(model, CompressionConfig(structure="none", sparsity=0.5), 1.0, (1, 256))
    for kind in ("ih", "hh"):
        for way in ("", "_reverse"):
            weight = model.get_parameter(f"lstm2.weight_{kind}_l0{way}")
            assert 0.1 < float((weight == 0).float().mean()) < 0.9
            assert bool((model.get_parameter(f"lstm2.bias_{kind}_l0{way}") != 0).all())


@pytest.mark.parametrize("method", ["l1", "random", "taylor"])
def test_the_method_decides_which_weights_are_zeroed_first(method: str) -> None:
    torch.manual_seed(0)
    model = half_width("cnn1d")
    config = CompressionConfig.model_validate(
        {"structure": "none", "method": method, "sparsity": 0.3}
    )
    weight = model.get_parameter("dense.weight")
    with torch.no_grad():
        model.get_parameter("head.weight")[:, :10] = 0.0
        weight[:10] *= 100
    x = torch.randn(4, 1, 256)
    importance = taylor(lambda model: [model(x).square().sum()]) if method == "taylor" else None
    masks.zero_weights(model, config, 1.0, (1, 256), importance)
    # The first rows are the largest, and the only ones whose outputs are not used.
    large = float((weight[:10] == 0).float().mean())
    others = float((weight[10:] == 0).float().mean())
    assert {"l1": large < 0.02 < others, "random": 0 < large < 1, "taylor": large > others}[method]
    for _ in range(2):
        before = weight == 0
        masks.zero_weights(model, config, 1.0, (1, 256), importance)
        assert bool((weight == 0)[before].all())


def test_taylor_without_a_loss_zeroes_nothing() -> None:
    model = half_width("cnn1d")
    config = CompressionConfig(structure="none", method="taylor")
    with pytest.raises(EdgeECGError, match="'taylor' cannot score"):
        masks.zero_weights(model, config, 1.0, (1, 256))
    assert all(bool((p != 0).all()) for name, p in model.named_parameters() if "weight" in name)


@pytest.mark.parametrize("schedule", ["exponential", "uniform"])
def test_a_sparsity_that_is_not_refused_is_reached_and_recorded_as_it_is(schedule: str) -> None:
    def asked(sparsity: float) -> CompressionConfig:
        body = {"structure": "none", "sparsity": sparsity, "schedule": schedule}
        return scheduled(CompressionConfig.model_validate(body))

    model, shape = half_width("cnn1d"), architecture("cnn1d").INPUT_SHAPE
    with pytest.raises(UsageError, match=r"0\.97 is out of reach") as caught:
        masks.check_sparsity(model, asked(0.97), shape)
    most = float(caught.value.todo.split()[2])
    assert 0.94 < most <= 0.95
    masks.check_sparsity(model, asked(most), shape)
    target = masks.zero_weights(model, asked(most), 1.0, shape)
    assert target == pytest.approx(most, abs=0.001)
    # Beyond that, what is recorded is what is reached.
    target = masks.zero_weights(model, asked(0.97), 1.0, shape)
    kept = masks.nonzero_masks(model, shape).values()
    zero, total = sum(int((~mask).sum()) for mask in kept), sum(mask.numel() for mask in kept)
    assert zero / total == pytest.approx(target, abs=1e-6)
