"""Times of samples that a meter counts with a clock of its own.

A meter that sends samples at a fixed rate has a crystal, and its samples arrive late: by the time
that they spend in buffers. The number of a sample tells its time precisely, up to an offset. A
sample cannot arrive before it was taken, so the smallest difference between time of arrival and
``number / rate`` is the best estimate of the offset. It is taken over a short window, because the
two clocks drift apart. A difference that stays larger means that samples were lost.
"""

from __future__ import annotations

from collections import deque

# Crystals differ by less. The offset is followed at most this fast, so that times stay in order.
_MAX_DRIFT = 1e-3
# A delay that is larger than this throughout the window is a loss of samples.
_LOSS_S = 5e-3


class SampleClock:
    """Relates the numbers of samples to ``time.perf_counter()``."""

    def __init__(self, rate_hz: float, window_s: float = 0.5, numbered: bool = False) -> None:
        """Begin without any sample.

        Args:
            rate_hz: Nominal rate of the samples.
            window_s: Length of the window in which the smallest delay is searched.
            numbered: Whether the meter numbers its samples itself, so that lost ones are known.
        """
        self._rate_hz = rate_hz
        self._window_s = window_s
        self._numbered = numbered
        self._offset_s: float | None = None
        self._followed_s = 0.0
        self._differences: deque[tuple[float, float]] = deque()

    @property
    def empty(self) -> bool:
        """Whether no sample has arrived yet."""
        return self._offset_s is None

    def arrived(self, count: int, now_s: float) -> int:
        """Note that samples arrived, and that no more were waiting in a buffer.

        Args:
            count: Number of all samples so far, lost ones that are known included.
            now_s: Time of arrival of the last of them.

        Returns:
            Number of samples that must have been lost before these, as seen by comparing their
            number with the time. Add it to all later counts.
        """
        difference = now_s - count / self._rate_hz
        if self._offset_s is None:
            self._offset_s, self._followed_s = difference, now_s
        self._differences.append((now_s, difference))
        while self._differences[0][0] < now_s - self._window_s:
            self._differences.popleft()
        smallest = min(each for _, each in self._differences)
        late_s = smallest - self._offset_s
        if late_s > _LOSS_S and not self._numbered and self._steady(now_s):
            lost = round(late_s * self._rate_hz)
            seconds = lost / self._rate_hz
            self._differences = deque((t, each - seconds) for t, each in self._differences)
            return lost
        allowed_s = _MAX_DRIFT * (now_s - self._followed_s)
        self._offset_s += min(max(late_s, -allowed_s), allowed_s)
        self._followed_s = now_s
        return 0

    def _steady(self, now_s: float) -> bool:
        """Return whether both halves of the window agree, so that a loss lies before it."""
        middle = now_s - self._window_s / 2
        older = [each for at, each in self._differences if at < middle]
        newer = [each for at, each in self._differences if at >= middle]
        return bool(older) and abs(min(older) - min(newer)) < _LOSS_S / 2

    def settle(self) -> None:
        """Take the estimate as it is; to be called once, after a first second of samples."""
        if self._differences:
            self._offset_s = min(each for _, each in self._differences)

    def time_of(self, number: float) -> float:
        """Return the time at which a sample was taken.

        Args:
            number: Its number, lost samples included; may lie between two samples.
        """
        if self._offset_s is None:
            raise ValueError("no sample has arrived yet")
        return self._offset_s + number / self._rate_hz
