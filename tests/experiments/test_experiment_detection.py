"""The benchmark of QRS detectors counts as worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from harness.kinds import detection
from numpy.typing import NDArray

from edgeecg.data.records.reader import Record
from edgeecg.evaluation.predictors import Predictor
from edgeecg.schema import Preprocessing

BEATS = np.array([1000, 1300, 1600, 1900, 2200, 2500])


def _annotated(groups: str = "NNNNNN") -> detection.Annotated:
    lead_mv = np.random.default_rng(0).normal(0, 1, (1, 4000))
    record = Record("100", 360.0, lead_mv, BEATS, tuple(groups))
    return detection.Annotated(record, BEATS, np.array(list(groups)), np.array([[2400, 2600]]))


def test_detection_by_hand() -> None:
    # Found: 4 ms late, 50 ms early; 1600 is missed (166 ms off), 2500 lies in flutter.
    peaks = np.array([1001, 1282, 1660, 1900, 2200, 2450, 3000])
    row = detection.detection_row({"100": _annotated()}, {"100": peaks}, ("100",))
    assert (row["beats"], row["missed"], row["false"]) == (5, 1, 2)
    assert row["sensitivity"] == pytest.approx(4 / 5)
    assert row["positive_predictivity"] == pytest.approx(4 / 6)
    offsets_ms = np.array([1, -18, 0, 0]) / 0.36
    assert row["offset_mean_ms"] == pytest.approx(offsets_ms.mean())
    assert row["offset_std_ms"] == pytest.approx(offsets_ms.std())
    assert row["fraction_beyond_20_ms"] == pytest.approx(1 / 4)


@dataclass
class _CallsInTurn:
    """A model that gives its windows the classes N, S, V in turn."""

    preprocessing: Preprocessing

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.eye(3)[np.arange(len(x)) % 3]


def test_missed_and_false_beats_count_in_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "DS2", ("100",))
    model = cast("Any", _CallsInTurn(Preprocessing(window=64, r_index=32)))
    # Called in turn: 1000 N, 1300 S, 1450 V (false), 1900 N, 2200 S, 2500 V. 1600 is missed.
    peaks = np.array([1000, 1300, 1450, 1900, 2200, 2500])
    annotated = _annotated("NSVFSV")
    row = detection.classified(cast("Predictor", model), {"100": annotated}, {"100": peaks})
    # Rows N, S, V and no beat; columns N, S, V and missed. The beat F is in no row.
    assert row["confusion"] == [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]]
    assert row["per_class"]["V"]["recall"] == pytest.approx(1 / 2)
    assert row["per_class"]["V"]["precision"] == pytest.approx(1 / 2)
    assert row["macro_f1"] == pytest.approx((1 + 1 + 1 / 2) / 3)
