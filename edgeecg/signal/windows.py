"""Causal preprocessing and window cutting; training and a stream on a device run the same code."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing
from edgeecg.signal import mean_beat

FLAT_MV = 1e-6
"""Added to a window's deviation, so that a flat window becomes zeros and not a division by zero."""

_HALF_WIDTH = 10
_KAISER_BETA = 5.0
_LARGEST_FACTOR = 2000


class CausalFilter:
    """High-pass and resampler with carried state: samples in, samples out, in pieces of any size.

    The high-pass is a second-order Butterworth at the record's own rate, started in the steady
    state of the first sample. The resampler is a polyphase FIR filter (Kaiser-windowed sinc, beta
    5, cut off at half the lower of the two rates). The filter's delay is not taken back: output
    ``n`` needs no input after ``floor(n * down / up)`` and shows the input of ``delay`` output
    samples earlier. For 360 Hz to 128 Hz that is 901 taps, 57 multiplications per output sample,
    and a delay of 10 samples (78 ms). At equal rates there is no resampler and no delay.

    Attributes:
        up: Numerator of the ratio of the rates, in lowest terms.
        down: Its denominator.
        delay: Delay of the resampler in output samples; always whole.
    """

    def __init__(self, preprocessing: Preprocessing, record_fs_hz: float) -> None:
        """Design both filters.

        Args:
            preprocessing: Gives the output rate and the corner of the high-pass.
            record_fs_hz: Sampling rate of the input.

        Raises:
            DataError: The record's rate is too low for the high-pass, or the two rates have no
                ratio of small whole numbers.
        """
        ratio = _ratio(preprocessing.fs_hz, record_fs_hz)
        highpass_hz = preprocessing.highpass_hz
        if highpass_hz is not None and highpass_hz >= record_fs_hz / 2:
            raise DataError(
                f"A record sampled at {record_fs_hz} Hz cannot be filtered.",
                f"The high-pass corner of {highpass_hz} Hz is not below half of it.",
                "Choose a lower corner, or records with a higher rate.",
            )
        self.up, self.down = ratio.numerator, ratio.denominator
        # A half length of a multiple of `down` makes the delay a whole number of output samples.
        self.delay = 0 if ratio == 1 else math.ceil(_HALF_WIDTH * max(Fraction(1), ratio))
        self._taps = _low_pass(self.up, self.down, 2 * self.delay * self.down + 1)
        self._sos: NDArray[np.float64] | None = None
        if highpass_hz is not None:
            corner = dsp.butter(2, highpass_hz, "highpass", fs=record_fs_hz, output="sos")
            self._sos = np.asarray(corner, dtype=np.float64)
        self._state: NDArray[np.float64] | None = None
        self._held: NDArray[np.float64] | None = None
        self._held_from = 0
        self._made = 0

    def push(self, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the next input samples and return the output samples they complete.

        Args:
            chunk: Next samples, ``(leads, samples)``; the number of leads may not change.

        Returns:
            The outputs that need no further input, ``(leads, outputs)``, float64.
        """
        if chunk.shape[1] == 0:
            return np.zeros((chunk.shape[0], 0))
        passed = self._high_passed(chunk)
        if self._held is None:
            self._held = np.zeros((chunk.shape[0], 0))
        held: NDArray[np.float64] = np.concatenate([self._held, passed], axis=1)
        received = self._held_from + held.shape[1]
        # Output n sits at n * down on the upsampled grid, on which input m sits at m * up.
        ready = (received * self.up - 1) // self.down + 1
        first = self._made - self._held_from // self.down * self.up
        made: NDArray[np.float64] = dsp.upfirdn(self._taps, held, self.up, self.down, axis=1)
        made = made[:, first : first + ready - self._made]
        self._made = ready
        self._keep(held)
        return made

    def position(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the output index at which input samples appear, delay included, rounded."""
        return (2 * samples * self.up + self.down) // (2 * self.down) + self.delay

    def _high_passed(self, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._sos is None:
            return chunk
        if self._state is None:
            steady: NDArray[np.float64] = dsp.sosfilt_zi(self._sos)
            self._state = steady[:, None, :] * chunk[None, :, :1]
        passed, self._state = dsp.sosfilt(self._sos, chunk, axis=1, zi=self._state)
        return np.asarray(passed, np.float64)

    def _keep(self, held: NDArray[np.float64]) -> None:
        """Hold on to the inputs that the next output still needs."""
        needed = max(0, -(-(self._made * self.down - len(self._taps) + 1) // self.up))
        # upfirdn starts at phase 0, so what is held has to start at a multiple of `down`.
        start = max(self._held_from, needed // self.down * self.down)
        self._held = held[:, start - self._held_from :]
        self._held_from = start


def cut(
    filtered: NDArray[np.float64], positions: NDArray[np.int64], preprocessing: Preprocessing
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut one normalised window around each R peak.

    Args:
        filtered: Output of :class:`CausalFilter`, ``(leads, samples)``.
        positions: Index of each R peak in it, ``(beats,)``.
        preprocessing: Gives the window's length and the place of the R peak in it.

    Returns:
        The windows ``(whole beats, leads, window)``, and for each beat whether its window lies
        whole inside the record ``(beats,)``. With a rhythm strip the windows are shorter by it: see
        :func:`with_strips`.
    """
    assert preprocessing.r_index is not None
    length = preprocessing.signal_samples
    start = positions - (preprocessing.r_index - preprocessing.signal_start)
    whole = (start >= 0) & (start + length <= filtered.shape[1])
    index = start[whole, None] + np.arange(length)
    beats_mv = filtered[:, index].transpose(1, 0, 2)
    x = normalise(beats_mv, preprocessing)
    if preprocessing.reference is not None:
        means_mv = mean_beat.means(beats_mv, preprocessing.reference)
        x = np.concatenate([x, x - normalise(means_mv, preprocessing, beats_mv)], axis=2)
    return x, whole


def with_strips(windows: NDArray[np.float32], strips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return windows with each beat's rhythm strip before the signal, the same on every lead.

    Args:
        windows: ``(beats, leads, signal samples)``.
        strips: From :mod:`edgeecg.signal.rhythm`, ``(beats, strip)``.
    """
    beats, leads, _ = windows.shape
    spread = np.broadcast_to(strips[:, None, :], (beats, leads, strips.shape[1]))
    return np.concatenate([spread, windows], axis=2)


def normalise(
    windows: NDArray[np.float64],
    preprocessing: Preprocessing,
    scale: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Return windows minus a mean, over a deviation.

    Args:
        windows: Millivolts, ``(..., samples)``.
        preprocessing: Says whether both are the window's own, each lead by itself, or fixed ones.
        scale: Windows whose deviation is used in place of their own; of the same shape.
    """
    if preprocessing.mean_mv is not None and preprocessing.deviation_mv is not None:
        fixed = (windows - preprocessing.mean_mv) / preprocessing.deviation_mv
        return fixed.astype(np.float32)
    mean = windows.mean(axis=-1, keepdims=True)
    deviation = (windows if scale is None else scale).std(axis=-1, keepdims=True)
    return ((windows - mean) / (deviation + FLAT_MV)).astype(np.float32)


def _low_pass(up: int, down: int, taps: int) -> NDArray[np.float64]:
    if up == down:
        return np.ones(1)
    kernel = dsp.firwin(
        taps,
        1.0 / max(up, down),
        window=("kaiser", _KAISER_BETA),  # pyright: ignore[reportArgumentType]
    )
    return up * np.asarray(kernel, dtype=np.float64)


def _ratio(fs_hz: float, record_fs_hz: float) -> Fraction:
    ratio = Fraction(str(fs_hz)) / Fraction(str(record_fs_hz))
    if max(ratio.numerator, ratio.denominator) > _LARGEST_FACTOR:
        raise DataError(
            f"A record sampled at {record_fs_hz} Hz cannot be resampled to {fs_hz} Hz.",
            f"The ratio in lowest terms is {ratio}; neither number may be above {_LARGEST_FACTOR}.",
            "Choose a rate with a simpler ratio to the record's, such as 128 for 360.",
        )
    return ratio
