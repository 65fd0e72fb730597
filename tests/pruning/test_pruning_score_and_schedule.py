"""The schedule's shape and totals, and the two energy terms of the importance score."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from edgeecg.errors import EdgeECGError
from edgeecg.pruning.groups import Group, Slice
from edgeecg.pruning.importance import (
    choose_measure,
    energy_terms,
    largest,
    magnitude,
    part_importance,
    scores,
    scores_per_cost,
    select_lowest,
    taylor,
)
from edgeecg.pruning.schedule import ceilings, layer_sparsity, scheduled
from edgeecg.schema import CompressionConfig

SIZES = st.lists(st.integers(1, 10**6), min_size=1, max_size=12)


@given(
    st.floats(0.01, 0.6),
    st.floats(0.1, 6),
    st.floats(0.5, 1),
    SIZES,
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_schedule_grows_with_time_and_depth(
    sparsity: float, beta: float, ratio: float, sizes: list[int], t: float, u: float
) -> None:
    early = layer_sparsity(sparsity, beta, ratio, sizes, min(t, u))
    late = layer_sparsity(sparsity, beta, ratio, sizes, max(t, u))
    assert all(a <= b + 1e-12 for a, b in zip(early, late, strict=True))
    assert all(a <= b + 1e-12 for a, b in pairwise(late))
    assert all(0 <= share <= 1 for share in late)


@given(st.floats(0.01, 0.5), st.floats(0.5, 6), st.floats(0.5, 1), SIZES)
def test_the_schedule_ends_at_the_target(
    sparsity: float, beta: float, ratio: float, sizes: list[int]
) -> None:
    shares = layer_sparsity(sparsity, beta, ratio, sizes, 1.0)
    mean = sum(s * n for s, n in zip(shares, sizes, strict=True)) / sum(sizes)
    assert mean == pytest.approx(sparsity)


def test_the_schedule_of_one_layer_is_the_formula() -> None:
    # s(t) = S (1 - exp(-beta t)), S set so that s(1) is the target.
    (half,) = layer_sparsity(0.4, 3.0, 1.0, [10], 0.5)
    assert half == pytest.approx(0.4 * (1 - math.exp(-1.5)) / (1 - math.exp(-3.0)))


def test_the_uniform_schedule_is_a_straight_line_for_all_layers_alike() -> None:
    config = scheduled(CompressionConfig(schedule="uniform", sparsity=0.6))
    for t in (0.25, 0.5, 1.0):
        shares = layer_sparsity(config.sparsity, config.beta, config.depth_ratio, [10, 7, 99], t)
        assert shares == pytest.approx([0.6 * t] * 3, abs=1e-4)
    assert scheduled(CompressionConfig()) == CompressionConfig()


def test_no_layer_is_removed_completely() -> None:
    assert max(ceilings([0.1, 0.9, 1.0])) == 0.95


def test_the_energy_term_prunes_costly_layers_more_or_less() -> None:
    cheap, costly = torch.ones(4), torch.ones(4)
    energies = [1.0, 10.0]
    for term, first in (("prefer-costly", 1), ("protect-costly", 0)):
        config = CompressionConfig.model_validate({"energy_term": term, "alpha": 0.5})
        chosen = select_lowest(scores([cheap, costly], energies, config), [4, 4], 4)
        assert [len(mine) for mine in chosen] == ([4, 0] if first == 0 else [0, 4])


def test_the_printed_formula_by_hand() -> None:
    # m = |w| / mean |w| = (0.5, 1.5); E / max(E) = 0.25; alpha = 0.8.
    config = CompressionConfig(energy_term="protect-costly", alpha=0.8)
    score, _ = scores([torch.tensor([1.0, 3.0]), torch.ones(1)], [5.0, 20.0], config)
    torch.testing.assert_close(score, torch.tensor([0.4 + 0.05, 1.2 + 0.05]))


def test_alpha_one_and_l1_leave_energy_out() -> None:
    magnitudes = [torch.rand(5), torch.rand(7)]
    for config in (CompressionConfig(method="l1"), CompressionConfig(alpha=1.0)):
        one = scores(magnitudes, [1.0, 9.0], config)
        other = scores(magnitudes, [9.0, 1.0], config)
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b)


def test_a_layers_scale_does_not_decide() -> None:
    weights = torch.rand(6)
    small, large = scores([weights / 1000, weights], [1.0, 1.0], CompressionConfig())
    torch.testing.assert_close(small, large)


def test_energies_that_are_all_zero_do_not_divide_by_zero() -> None:
    assert energy_terms([0.0, 0.0], "prefer-costly") == (1.0, 1.0)


@given(
    st.lists(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8), min_size=1, max_size=5),
    st.data(),
)
def test_lowest_takes_the_lowest_within_its_limits(
    layers: list[list[float]], data: st.DataObject
) -> None:
    values = [torch.tensor(layer) for layer in layers]
    limits = [data.draw(st.integers(0, len(layer))) for layer in layers]
    count = data.draw(st.integers(0, sum(limits)))
    chosen = select_lowest(values, limits, count)
    assert sum(len(mine) for mine in chosen) == count
    for mine, layer, limit in zip(chosen, values, limits, strict=True):
        assert len(set(mine.tolist())) == len(mine) <= limit
        kept = [v for i, v in enumerate(layer.tolist()) if i not in mine.tolist()]
        if len(mine) and kept:
            assert max(layer[mine].tolist()) <= min(kept)


def test_random_scores_follow_the_seed_and_nothing_else() -> None:
    config = CompressionConfig(method="random")
    other = config.model_copy(update={"training": config.training.model_copy(update={"seed": 8})})
    first = scores([torch.ones(5), torch.ones(7)], [1.0, 9.0], config)
    again = scores([torch.rand(5), torch.rand(7)], [9.0, 1.0], config)
    assert [mine.shape for mine in first] == [(5,), (7,)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], scores([torch.ones(5)], [1.0], other)[0])
    assert 0 <= float(first[1].min()) < float(first[1].max()) < 1


def pair(kind: str = "channel") -> Group:
    """Return two parts: rows of one weight with its bias, columns of another."""
    owner = torch.tensor([0, 1])
    slices = (Slice("a.weight", 0, owner), Slice("a.bias", 0, owner), Slice("b.weight", 1, owner))
    return Group("block" if kind == "block" else "channel", "a", ("a",), 2, slices, 6)


def layers() -> nn.Module:
    model = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Linear(2, 1)})
    with torch.no_grad():
        model.get_parameter("a.weight").copy_(torch.tensor([[1.0, 2.0, 2.0], [0.0, 4.0, 0.0]]))
        model.get_parameter("b.weight").copy_(torch.tensor([[3.0, 1.0]]))
    return model


def test_the_magnitude_of_a_group_by_hand() -> None:
    # Shares of each tensor's sum of squares: 9 of 25 and 16 of 25; 9 of 10 and 1 of 10.
    found = part_importance(pair(), magnitude(layers()), CompressionConfig())
    torch.testing.assert_close(found, torch.tensor([[0.36 + 0.9, 0.64 + 0.1]]))


def test_a_tensors_scale_does_not_decide_in_a_group() -> None:
    model = layers()
    before = part_importance(pair(), magnitude(model), CompressionConfig())
    with torch.no_grad():
        model.get_parameter("b.weight").mul_(100)
    torch.testing.assert_close(
        part_importance(pair(), magnitude(model), CompressionConfig()), before
    )


def test_blocks_are_told_apart_by_the_strength_of_their_weights() -> None:
    whole = (
        Slice("a.weight", 0, torch.zeros(2).long()),
        Slice("b.weight", 0, torch.ones(1).long()),
    )
    group = Group("block", "", ("a", "b"), 2, whole, 0)
    # Mean squares 25 / 6 and 10 / 2, relative to their mean.
    found = part_importance(group, magnitude(layers()), CompressionConfig())
    torch.testing.assert_close(found, torch.tensor([[25 / 6, 5.0]]) / ((25 / 6 + 5) / 2))


def test_taylor_by_hand() -> None:
    # Loss b * relu(a x): with x = (1, 1, 1) the hidden units are 5 and 4, and every gradient is
    # the factor of the weight: for a the weight of b, for b the hidden unit.
    model = layers()
    with torch.no_grad():
        model.get_parameter("a.bias").zero_()

    def losses(trained: nn.Module) -> list[Tensor]:
        hidden = torch.relu(trained.get_submodule("a")(torch.ones(3)))
        loss = trained.get_submodule("b")(hidden).sum()
        return [loss, 2 * loss]

    def once(a: list[float], b: float) -> float:
        return sum(value**2 for value in a) + b**2

    squared = taylor(lambda trained: iter(losses(trained)[:1]))(model)
    found = part_importance(pair(), squared, CompressionConfig(method="taylor"))
    expected = [once([3.0, 6.0, 6.0], 15.0), once([0.0, 4.0, 0.0], 4.0)]
    torch.testing.assert_close(found, torch.tensor([expected]))
    # The bias is 0 and has no importance; a batch with twice the loss has four times the square.
    assert float(squared["a.bias"].abs().max()) == 0
    batches = iter([1.0, 2.0])
    both = taylor(lambda trained: (factor * losses(trained)[0] for factor in batches))(model)
    torch.testing.assert_close(both["b.weight"], 5 * squared["b.weight"])


def test_the_largest_importance_keeps_what_one_class_alone_needs() -> None:
    # The second class has small gradients: shares 0.1, 0.9 against 0.75, 0.25.
    first = {"weight": torch.tensor([3.0]), "other": torch.tensor([1.0])}
    second = {"weight": torch.tensor([0.001]), "other": torch.tensor([0.009])}
    found = largest([first, second])
    assert found["weight"].item() == pytest.approx(0.75)
    assert found["other"].item() == pytest.approx(0.9)


def test_taylor_without_a_loss_is_refused() -> None:
    with pytest.raises(EdgeECGError, match=r"'taylor' cannot score"):
        choose_measure(CompressionConfig(method="taylor"), None)


def test_per_cost_by_hand() -> None:
    costly, cheap = scores_per_cost(
        [torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])], [0.5, 0.1]
    )
    # The first unit is relative to the whole group, the last one to itself.
    torch.testing.assert_close(costly, torch.tensor([1 / 0.5, 3 / 0.5 * 4 / 3]))
    torch.testing.assert_close(cheap, torch.tensor([1 / 0.1, 1 / 0.1 * 2]))


def test_equal_groups_are_pruned_alike_and_costly_ones_first() -> None:
    even = [torch.ones(10), torch.ones(10)]
    chosen = select_lowest(scores_per_cost(even, [0.1, 0.1]), [10, 10], 8)
    assert [len(mine) for mine in chosen] == [4, 4]
    # Twice the cost: half of the costly group is removed before the first unit of the other.
    chosen = select_lowest(scores_per_cost(even, [0.2, 0.1]), [10, 10], 5)
    assert [len(mine) for mine in chosen] == [5, 0]
