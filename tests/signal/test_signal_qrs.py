"""QRS detection and R peaks: against annotations, in pieces of any size, with wfdb's comparison."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from wfdb import processing

from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import BEAT_SYMBOLS
from edgeecg.data.windows.annotated import BEATS
from edgeecg.data.windows.filters import design
from edgeecg.signal.qrs import LATENCY_S, QrsDetector, detect
from edgeecg.signal.r_peaks import recentre
from edgeecg.signal.stream import BeatStream

real = pytest.mark.skipif("EDGEECG_DATA" not in os.environ, reason="EDGEECG_DATA is not set")


def _heartbeats(
    fs_hz: float, seconds: float = 30.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A lead with P, QRS and T waves on a wandering baseline, and its R peaks."""
    rng = np.random.default_rng(seed)
    r_s = 0.5 + np.cumsum(rng.uniform(0.6, 1.0, 2 * int(seconds)))
    r_s = r_s[r_s < seconds - 0.5]
    time_s = np.arange(round(seconds * fs_hz)) / fs_hz
    lead_mv = 0.3 * np.sin(2 * np.pi * 0.2 * time_s) + rng.normal(0, 0.01, len(time_s))
    for at_s, height_mv, width_s in ((-0.16, 0.1, 0.02), (0.0, 1.0, 0.012), (0.28, 0.3, 0.05)):
        distance = (time_s[:, None] - r_s[None] - at_s) / width_s
        lead_mv += height_mv * np.exp(-(distance**2) / 2).sum(axis=1)
    return lead_mv, np.round(r_s * fs_hz).astype(np.int64)


@pytest.mark.parametrize("fs_hz", [100.0, 128.0, 249.9, 360.0, 500.0, 1000.0, 2000.0])
def test_every_beat_is_found_at_its_peak_at_any_rate(fs_hz: float) -> None:
    lead_mv, peaks = _heartbeats(fs_hz)
    found = detect(lead_mv, fs_hz)
    assert len(found) == len(peaks)
    assert np.abs(found - peaks).max() <= max(1, 0.006 * fs_hz)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_polarity_and_amplitude_do_not_matter(sign: int, scale: float) -> None:
    lead_mv, peaks = _heartbeats(250)
    found = detect(sign * scale * lead_mv + 2.0, 250)
    assert len(found) == len(peaks)
    assert np.abs(found - peaks).max() <= 2


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=20), seed=st.integers(0, 5))
def test_pieces_of_any_size_give_the_same_peaks(sizes: list[int], seed: int) -> None:
    lead_mv, _ = _heartbeats(250, 40, seed)
    lead_mv[3000:5000] += np.random.default_rng(seed).normal(0, 0.5, 2000)
    lead_mv[6000:6100] = np.nan
    detector = QrsDetector(250)
    found: list[int] = []
    start = 0
    while start < len(lead_mv):
        size = sizes[start % len(sizes)]
        found += detector.push(lead_mv[start : start + size])
        start += size
    found += detector.finish()
    assert found == detect(lead_mv, 250).tolist()
    assert found == sorted(set(found))


def test_sample_by_sample_each_beat_is_reported_in_time() -> None:
    lead_mv, peaks = _heartbeats(250, 20)
    detector = QrsDetector(250)
    late: list[int] = []
    for number in range(len(lead_mv)):
        late += [number - peak for peak in detector.push(lead_mv[number : number + 1])]
    assert len(late) >= len(peaks) - 1
    assert max(late) < LATENCY_S * 250
    # After the two seconds of learning.
    assert max(late[3:]) < 0.4 * 250


@pytest.mark.parametrize(
    "lead_mv",
    [np.full(5000, 1.3), np.full(5000, np.nan), np.zeros(0), np.linspace(0, 1, 5000)],
    ids=["flat", "invalid", "empty", "a slow ramp"],
)
def test_where_there_is_no_beat_none_is_found(lead_mv: NDArray[np.float64]) -> None:
    assert detect(lead_mv, 360).tolist() == []


