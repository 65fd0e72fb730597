"""The ECG model against the paper's equations, integrated by SciPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from edgeecg.data.sources import _mcsharry
from edgeecg.data.sources._mcsharry import Waves, solve, tachogram

# McSharry et al. 2003, table I: angle in degrees, a, b.
TABLE = [(-60, 1.2, 0.25), (-15, -5.0, 0.1), (0, 30.0, 0.1), (15, -7.5, 0.1), (90, 0.75, 0.4)]


def _equations(t: float, state: NDArray[np.float64]) -> list[float]:
    """Equations (1) of the paper at 60 beats per minute, without baseline wander."""
    x, y, z = state
    alpha, omega = 1 - np.hypot(x, y), 2 * np.pi
    theta = np.arctan2(y, x)
    push = 0.0
    for degrees, a, b in TABLE:
        apart = (theta - np.radians(degrees) + np.pi) % (2 * np.pi) - np.pi
        push -= a * apart * np.exp(-(apart**2) / (2 * b**2))
    return [alpha * x - omega * y, alpha * y + omega * x, push - z]


def test_at_60_per_minute_it_solves_the_papers_equations() -> None:
    fs_hz, seconds = 360, 14
    t = np.arange(fs_hz * seconds) / fs_hz
    # Theta is -pi at t = 0, so the R peaks are at 0.5, 1.5, ... seconds.
    reference = solve_ivp(
        _equations, (0, seconds), [-1.0, 0.0, 0.0], t_eval=t, rtol=1e-8, atol=1e-10, max_step=0.01
    )
    beats = seconds + 2
    table = np.array(TABLE)
    waves = Waves(
        np.tile(np.radians(table[:, 0]), (beats, 1)),
        np.tile(table[:, 1], (beats, 1)),
        np.tile(table[:, 2], (beats, 1)),
    )
    z = solve(np.arange(beats, dtype=np.float64) - 0.5, waves, np.zeros(len(t)), fs_hz)
    # z forgets its start with a time constant of one second.
    settled = t > 10
    peak = np.abs(reference.y[2]).max()
    np.testing.assert_allclose(z[settled], reference.y[2][settled], atol=0.005 * peak)


def test_the_modules_table_is_the_papers() -> None:
    table = np.array(TABLE)
    np.testing.assert_allclose(_mcsharry.ANGLES_RAD, np.radians(table[:, 0]))
    np.testing.assert_allclose(_mcsharry.HEIGHTS, table[:, 1])
    np.testing.assert_allclose(_mcsharry.WIDTHS_RAD, table[:, 2])


def test_rr_intervals_have_the_mean_the_deviation_and_the_two_bands() -> None:
    rr = tachogram(np.random.default_rng(5), 3000, mean_s=0.8, deviation_s=0.04)
    assert rr.sum() >= 3000
    assert abs(rr.mean() - 0.8) < 0.005
    assert abs(rr.std() - 0.04) < 0.005
    even_s = np.arange(0, 2990, 0.5)
    wave = np.interp(even_s, np.cumsum(rr), rr) - rr.mean()
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    freq_hz = np.fft.rfftfreq(len(wave), 0.5)
    low = power[(freq_hz > 0.06) & (freq_hz < 0.14)].sum()
    high = power[(freq_hz > 0.20) & (freq_hz < 0.30)].sum()
    assert (low + high) / power.sum() > 0.9
    # Asked for 0.5; one draw of random phases and the beat-wise reading both blur it.
    assert 0.3 < low / high < 0.8


def test_a_baseline_passes_through_the_models_low_pass() -> None:
    none = Waves(np.zeros((1, 5)), np.zeros((1, 5)), np.ones((1, 5)))
    z = solve(np.array([1.0]), none, np.ones(3600), 360)
    # z' = 1 - z from rest.
    t = np.arange(3600) / 360
    np.testing.assert_allclose(z, 1 - np.exp(-t), atol=0.002)
