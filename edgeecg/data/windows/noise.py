"""Recorded noise: for augmentation, and for scores on noisy records.

The MIT-BIH Noise Stress Test Database holds half an hour each of baseline wander (``bw``) and
muscle artefact (``ma``), from electrodes placed where the ECG is not seen. The first half of each
is for training, the second for testing.

Noise is added as PhysioNet's ``nst`` does it (WFDB Applications Guide, ``nst(1)``, ``sigamp(1)``;
Moody, Muldrow and Mark, Computers in Cardiology 11:381-384, 1984). The signal power S is the
squared peak-to-peak amplitude of the QRS complexes, over 8. The noise power N is the squared RMS of
the noise about its mean in each second. Both amplitudes are means of the first 300 measurements
without the largest and smallest 5 %. Noise is scaled by ``a = sqrt(S / (N * 10 ** (SNR / 10)))``.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.records.reader import Record
from edgeecg.data.windows.filters import causal_filter
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing

Kind = Literal["bw", "ma"]
"""Baseline wander, or muscle artefact."""

Part = Literal["train", "test"]
"""First or second half of a noise record; no sample is in both."""

_LEADS = ("noise1", "noise2")
_QRS_S = 0.05
_MEASUREMENTS = 300
_TRIMMED = 20  # One in 20 at either end.


def half(kind: Kind, part: Part) -> Record:
    """Return one half of a noise record: two leads in millivolts at the record's own rate.

    Raises:
        DataError: The noise records are missing or damaged.
    """
    folder = place("nstdb")
    if not (folder / f"{kind}.hea").is_file():
        raise DataError(
            "The noise records were not found.",
            f"There is no '{folder / kind}.hea'.",
            "Run 'edgeecg data fetch nstdb'.",
        )
    whole = reader.read(folder, kind, _LEADS, annotated=False)
    middle = whole.signal_mv.shape[1] // 2
    chosen = slice(None, middle) if part == "train" else slice(middle, None)
    return dataclasses.replace(whole, signal_mv=whole.signal_mv[:, chosen])


def bank(kind: Kind, preprocessing: Preprocessing, part: Part) -> NDArray[np.float32]:
    """Return one half of a noise record as it would come through the filters of a model.

    Args:
        kind: Baseline wander or muscle artefact.
        preprocessing: Gives the high-pass and the rate; both are applied as to a signal.
        part: Which half.

    Returns:
        ``(2, samples)`` at ``preprocessing.fs_hz``; each lead with mean 0 and deviation 1.

    Raises:
        DataError: The noise records are missing or damaged.
    """
    record = half(kind, part)
    stream = causal_filter(preprocessing, record.fs_hz)
    # The filter knows nothing before the first sample, so what it starts with is left out.
    filtered = stream.push(record.signal_mv)[:, 2 * stream.delay :]
    centred = filtered - filtered.mean(axis=1, keepdims=True)
    return (centred / filtered.std(axis=1, keepdims=True)).astype(np.float32)


def add(
    signal_mv: NDArray[np.float64],
    r_samples: NDArray[np.int64],
    noise_mv: NDArray[np.float64],
    snr_db: float,
    fs_hz: float,
) -> NDArray[np.float64]:
    """Return a record with noise of a given level on it.

    Args:
        signal_mv: Clean leads, ``(leads, samples)``.
        r_samples: R peaks of the record's normal beats, ``(beats,)``.
        noise_mv: Noise at the same rate, ``(leads of the noise, any number of samples)``; begun
            again when it ends, and its leads taken in turn.
        snr_db: Signal-to-noise ratio of every lead, in decibels.
        fs_hz: Sampling rate of both.

    Raises:
        ValueError: There is no beat, or not a second of noise, or the noise is flat.
    """
    noisy = np.empty_like(signal_mv)
    for lead, clean in enumerate(signal_mv):
        noise = noise_mv[lead % len(noise_mv)]
        power = noise_power(noise, fs_hz)
        if power == 0.0:
            raise ValueError("flat noise has no level")
        gain = math.sqrt(signal_power(clean, r_samples, fs_hz) / (power * 10 ** (snr_db / 10)))
        noisy[lead] = clean + gain * np.resize(noise, clean.shape)
    return noisy


def signal_power(lead_mv: NDArray[np.float64], r_samples: NDArray[np.int64], fs_hz: float) -> float:
    """Return the power of a lead's QRS complexes as ``nst`` defines it, in mV².

    Args:
        lead_mv: One lead, ``(samples,)``.
        r_samples: R peaks of normal beats, ``(beats,)``; those within 50 ms of an end are left out.
        fs_hz: Sampling rate.

    Raises:
        ValueError: There is no beat.
    """
    reach = round(_QRS_S * fs_hz)
    whole = (r_samples >= reach) & (r_samples + reach <= len(lead_mv))
    starts = r_samples[whole][:_MEASUREMENTS] - reach
    if not len(starts):
        raise ValueError("without a beat a signal has no QRS amplitude")
    complexes = lead_mv[starts[:, None] + np.arange(2 * reach)]
    return _trimmed_mean(np.ptp(complexes, axis=1)) ** 2 / 8


def noise_power(noise_mv: NDArray[np.float64], fs_hz: float) -> float:
    """Return the power of one lead of noise as ``nst`` defines it, in mV².

    Args:
        noise_mv: One lead, ``(samples,)``.
        fs_hz: Sampling rate.

    Raises:
        ValueError: There is less than a second of noise.
    """
    second = round(fs_hz)
    count = min(_MEASUREMENTS, len(noise_mv) // second)
    if not count:
        raise ValueError("noise is measured in seconds, and there is less than one")
    seconds = noise_mv[: count * second].reshape(count, second)
    return _trimmed_mean(seconds.std(axis=1)) ** 2


def _trimmed_mean(values: NDArray[np.float64]) -> float:
    cut = len(values) // _TRIMMED
    return float(np.sort(values)[cut : len(values) - cut].mean())
