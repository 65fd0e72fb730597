"""A pruned model equals the dense one with those units silenced; steps reach their target."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from hypothesis import given, settings, strategies as st
from reference_models import randomized, silence, some_parts
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgeecg.costs import proxy
from edgeecg.errors import EdgeECGError
from edgeecg.models import (
    Architecture,
    PositionEncoding,
    SelfAttention,
    architecture,
    build,
    layer_costs,
    names,
    parameters,
)
from edgeecg.pruning.channels import find_groups, prune_channels
from edgeecg.pruning.groups import remove
from edgeecg.pruning.importance import taylor
from edgeecg.schema import CompressionConfig, ProxyCoefficients

KINDS = {
    "bilstm": {"lstm"},
    "cnn1d": {"channel"},
    "cnn_lstm_attn": {"channel", "lstm"},
    "conv_transformer": {"channel", "head", "head_width", "block"},
    "resnet1d_attn": {"channel", "block"},
    "resnet1d_se_attn": {"channel", "block"},
    "tiny_rhythm": {"channel"},
}


def outputs(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x)


@pytest.mark.parametrize("name", names())
def test_a_pruned_model_equals_the_dense_one_with_those_units_silenced(name: str) -> None:
    shape = architecture(name)
    dense = randomized(name)
    # Units that read two numbers may all be silent for a few windows.
    x = torch.randn(16 if name == "tiny_rhythm" else 3, *shape.INPUT_SHAPE)
    found = outputs(dense, x)
    groups = find_groups(dense, shape, whole_blocks=True)
    assert {group.kind for group in groups} == KINDS[name]
    for group in groups:
        cuts = [(group, some_parts(group))]
        cut, silent = copy.deepcopy(dense), copy.deepcopy(dense)
        remove(cut, cuts)
        silence(silent, cuts)
        expected = outputs(silent, x)
        assert parameters(cut) < parameters(dense)
        assert not torch.allclose(found, expected, atol=3e-4), group.key
        torch.testing.assert_close(outputs(cut, x), expected, atol=1e-5, rtol=1e-5, msg=group.root)


@pytest.mark.parametrize("name", names())
def test_removals_of_all_kinds_at_once_and_widths_that_rebuild_them(
    name: str, tmp_path: Path
) -> None:
    shape = architecture(name)
    dense = randomized(name)
    before = {key: value.clone() for key, value in dense.state_dict().items()}
    cuts = [(group, some_parts(group)) for group in find_groups(dense, shape, whole_blocks=True)]
    cut, silent = copy.deepcopy(dense), copy.deepcopy(dense)
    remove(cut, cuts)
    silence(silent, cuts)
    save_file(cut.state_dict(), tmp_path / "cut.safetensors")
    again = build(name, shape.widths(cut)).eval()
    again.load_state_dict(load_file(tmp_path / "cut.safetensors"))
    assert (0 in [width for each in shape.widths(cut).values() for width in each]) == bool(
        shape.BLOCKS
    )
    x = torch.randn(3, *shape.INPUT_SHAPE)
    torch.testing.assert_close(outputs(again, x), outputs(silent, x), atol=1e-5, rtol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in dense.state_dict().items())


@pytest.mark.parametrize("name", names())
def test_every_weight_is_counted_in_one_group(name: str) -> None:
    shape = architecture(name)
    model = build(name)
    fixed = [model.get_submodule(layer) for layer in shape.FIXED]
    kept = {id(each) for layer in fixed for each in layer.parameters()}
    weights = sum(p.numel() for p in model.parameters() if p.ndim > 1 and id(p) not in kept)
    assert sum(group.weights for group in find_groups(model, shape)) == weights


@pytest.mark.parametrize("structure", ["channels", "blocks"])
@pytest.mark.parametrize("name", names())
def test_steps_reach_the_target_and_leave_the_teacher_alone(name: str, structure: str) -> None:
    shape = architecture(name)
    dense = randomized(name)
    before = {key: value.clone() for key, value in dense.state_dict().items()}
    model = copy.deepcopy(dense)
    # Of layers with 12 units, multiples of 4 would leave a third or two thirds; and a share of 12
    # units is a whole number of units, at most.
    multiple, highest = (1, 0.45) if name == "tiny_rhythm" else (4, 0.41)
    config = CompressionConfig.model_validate(
        {"sparsity": 0.6, "round_to": multiple, "structure": structure}
    )
    sizes: list[float] = []
    for t in (0.5, 1.0):
        target = prune_channels(model, dense, shape, config, t)
        sizes.append(parameters(model) / parameters(dense))
    assert target == pytest.approx(0.6)
    assert sizes[1] < sizes[0] < 1
    # A block is a large step: the target may be missed below, not above.
    assert (0.2 if structure == "blocks" else 0.37) < sizes[1] < highest
    widths = shape.widths(model)
    heads = widths.pop("heads", ())
    assert all(width % multiple == 0 for value in widths.values() for width in value)
    assert all(torch.equal(value, before[key]) for key, value in dense.state_dict().items())
    assert torch.isfinite(outputs(model.eval(), torch.randn(2, *shape.INPUT_SHAPE))).all()
    again = build(name, widths | ({"heads": heads} if heads else {}))
    again.load_state_dict(model.state_dict())


def executed(model: nn.Module, name: str) -> float:
    totals = proxy.totals(layer_costs(model, architecture(name).INPUT_SHAPE))
    return proxy.executed(totals, ProxyCoefficients())


@pytest.mark.parametrize("name", names())
def test_a_budget_is_met_by_removing_the_least_important_units_for_their_cost(name: str) -> None:
    shape, dense = architecture(name), randomized(name)
    model, faint = copy.deepcopy(dense), {}
    with torch.no_grad():
        for group in find_groups(model, shape):
            faint[group.key] = some_parts(group)
            for each in group.slices:
                if each.tensor in dict(model.named_parameters()):
                    faded = torch.isin(each.owner, faint[group.key])
                    model.get_parameter(each.tensor).movedim(each.dim, 0)[faded] *= 1e-3
    wanted = 0.7 * executed(dense, name)
    config = CompressionConfig(round_to=1)
    cut = copy.deepcopy(model)
    prune_channels(cut, model, shape, config, 1.0, lambda trial: executed(trial, name) <= wanted)
    assert 0.5 < executed(cut, name) / executed(dense, name) <= 0.7
    x = torch.randn(3, *shape.INPUT_SHAPE)
    # Layer norms are over the remaining channels, so that removing faint ones changes them.
    near = 0.3 if name == "conv_transformer" else 0.02
    torch.testing.assert_close(outputs(cut, x), outputs(model, x), atol=near, rtol=near)


def test_taylor_keeps_the_units_that_the_loss_depends_on() -> None:
    dense, shape = toy(nn.LSTM(3, 8, batch_first=True, bidirectional=True))
    needed = torch.tensor([0, 2, 5, 6])
    with torch.no_grad():
        head = dense.get_parameter("head.weight")
        keep = torch.zeros(8, dtype=torch.bool)
        keep[needed] = True
        head[:, ~keep.repeat(4)] = 0.0
    x = torch.randn(16, 3, 9)
    importance = taylor(lambda model: [model(x).square().mean()])
    config = CompressionConfig(method="taylor", sparsity=0.7, round_to=4, alpha=1.0)
    cut = copy.deepcopy(dense)
    prune_channels(cut, dense, shape, config, 1.0, importance=importance)
    weights, kept = (
        model.get_parameter("lstm.weight_ih_l0_reverse").view(4, -1, 3) for model in (dense, cut)
    )
    assert torch.equal(kept, weights[:, needed])
    with pytest.raises(EdgeECGError, match="'taylor' cannot score"):
        prune_channels(cut, dense, shape, config, 1.0)


@pytest.mark.parametrize("name", ["bilstm", "conv_transformer"])
def test_pruning_takes_no_longer_than_a_few_batches(name: str) -> None:
    shape, dense = architecture(name), build(name)
    student = copy.deepcopy(dense)
    x = torch.randn(64, *shape.INPUT_SHAPE)
    student(x).sum().backward()  # The first batch also allocates.
    started = time.process_time()
    student(x).sum().backward()
    batch_done = time.process_time()
    prune_channels(copy.deepcopy(dense), dense, shape, CompressionConfig(), 1.0)
    assert time.process_time() - batch_done < 5 * (batch_done - started)


def toy(lstm: nn.LSTM) -> tuple[nn.Module, Architecture]:
    """Return an LSTM over 3 channels with a linear layer on its mean and its maximum."""

    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = lstm
            self.head = nn.Linear(2 * lstm.hidden_size * (1 + lstm.bidirectional), 4)

        def forward(self, x: Tensor) -> Tensor:
            steps, _ = self.lstm(x.transpose(1, 2))
            return self.head(torch.cat([steps.mean(dim=1), steps.amax(dim=1)], dim=1))

    shape = SimpleNamespace(INPUT_SHAPE=(3, 9), FIXED=("head",), BLOCKS={})
    return Toy().eval(), cast(Architecture, shape)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@settings(max_examples=15)
@given(data=st.data())
def test_any_units_of_any_lstm_can_be_removed(layers: int, both: bool, data: st.DataObject) -> None:
    torch.manual_seed(0)
    hidden = data.draw(st.integers(2, 6))
    lstm = nn.LSTM(3, hidden, layers, batch_first=True, bidirectional=both, bias=not both)
    dense, shape = toy(lstm)
    (group,) = find_groups(dense, shape)
    assert (group.size, group.lanes) == (hidden, layers * (1 + both))
    count = data.draw(st.integers(1, hidden - 1))
    units = st.lists(st.integers(0, hidden - 1), min_size=count, max_size=count, unique=True)
    parts = [unit + lane * hidden for lane in range(group.lanes) for unit in data.draw(units)]
    cut, silent = copy.deepcopy(dense), copy.deepcopy(dense)
    remove(cut, [(group, torch.tensor(parts))])
    silence(silent, [(group, torch.tensor(parts))])
    x = torch.randn(4, 3, 9)
    torch.testing.assert_close(outputs(cut, x), outputs(silent, x), atol=1e-5, rtol=1e-5)
    assert cut.get_submodule("lstm").hidden_size == hidden - count


def test_each_direction_loses_its_least_important_units() -> None:
    dense, shape = toy(nn.LSTM(3, 4, batch_first=True, bidirectional=True))
    (group,) = find_groups(dense, shape)
    importance = torch.tensor([[4.0, 1.0, 3.0, 2.0], [0.2, 0.4, 0.1, 0.3]])
    values, units = group.units(importance)
    # Forward units are parts 0 to 3, backward units 4 to 7; paired in order of importance.
    assert units.tolist() == [[1, 6], [3, 4], [2, 7], [0, 5]]
    torch.testing.assert_close(values, torch.tensor([1.1, 2.2, 3.3, 4.4]))


def test_position_encoding_keeps_the_remaining_columns() -> None:
    shape = architecture("conv_transformer")
    dense = build("conv_transformer")
    group = next(g for g in find_groups(dense, shape) if g.root == "stem.9")
    cut = copy.deepcopy(dense)
    remove(cut, [(group, torch.arange(0, 192, 2))])
    again = build("conv_transformer", shape.widths(cut))
    again.load_state_dict(cut.state_dict())
    whole, left = dense.get_submodule("position"), again.get_submodule("position")
    assert isinstance(whole, PositionEncoding)
    assert isinstance(left, PositionEncoding)
    # Odd columns are cosines of all 96 frequencies; a table built for 96 columns has 48.
    angles = torch.arange(63)[:, None] / 10000 ** (2 * torch.arange(96) / 192)
    torch.testing.assert_close(left.table[0], torch.cos(angles), atol=1e-4, rtol=0)
    assert torch.equal(left.table, whole.table[:, :, 1::2])


def test_costs_of_a_pruned_lstm_by_hand() -> None:
    model, shape = toy(nn.LSTM(3, 8, batch_first=True, bidirectional=True))
    (group,) = find_groups(model, shape)
    remove(model, [(group, torch.tensor([0, 5, 7, 8, 9, 10]))])
    lstm, head = layer_costs(model, (3, 9))
    # 5 units: 4 gates of 5 rows over 3 inputs and 5 states, in 9 steps, in both directions.
    assert lstm.macs == 2 * 9 * 4 * 5 * (3 + 5)
    assert lstm.weight_bytes == 4 * (2 * 20 * 8 + 2 * 2 * 20)
    assert lstm.activation_bytes == 4 * 9 * (3 + 10)
    assert (head.macs, head.weight_bytes) == (20 * 4, 4 * (20 * 4 + 4))


def test_costs_of_pruned_heads_by_hand() -> None:
    attention = SelfAttention(6, heads=3, head_width=4)
    model = nn.Sequential(attention)
    shape = cast(Architecture, SimpleNamespace(INPUT_SHAPE=(9, 6), FIXED=(), BLOCKS={}))
    heads, width, _ = find_groups(model, shape)
    # The middle head is removed, and one dimension of every head: 2 heads of width 3 remain.
    remove(model, [(heads, torch.tensor([1])), (width, torch.arange(6) * 4)])
    assert (attention.heads, attention.head_width) == (2, 3)
    query, _, _, output, products = layer_costs(model, (9, 6))
    assert query.macs == output.macs == 9 * 6 * 6
    assert query.weight_bytes == 4 * (6 * 6 + 6)
    assert products.macs == 2 * (9 * 9 * 3) + 2 * (9 * 3 * 9)


class NotPrunable(nn.Module):
    """Two convolutions around a layer whose channels cannot be pruned."""

    def __init__(self, between: nn.Module | None) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 4, 3)
        self.scale = nn.Parameter(torch.ones(4, 1)) if between is None else None
        self.between = between or nn.Identity()
        self.second = nn.Conv1d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        between = self.between(self.first(x))
        return self.second(between if self.scale is None else between * self.scale).mean(2)


@pytest.mark.parametrize(
    ("between", "named"),
    [(nn.GroupNorm(2, 4), "'between'"), (None, "a parameter outside of any known layer")],
)
def test_a_layer_that_cannot_be_pruned_is_named(between: nn.Module | None, named: str) -> None:
    shape = SimpleNamespace(INPUT_SHAPE=(1, 20), FIXED=("second",), BLOCKS={})
    with pytest.raises(EdgeECGError, match=rf"'first' are connected to {named}.*--structure none"):
        find_groups(NotPrunable(between), cast(Architecture, shape))


def test_a_depthwise_convolution_is_pruned_with_its_input_channels() -> None:
    torch.manual_seed(0)
    dense = NotPrunable(nn.Conv1d(4, 4, 3, groups=4)).eval()
    shape = cast(Architecture, SimpleNamespace(INPUT_SHAPE=(1, 20), FIXED=("second",), BLOCKS={}))
    (group,) = find_groups(dense, shape)
    assert group.producers == ("first", "between")
    cut, silent = copy.deepcopy(dense), copy.deepcopy(dense)
    remove(cut, [(group, torch.tensor([0, 2]))])
    silence(silent, [(group, torch.tensor([0, 2]))])
    x = torch.randn(3, 1, 20)
    torch.testing.assert_close(outputs(cut, x), outputs(silent, x), atol=1e-6, rtol=1e-6)
    assert [cost.macs for cost in layer_costs(cut, (1, 20))] == [3 * 2 * 18, 3 * 2 * 16, 12 * 14]
