"""From raw samples and R peaks to a model's windows on a device, in pieces of any size."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import FilterCoefficients, Preprocessing
from edgeecg.signal import windows
from edgeecg.signal.filters import CausalFilter, hold_last_valid
from edgeecg.signal.mean_beat import ReferenceTracker
from edgeecg.signal.rhythm import RhythmTracker


@dataclass(frozen=True)
class BeatWindow:
    """The model's input for one beat.

    Attributes:
        sample: Position of the R peak in raw samples from the start of the stream.
        x: The window, float32, ``(leads, window)``.
    """

    sample: int
    x: NDArray[np.float32]


class BeatStream:
    """Filters a signal and cuts one window for each R peak, as training did.

    For the same samples and peaks the windows are those that
    :func:`edgeecg.data.windows.beats.beat_windows` makes of a whole record. An invalid sample (NaN)
    is replaced by the last valid one of its lead; beats whose window meets one, or a flat lead,
    have no window. Until each lead has had its first valid sample, the input is kept.

    Attributes:
        skipped: Beats without a window, by reason.

    Example:
        >>> manifest = Artifact.from_file(Path("model.json"))
        >>> rates = {found.record_fs_hz: found for found in manifest.filters}
        >>> stream = BeatStream(manifest.preprocessing, rates[250.0])
        >>> detector = QrsDetector(250.0)
        >>> for chunk_mv in front_end:  # (leads, samples), as few as one sample
        ...     for window in stream.push(chunk_mv, detector.push(chunk_mv[0])):
        ...         model.run(window.x[None])
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        coefficients: FilterCoefficients,
        history_s: float = 5.0,
    ) -> None:
        """Start before the first sample.

        Args:
            preprocessing: How the model was trained; has an ``r_index``.
            coefficients: The filters for the rate of the signal.
            history_s: How long ago a peak may be when it is reported, in seconds.
        """
        self._preprocessing = preprocessing
        self._fs_hz = coefficients.record_fs_hz
        self._filter = CausalFilter(coefficients)
        self._span = windows.WindowSpan.of(preprocessing, self._filter)
        leads = len(preprocessing.leads)
        reach = self._span.before + self._span.margin + 1
        self._raw = _Recent(leads, reach + self._span.after + history_s * self._fs_hz)
        self._filtered = _Recent(
            leads, preprocessing.signal_samples + 1 + history_s * preprocessing.fs_hz
        )
        self._before_start: NDArray[np.float64] | None = np.zeros((leads, 0))
        self._last_valid = np.zeros((leads, 1))
        self._rhythm = RhythmTracker(preprocessing.rhythm) if preprocessing.rhythm else None
        self._mean = ReferenceTracker(preprocessing.reference) if preprocessing.reference else None
        self._waiting: deque[_Beat] = deque()
        self.skipped: Counter[str] = Counter()

    def push(self, chunk_mv: NDArray[np.float64], peaks: Iterable[int] = ()) -> list[BeatWindow]:
        """Take the next samples and the R peaks found meanwhile, and return finished windows.

        Args:
            chunk_mv: Next samples in millivolts, ``(leads, samples)``, NaN where invalid.
            peaks: Positions of R peaks in raw samples from the start of the stream, in order; they
                may lie before, in or after this chunk.

        Returns:
            The windows that are complete now, in order.

        Raises:
            ValueError: A peak is not after the one before it, or lies further back than
                ``history_s`` allows.
        """
        for sample in peaks:
            self._expect(sample)
        self._raw.extend(chunk_mv)
        self._filtered.extend(self._filter.push(self._without_invalid(chunk_mv)))
        finished = self._finished(at_end=False)
        self._raw.forget()
        self._filtered.forget()
        return finished

    def finish(self) -> list[BeatWindow]:
        """Return the windows of the last beats, when no more samples come."""
        return self._finished(at_end=True)

    def _expect(self, sample: int) -> None:
        """Register an R peak."""
        strip = self._rhythm.push(sample / self._fs_hz) if self._rhythm else None
        position = int(self._filter.position(np.array([sample]))[0])
        start = position - windows.samples_before_peak(self._preprocessing)
        if 0 <= start < self._filtered.first:
            raise ValueError(f"the R peak at sample {sample} was reported too late for its window")
        self._waiting.append(_Beat(sample, start, strip))

    def _without_invalid(self, chunk_mv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the filter is fed: nothing until every lead has had a valid sample."""
        if self._before_start is None:
            fed = hold_last_valid(np.concatenate([self._last_valid, chunk_mv], axis=1))[:, 1:]
        else:
            fed = np.concatenate([self._before_start, chunk_mv], axis=1)
            if not np.isfinite(fed).any(axis=1).all():
                self._before_start = fed
                return np.zeros((len(fed), 0))
            self._before_start = None
            fed = hold_last_valid(fed)
        if fed.shape[1]:
            self._last_valid = fed[:, -1:]
        return fed

    def _finished(self, at_end: bool) -> list[BeatWindow]:
        finished: list[BeatWindow] = []
        while self._waiting:
            beat = self._waiting[0]
            (_, needed), (_, compared) = self._spans(beat)
            stop = beat.start + self._preprocessing.signal_samples
            complete = stop <= self._filtered.stop
            if not at_end and not (complete and max(needed, compared + 1) <= self._raw.stop):
                break
            self._waiting.popleft()
            reason = self._fault(beat)
            if not reason and (beat.start < 0 or not complete):
                reason = windows.EDGE
            if reason:
                self.skipped[reason] += 1
            else:
                finished.append(BeatWindow(beat.sample, self._window(beat, stop)))
        return finished

    def _spans(self, beat: _Beat) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return which samples have to be valid, and which may not be all equal."""
        at = np.array([beat.sample])
        valid = self._span.of_validity(at)
        changing = self._span.of_change(at)
        return (int(valid[0][0]), int(valid[1][0])), (int(changing[0][0]), int(changing[1][0]))

    def _fault(self, beat: _Beat) -> str:
        """Return why the signal gives a beat no window, or ""."""
        (start, stop), (first, last) = self._spans(beat)
        if not np.isfinite(self._raw.between(start, stop)).all():
            return windows.NAN
        compared = self._raw.between(first, last + 1)
        is_flat = np.all(np.diff(compared, axis=1) == 0, axis=1)
        return windows.FLAT if is_flat.any() else ""

    def _window(self, beat: _Beat, stop: int) -> NDArray[np.float32]:
        beat_mv = self._filtered.between(beat.start, stop)
        if self._mean is None:
            x = windows.normalise(beat_mv, self._preprocessing)
        else:
            x = windows.with_difference(beat_mv, self._mean.push(beat_mv), self._preprocessing)
        if beat.strip is not None:
            x = windows.with_strips(x[None], beat.strip[None])[0]
        return x


@dataclass(frozen=True)
class _Beat:
    """A beat whose window is not complete yet.

    Attributes:
        sample: R peak in raw samples.
        start: First sample of the window's signal in the filter's output; may be negative.
        strip: Its rhythm strip, or None for windows without.
    """

    sample: int
    start: int
    strip: NDArray[np.float32] | None


class _Recent:
    """The most recent samples of a signal, found by their position from its start.

    Attributes:
        first: Position of the oldest sample kept.
    """

    def __init__(self, leads: int, capacity: float) -> None:
        """Start empty; keep ``capacity`` samples at least."""
        self._capacity = int(capacity) + 1
        self._samples = np.zeros((leads, 0))
        self.first = 0

    @property
    def stop(self) -> int:
        """Position after the newest sample."""
        return self.first + self._samples.shape[1]

    def extend(self, samples: NDArray[np.float64]) -> None:
        """Append samples, ``(leads, samples)``."""
        self._samples = np.concatenate([self._samples, samples], axis=1)

    def forget(self) -> None:
        """Drop what is older than the capacity."""
        spare = self._samples.shape[1] - self._capacity
        if spare > 0:
            self._samples = self._samples[:, spare:]
            self.first += spare

    def between(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the samples from one position to before another, those that are kept."""
        return self._samples[:, max(start - self.first, 0) : max(stop - self.first, 0)]
