"""Fidelity counts on which windows two models decide alike; expected values are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgeecg.errors import EdgeECGError
from edgeecg.evaluation import fidelity
from edgeecg.schema import Fidelity, Task

CLASSES = ("N", "S", "V")
RECORD = np.array(["a", "a", "a", "a", "b", "b"])


def logits(*classes: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.eye(3, dtype=np.float32)[list(classes)]


def compared(dense: list[int], small: list[int]) -> Fidelity:
    decided = [fidelity.decisions(logits(*each), "beats") for each in (dense, small)]
    return fidelity.compared(decided[0], decided[1], RECORD, CLASSES, "val")


def test_fidelity_by_class_is_by_what_the_dense_model_decides() -> None:
    # Dense: N N S S | S N; compressed: N S S N | S N.
    found = compared([0, 0, 1, 1, 1, 0], [0, 1, 1, 0, 1, 0])
    assert found.overall.fidelity == pytest.approx(4 / 6)
    assert (found.per_class["N"].n, found.per_class["N"].fidelity) == (3, pytest.approx(2 / 3))
    assert (found.per_class["S"].n, found.per_class["S"].fidelity) == (3, pytest.approx(2 / 3))
    assert (found.per_class["V"].n, found.per_class["V"].fidelity) == (0, None)
    assert {name: each.n for name, each in found.per_record.items()} == {"a": 4, "b": 2}
    assert found.worst_record is not None
    assert found.worst_record[0] == "a"
    assert found.worst_record[1].fidelity == pytest.approx(0.5)
    assert found.worst_class == pytest.approx(2 / 3)


def test_a_model_decides_as_itself() -> None:
    found = compared([0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2])
    assert found.overall.fidelity == 1
    assert found.worst_class == 1


def test_records_with_any_number_of_classes() -> None:
    # A probability of 0.50 is a logit of 0, and counts as given.
    dense = fidelity.decisions(np.array([[1, -1], [1, 1], [-1, 0]], np.float32), "records")
    small = fidelity.decisions(np.array([[1, -1], [1, -1], [-1, 2]], np.float32), "records")
    found = fidelity.compared(dense, small, np.array(["x", "y", "z"]), ("MI", "CD"), "test")
    assert found.overall.fidelity == pytest.approx(2 / 3)
    assert found.per_class["MI"].fidelity == 1
    assert found.per_class["CD"].fidelity == pytest.approx(0.5)
    assert found.per_record == {}
    assert found.worst_record is None


def test_a_dense_model_of_other_classes_is_refused() -> None:
    task: Task = "beats"
    two, three = (fidelity.decisions(np.zeros((6, n), np.float32), task) for n in (2, 3))
    with pytest.raises(EdgeECGError, match="One has 2 classes and the other 3"):
        fidelity.compared(two, three, RECORD, CLASSES, "val")
