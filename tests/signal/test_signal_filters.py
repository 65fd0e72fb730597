"""Filters: a stream gives what a whole record gives, nothing looks ahead, NumPy equals SciPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import signal as dsp

from edgeecg.data.windows.filters import causal_filter, design, scipy_section
from edgeecg.schema import Preprocessing
from edgeecg.signal.filters import CausalFilter, filter_section, hold_last_valid, resampler_taps
from edgeecg.signal.windows import cut

RATES = [(360.0, 128.0), (360.0, 360.0), (100.0, 128.0), (500.0, 125.0), (257.0, 128.0)]


def _noise(samples: int, leads: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(0.3, 1.0, (leads, samples))


def _whole(
    signal: NDArray[np.float64], record_fs_hz: float = 360.0, fs_hz: float = 128.0
) -> tuple[NDArray[np.float64], CausalFilter]:
    stream = causal_filter(Preprocessing(fs_hz=fs_hz), record_fs_hz)
    return stream.push(signal), stream


@settings(max_examples=60, deadline=None)
@given(
    rates=st.sampled_from(RATES),
    sizes=st.lists(st.integers(0, 700), min_size=1, max_size=8),
    leads=st.integers(1, 2),
)
def test_pieces_of_any_size_give_the_same_bits_as_the_whole(
    rates: tuple[float, float], sizes: list[int], leads: int
) -> None:
    signal = _noise(sum(sizes), leads)
    whole, _ = _whole(signal, *rates)
    stream = causal_filter(Preprocessing(fs_hz=rates[1]), rates[0])
    ends = list(itertools.accumulate(sizes))
    pieces = [stream.push(signal[:, a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


def test_sample_by_sample_as_on_a_device() -> None:
    signal = _noise(1500)
    whole, _ = _whole(signal)
    stream = causal_filter(Preprocessing(), 360.0)
    pieces = [stream.push(signal[:, i : i + 1]) for i in range(signal.shape[1])]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    # 45 input samples bring 16 output samples, never more than one at a time.
    assert {piece.shape[1] for piece in pieces} == {0, 1}


@pytest.mark.parametrize(("record_fs_hz", "fs_hz"), [r for r in RATES if r[0] != r[1]])
def test_it_is_scipys_resampler_with_the_delay_left_in(record_fs_hz: float, fs_hz: float) -> None:
    signal = _noise(6000)
    filtered, stream = _whole(signal, record_fs_hz, fs_hz)
    sos = dsp.butter(2, 0.5, "highpass", fs=record_fs_hz, output="sos")
    steady = dsp.sosfilt_zi(sos) * signal[0, 0]
    passed, _ = dsp.sosfilt(sos, signal[0], zi=steady)
    half = stream.delay * stream.down
    largest = max(stream.up, stream.down)
    # Ten zero crossings a side, as scipy's default has; rounded up to a whole delay.
    assert 0 <= half - 10 * largest < stream.down
    taps = dsp.firwin(2 * half + 1, 1 / largest, window=("kaiser", 5.0))  # pyright: ignore[reportArgumentType]
    centred = dsp.resample_poly(passed, stream.up, stream.down, window=np.asarray(taps))
    late = filtered[0, stream.delay :]
    np.testing.assert_allclose(late, centred[: len(late)], rtol=0, atol=1e-12)


def test_at_the_records_own_rate_there_is_the_high_pass_alone() -> None:
    signal = _noise(3000)
    filtered, stream = _whole(signal, 360.0, 360.0)
    sos = dsp.butter(2, 0.5, "highpass", fs=360, output="sos")
    passed, _ = dsp.sosfilt(sos, signal[0], zi=dsp.sosfilt_zi(sos) * signal[0, 0])
    assert stream.delay == 0
    np.testing.assert_allclose(filtered[0], passed, rtol=0, atol=1e-12)


def test_the_record_rate_of_mit_bih_has_the_documented_cost() -> None:
    stream = causal_filter(Preprocessing(), 360.0)
    assert (stream.up, stream.down, stream.delay) == (16, 45, 10)


@settings(max_examples=25, deadline=None)
@given(output=st.integers(0, 500), seed=st.integers(0, 2**16))
def test_no_output_sample_looks_ahead(output: int, seed: int) -> None:
    signal = _noise(1600)
    before, stream = _whole(signal)
    last_needed = output * stream.down // stream.up
    changed = signal.copy()
    changed[:, last_needed + 1 :] += np.random.default_rng(seed).normal(
        0, 100, changed[:, last_needed + 1 :].shape
    )
    after, _ = _whole(changed)
    np.testing.assert_array_equal(after[:, : output + 1], before[:, : output + 1])
    assert not np.array_equal(after[:, output + 1 :], before[:, output + 1 :])


def test_a_window_needs_nothing_after_its_last_sample() -> None:
    preprocessing = Preprocessing()
    signal = _noise(3000)
    filtered, stream = _whole(signal)
    at = stream.position(np.array([1200]))
    x, _ = cut(filtered, at, preprocessing)
    assert preprocessing.r_index is not None
    last = int(at[0]) - preprocessing.r_index + preprocessing.window - 1
    signal[:, last * stream.down // stream.up + 1 :] = 50.0
    again, _ = cut(_whole(signal)[0], at, preprocessing)
    np.testing.assert_array_equal(again, x)


@pytest.mark.parametrize("freq_hz", [5.0, 10.0, 25.0, 40.0])
def test_a_sine_keeps_its_amplitude_and_lands_where_it_should(freq_hz: float) -> None:
    time_s = np.arange(360 * 20) / 360
    filtered, stream = _whole(np.sin(2 * np.pi * freq_hz * time_s)[None])
    made = filtered[0, 1280:]
    out_s = (np.arange(1280, filtered.shape[1]) - stream.delay) / 128
    # Phase lead of the analogue second-order Butterworth high-pass; the digital one is close to it.
    r = freq_hz / 0.5
    lead_rad = math.atan2(math.sqrt(2) * r, r**2 - 1)
    expected = np.sin(2 * np.pi * freq_hz * out_s + lead_rad)
    np.testing.assert_allclose(made, expected, atol=0.01)


@pytest.mark.parametrize("level", [-3.0, 0.0, 5.0])
def test_a_constant_lead_gives_nothing_from_the_first_sample_on(level: float) -> None:
    filtered, _ = _whole(np.full((1, 1000), level))
    np.testing.assert_allclose(filtered, 0, atol=1e-9)


def test_baseline_wander_is_taken_out() -> None:
    time_s = np.arange(360 * 60) / 360
    filtered, _ = _whole(np.sin(2 * np.pi * 0.05 * time_s)[None])
    # 0.05 Hz is a tenth of the corner: 40 dB down at 12 dB per octave.
    assert np.abs(filtered[0, 2560:]).max() == pytest.approx(0.01, rel=0.05)


@given(sample=st.integers(0, 650_000), rates=st.sampled_from(RATES))
def test_positions_are_rounded_to_the_nearest_output_sample(
    sample: int, rates: tuple[float, float]
) -> None:
    stream = causal_filter(Preprocessing(fs_hz=rates[1]), rates[0])
    at = int(stream.position(np.array([sample]))[0])
    assert abs(at - stream.delay - sample * rates[1] / rates[0]) <= 0.5 + 1e-9


@given(sample=st.integers(900, 2000))
def test_a_peak_lands_at_r_index(sample: int) -> None:
    preprocessing = Preprocessing()
    signal = np.exp(-(((np.arange(3600) - sample) / 5.0) ** 2))[None]
    filtered, stream = _whole(signal)
    x, whole = cut(filtered, stream.position(np.array([sample])), preprocessing)
    assert whole.all()
    assert preprocessing.r_index is not None
    assert abs(int(x[0, 0].argmax()) - preprocessing.r_index) <= 1


@settings(max_examples=60)
@given(
    rates=st.sampled_from(RATES),
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=6),
    leads=st.integers(1, 3),
)
def test_without_scipy_the_output_is_the_same_bit_for_bit(
    rates: tuple[float, float], sizes: list[int], leads: int
) -> None:
    coefficients = design(Preprocessing(fs_hz=rates[1]), rates[0])
    assert coefficients.highpass_sos is not None
    signal = _noise(sum(sizes), leads)
    stream = CausalFilter(coefficients)
    ends = list(itertools.accumulate(sizes))
    pieces = [stream.push(signal[:, a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    made = np.concatenate(pieces, axis=1)
    if not sum(sizes):
        assert made.shape == (leads, 0)
        return
    sos = np.array([coefficients.highpass_sos])
    steady = np.array(coefficients.highpass_steady_state)
    passed, _ = dsp.sosfilt(sos, signal, axis=1, zi=(steady * signal[:, :1])[None])
    taps, up, down = resampler_taps(coefficients), coefficients.up, coefficients.down
    expected = np.asarray(dsp.upfirdn(taps, passed, up, down, axis=1))
    assert made.shape == (leads, (sum(sizes) * up - 1) // down + 1)
    assert made.tobytes() == expected[:, : made.shape[1]].tobytes()


@given(
    samples=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50),
    state=st.tuples(*[st.floats(-5, 5)] * 2),
)
def test_a_section_without_scipy_is_sosfilt_bit_for_bit(
    samples: list[float], state: tuple[float, float]
) -> None:
    sos = np.asarray(dsp.butter(2, 0.3, output="sos"))[0]
    signal = np.array([samples, samples[::-1]]).reshape(2, len(samples))
    before = np.array([state, state[::-1]])
    ours, after = filter_section(sos, signal, before)
    scipys, scipys_after = scipy_section(sos, signal, before)
    assert ours.tobytes() == scipys.tobytes()
    assert after.tobytes() == scipys_after.tobytes()


@pytest.mark.parametrize(("record_fs_hz", "fs_hz"), RATES)
def test_the_resamplers_taps_are_those_of_firwin(record_fs_hz: float, fs_hz: float) -> None:
    coefficients = design(Preprocessing(fs_hz=fs_hz), record_fs_hz)
    up, down = coefficients.up, coefficients.down
    taps = resampler_taps(coefficients)
    if up == down:
        assert taps.tolist() == [1.0]
        return
    expected = dsp.firwin(
        2 * coefficients.delay * down + 1,
        1 / max(up, down),
        window=("kaiser", 5.0),  # pyright: ignore[reportArgumentType]
    )
    # NumPy's exp, which is in the Kaiser window, rounds the last bits in its own way on some CPUs.
    np.testing.assert_allclose(taps, up * np.asarray(expected), rtol=2e-15, atol=0)


def test_a_long_record_is_filtered_in_blocks() -> None:
    signal = _noise(40_000)
    one = causal_filter(Preprocessing(fs_hz=125), 250.0).push(signal)
    stream = causal_filter(Preprocessing(fs_hz=125), 250.0)
    pieces = [stream.push(piece) for piece in np.array_split(signal, 7, axis=1)]
    assert one.shape[1] == 20_000
    assert np.concatenate(pieces, axis=1).tobytes() == one.tobytes()


def test_invalid_samples_are_replaced_by_the_last_valid_one() -> None:
    nan = math.nan
    made = hold_last_valid(np.array([[nan, nan, 1.0, nan, 2.0, nan], [3.0, nan, nan, 4.0, 5, 6]]))
    assert made.tolist() == [[1, 1, 1, 1, 2, 2], [3, 3, 3, 4, 5, 6]]
