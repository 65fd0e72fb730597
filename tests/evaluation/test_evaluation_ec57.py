"""EC57 scores, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from edgeecg.evaluation import ec57

N, S, V = range(3)
F, Q = range(2)

CONFUSION = np.array([[90, 4, 6], [5, 10, 5], [2, 1, 17]])
"""Rows: 100 N, 20 S, 20 V; columns: called N, S, V."""


def test_by_hand() -> None:
    # F: 3 called N, 2 called S, 5 called V. Q: 1 called N, 4 called S, 6 called V.
    outside = np.repeat([F, Q], [10, 11])
    called = np.repeat([N, S, V, N, S, V], [3, 2, 5, 1, 4, 6])
    found = ec57.score(CONFUSION, outside, called)
    assert found.called == {"F": {"N": 3, "S": 2, "V": 5}, "Q": {"N": 1, "S": 4, "V": 6}}
    n, s, v = (found.per_class[name] for name in "NSV")
    # Se is that of the plain scores: 90/100, 10/20, 17/20.
    assert (n.recall, s.recall, v.recall) == pytest.approx((0.90, 0.50, 0.85))
    # +P of N: 90 hits of 90 + 5 + 2 plain calls, 3 F and 1 Q.
    assert n.precision == pytest.approx(90 / (97 + 3 + 1))
    # +P of S: 10 hits of 4 + 10 + 1 plain calls and 2 F; the 4 Q are forgiven.
    assert s.precision == pytest.approx(10 / (15 + 2))
    # +P of V: 17 hits of 6 + 5 + 17 plain calls; the 5 F and 6 Q are forgiven.
    assert v.precision == pytest.approx(17 / 28)
    # F1 of S: 2 x 10 / (20 true + 17 calls).
    assert s.f1 == pytest.approx(20 / 37)
    assert (n.support, s.support, v.support) == (100, 20, 20)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), max_size=50))
def test_outside_beats_never_raise_a_score(drawn: list[tuple[int, int]]) -> None:
    none = np.zeros(0, np.int64)
    plain = ec57.score(CONFUSION, none, none)
    found = ec57.score(
        CONFUSION,
        np.array([group for group, _ in drawn], np.int64),
        np.array([called for _, called in drawn], np.int64),
    )
    assert found.per_class["V"] == plain.per_class["V"]
    for name in "NS":
        assert found.per_class[name].recall == plain.per_class[name].recall
        assert found.per_class[name].precision <= plain.per_class[name].precision
    assert sum(sum(row.values()) for row in found.called.values()) == len(drawn)


def test_q_alone_changes_nothing_but_n() -> None:
    none = np.zeros(0, np.int64)
    plain = ec57.score(CONFUSION, none, none)
    found = ec57.score(CONFUSION, np.array([Q, Q, Q]), np.array([N, S, V]))
    assert found.per_class["S"] == plain.per_class["S"]
    assert found.per_class["V"] == plain.per_class["V"]
    assert found.per_class["N"].precision < plain.per_class["N"].precision
