"""Removed channels are channels that were zero; masked weights stay zero."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgeecg.compress import masks
from edgeecg.compress.channels import channel_groups, prune_channels, remove
from edgeecg.errors import EdgeECGError
from edgeecg.models import architecture, build, names
from edgeecg.models.costs import parameters
from edgeecg.schema import CompressionConfig


def half(name: str) -> nn.Module:
    """Return a model of half the widths, in multiples of 4: what holds for it is not its size."""
    widths = architecture(name).WIDTHS
    return build(name, {k: tuple(max(4, w // 8 * 4) for w in v) for k, v in widths.items()})


def lively(name: str) -> nn.Module:
    """Return a model in evaluation mode with no dead unit and no batch norm that does nothing."""
    torch.manual_seed(1)
    model = half(name).train()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d) and module.bias is not None:
                module.bias.uniform_(0.5, 1.0)
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(3):
            model(torch.randn(32, *architecture(name).INPUT_SHAPE))
    return model.eval()


def silence(model: nn.Module, layer: str, channels: torch.Tensor) -> None:
    """Zero output channels of a layer and of the batch norm right behind it."""
    modules = dict(model.named_modules())
    behind = list(modules)[list(modules).index(layer) + 1 :][:1]
    with torch.no_grad():
        for name in [layer, *behind]:
            module = modules[name]
            if name == layer or isinstance(module, nn.BatchNorm1d):
                for parameter in module.parameters(recurse=False):
                    parameter[channels] = 0.0


CUTTABLE = ("cnn1d", "resnet1d_attn", "resnet1d_se_attn")


@pytest.mark.parametrize("name", sorted(set(names()) - set(CUTTABLE)))
def test_lstm_and_attention_are_refused_before_anything_is_cut(name: str) -> None:
    model, shape = half(name), architecture(name)
    before = shape.widths(model)
    with pytest.raises(EdgeECGError, match=r"cannot be cut yet.*--structure none"):
        prune_channels(model, half(name), shape, CompressionConfig(), 1.0)
    with pytest.raises(EdgeECGError, match="cannot be cut yet"):
        remove(model, {}, shape)
    assert shape.widths(model) == before


@pytest.mark.parametrize("name", CUTTABLE)
def test_a_cut_model_equals_the_dense_one_with_those_channels_silent(name: str) -> None:
    shape = architecture(name)
    dense = lively(name)
    x = torch.randn(6, *shape.INPUT_SHAPE)
    for group in channel_groups(dense, shape):
        channels = torch.randperm(group.channels)[: group.channels // 3].sort().values
        cut, silent = copy.deepcopy(dense), copy.deepcopy(dense)
        remove(cut, {group.root: channels}, shape)
        for producer in group.producers:
            silence(silent, producer, channels)
        with torch.no_grad():
            expected, found = silent(x), cut(x)
        assert parameters(cut) < parameters(dense)
        assert not torch.allclose(dense(x), expected, atol=1e-6), group.root
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6, msg=group.root)


@pytest.mark.parametrize("name", CUTTABLE)
def test_every_layer_but_the_fixed_ones_is_in_one_group(name: str) -> None:
    model, shape = half(name), architecture(name)
    found = [producer for group in channel_groups(model, shape) for producer in group.producers]
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv1d, nn.Linear))]
    assert sorted(found) == sorted(set(layers) - set(shape.FIXED))


@pytest.mark.parametrize("name", CUTTABLE)
def test_steps_reach_the_target_and_leave_the_teacher_alone(name: str) -> None:
    shape = architecture(name)
    dense = lively(name)
    before = copy.deepcopy(dense.state_dict())
    model = copy.deepcopy(dense)
    config = CompressionConfig(sparsity=0.6, round_to=4)
    sizes = []
    for t in (0.5, 1.0):
        prune_channels(model, dense, shape, config, t)
        sizes.append(parameters(model) / parameters(dense))
    assert sizes[1] < sizes[0] < 1
    assert sizes[1] == pytest.approx(0.4, abs=0.03)
    widths = [width for value in shape.widths(model).values() for width in value]
    assert all(width % 4 == 0 for width in widths)
    assert all(torch.equal(value, dense.state_dict()[key]) for key, value in before.items())
    build(name, shape.widths(model)).load_state_dict(model.state_dict())


@pytest.mark.parametrize("name", names())
def test_masks_are_kept_through_fine_tuning(name: str) -> None:
    shape = architecture(name)
    model = half(name)
    config = CompressionConfig(structure="none", sparsity=0.5)
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    total = sum(weight.numel() for weight in weights)
    x = torch.randn(2, *shape.INPUT_SHAPE)
    zeros: list[int] = []
    for t in (0.5, 1.0):
        masks.zero_weights(model, config, t, shape.INPUT_SHAPE)
        alive = masks.masks(model)
        dead = sum(int((~mask).sum()) for mask in alive.values())
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        model(x).square().sum().backward()
        optimizer.step()
        masks.apply(model, alive)
        zeros.append(sum(int((weight == 0).sum()) for weight in weights))
        assert zeros[-1] == dead
    assert zeros[0] < zeros[1]
    assert zeros[1] / total == pytest.approx(0.5, abs=0.001)


def test_both_directions_of_an_lstm_lose_weights_from_input_and_state() -> None:
    model = half("bilstm")
    masks.zero_weights(model, CompressionConfig(structure="none", sparsity=0.5), 1.0, (1, 256))
    for kind in ("ih", "hh"):
        for way in ("", "_reverse"):
            weight = model.get_parameter(f"lstm2.weight_{kind}_l0{way}")
            assert 0.1 < float((weight == 0).float().mean()) < 0.9
            assert bool((model.get_parameter(f"lstm2.bias_{kind}_l0{way}") != 0).all())
