"""Custom modules: every removal is checked before training, and all their weights can be zeroed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import custom_modules as custom
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.errors import EdgeECGError
from edgeecg.models import Architecture, parameters
from edgeecg.pruning import masks
from edgeecg.pruning.channels import find_groups, prune_channels
from edgeecg.pruning.groups import remove
from edgeecg.pruning.traceable import check_traceable, check_weights
from edgeecg.pruning.verification import find_wrong_group
from edgeecg.schema import CompressionConfig

SHAPE = (1, 256)


class Described:
    """The architecture of a module with a head, rebuilt by copying."""

    INPUT_SHAPE = SHAPE
    FIXED = ("head",)
    BLOCKS: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.pruned: nn.Module | None = None

    def widths(self, model: nn.Module) -> dict[str, tuple[int, ...]]:
        self.pruned = model
        return {}

    def build(self, widths: Mapping[str, tuple[int, ...]]) -> nn.Module:
        return copy.deepcopy(self.pruned or nn.Identity())


def check(model: nn.Module) -> None:
    check_traceable(model, cast(Architecture, Described()), CompressionConfig(round_to=1))


def given_another_layers_state() -> custom.Custom:
    """Start an LSTM from the outputs of a convolution."""

    def compute(model: custom.Custom, x: Tensor) -> Tensor:
        y = custom.sequence(model, x)
        state = model.first(y[:, 0])[None]
        return model.head(model.lstm(y, (state, state))[0][:, -1])

    layers: dict[str, nn.Module] = {
        "stem": custom.stem(),
        "first": nn.Linear(8, 12),
        "lstm": nn.LSTM(8, 12, batch_first=True),
        "head": nn.Linear(12, 3),
    }
    return custom.Custom(compute, **layers)


def both_last_states_of_lstm() -> custom.Custom:
    """Use the final hidden states of both directions."""

    def compute(model: custom.Custom, x: Tensor) -> Tensor:
        forward, backward = model.lstm(custom.sequence(model, x))[1][0]
        return model.head(torch.cat([forward, backward], 1))

    lstm = nn.LSTM(8, 12, batch_first=True, bidirectional=True)
    return custom.Custom(compute, stem=custom.stem(), lstm=lstm, head=nn.Linear(24, 3))


def with_layer(layer: nn.Module) -> Callable[[], custom.Custom]:
    """Put a layer between the stem and the head."""

    def make() -> custom.Custom:
        return custom.Custom(
            lambda m, x: m.head(m.inner(F.relu(m.stem(x))).mean(2)),
            stem=custom.stem(),
            inner=copy.deepcopy(layer),
            head=nn.Linear(8, 3),
        )

    return make


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "padded shortcut": (custom.padded_shortcut, r"layer 'stem'.*position or on the number"),
    "shuffled channels": (custom.shuffled, r"layer 'stem'.*"),
    "mean over channels": (custom.mean_over_channels, r"layer 'inner'"),
    "linear along time": (custom.norm_behind_linear, r"'(first|mixer)'"),
    "zero initial states": (custom.given_states_of_lstm, r"layer 'lstm' .* initial states"),
    "initial states": (given_another_layers_state, r"layer 'lstm' .* initial states"),
    "states of both directions": (both_last_states_of_lstm, r"'lstm'.*final states"),
    "softmax over channels": (
        with_layer(nn.Softmax(1)),
        r"layer 'stem'.*position or on the number",
    ),
    "GRU": (
        lambda: custom.Custom(
            lambda m, x: m.head(m.lstm(custom.sequence(m, x))[0][:, -1]),
            stem=custom.stem(),
            lstm=nn.GRU(8, 12, batch_first=True),
            head=nn.Linear(12, 3),
        ),
        r"layer 'lstm' of the type GRU cannot be pruned",
    ),
    "grouped": (with_layer(nn.Conv1d(8, 8, 3, groups=2)), r"'inner'"),
    "norm of groups": (with_layer(nn.GroupNorm(2, 8)), r"layer 'inner' of the type GroupNorm"),
    "norm without weights": (
        with_layer(nn.LayerNorm(32, elementwise_affine=False)),
        r"'inner'.*elementwise_affine=False",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_pruned_rightly_is_refused_and_the_layer_named(kind: str) -> None:
    make, expected = REFUSED[kind]
    torch.manual_seed(0)
    with pytest.raises(EdgeECGError, match=expected) as caught:
        check(make())
    assert "--structure none" in caught.value.todo


ACCEPTED: dict[str, Callable[[], nn.Module]] = {
    "concatenated": custom.concatenated,
    "final state": custom.last_state_of_lstm,
    "sigmoid": with_layer(nn.Sigmoid()),
    "depthwise": with_layer(nn.Conv1d(8, 8, 3, groups=8)),
    "batch norm": with_layer(nn.Sequential(nn.Conv1d(8, 8, 3), nn.BatchNorm1d(8), nn.ELU())),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_what_can_be_pruned_is_accepted_and_becomes_smaller(kind: str) -> None:
    torch.manual_seed(0)
    model = ACCEPTED[kind]().eval()
    check(model)
    pruned = copy.deepcopy(model)
    architecture = cast(Architecture, Described())
    prune_channels(pruned, model, architecture, CompressionConfig(round_to=1, sparsity=0.5), 1.0)
    assert parameters(pruned) < 0.7 * parameters(model)
    assert pruned(torch.randn(2, *SHAPE)).shape == (2, 3)


def test_a_final_state_loses_the_units_that_its_lstm_loses() -> None:
    torch.manual_seed(0)
    dense = custom.last_state_of_lstm().eval()
    groups = find_groups(dense, cast(Architecture, Described()))
    (group,) = [each for each in groups if each.kind == "lstm"]
    parts, kept = torch.tensor([1, 4, 7]), [u for u in range(12) if u not in (1, 4, 7)]
    pruned, silent = copy.deepcopy(dense), copy.deepcopy(dense)
    remove(pruned, [(group, parts)])
    assert torch.equal(pruned.head.weight, dense.head.weight[:, kept])
    # With a candidate of 0, c = f * c + i * tanh(0) stays 0, and so does h = o * tanh(c).
    with torch.no_grad():
        for name, parameter in silent.lstm.named_parameters():
            assert name
            parameter[24 + parts] = 0.0
    x = torch.randn(3, *SHAPE)
    torch.testing.assert_close(pruned(x), silent(x), atol=1e-5, rtol=1e-5)


def test_the_check_notices_a_position_that_is_wrong() -> None:
    torch.manual_seed(0)
    model = custom.concatenated().eval()
    groups = find_groups(model, cast(Architecture, Described()))
    assert find_wrong_group(model, groups, SHAPE) is None
    for part in groups[0].slices:
        if part.tensor == "inner.weight":
            part.owner.copy_(part.owner.roll(1))
    wrong = find_wrong_group(model, groups, SHAPE)
    assert wrong is not None
    assert wrong.group.root == "stem"


def test_checking_changes_neither_the_module_nor_the_random_numbers() -> None:
    model = custom.last_state_of_lstm()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    check(model)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training


# -------------------------------------------------------------------------- weights set to zero


def attention() -> custom.Custom:
    """Attention of PyTorch, whose four matrices are in two tensors."""
    return custom.Custom(
        lambda m, x: m.head(m.inner(*3 * [custom.sequence(m, x)])[0].mean(1)),
        stem=custom.stem(),
        inner=nn.MultiheadAttention(8, 2, batch_first=True),
        head=nn.Linear(8, 3),
    )


def image() -> custom.Custom:
    return custom.Custom(
        lambda m, x: m.head(m.inner(m.first(x[:, None])).mean((2, 3))),
        first=nn.Conv2d(1, 8, (1, 7), stride=(1, 4)),
        inner=nn.ConvTranspose2d(8, 16, (1, 5), stride=(1, 4)),
        head=nn.Linear(16, 3),
    )


def recurrent(kind: type[nn.RNNBase]) -> Callable[[], custom.Custom]:
    def make() -> custom.Custom:
        return custom.Custom(
            lambda m, x: m.head(m.lstm(custom.sequence(m, x))[0][:, -1]),
            stem=custom.stem(),
            lstm=cast(Any, kind)(8, 12, batch_first=True),
            head=nn.Linear(12, 3),
        )

    return make


def raw() -> custom.Custom:
    """Multiply by one parameter of the module, and add another."""
    return custom.Custom(
        lambda m, x: m.head((custom.sequence(m, x) @ m.weight + m.offset).mean(1)),
        stem=custom.stem(),
        weight=nn.Parameter(torch.randn(8, 16)),
        offset=nn.Parameter(torch.zeros(32, 16)),
        head=nn.Linear(16, 3),
    )


MASKED: dict[str, Callable[[], custom.Custom]] = {
    "attention": attention,
    "image": image,
    "GRU": recurrent(nn.GRU),
    "RNN": recurrent(nn.RNN),
    "raw": raw,
}


@pytest.mark.parametrize("kind", MASKED)
def test_half_of_the_weights_of_all_layers_become_zero_and_stay_zero(kind: str) -> None:
    torch.manual_seed(0)
    model = MASKED[kind]()
    check_weights(model, cast(Architecture, Described()))
    weights = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1 and name != "offset"
    }
    total = sum(weight.numel() for weight in weights.values())
    config = CompressionConfig(structure="none", sparsity=0.5)
    masks.zero_weights(model, config, 1.0, SHAPE)
    zeros = sum(int((weight == 0).sum()) for weight in weights.values())
    assert zeros == round(total / 2)
    kept = masks.nonzero_masks(model, SHAPE)
    assert set(kept) == set(weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.randn(4, *SHAPE)).square().sum().backward()
    optimizer.step()
    masks.apply_masks(model, kept)
    assert sum(int((weight == 0).sum()) for weight in weights.values()) == zeros
    # What is only added is neither zeroed nor kept at zero.
    assert kind != "raw" or bool((model.offset != 0).any())


def test_a_weight_that_is_computed_in_forward_is_refused() -> None:
    model = custom.Custom(
        lambda m, x: m.head((custom.sequence(m, x) @ F.normalize(m.weight)).mean(1)),
        stem=custom.stem(),
        weight=nn.Parameter(torch.randn(8, 16)),
        head=nn.Linear(16, 3),
    )
    with pytest.raises(
        EdgeECGError, match=r"weights of the module .* computes from its parameters"
    ):
        check_weights(model, cast(Architecture, Described()))


def test_a_module_without_products_is_refused() -> None:
    model = custom.Custom(lambda m, x: x[:, 0, :3] * m.weight, weight=nn.Parameter(torch.ones(3)))
    with pytest.raises(EdgeECGError, match="None of its layers multiplies by weights"):
        check_weights(model, cast(Architecture, Described()))
