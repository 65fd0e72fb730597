"""Power meters that are asked for every sample."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np

from edgeecg.errors import MeterError
from edgeecg.meters import Samples

# Samples of one call of ``read``: those of a tenth of a second, at least one.
_BATCH_S = 0.1
# ``read`` returns after a second at the latest.
_PATIENCE_S = 0.8
# A meter that fails for so long is not asked any more.
_GIVE_UP_S = 3.0


class ReadingError(Exception):
    """One reading failed; the next one may succeed."""


class PolledMeter(ABC):
    """A power meter that is asked for every sample, at a fixed rate.

    Attributes:
        name: The module's name.
        zones: The parts of the machine it covers.
        sample_rate_hz: Rate of the samples.
        replayed: Always False.
        max_watts: No sample can be larger.
        resolution_w: Step of the readings; 0 where it is finer than their noise.
    """

    replayed = False
    resolution_w = 0.0

    def __init__(
        self,
        name: str,
        zones: tuple[str, ...],
        sample_rate_hz: float,
        max_watts: float,
        poll_hz: float | None = None,
    ) -> None:
        """Begin to wait for the first sample.

        Args:
            name: The module's name.
            zones: The parts of the machine it covers.
            sample_rate_hz: Rate of the samples.
            max_watts: No sample can be larger.
            poll_hz: How often the meter is asked; None means once a sample. A meter that does not
                say when it has a new value is asked more often.
        """
        self.name = name
        self.zones = zones
        self.sample_rate_hz = sample_rate_hz
        self.max_watts = max_watts
        self._period_s = 1.0 / (poll_hz or sample_rate_hz)
        self._due_s = self._last_good_s = time.perf_counter()
        self._said: set[str] = set()
        self._remarks: list[str] = []

    @abstractmethod
    def take(self) -> tuple[float, float] | None:
        """Take one reading.

        Returns:
            Time of the sample and its watts, or None if the meter has no new value yet.

        Raises:
            ReadingError: The reading failed, or its values cannot be right.
            MeterError: The meter was unplugged.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the meter."""

    def remark(self, text: str) -> None:
        """Tell the user something about the values, once."""
        if text not in self._said:
            self._said.add(text)
            self._remarks.append(text)

    def read(self) -> Samples:
        """Take the readings of the next tenth of a second, at least one.

        Raises:
            MeterError: The meter was unplugged, or could not be read for three seconds.
        """
        begun = time.perf_counter()
        taken: list[tuple[float, float]] = []
        lost = 0
        while True:
            self._wait()
            try:
                reading = self.take()
            except ReadingError as error:
                lost += 1
                self._check_silence(error)
            else:
                if reading is not None:
                    taken.append(reading)
                self._last_good_s = time.perf_counter()
            elapsed = time.perf_counter() - begun
            # The next reading would come too late for this batch.
            enough = _BATCH_S if taken or lost else _PATIENCE_S
            if elapsed + self._period_s > enough:
                break
        pairs = np.array(taken, dtype=np.float64).reshape(-1, 2)
        remarks, self._remarks = tuple(self._remarks), []
        return Samples(t_s=pairs[:, 0], watts=pairs[:, 1], lost=lost, remarks=remarks)

    def _wait(self) -> None:
        """Wait until the next reading is due: never less than a period after the last one.

        Two readings in shorter order could show the same value twice.
        """
        now = time.perf_counter()
        if now < self._due_s:
            time.sleep(self._due_s - now)
        self._due_s = time.perf_counter() + self._period_s

    def _check_silence(self, error: ReadingError) -> None:
        silent_s = time.perf_counter() - self._last_good_s
        if silent_s > _GIVE_UP_S:
            raise MeterError(
                f"The meter '{self.name}' cannot be read any more.",
                f"Every reading of the last {silent_s:.0f} s failed: {error}.",
                "Check its wiring and power, and measure again.",
            ) from error
