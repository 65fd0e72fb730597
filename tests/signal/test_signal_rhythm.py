"""The rhythm strip and the reference beat: causal, and the same beat by beat as all at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from edgeecg.schema import Preprocessing, Reference, Rhythm
from edgeecg.signal.mean_beat import ReferenceTracker, means
from edgeecg.signal.rhythm import RhythmTracker, strips


def test_a_strip_by_hand() -> None:
    rhythm = Rhythm(beats=3, hold=2, reference_beats=100, gain=2.0)
    # Intervals 1.0, 1.0, 0.4. Means, the interval itself counted: 1, 1, 0.8.
    found = strips(np.array([0.0, 1.0, 2.0, 2.4]), rhythm)
    assert found[0].tolist() == [0] * 6
    assert found[1].tolist() == [0] * 6
    early = 2 * math.log(0.4 / 0.8)
    np.testing.assert_allclose(found[3], [0, 0, 0, 0, early, early], rtol=1e-6)


def test_a_strip_stays_within_its_limits() -> None:
    found = strips(np.array([0.0, 1.0, 2.0, 2.01]), Rhythm(beats=1, hold=1))
    assert found[:, 0].tolist() == [0, 0, 0, -4]


def test_over_the_deviation_an_early_beat_says_less_where_the_rhythm_is_irregular() -> None:
    rhythm = Rhythm(beats=1, hold=1, gain=1.0, over_deviation=True)
    regular = np.cumsum([0.8, *[0.8] * 60, 0.64])
    irregular = np.cumsum([0.8, *[0.6, 1.0] * 30, 0.64])
    calm, wild = (float(strips(times, rhythm)[-1, 0]) for times in (regular, irregular))
    # Deviations of about 0 and of about 0.26: sqrt(0.02) beside sqrt(0.28).
    assert calm / wild == pytest.approx(math.sqrt(0.28 / 0.02), rel=0.1)


def test_mean_and_deviation_forget_what_is_long_ago() -> None:
    rhythm = Rhythm(beats=1, hold=1, reference_beats=2, gain=0.1, over_deviation=True)
    # Weight 1/2 from the second interval on: m is 1, then (1 + 2) / 2; d is 0.05, then 0.
    found = strips(np.array([0.0, 1.0, 3.0]), rhythm)
    np.testing.assert_allclose(
        found[:, 0], [0, 0, 0.1 * math.log(2 / 1.5) / math.sqrt(0.02)], rtol=1e-6
    )


@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=40), st.integers(1, 39))
def test_a_strip_never_looks_ahead(intervals: list[float], cut: int) -> None:
    times = np.cumsum(intervals)
    rhythm = Rhythm(reference_beats=8)
    whole, begun = strips(times, rhythm), strips(times[:cut], rhythm)
    np.testing.assert_array_equal(whole[:cut], begun)
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() <= 4


@given(st.floats(0.3, 2.0), st.floats(0.5, 2.0))
def test_a_strip_does_not_know_the_heart_rate(rr_s: float, factor: float) -> None:
    beats = rr_s * np.array([0, 1, 2, 2.6, 4, 5])
    np.testing.assert_allclose(strips(beats, Rhythm()), strips(factor * beats, Rhythm()), atol=1e-5)


def test_a_beat_that_does_not_follow_is_refused() -> None:
    tracker = RhythmTracker(Rhythm())
    tracker.push(1.0)
    with pytest.raises(ValueError, match="does not follow"):
        tracker.push(1.0)


def test_a_reference_is_the_mean_of_the_beats_before() -> None:
    beats = np.arange(12.0).reshape(4, 1, 3) ** 2
    found = means(beats, Reference(beats=100))
    np.testing.assert_allclose(found[0], beats[0])
    for number in (1, 2, 3):
        np.testing.assert_allclose(found[number], beats[:number].mean(axis=0))


def test_a_reference_forgets_at_its_own_pace() -> None:
    tracker = ReferenceTracker(Reference(beats=2))
    beats = [np.full((1, 2), value) for value in (0.0, 4.0, 4.0, 0.0)]
    # Plain for two beats, then half of each new one: 0, then 2, then 3.
    assert [float(tracker.push(beat)[0, 0]) for beat in beats] == [0, 0, 2, 3]


def test_parts_that_do_not_fit_a_window_are_refused() -> None:
    with pytest.raises(ValueError, match="lies outside the signal"):
        Preprocessing(rhythm=Rhythm(), r_index=31)
    with pytest.raises(ValueError, match="lies outside the signal"):
        Preprocessing(reference=Reference(), r_index=128)
    with pytest.raises(ValueError, match="even number"):
        Preprocessing(rhythm=Rhythm(beats=1, hold=1), reference=Reference(), r_index=80)
    with pytest.raises(ValueError, match="need windows about a beat"):
        Preprocessing(rhythm=Rhythm(), r_index=None)
