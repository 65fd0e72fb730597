"""Design of the causal filters on the workstation, and the filters at the speed of SciPy."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from edgeecg.errors import DataError
from edgeecg.schema import FilterCoefficients, Preprocessing
from edgeecg.signal import qrs
from edgeecg.signal.filters import CausalFilter

DEVICE_RATES_HZ = (100.0, 125.0, 128.0, 200.0, 250.0, 256.0, 360.0, 500.0, 512.0, 1000.0)
"""Sampling rates of common ECG front ends and databases."""

LOWEST_RATE_HZ = qrs.LOWEST_RATE_HZ
"""Lowest sampling rate of a record: below it the waves of a heartbeat are not in the signal."""

_HALF_WIDTH = 10
"""Zero crossings of the resampler's sinc on each side, as in ``scipy.signal.resample_poly``."""

_LARGEST_FACTOR = 2000
_LARGEST_ERROR = 1e-3
"""Largest relative error of the ratio of two rates; 2 ms in a window of two seconds."""


def causal_filter(preprocessing: Preprocessing, record_fs_hz: float) -> CausalFilter:
    """Return the filter of a preprocessing for records of a given rate, fast on long records.

    Args:
        preprocessing: Gives the output rate and the corner of the high-pass.
        record_fs_hz: Sampling rate of the input.

    Raises:
        DataError: The record's rate is too low for an ECG; or see :func:`design`.
    """
    if record_fs_hz < LOWEST_RATE_HZ:
        raise DataError(
            f"A record sampled at {record_fs_hz:g} Hz cannot be classified.",
            f"The waves of a heartbeat need {LOWEST_RATE_HZ:g} Hz or more.",
            "Leave the record out, or get it at a higher rate.",
        )
    return CausalFilter(design(preprocessing, record_fs_hz), scipy_section)


def design(preprocessing: Preprocessing, record_fs_hz: float) -> FilterCoefficients:
    """Compute the coefficients of the high-pass and the resampler.

    Args:
        preprocessing: Gives the output rate and the corner of the high-pass.
        record_fs_hz: Sampling rate of the input.

    Raises:
        DataError: The record's rate is too low for the high-pass, or the two rates are too far
            apart.
    """
    ratio = _ratio(preprocessing.fs_hz, record_fs_hz)
    highpass_hz = preprocessing.highpass_hz
    sos = steady = None
    if highpass_hz is not None:
        if highpass_hz >= record_fs_hz / 2:
            raise DataError(
                f"A record sampled at {record_fs_hz} Hz cannot be filtered.",
                f"The high-pass corner of {highpass_hz} Hz is not below half of it.",
                "Choose a lower corner, or records with a higher rate.",
            )
        section = np.asarray(
            dsp.butter(2, highpass_hz, "highpass", fs=record_fs_hz, output="sos"), np.float64
        )
        sos, steady = section[0].tolist(), dsp.sosfilt_zi(section)[0].tolist()
    # A half length of a multiple of `down` makes the delay a whole number of output samples.
    delay = 0 if ratio == 1 else math.ceil(_HALF_WIDTH * max(Fraction(1), ratio))
    return FilterCoefficients(
        record_fs_hz=record_fs_hz,
        up=ratio.numerator,
        down=ratio.denominator,
        delay=delay,
        highpass_sos=sos,
        highpass_steady_state=steady,
    )


def for_devices(preprocessing: Preprocessing) -> tuple[FilterCoefficients, ...]:
    """Return the coefficients for the rates of common devices, for a file's manifest.

    Rates at which a signal needs no filter, or that do not fit, are left out.
    """
    found: list[FilterCoefficients] = []
    for record_fs_hz in DEVICE_RATES_HZ:
        if preprocessing.highpass_hz is None and record_fs_hz == preprocessing.fs_hz:
            continue
        try:
            found.append(design(preprocessing, record_fs_hz))
        except DataError:
            continue
    return tuple(found)


def scipy_section(
    sos: NDArray[np.float64], samples: NDArray[np.float64], state: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run a second-order section with SciPy; see :class:`edgeecg.signal.filters.SectionFilter`."""
    output, after = dsp.sosfilt(sos[None], samples, axis=1, zi=state[None])
    return np.asarray(output, np.float64), np.asarray(after, np.float64)[0]


def _ratio(fs_hz: float, record_fs_hz: float) -> Fraction:
    """Return output rate over input rate in lowest terms, none of them above 2,000.

    Where the exact ratio has larger terms, as 128 over 249.9 has, the nearest one without is taken.
    Positions are mapped by the same ratio, so nothing drifts; a window is longer or shorter by less
    than :data:`_LARGEST_ERROR` of its length.

    Raises:
        DataError: No such ratio is near enough.
    """
    exact = Fraction(str(fs_hz)) / Fraction(str(record_fs_hz))
    if exact <= 1:
        ratio = exact.limit_denominator(_LARGEST_FACTOR)
    else:
        ratio = 1 / (1 / exact).limit_denominator(_LARGEST_FACTOR)
    if abs(ratio / exact - 1) > _LARGEST_ERROR:
        raise DataError(
            f"A record sampled at {record_fs_hz} Hz cannot be resampled to {fs_hz} Hz.",
            f"No ratio of whole numbers up to {_LARGEST_FACTOR} is near enough to that of the "
            "rates.",
            "Choose a rate nearer to the record's.",
        )
    return ratio
