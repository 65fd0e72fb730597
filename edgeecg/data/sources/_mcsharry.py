"""The dynamical ECG model of McSharry, Clifford, Tarassenko and Smith (IEEE TBME 50(3), 2003).

Its equations (1) are three coupled ODEs::

    x' = alpha x - omega y        alpha = 1 - sqrt(x^2 + y^2)
    y' = alpha y + omega x        theta = atan2(y, x)
    z' = -sum_i a_i dtheta_i exp(-dtheta_i^2 / (2 b_i^2)) - (z - z0(t))

The first two only bring (x, y) onto the unit circle and turn it at omega = 2 pi / RR. Started on
the circle they leave theta' = omega, and z becomes a linear filter of a known input, which is
solved here exactly up to the sampling of that input. So that a beat can be premature or wide, its
events (P, Q, R, S, T) have their angles, heights and widths, and its QRS keeps its duration in
seconds whatever the rate; at 60 beats per minute with the paper's table the two are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

EVENTS = ("P", "Q", "R", "S", "T")

ANGLES_RAD = (-np.pi / 3, -np.pi / 12, 0.0, np.pi / 12, np.pi / 2)
"""Angles theta_i of table I; R is at 0."""

HEIGHTS = (1.2, -5.0, 30.0, -7.5, 0.75)
"""Heights a_i of table I."""

WIDTHS_RAD = (0.25, 0.1, 0.1, 0.1, 0.4)
"""Widths b_i of table I."""

_REACH = 6.0
_LOW_HZ, _HIGH_HZ, _BAND_HZ, _LOW_OVER_HIGH = 0.1, 0.25, 0.01, 0.5
_TACHOGRAM_FS_HZ = 4.0


@dataclass(frozen=True)
class Waves:
    """The five events of each beat; all arrays are ``(beats, 5)`` in the order of :data:`EVENTS`.

    Attributes:
        angles_rad: Angle of each event at 60 beats per minute.
        heights: The a_i.
        widths_rad: The b_i at 60 beats per minute.
    """

    angles_rad: NDArray[np.float64]
    heights: NDArray[np.float64]
    widths_rad: NDArray[np.float64]


def tachogram(
    rng: np.random.Generator, duration_s: float, mean_s: float, deviation_s: float
) -> NDArray[np.float64]:
    """Return RR intervals with the bimodal spectrum of equation (2), beat after beat.

    The spectrum has Gaussian bands at 0.1 Hz (Mayer waves) and 0.25 Hz (respiration), 0.01 Hz wide,
    with half as much power in the low one, and random phases.

    Args:
        rng: Source of the phases.
        duration_s: The intervals add up to at least this.
        mean_s: Mean RR interval.
        deviation_s: Standard deviation of the RR intervals.

    Returns:
        RR intervals in seconds, ``(beats,)``.
    """
    n = 2 * int(np.ceil(duration_s * _TACHOGRAM_FS_HZ))
    freq_hz = np.fft.rfftfreq(n, 1 / _TACHOGRAM_FS_HZ)
    low = _LOW_OVER_HIGH * np.exp(-(((freq_hz - _LOW_HZ) / _BAND_HZ) ** 2) / 2)
    high = np.exp(-(((freq_hz - _HIGH_HZ) / _BAND_HZ) ** 2) / 2)
    phases = np.exp(2j * np.pi * rng.random(len(freq_hz)))
    phases[0] = 0.0
    wave = np.fft.irfft(np.sqrt(low + high) * phases, n)
    wave = mean_s + deviation_s * wave / wave.std()
    intervals: list[float] = []
    passed = 0.0
    while passed < duration_s:
        intervals.append(float(wave[int(passed * _TACHOGRAM_FS_HZ)]))
        passed += intervals[-1]
    return np.array(intervals)


def solve(
    r_s: NDArray[np.float64], waves: Waves, baseline: NDArray[np.float64], fs_hz: float
) -> NDArray[np.float64]:
    """Solve for z(t), starting from rest.

    P and T move and widen with the square root of the RR interval that precedes their beat, as the
    QT interval does (Bazett); Q, R and S do not.

    Args:
        r_s: Times of the R peaks in seconds, rising, ``(beats,)``.
        waves: Events of each beat.
        baseline: z0(t) in the units of z, ``(samples,)``.
        fs_hz: Sampling rate.

    Returns:
        z at each sample in the model's own units, ``(samples,)``.
    """
    rr_s = np.diff(r_s, prepend=r_s[:1] - 1.0)
    stretch = np.sqrt(rr_s)[:, None] ** np.array([1, 0, 0, 0, 1])
    centre_s = r_s[:, None] + waves.angles_rad * stretch / (2 * np.pi)
    width_s = waves.widths_rad * stretch / (2 * np.pi)
    drive = baseline.astype(np.float64)
    for event in range(len(EVENTS)):
        reach = int(np.ceil(_REACH * width_s[:, event].max() * fs_hz))
        index = np.rint(centre_s[:, event, None] * fs_hz).astype(np.int64)
        index = index + np.arange(-reach, reach + 1)
        after_s = index / fs_hz - centre_s[:, event, None]
        push = (
            -waves.heights[:, event, None]
            * (2 * np.pi * after_s)
            * np.exp(-((after_s / width_s[:, event, None]) ** 2) / 2)
        )
        inside = (index >= 0) & (index < len(drive))
        np.add.at(drive, index[inside], push[inside])
    # z' = -z + drive: exact decay, trapezoidal rule for the input.
    decay = np.exp(-1 / fs_hz)
    half = 0.5 / fs_hz
    return np.asarray(dsp.lfilter([half, decay * half], [1.0, -decay], drive), np.float64)
