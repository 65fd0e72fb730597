"""A causal detector of QRS complexes, with NumPy alone.

The scheme is that of P. S. Hamilton, "Open source ECG analysis", Computers in Cardiology
29:101-104, 2002, which goes back to J. Pan and W. J. Tompkins, "A real-time QRS detection
algorithm", IEEE Transactions on Biomedical Engineering 32:230-236, 1985: band-pass, rectified
slope, moving average, and adaptive thresholds between the levels of QRS complexes and of noise. All
filters are made of moving averages whose lengths are given in seconds, so that no filter design is
needed for another sampling rate. Two constants differ from the paper and were chosen on the
training records of MIT-BIH (DS1): the moving average is 100 ms instead of 80 ms, and the search for
a missed beat begins after 1.3 instead of 1.5 mean RR intervals.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeecg.signal.filters import hold_last_valid
from edgeecg.signal.r_peaks import BASELINE_S, REACH_S, recentre

LATENCY_S = 5.0
"""A beat is reported at most this long after its R peak, most beats within 0.4 s."""

LOWEST_RATE_HZ = 50.0
"""Lowest sampling rate at which QRS complexes can be found."""

_LOW_PASS_S = 0.025
_HIGH_PASS_S = 0.125
_SLOPE_S = 0.010
_AVERAGE_S = 0.100
_REFRACTORY_S = 0.200
_T_WAVE_S = 0.360
_T_WAVE_RATIO = 0.5
_THRESHOLD = 0.3125
_LEVELS = 8
_MISSED_AFTER = 1.3
_MISSED_THRESHOLD = 0.5
_LEARNING_S = 2.0
_LONGEST_GAP_S = 4.0
_RELEARN_RATIO = 0.1
_ANY_LEVEL_AFTER_S = 10.0
_SMALLEST_MV = 0.001
"""Maxima below this are rounding errors or the noise of a flat lead, not beats."""

_BLOCK_S = 10.0


@dataclass(frozen=True)
class _Candidate:
    """A local maximum of the detection signal.

    Attributes:
        at: Position in the detection signal.
        height: Its value there.
        peak: R peak in raw samples, if it is a QRS complex.
    """

    at: int
    height: float
    peak: int


def detect(lead_mv: NDArray[np.float64], fs_hz: float) -> NDArray[np.int64]:
    """Return the R peaks of a whole record, ``(beats,)``, in order.

    Args:
        lead_mv: One lead in millivolts, ``(samples,)``; NaN where invalid.
        fs_hz: Its sampling rate.
    """
    detector = QrsDetector(fs_hz)
    return np.array([*detector.push(lead_mv), *detector.finish()], np.int64)


class QrsDetector:
    """Finds the R peaks of one lead, in pieces of any size.

    The first two seconds are used to learn the levels of QRS complexes and noise; their beats are
    reported afterwards. An invalid sample (NaN) is replaced by the last valid one.
    """

    def __init__(self, fs_hz: float) -> None:
        """Start before the first sample.

        Args:
            fs_hz: Sampling rate; 50 Hz or more.

        Raises:
            ValueError: The rate is too low for QRS complexes.
        """
        if fs_hz < LOWEST_RATE_HZ:
            raise ValueError(f"QRS complexes cannot be found at {fs_hz} Hz")
        self._fs_hz = fs_hz
        self._slope = _slope_taps(fs_hz)
        self._average = _moving_average(_AVERAGE_S, fs_hz)
        self._delay = (len(self._slope) + len(self._average) - 2) // 2
        self._refractory = round(_REFRACTORY_S * fs_hz)
        # After an R peak so many samples pass until its maximum is decided on.
        self._latest = self._delay + self._refractory + round((REACH_S + BASELINE_S) * fs_hz)
        self._kept = self._latest + len(self._slope)
        self._received = 0
        self._raw: NDArray[np.float64] | None = None
        self._slopes = np.zeros(len(self._average) - 1)
        self._signal = np.full(self._refractory, -1.0)
        self._signal_from = -self._refractory
        self._levels = _Levels(fs_hz)

    def push(self, samples_mv: NDArray[np.float64]) -> list[int]:
        """Take the next samples and return the R peaks found, in samples from the start.

        Args:
            samples_mv: Next samples of the lead, ``(samples,)``.
        """
        block = round(_BLOCK_S * self._fs_hz)
        peaks: list[int] = []
        for start in range(0, len(samples_mv), block):
            peaks += self._push(samples_mv[start : start + block])
        return peaks

    def finish(self) -> list[int]:
        """Return the R peaks of the last beats, when no more samples come."""
        if self._raw is None:
            return []
        end = self._received
        peaks = self._push(np.full(self._latest, self._raw[-1]))
        peaks += self._levels.learn()
        return [peak for peak in peaks if peak < end]

    def _push(self, samples_mv: NDArray[np.float64]) -> list[int]:
        raw = self._raw
        if raw is None:
            valid = samples_mv[np.isfinite(samples_mv)]
            if not len(valid):
                self._received += len(samples_mv)
                return []
            # Before the first sample the lead is constant, to which the filters give 0.
            raw = np.full(self._kept, valid[0])
            # Invalid samples at the beginning are the same constant.
            self._signal_from += self._received
        self._received += len(samples_mv)
        raw = hold_last_valid(np.concatenate([raw, samples_mv])[None])[0]
        fresh = raw[-len(samples_mv) - len(self._slope) + 1 :]
        slopes = np.abs(np.convolve(fresh, self._slope, mode="valid"))
        slopes = np.concatenate([self._slopes, slopes])
        averaged = np.convolve(slopes, self._average, mode="valid")
        self._slopes = slopes[len(averaged) :]
        self._signal = np.concatenate([self._signal, averaged])
        peaks: list[int] = []
        for at, height in self._maxima():
            peaks += self._levels.push(_Candidate(at, height, self._r_peak(at, raw)))
        peaks += self._levels.advance(self._received - self._refractory)
        self._raw = raw[-self._kept :]
        return peaks

    def _maxima(self) -> list[tuple[int, float]]:
        """Return position and height of the maxima that nothing within 200 ms exceeds."""
        reach = self._refractory
        signal = self._signal
        decided = len(signal) - 2 * reach
        if decided <= 0:
            return []
        # Of equal values the first one counts.
        middle = signal[reach : reach + decided]
        rising = middle > signal[reach - 1 : reach - 1 + decided]
        falling = middle >= signal[reach + 1 : reach + 1 + decided]
        places = np.flatnonzero(rising & falling & (middle >= _SMALLEST_MV))
        around = sliding_window_view(signal, 2 * reach + 1)[places]
        places = places[around.argmax(axis=1) == reach]
        first = self._signal_from + reach
        self._signal = signal[decided:]
        self._signal_from += decided
        return [(first + int(place), float(middle[place])) for place in places]

    def _r_peak(self, at: int, raw: NDArray[np.float64]) -> int:
        """Return the R peak that belongs to a maximum of the detection signal.

        Args:
            at: Position of the maximum.
            raw: The lead up to the newest sample.
        """
        first = self._received - len(raw)
        peak = np.array([max(at - self._delay, 0) - first])
        return max(0, first + int(recentre(raw, peak, self._fs_hz)[0]))


class _Levels:
    """Decides which maxima are QRS complexes, by the levels of the latest ones and of noise."""

    def __init__(self, fs_hz: float) -> None:
        """Start before the first maximum."""
        self._fs_hz = fs_hz
        self._learning = _LEARNING_S * fs_hz
        self._waiting: list[_Candidate] | None = []
        self._qrs: deque[float] = deque(maxlen=_LEVELS)
        self._noise: deque[float] = deque(maxlen=_LEVELS)
        self._intervals: deque[int] = deque(maxlen=_LEVELS)
        self._last: _Candidate | None = None
        self._rejected: list[_Candidate] = []

    def push(self, candidate: _Candidate) -> list[int]:
        """Take the next maximum and return the R peaks of what is a QRS complex now."""
        if self._waiting is None:
            return self._decide(candidate)
        if candidate.at < self._learning or not self._waiting:
            self._waiting.append(candidate)
            return []
        return [*self.learn(), *self._decide(candidate)]

    def advance(self, decided: int) -> list[int]:
        """End the learning phase, if all maxima before a position are known and that is enough.

        Learning takes two seconds, or as long as there is no maximum at all.
        """
        return self.learn() if self._waiting and decided >= self._learning else []

    def learn(self) -> list[int]:
        """Set the levels from the maxima so far, and decide on these."""
        waiting, self._waiting = self._waiting, None
        if not waiting:
            return []
        self._relearn(waiting)
        return [peak for candidate in waiting for peak in self._decide(candidate)]

    def _relearn(self, candidates: list[_Candidate]) -> None:
        highest = max(candidate.height for candidate in candidates)
        self._qrs.clear()
        for candidate in candidates:
            is_qrs = candidate.height > highest / 2
            (self._qrs if is_qrs else self._noise).append(candidate.height)
        if not self._noise:
            self._noise.append(0.0)

    def _threshold(self) -> float:
        noise = float(np.median(self._noise))
        return noise + _THRESHOLD * (float(np.median(self._qrs)) - noise)

    def _decide(self, candidate: _Candidate) -> list[int]:
        peaks = self._search_back(candidate)
        soon = self._last is not None and candidate.at - self._last.at < _T_WAVE_S * self._fs_hz
        is_t_wave = (
            soon and self._last is not None and candidate.height < _T_WAVE_RATIO * self._last.height
        )
        if candidate.height > self._threshold() and not is_t_wave:
            return [*peaks, self._accept(candidate)]
        self._noise.append(candidate.height)
        if not soon:
            self._rejected.append(candidate)
        return peaks

    def _search_back(self, now: _Candidate) -> list[int]:
        """Return a missed beat, when none has come for long; after a longer gap learn anew."""
        gap = _LONGEST_GAP_S * self._fs_hz
        self._rejected = [one for one in self._rejected if now.at - one.at <= gap]
        if self._last is None or not self._rejected:
            return []
        peaks: list[int] = []
        since = now.at - self._last.at
        if self._intervals and since > _MISSED_AFTER * float(np.mean(self._intervals)):
            best = max(self._rejected, key=lambda one: one.height)
            if best.height > _MISSED_THRESHOLD * self._threshold():
                later = [one for one in self._rejected if one.at > best.at]
                peaks.append(self._accept(best))
                self._rejected = later
        if now.at - self._last.at > gap and self._rejected:
            highest = max(one.height for one in self._rejected)
            # Without a heartbeat there is only noise, which must not become the new level soon.
            if highest > _RELEARN_RATIO * float(np.median(self._qrs)) or (
                now.at - self._last.at > _ANY_LEVEL_AFTER_S * self._fs_hz
            ):
                self._relearn(self._rejected)
        return peaks

    def _accept(self, candidate: _Candidate) -> int:
        if self._last is not None:
            self._intervals.append(candidate.at - self._last.at)
        self._last = candidate
        self._qrs.append(candidate.height)
        self._rejected = []
        return candidate.peak


def _moving_average(length_s: float, fs_hz: float) -> NDArray[np.float64]:
    samples = max(1, round(length_s * fs_hz))
    return np.full(samples, 1.0 / samples)


def _slope_taps(fs_hz: float) -> NDArray[np.float64]:
    """Return the taps of low-pass, high-pass and slope in one filter."""
    low_pass = np.convolve(_moving_average(_LOW_PASS_S, fs_hz), _moving_average(_LOW_PASS_S, fs_hz))
    # A signal minus its moving average, of odd length so that the middle is a sample.
    samples = max(3, round(_HIGH_PASS_S * fs_hz) // 2 * 2 + 1)
    high_pass = np.full(samples, -1.0 / samples)
    high_pass[samples // 2] += 1.0
    slope = np.zeros(max(1, round(_SLOPE_S * fs_hz)) + 1)
    slope[0], slope[-1] = 1.0, -1.0
    return np.convolve(np.convolve(low_pass, high_pass), slope)
