from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_run import Builder, Matrix, label_scores, scores
from sklearn.metrics import f1_score

from edgeecg.statistics.confusion import (
    class_score,
    macro_auroc_change,
    macro_f1,
    macro_f1_change,
    recall,
    without_record,
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60),
)
def test_macro_f1_agrees_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    matrix = np.zeros((3, 3))
    for true, predicted in pairs:
        matrix[true, predicted] += 1
    expected = f1_score(
        [t for t, _ in pairs],
        [p for _, p in pairs],
        labels=[0, 1, 2],
        average="macro",
        zero_division=0.0,  # pyright: ignore[reportArgumentType]
    )
    assert macro_f1(matrix) == pytest.approx(expected)


def test_s_recall_without_232_is_that_of_the_other_records(full: Builder) -> None:
    test = full.card("baseline").test
    rest = without_record(test, "232")
    assert rest is not None
    # 21 records with 21 S beats each, 12 of them found.
    assert recall(rest, 1) == pytest.approx(12 / 21)
    assert test.per_class["S"].recall > 0.85


def test_a_record_that_was_not_scored_cannot_be_left_out(full: Builder) -> None:
    assert without_record(full.card("baseline").test, "999") is None


def test_the_recall_of_a_class_without_beats_is_unknown() -> None:
    assert recall(np.zeros((3, 3), dtype=np.int64), 1) is None


def test_the_scores_of_one_class_by_hand() -> None:
    # S: 10 of 20 found, and 4 + 1 beats of other classes called S.
    matrix = np.array([[90, 4, 6], [5, 10, 5], [2, 1, 17]])
    found = class_score(matrix, 1)
    assert (found.recall, found.precision, found.support) == (0.5, pytest.approx(10 / 15), 20)
    assert found.f1 == pytest.approx(2 * 10 / (20 + 15))
    assert class_score(np.zeros((3, 3), np.int64), 1).f1 == 0


def test_the_curves_of_beats_have_no_change(full: Builder) -> None:
    test = full.card("baseline").test
    assert macro_auroc_change(test, test) is None
    change = macro_auroc_change(label_scores(0), label_scores(3))
    assert change is not None
    assert change.value == pytest.approx(-0.03)
    assert change.ci95 is None


def _noisy(seed: int, gain: int) -> dict[str, Matrix]:
    draw = np.random.default_rng(seed)
    made: dict[str, Matrix] = {}
    for n in range(12):
        slip = [int(s) for s in draw.integers(5, 60, 3)]
        found = [max(0, s - gain) for s in slip]
        made[f"r{n}"] = (
            (300 - found[0], found[0], 0),
            (found[1], 100 - found[1], 0),
            (found[2], 0, 100 - found[2]),
        )
    return made


def test_a_model_that_is_better_on_every_record_is_no_tie() -> None:
    change = macro_f1_change(scores(_noisy(1, 0)), scores(_noisy(1, 4)))
    assert change.ci95 is not None
    assert change.value > 0
    assert change.ci95[0] > 0
    assert change.tie is False


def test_two_models_that_differ_only_by_chance_tie() -> None:
    change = macro_f1_change(scores(_noisy(1, 0)), scores(_noisy(2, 0)))
    assert change.ci95 is not None
    assert change.ci95[0] <= change.value <= change.ci95[1]
    assert change.tie is True


def test_a_handful_of_records_gives_no_interval() -> None:
    few = {name: matrix for name, matrix in list(_noisy(1, 0).items())[:4]}
    more = {name: matrix for name, matrix in list(_noisy(1, 4).items())[:4]}
    change = macro_f1_change(scores(few), scores(more))
    assert change.value > 0
    assert change.ci95 is None
    assert change.reason == "Fewer than 5 records are too few to resample."


def test_scores_of_other_beats_give_no_interval() -> None:
    whole = _noisy(1, 0)
    part = {name: whole[name] for name in list(whole)[:6]}
    change = macro_f1_change(scores(whole), scores(part))
    assert change.ci95 is None
    assert change.tie is None
    assert change.reason == "The two were not scored on the same beats."
