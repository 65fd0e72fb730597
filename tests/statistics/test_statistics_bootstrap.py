"""Resampling whole patients, against the binomial distribution and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgeecg.statistics.bootstrap import draw_counts, interval


def test_each_resample_draws_as_many_records_as_there_are() -> None:
    counts = draw_counts(22, 500)
    assert counts.shape == (500, 22)
    assert (counts.sum(axis=1) == 22).all()


def test_a_record_is_missing_from_a_resample_as_often_as_drawing_with_replacement_says() -> None:
    # (1 - 1/22)^22 of the resamples do not contain a given record.
    missing = (draw_counts(22) == 0).mean()
    assert missing == pytest.approx((1 - 1 / 22) ** 22, abs=0.01)


def test_two_models_get_the_same_draws() -> None:
    assert np.array_equal(draw_counts(7), draw_counts(7))


def test_interval_is_between_the_2_5_and_97_5_percent_quantiles() -> None:
    assert interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))


def test_resamples_without_a_value_are_left_out_of_the_interval() -> None:
    values = np.r_[np.arange(1001.0), np.full(500, np.nan)]
    assert interval(values) == pytest.approx((25.0, 975.0))
