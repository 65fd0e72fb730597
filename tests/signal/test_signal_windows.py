"""Cutting and normalising windows."""

from __future__ import annotations

import numpy as np

from edgeecg.schema import Preprocessing
from edgeecg.signal.windows import cut, normalise


def test_beats_at_the_ends_have_no_whole_window() -> None:
    preprocessing = Preprocessing(window=16, r_index=5)
    filtered = np.arange(40, dtype=np.float64)[None]
    x, whole = cut(filtered, np.array([4, 5, 29, 30]), preprocessing)
    assert whole.tolist() == [False, True, True, False]
    assert x.shape == (2, 1, 16)
    ramp = (np.arange(16) - 7.5) / np.arange(16).std()
    np.testing.assert_allclose(x[:, 0], [ramp, ramp], atol=1e-5)


def test_no_beats_give_no_windows() -> None:
    x, whole = cut(np.zeros((2, 400)), np.zeros(0, np.int64), Preprocessing())
    assert x.shape == (0, 2, 256)
    assert whole.shape == (0,)


def test_each_window_and_lead_is_normalised_by_itself() -> None:
    windows = np.random.default_rng(0).normal(3, [[[1.0], [20.0]]], (4, 2, 256))
    made = normalise(windows, Preprocessing())
    assert made.dtype == np.float32
    np.testing.assert_allclose(made.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(made.std(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(normalise(windows[2, 1], Preprocessing()), made[2, 1], atol=1e-5)


def test_a_flat_window_becomes_zeros() -> None:
    np.testing.assert_allclose(normalise(np.full((1, 1, 256), 0.7), Preprocessing()), 0, atol=1e-6)
