"""Causal high-pass and resampler that carry their state from one piece of a signal to the next.

The coefficients are computed on the workstation (:mod:`edgeecg.data.windows.filters`) and are part
of an exported file's manifest, so that a device needs nothing but NumPy.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeecg.schema import FilterCoefficients

_BLOCK = 4096
"""Output samples of one phase that are computed at a time, to limit memory on long records."""


class SectionFilter(Protocol):
    """A function that runs a second-order section over the next samples of each lead."""

    def __call__(
        self, sos: NDArray[np.float64], samples: NDArray[np.float64], state: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Filter the next samples in direct form II transposed.

        Args:
            sos: ``b0, b1, b2, 1, a1, a2``, ``(6,)``.
            samples: Input, ``(leads, samples)``.
            state: State before the first sample, ``(leads, 2)``; not modified.

        Returns:
            The output ``(leads, samples)`` and the state after the last sample ``(leads, 2)``.
        """
        ...


def filter_section(
    sos: NDArray[np.float64], samples: NDArray[np.float64], state: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run a second-order section without SciPy; see :class:`SectionFilter`.

    The operations and their order are those of ``scipy.signal.sosfilt``, so the results are equal
    bit for bit.
    """
    b0, b1, b2, _, a1, a2 = sos.tolist()
    output = np.empty(samples.shape)
    after = np.empty_like(state)
    for lead, values in enumerate(samples.tolist()):
        s1, s2 = state[lead].tolist()
        for number, x in enumerate(values):
            y = b0 * x + s1
            s1 = b1 * x - a1 * y + s2
            s2 = b2 * x - a2 * y
            output[lead, number] = y
        after[lead] = s1, s2
    return output, after


def resampler_taps(coefficients: FilterCoefficients) -> NDArray[np.float64]:
    """Return the taps of the resampler's low-pass filter, ``(2 * delay * down + 1,)``.

    A Kaiser-windowed sinc, cut off at half the lower of the two rates, with gain ``up`` at 0 Hz.
    ``scipy.signal.firwin`` gives the same up to the rounding of the Kaiser window.
    """
    up, down = coefficients.up, coefficients.down
    if up == down:
        return np.ones(1)
    half = coefficients.delay * down
    cutoff = 1.0 / max(up, down)
    ideal = cutoff * np.sinc(cutoff * np.arange(-half, half + 1))
    taps = ideal * np.kaiser(2 * half + 1, coefficients.kaiser_beta)
    taps /= taps.sum()
    return up * taps


class CausalFilter:
    """High-pass and resampler with carried state: samples in, samples out, in pieces of any size.

    The high-pass is a second-order Butterworth at the record's own rate, started in the steady
    state of the first sample. The resampler is a polyphase FIR filter. Its delay is not
    compensated: output ``n`` needs no input after ``floor(n * down / up)`` and shows the input of
    ``delay`` output samples earlier. From 360 Hz to 128 Hz that is 901 taps, 57 multiplications
    per output sample, and a delay of 10 samples (78 ms). At equal rates there is no resampler and
    no delay.

    Attributes:
        up: Numerator of the ratio of the rates, in lowest terms.
        down: Its denominator.
        delay: Delay of the resampler in output samples; always whole.
    """

    def __init__(
        self, coefficients: FilterCoefficients, section: SectionFilter = filter_section
    ) -> None:
        """Start before the first sample.

        Args:
            coefficients: For the rate of the input.
            section: Runs the high-pass.
        """
        self.up, self.down = coefficients.up, coefficients.down
        self.delay = coefficients.delay
        self._section = section
        self._highpass: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        if coefficients.highpass_sos and coefficients.highpass_steady_state:
            steady = np.array(coefficients.highpass_steady_state)
            self._highpass = np.array(coefficients.highpass_sos), steady
        self._state: NDArray[np.float64] | None = None
        taps = resampler_taps(coefficients)
        # One row of taps for each phase, the tap of the oldest input first.
        per_phase = -(-len(taps) // self.up)
        padded = np.pad(taps, (0, per_phase * self.up - len(taps)))
        self._taps = padded.reshape(per_phase, self.up)[::-1].T.copy()
        self._held: NDArray[np.float64] | None = None
        self._held_from = 1 - per_phase
        self._received = 0
        self._made = 0

    def push(self, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the next input samples and return the output samples they complete.

        Args:
            chunk: Next samples, ``(leads, samples)``; the number of leads may not change.

        Returns:
            The outputs that need no further input, ``(leads, outputs)``, float64.
        """
        leads, samples = chunk.shape
        if samples == 0:
            return np.zeros((leads, 0))
        if self._held is None:
            # Before the record begins the input is 0.
            self._held = np.zeros((leads, -self._held_from))
        held = np.concatenate([self._held, self._high_passed(chunk)], axis=1)
        self._received += samples
        # Output n lies at n * down on the upsampled grid, on which input m lies at m * up.
        ready = (self._received * self.up - 1) // self.down + 1
        outputs = np.empty((leads, ready - self._made))
        for first in range(self._made, min(ready, self._made + self.up)):
            outputs[:, first - self._made :: self.up] = self._of_one_phase(held, first, ready)
        self._made = ready
        oldest = ready * self.down // self.up - self._taps.shape[1] + 1
        self._held = held[:, oldest - self._held_from :]
        self._held_from = oldest
        return outputs

    def position(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the output index at which input samples appear, delay included, rounded."""
        return (2 * samples * self.up + self.down) // (2 * self.down) + self.delay

    def _high_passed(self, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._highpass is None:
            return chunk
        sos, steady = self._highpass
        if self._state is None:
            self._state = steady * chunk[:, :1]
        passed, self._state = self._section(sos, chunk, self._state)
        return passed

    def _of_one_phase(
        self, held: NDArray[np.float64], first: int, stop: int
    ) -> NDArray[np.float64]:
        """Return the outputs ``first``, ``first + up``, ... below ``stop``, which share their taps.

        Args:
            held: Inputs from ``_held_from`` on, ``(leads, samples)``.
            first: The first of these outputs.
            stop: First output that is not ready.
        """
        taps = self._taps[first * self.down % self.up]
        oldest = first * self.down // self.up - len(taps) + 1 - self._held_from
        inputs = sliding_window_view(held, len(taps), axis=1)[:, oldest :: self.down]
        count = -(-(stop - first) // self.up)
        outputs = np.empty((len(held), count))
        for start in range(0, count, _BLOCK):
            block = inputs[:, start : min(start + _BLOCK, count)]
            # A running sum adds in order of time; a dot product would not, and its rounding would
            # depend on the size of the chunk and on the machine.
            outputs[:, start : start + _BLOCK] = np.add.accumulate(block * taps, axis=2)[..., -1]
        return outputs + 0.0  # As in SciPy, a sum of nothing but -0 is +0.


def hold_last_valid(signal_mv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a signal with each invalid sample replaced by the last valid one before it.

    Samples before the first valid one are replaced by that one.

    Args:
        signal_mv: ``(leads, samples)``, NaN where invalid; each lead has a valid sample.
    """
    valid = np.isfinite(signal_mv)
    if valid.all():
        return signal_mv
    place = np.where(valid, np.arange(signal_mv.shape[1]), 0)
    place = np.maximum.accumulate(place, axis=1)
    first = valid.argmax(axis=1)[:, None]
    return np.take_along_axis(signal_mv, np.maximum(place, first), axis=1)
