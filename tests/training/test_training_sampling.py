"""The balanced draw without replacement that calibration and probe sets are made of."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgeecg.training.sampling import balanced_subset

LABELS = hnp.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 3))


@given(LABELS, st.integers(0, 250))
def test_draw_is_balanced_repeatable_and_without_repeats(y: NDArray[np.int64], count: int) -> None:
    chosen = balanced_subset(y, count)
    assert len(chosen) == min(count, len(y))
    assert len(set(chosen.tolist())) == len(chosen)
    assert np.array_equal(chosen, balanced_subset(y, count))
    there = np.bincount(y, minlength=4)
    taken = np.bincount(y[chosen], minlength=4)
    # Only a class that has run out may lag behind another by more than one.
    unfinished = taken[taken < there]
    assert unfinished.size == 0 or unfinished.min() >= taken.max() - 1


def test_draw_from_records_takes_the_rarest_class_they_bear() -> None:
    y = np.zeros((100, 3), np.float32)
    y[:90, 0] = 1
    y[5:15, 1] = 1  # ten bear both of the first two
    y[7, 2] = 1
    chosen = balanced_subset(y, 9)
    assert 7 in chosen
    # One in four: of the first class alone, the second, the third (one there is), and of none.
    assert (y[chosen].sum(axis=1) == 0).sum() >= 2
    assert y[chosen][:, 1].sum() >= 2
    assert np.array_equal(chosen, balanced_subset(y, 9))
    assert len(balanced_subset(y, 1000)) == 100