def test_beats_are_found_again_after_a_large_artefact_and_after_a_flat_stretch() -> None:
    lead_mv, peaks = _heartbeats(250, 60)
    lead_mv[2500:2520] += 30.0
    lead_mv[7500:9000] = lead_mv[7500]
    lead_mv[:250] = np.nan
    found = detect(lead_mv, 250)
    wanted = peaks[(peaks > 4000) & (peaks < 7400) | (peaks > 10_500)]
    assert all(np.abs(found - peak).min() <= 2 for peak in wanted)
    assert not np.any((found > 7600) & (found < 8900))


def test_noise_after_the_last_heartbeat_is_no_beat() -> None:
    lead_mv, peaks = _heartbeats(250, 30)
    noise = np.random.default_rng(0).normal(0, 0.01, 10 * 250)
    found = detect(np.concatenate([lead_mv, lead_mv[-1] + noise]), 250)
    assert len(found) == len(peaks)


def test_a_rate_too_low_for_qrs_complexes_is_refused() -> None:
    with pytest.raises(ValueError, match="40"):
        QrsDetector(40)


def test_a_peak_moves_to_the_largest_deviation_from_the_baseline() -> None:
    lead_mv = np.full(1000, 5.0)
    lead_mv[500], lead_mv[510], lead_mv[460] = 6.0, 3.0, 90.0
    # 90 ms are 32 samples at 360 Hz: 510 is within reach and of the other sign, 460 is not.
    assert recentre(lead_mv, np.array([495]), 360).tolist() == [510]
    assert recentre(lead_mv, np.array([510]), 360).tolist() == [510]
    # 2 mV below the baseline are less than 1.4 mV above it.
    lead_mv[500] = 6.4
    assert recentre(lead_mv, np.array([495]), 360).tolist() == [500]


def test_two_near_peaks_do_not_move_to_one_place() -> None:
    lead_mv = np.zeros(1000)
    lead_mv[510] = 1.0
    lead_mv[523] = 0.5
    assert recentre(lead_mv, np.array([505, 520]), 360).tolist() == [510, 523]
    assert recentre(np.zeros(1000), np.zeros(0, np.int64), 360).tolist() == []


@given(peaks=st.lists(st.integers(0, 999), unique=True, max_size=30), seed=st.integers(0, 99))
def test_moved_peaks_keep_their_order_and_stay_inside(peaks: list[int], seed: int) -> None:
    lead_mv = np.random.default_rng(seed).normal(size=1000)
    before = np.array(sorted(peaks), np.int64)
    after = recentre(lead_mv, before, 360)
    assert np.all(np.diff(after) > 0)
    assert np.all(np.abs(after - before) <= 32)
    assert not len(after) or (after[0] >= 0 and after[-1] < 1000)


def test_a_detector_feeds_a_stream_of_windows() -> None:
    lead_mv, peaks = _heartbeats(250, 60)
    detector, stream = QrsDetector(250), BeatStream(BEATS, design(BEATS, 250.0))
    found: list[int] = []
    for start in range(0, len(lead_mv), 25):
        chunk = lead_mv[start : start + 25]
        found += [one.sample for one in stream.push(chunk[None], detector.push(chunk))]
    assert set(peaks[1:-2].tolist()) <= {one + off for one in found for off in (-1, 0, 1)}


@real
@pytest.mark.parametrize("name", ["100", "119", "203", "222"])
def test_real_records_by_the_comparison_of_wfdb(name: str) -> None:
    record = reader.read(Path(os.environ["EDGEECG_DATA"]) / "mitdb", name, ("MLII",))
    known = record.samples[np.isin(record.symbols, sorted(BEAT_SYMBOLS))]
    found = detect(record.signal_mv[0], 360.0)
    result = processing.compare_annotations(known, found, 54)
    assert result.sensitivity > 0.99
    assert result.positive_predictivity > 0.985
