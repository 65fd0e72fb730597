"""Scores from confusion matrices, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scored_records import Rows, scores
from sklearn.metrics import accuracy_score, f1_score

from edgeecg.statistics.confusion import (
    accuracy,
    class_score,
    dominant_records,
    f1,
    macro_f1,
    precision,
    recall,
    without_record,
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60),
)
def test_scores_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    matrix = np.zeros((3, 3), np.int64)
    for true, predicted in pairs:
        matrix[true, predicted] += 1
    y, called = [t for t, _ in pairs], [p for _, p in pairs]
    zero = {"zero_division": 0.0}
    expected = f1_score(y, called, labels=[0, 1, 2], average=None, **zero)  # pyright: ignore[reportArgumentType]
    assert f1(matrix) == pytest.approx(expected)
    assert macro_f1(matrix) == pytest.approx(np.mean(expected))
    assert accuracy(matrix) == pytest.approx(accuracy_score(y, called))
    assert [class_score(matrix, i).f1 for i in range(3)] == pytest.approx(expected)


def test_scores_of_many_matrices_at_once() -> None:
    right, wrong = np.diag([5, 3, 2]), np.array([[0, 5, 0], [3, 0, 0], [2, 0, 0]])
    both = np.stack([right, wrong])
    assert macro_f1(both).tolist() == [1.0, 0.0]
    assert accuracy(both).tolist() == [1.0, 0.0]


def test_the_scores_of_one_class_by_hand() -> None:
    # S: 10 of 20 found, and 4 + 1 beats of other classes predicted as S.
    matrix = np.array([[90, 4, 6], [5, 10, 5], [2, 1, 17]])
    found = class_score(matrix, 1)
    assert (found.recall, found.precision, found.support) == (0.5, pytest.approx(10 / 15), 20)
    assert found.f1 == pytest.approx(2 * 10 / (20 + 15))
    assert class_score(np.zeros((3, 3), np.int64), 1).f1 == 0


def records_with_s(*beats: int) -> dict[str, Rows]:
    """Records r0, r1, ...; in the first all of the S beats are found, in the others half."""
    found = [beats[0], *(n // 2 for n in beats[1:])]
    return {
        f"r{i}": ((50, 0, 0), (n - hits, hits, 0), (0, 0, 10))
        for i, (n, hits) in enumerate(zip(beats, found, strict=True))
    }


def test_the_matrix_without_a_record_is_the_sum_of_the_others() -> None:
    rest = without_record(scores(records_with_s(100, 10, 6)), "r0")
    assert rest is not None
    assert rest.tolist() == [[100, 0, 0], [8, 8, 0], [0, 0, 20]]


def test_a_record_that_was_not_scored_cannot_be_left_out() -> None:
    assert without_record(scores(records_with_s(100, 10, 6)), "r9") is None


def test_a_class_is_also_scored_without_the_record_that_holds_most_of_its_beats() -> None:
    (found,) = dominant_records(scores(records_with_s(100, 10, 6)))
    assert (found.class_name, found.record) == ("S", "r0")
    assert (found.key, found.label) == ("s_without_r0", "S without record r0")
    assert (found.rest.support, found.rest.recall) == (16, 0.5)


@pytest.mark.parametrize(
    "beats",
    [
        (16, 10, 6),  # exactly half
        (100, 10),  # two records
        (100, 10, 0),  # two records with beats of the class
        (100, 0, 0),  # nothing is left
        (0, 0, 0),
    ],
)
def test_a_class_without_a_dominant_record_is_not_scored_twice(beats: tuple[int, ...]) -> None:
    assert dominant_records(scores(records_with_s(*beats))) == ()


def test_scores_without_matrices_of_records_have_no_dominant_record() -> None:
    found = scores(records_with_s(100, 10, 6)).model_copy(update={"records": {}})
    assert dominant_records(found) == ()


def test_recall_and_precision_of_every_class_by_hand() -> None:
    # The last class has no beats and the second was never predicted.
    matrix = np.array([[6, 0, 2], [3, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(recall(matrix), [6 / 8, 0, np.nan])
    np.testing.assert_allclose(precision(matrix), [6 / 9, 0, 0])
