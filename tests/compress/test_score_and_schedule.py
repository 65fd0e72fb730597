"""The schedule's shape and totals, and the two readings of the energy-aware score."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgeecg.compress.importance import energy_terms, lowest, scores
from edgeecg.compress.schedule import ceilings, layer_sparsity, scheduled
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


def test_no_layer_is_cut_away_whole() -> None:
    assert max(ceilings([0.1, 0.9, 1.0])) == 0.95


def test_target_prunes_costly_layers_more_and_protect_less() -> None:
    cheap, costly = torch.ones(4), torch.ones(4)
    energies = [1.0, 10.0]
    for reading, first in (("target", 1), ("protect", 0)):
        config = CompressionConfig.model_validate({"reading": reading, "alpha": 0.5})
        chosen = lowest(scores([cheap, costly], energies, config), [4, 4], 4)
        assert [len(mine) for mine in chosen] == ([4, 0] if first == 0 else [0, 4])


def test_the_printed_formula_by_hand() -> None:
    # m = |w| / mean |w| = (0.5, 1.5); E / max(E) = 0.25; alpha = 0.8.
    config = CompressionConfig(reading="protect", alpha=0.8)
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
    assert energy_terms([0.0, 0.0], "target") == (1.0, 1.0)


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
    chosen = lowest(values, limits, count)
    assert sum(len(mine) for mine in chosen) == count
    for mine, layer, limit in zip(chosen, values, limits, strict=True):
        assert len(set(mine.tolist())) == len(mine) <= limit
        kept = [v for i, v in enumerate(layer.tolist()) if i not in mine.tolist()]
        if len(mine) and kept:
            assert max(layer[mine].tolist()) <= min(kept)
