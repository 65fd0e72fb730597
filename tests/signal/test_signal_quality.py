"""Signal quality: every reason by a hand-made signal, and its use against detection errors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeecg.data.records import reader
from edgeecg.data.windows import noise
from edgeecg.signal import quality
from edgeecg.signal.qrs import detect

FS_HZ = 250.0
PEAKS = np.arange(125, 10_000, 200)


def _pulses(noise_mv: float = 0.01) -> NDArray[np.float64]:
    """40 s of narrow pulses of 1 mV, 0.8 s apart, with a slow baseline."""
    lead_mv = np.random.default_rng(0).normal(0, noise_mv, 10_000)
    lead_mv += 0.5 * np.sin(np.arange(10_000) / 400)
    lead_mv[PEAKS] += 1.0
    return lead_mv


def _reasons(lead_mv: NDArray[np.float64], peaks: NDArray[np.int64] = PEAKS) -> list[str]:
    return quality.low_quality(lead_mv, peaks, FS_HZ).tolist()


def test_a_clean_signal_has_no_stretch_of_low_quality() -> None:
    assert _reasons(_pulses()) == [""] * 4


def test_each_reason_is_found_in_its_stretch() -> None:
    lead_mv = _pulses()
    lead_mv[2600:2850] = np.nan
    lead_mv[5100:5360] = lead_mv[5100]
    lead_mv[7600:7620] = 4.0
    assert _reasons(lead_mv) == ["", quality.INVALID, quality.FLAT, quality.CLIPPED]
    assert _reasons(_pulses(), PEAKS[PEAKS < 7000]) == ["", "", "", quality.NO_BEATS]
    lead_mv = _pulses()
    lead_mv[:2500] += np.random.default_rng(1).normal(0, 0.3, 2500)
    assert _reasons(lead_mv) == [quality.NOISY, "", "", ""]


def test_short_gaps_and_short_flat_stretches_are_no_reason() -> None:
    lead_mv = _pulses()
    lead_mv[2600:2840] = np.nan
    lead_mv[5100:5340] = lead_mv[5100]
    assert _reasons(lead_mv) == [""] * 4


def test_the_noise_ratio_by_hand() -> None:
    # +-0.1 in turn has a deviation of 0.1; the pulses are 2 high on top of it: peak to peak 2.2.
    lead_mv = np.tile([0.1, -0.1], 1000)
    peaks = np.array([500, 1000])
    lead_mv[peaks] = 2.1
    assert quality.noise_ratio(lead_mv, peaks, FS_HZ) == pytest.approx(0.1 / 2.2)


def test_the_unit_does_not_matter_to_noise() -> None:
    lead_mv = _pulses(0.12)
    noisy = _reasons(lead_mv)
    assert quality.NOISY in noisy
    assert _reasons(1000 * lead_mv) == noisy


def test_the_rest_of_a_record_belongs_to_its_last_stretch() -> None:
    assert len(_reasons(_pulses()[:7400])) == 2
    assert len(_reasons(_pulses()[:1000], PEAKS[PEAKS < 1000])) == 1
    peaks = np.array([0, 2499, 2500, 7399])
    assert quality.stretch_of(peaks, 7400, FS_HZ).tolist() == [0, 0, 1, 1]
    assert quality.stretch_of(np.array([999]), 1000, FS_HZ).tolist() == [0]


def test_a_record_without_a_valid_sample() -> None:
    assert _reasons(np.full(5000, np.nan), np.zeros(0, np.int64)) == [quality.INVALID] * 2


@pytest.mark.skipif("EDGEECG_DATA" not in os.environ, reason="EDGEECG_DATA is not set")
def test_a_clean_real_record_is_good_and_muscle_artefact_makes_it_bad() -> None:
    record = reader.read(Path(os.environ["EDGEECG_DATA"]) / "mitdb", "119", ("MLII",))
    beats = record.samples[np.isin(record.symbols, ["N", "V"])]
    clean = quality.low_quality(record.signal_mv[0], detect(record.signal_mv[0], 360), 360)
    recorded = noise.half("ma", "test").signal_mv
    noisy_mv = noise.add(record.signal_mv, beats, recorded, 0.0, 360)[0]
    noisy = quality.low_quality(noisy_mv, detect(noisy_mv, 360), 360)
    assert np.mean(clean != "") < 0.02
    assert np.mean(noisy != "") > 0.9
