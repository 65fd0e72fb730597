"""Noise: its level against sums worked by hand and a PhysioNet record; its halves are apart."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from edgeecg.data.records.reader import read
from edgeecg.data.windows import noise
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing

FS = 100.0
real = pytest.mark.skipif("EDGEECG_DATA" not in os.environ, reason="EDGEECG_DATA is not set")


def _pulses(heights: list[float]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """One pulse of each height, a second apart."""
    at = np.arange(1, len(heights) + 1) * 100
    signal = np.zeros(100 * (len(heights) + 2))
    signal[at] = heights
    return signal, at


def test_signal_power_by_hand() -> None:
    # Peak to peak 2 mV: 2^2 / 8 = 0.5.
    signal, at = _pulses([2.0, 2.0])
    assert noise.signal_power(signal, at, FS) == pytest.approx(0.5)


def test_the_largest_and_smallest_twentieth_do_not_count() -> None:
    # Of 20 amplitudes 0.1, 1 x 18, 100 one at either end is cut: (18 / 18)^2 / 8.
    signal, at = _pulses([1.0] * 9 + [0.1, 100.0] + [1.0] * 9)
    assert noise.signal_power(signal, at, FS) == pytest.approx(1 / 8)
    # Of 19 none is cut: ((17 + 0.1 + 100) / 19)^2 / 8.
    signal, at = _pulses([1.0] * 9 + [0.1, 100.0] + [1.0] * 8)
    assert noise.signal_power(signal, at, FS) == pytest.approx((117.1 / 19) ** 2 / 8)


def test_only_the_first_300_beats_and_50_ms_around_them_are_measured() -> None:
    signal, at = _pulses([1.0] * 300 + [9.0] * 100)
    assert noise.signal_power(signal, at, FS) == pytest.approx(1 / 8)
    signal[at + 5] = 50.0  # 50 ms after the peak is outside, as in sigamp
    assert noise.signal_power(signal, at, FS) == pytest.approx(1 / 8)
    signal[at + 4] = 2.0
    assert noise.signal_power(signal, at, FS) == pytest.approx(4 / 8)


def test_noise_power_by_hand_forgets_the_mean_of_each_second() -> None:
    # +-1 in turn has the RMS 1; a step each second is a mean, not noise.
    square = np.tile([1.0, -1.0], 500) + np.repeat(np.arange(10.0), 100)
    assert noise.noise_power(square, FS) == pytest.approx(1.0)
    # RMS of the seconds 1, 1, 4: the square of their mean, not the mean of their weight_importance.
    uneven = np.tile([1.0, -1.0], 150) * np.repeat([1.0, 1.0, 4.0], 100)
    assert noise.noise_power(uneven, FS) == pytest.approx(4.0)


def test_the_gain_by_hand() -> None:
    # S = 4 / 8, N = 1. At 0 dB a^2 = 0.5, at 10 dB 0.05.
    signal, at = _pulses([2.0, 2.0])
    square = np.tile([1.0, -1.0], 100)
    for snr_db, squared_gain in ((0.0, 0.5), (10.0, 0.05), (-10.0, 5.0)):
        noisy = noise.add(signal[None], at, square[None], snr_db, FS)
        expected = signal + math.sqrt(squared_gain) * np.tile([1.0, -1.0], 200)
        np.testing.assert_allclose(noisy[0], expected, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    snr_db=st.floats(-20, 40),
    scale=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_level_asked_for_is_the_level_found(snr_db: float, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signal, at = _pulses(rng.uniform(0.5, 2, 30).tolist())
    clean = np.stack([signal, 3 * signal])
    recorded = scale * rng.standard_normal((2, 3200))
    added = noise.add(clean, at, recorded, snr_db, FS) - clean
    for lead, extra in zip(clean, added, strict=True):
        ratio = noise.signal_power(lead, at, FS) / noise.noise_power(extra, FS)
        assert 10 * math.log10(ratio) == pytest.approx(snr_db, abs=1e-6)


def test_short_noise_begins_again_and_its_leads_take_turns() -> None:
    signal, at = _pulses([1.0, 1.0])
    recorded = np.random.default_rng(0).standard_normal((2, 150))
    added = noise.add(np.stack([signal] * 3), at, recorded, 6.0, FS) - signal
    np.testing.assert_allclose(added[:, :150], added[:, 150:300], atol=1e-12)
    np.testing.assert_allclose(added[0], added[2], atol=1e-12)
    assert not np.allclose(added[0], added[1])


@pytest.mark.parametrize(("beats", "recorded"), [([], np.eye(10, 200)), ([50], np.ones((1, 200)))])
def test_what_has_no_level_is_refused(beats: list[int], recorded: NDArray[np.float64]) -> None:
    signal = np.random.default_rng(0).standard_normal((1, 100))
    with pytest.raises(ValueError, match=r"beat|flat"):
        noise.add(signal, np.array(beats, np.int64), recorded, 0.0, FS)


def _write_noise(folder: Path, kind: str, digital: NDArray[np.int64]) -> None:
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        kind,
        fs=360,
        units=["mV", "mV"],
        sig_name=["noise1", "noise2"],
        d_signal=digital,
        fmt=["212", "212"],
        adc_gain=[200, 200],
        baseline=[0, 0],
        write_dir=str(folder),
    )


def test_the_training_half_does_not_know_the_testing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path))
    digital = np.random.default_rng(0).integers(-500, 500, (7200, 2))
    _write_noise(tmp_path / "nstdb", "bw", digital)
    train, test = (noise.bank("bw", Preprocessing(), part) for part in ("train", "test"))
    changed = digital.copy()
    changed[3600:] = np.roll(changed[3600:], 100, axis=0)
    _write_noise(tmp_path / "nstdb", "bw", changed)
    np.testing.assert_array_equal(noise.bank("bw", Preprocessing(), "train"), train)
    assert not np.array_equal(noise.bank("bw", Preprocessing(), "test"), test)
    assert train.shape == (2, 1280 - 20)  # 10 s at 128 Hz, without what the filter starts with
    assert train.dtype == np.float32
    np.testing.assert_allclose(train.std(axis=1), 1, rtol=1e-5)


def test_missing_noise_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path))
    with pytest.raises(DataError, match="edgeecg data fetch nstdb"):
        noise.bank("ma", Preprocessing(), "train")


@real
@pytest.mark.parametrize(("kind", "tenth_mv"), [("bw", 0.05), ("ma", 0.01)])
def test_real_noise_has_millivolts(kind: noise.Kind, tenth_mv: float) -> None:
    whole = noise.half(kind, "train").signal_mv
    assert whole.shape == (2, 325_000)
    assert tenth_mv < whole.std() < 100 * tenth_mv


@real
def test_the_level_of_a_physionet_record_is_found_again() -> None:
    """118e00 is record 118 with noise that PhysioNet's ``nst`` set to 0 dB, by turns.

    ``nst`` measured the noise in its first five minutes, which are not in the record; in V1 the
    later minutes are as loud, in MLII they are louder, so only V1 can be compared.
    """
    data = Path(os.environ["EDGEECG_DATA"])
    clean = read(data / "mitdb", "118", ("V1",))
    noisy = read(data / "nstdb", "118e00", ("V1",), annotated=False)
    power = noise.signal_power(
        clean.signal_mv[0], clean.samples[np.isin(clean.symbols, list("NLR"))], 360
    )
    extra = (noisy.signal_mv - clean.signal_mv)[0]
    for minute in range(5, 30, 4):
        stretch = extra[minute * 21_600 + 360 : (minute + 2) * 21_600 - 360]
        assert abs(10 * math.log10(power / noise.noise_power(stretch, 360))) < 1.5
