"""Scores of beats and of records, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from edgeecg.data import Windows
from edgeecg.errors import EdgeECGError
from edgeecg.evaluation.metrics import Truth, score_truth
from edgeecg.evaluation.multilabel import best_thresholds, probabilities

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")


def windows_of(y: NDArray[np.generic], patient: list[str]) -> Windows:
    count = len(y)
    labels = y.astype(np.float32) if y.ndim == 2 else y.astype(np.int64)
    return Windows(
        x=np.zeros((count, 1, 16), np.float32),
        y=labels,
        record=np.asarray(patient),
        patient=np.asarray(patient),
        sample=np.zeros(count, np.int64),
    )


def beats(y: NDArray[np.int64], patient: list[str]) -> Truth:
    return Truth(windows_of(y, patient), ("N", "S", "V"), "beats", "test", "synthetic")


def records(y: NDArray[np.generic], patient: list[str] | None = None) -> Truth:
    names = patient or [f"p{i}" for i in range(len(y))]
    return Truth(windows_of(y, names), SUPERCLASSES[: y.shape[1]], "records", "test", "synthetic")


def some_records(n: int = 300) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(1)
    y = rng.random((n, 5)) < [0.5, 0.3, 0.3, 0.2, 0.1]
    logits = rng.standard_normal((n, 5)) + 1.5 * y - 1
    return logits.astype(np.float32), y


def test_beats_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    logits = (rng.standard_normal((400, 3)) + np.eye(3)[y]).astype(np.float32)
    called = logits.argmax(axis=1)
    found = score_truth(logits, beats(y, [f"r{i % 5}" for i in range(400)]))
    assert found.n == 400
    assert found.accuracy == pytest.approx(accuracy_score(y, called))
    assert found.macro_f1 == pytest.approx(f1_score(y, called, average="macro"))
    for i, name in enumerate("NSV"):
        mine = found.per_class[name]
        assert mine.recall == pytest.approx(recall_score(y, called, labels=[i], average="macro"))
        assert mine.precision == pytest.approx(
            precision_score(y, called, labels=[i], average="macro")
        )
    assert set(found.records) == {f"r{i}" for i in range(5)}
    assert np.array_equal(sum(np.asarray(m) for m in found.records.values()), found.confusion)
    assert found.macro_f1_ci95 is not None
    assert found.macro_f1_ci95[0] < found.macro_f1 < found.macro_f1_ci95[1]
    assert found.headline == ("macro-F1", found.macro_f1)


def test_a_class_that_is_missing_scores_zero_not_nan() -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    found = score_truth(logits, beats(np.array([0, 0, 1]), ["a", "a", "b"]))
    assert found.per_class["V"].f1 == 0.0
    assert found.macro_f1 == pytest.approx(2 / 3)


def test_an_interval_is_over_patients_not_beats() -> None:
    # One patient all right, one all wrong: resampled, the accuracy is 0, 1/2 or 1, however many
    # beats there are.
    logits = np.eye(3, dtype=np.float32)[[0] * 2000]
    found = score_truth(logits, beats(np.repeat([0, 1], 1000), ["a"] * 1000 + ["b"] * 1000))
    assert found.accuracy == 0.5
    assert found.accuracy_ci95 == (0.0, 1.0)


def test_records_of_one_patient_are_one_draw() -> None:
    y = np.repeat([[True], [False]], 500, axis=0)
    found = score_truth(np.ones((1000, 1), np.float32), records(y, ["a"] * 500 + ["b"] * 500))
    assert found.accuracy_ci95 == (0.0, 1.0)


def test_one_patient_gives_no_interval() -> None:
    logits, y = some_records()
    for found in (
        score_truth(logits, records(y, ["a"] * len(y)), thresholds=np.full(5, 0.4)),
        score_truth(logits[:, :3], beats(y[:, 0].astype(int), ["a"] * len(y))),
    ):
        intervals = {name: value for name, value in found if name.endswith("_ci95")}
        assert len(intervals) == 5
        assert set(intervals.values()) == {None}
        assert 0 < found.accuracy < 1


def test_records_agree_with_scikit_learn() -> None:
    logits, y = some_records()
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    thresholds = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    found = score_truth(logits, records(y), thresholds=thresholds)
    assert found.accuracy == pytest.approx(accuracy_score(y, p >= 0.5))
    assert found.macro_f1 == pytest.approx(f1_score(y, p >= 0.5, average="macro"))
    assert found.macro_auroc == pytest.approx(roc_auc_score(y, p, average="macro"))
    assert found.macro_auprc == pytest.approx(average_precision_score(y, p, average="macro"))
    assert found.macro_f1_at_threshold == pytest.approx(
        f1_score(y, p >= thresholds, average="macro")
    )
    assert found.per_class["MI"].recall == pytest.approx(recall_score(y[:, 1], p[:, 1] >= 0.5))
    assert found.per_class["HYP"].threshold == 0.7
    assert not found.confusion
    assert found.headline == ("macro AUROC", found.macro_auroc)


def test_intervals_of_records_are_those_of_a_plain_bootstrap() -> None:
    # The same draws, scored by the definitions: AUROC over all pairs of a positive and a negative,
    # average precision as the mean over the positives of the precision from each one's score on.
    logits, y = some_records(80)
    logits = np.round(logits, 1)  # with ties
    found = score_truth(logits, records(y, [f"p{i // 2:02}" for i in range(80)]))
    draws = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=1000)
    weights = np.repeat(draws, 2, axis=1)
    areas: list[NDArray[np.float64]] = []
    for k in range(5):
        mine, hits, misses = logits[:, k], weights * y[:, k], weights * ~y[:, k]
        above = (mine[:, None] > mine) + (mine[:, None] == mine) / 2
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        auroc = np.einsum("ri,ij,rj->r", hits, above, misses) / pairs
        from_on = (mine[:, None] <= mine).astype(np.float64)
        precision = (hits @ from_on.T) / np.maximum(weights @ from_on.T, 1)
        areas.append(np.stack([auroc, (hits * precision).sum(axis=1) / hits.sum(axis=1)]))
    auroc, auprc = np.mean(areas, axis=0)
    assert found.macro_auroc_ci95 == pytest.approx(np.percentile(auroc, [2.5, 97.5]))
    assert found.macro_auprc_ci95 == pytest.approx(np.percentile(auprc, [2.5, 97.5]))


def test_records_without_positives_of_a_class_by_hand() -> None:
    # MI: nobody has it; NORM: probabilities 0.88 0.73 0.27 for yes no yes: of the pairs
    # (yes, no) one is in order and one is not, AUROC 1/2; precision at the two hits 1/1 and 2/3.
    y = np.array([[1, 0], [0, 0], [1, 0]])
    logits = np.array([[2, -1], [1, -1], [-1, -1]], np.float32)
    found = score_truth(logits, records(y))
    norm, mi = found.per_class["NORM"], found.per_class["MI"]
    assert norm.auroc == pytest.approx(1 / 2)
    assert norm.auprc == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert norm.f1 == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert mi.auroc is None
    assert mi.auprc is None
    assert found.macro_auroc == pytest.approx(1 / 2)
    assert found.macro_f1 == pytest.approx((1 / 2 + 0) / 2)
    assert found.accuracy == pytest.approx(1 / 3)


def test_a_class_that_every_record_bears_has_no_auroc() -> None:
    found = score_truth(np.ones((4, 1), np.float32), records(np.ones((4, 1))))
    assert found.macro_auroc is None
    assert found.macro_auroc_ci95 is None
    assert found.macro_auprc == 1.0


def test_half_is_given() -> None:
    found = score_truth(np.zeros((2, 1), np.float32), records(np.array([[1], [1]])))
    assert found.accuracy == 1.0


def test_thresholds_by_hand() -> None:
    # Probabilities 0.9 yes, 0.6 no, 0.4 yes, 0.1 no. From 0.9 on: P 1, R 1/2, F1 2/3.
    # From 0.4 on: P 2/3, R 1, F1 4/5, the best.
    p = np.array([[0.9], [0.6], [0.4], [0.1]])
    logits = np.log(p / (1 - p)).astype(np.float32)
    (threshold,) = best_thresholds(logits, np.array([[1], [0], [1], [0]]))
    assert threshold == pytest.approx(0.4)


def test_a_class_without_positives_keeps_one_half() -> None:
    assert best_thresholds(np.ones((3, 1), np.float32), np.zeros((3, 1))) == [0.5]


_LOGITS = st.lists(st.tuples(st.floats(-50, 50, width=32), st.booleans()), min_size=1, max_size=30)


@given(_LOGITS)
def test_no_threshold_is_better_than_the_best(drawn: list[tuple[float, bool]]) -> None:
    logits = np.array([[value] for value, _ in drawn], np.float32)
    y = np.array([[bears] for _, bears in drawn])
    p = probabilities(logits)

    def f1_from(threshold: float) -> float:
        called = p >= threshold
        return float(2 * (called & y).sum() / max(called.sum() + y.sum(), 1))

    (best,) = best_thresholds(logits, y)
    assert 0 <= best <= 1
    assert f1_from(best) == pytest.approx(max(f1_from(t) for t in (*p[:, 0], 0.5)))


@settings(max_examples=30, deadline=None)
@given(_LOGITS)
def test_any_records_give_valid_scores(drawn: list[tuple[float, bool]]) -> None:
    logits = np.array([[value, -value] for value, _ in drawn], np.float32)
    y = np.array([[bears, not bears] for _, bears in drawn])
    found = score_truth(logits, records(y), thresholds=best_thresholds(logits, y))
    assert found.macro_f1_at_threshold is not None
    assert found.macro_f1_at_threshold >= found.macro_f1 - 1e-12
    assert found.n == len(drawn)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_any_beats_are_all_counted(drawn: list[tuple[int, int]]) -> None:
    y = np.array([truth for truth, _ in drawn])
    logits = np.eye(3, dtype=np.float32)[[called for _, called in drawn]]
    found = score_truth(logits, beats(y, [f"r{i % 3}" for i in range(len(y))]))
    assert sum(map(sum, found.confusion)) == len(drawn)
    assert sum(each.support for each in found.per_class.values()) == len(drawn)
    assert found.accuracy == pytest.approx(np.mean([truth == called for truth, called in drawn]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_refused(value: float) -> None:
    logits = np.zeros((2, 3), np.float32)
    logits[1, 1] = value
    with pytest.raises(EdgeECGError, match="not finite"):
        score_truth(logits, beats(np.array([0, 1]), ["a", "b"]))


def test_outputs_of_another_shape_are_refused() -> None:
    with pytest.raises(EdgeECGError, match=r"\(2, 5\)"):
        score_truth(np.zeros((2, 5), np.float32), beats(np.array([0, 1]), ["a", "b"]))


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(EdgeECGError, match="nothing to score"):
        score_truth(np.zeros((0, 3), np.float32), beats(np.zeros(0, np.int64), []))
