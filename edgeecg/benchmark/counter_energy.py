"""The energy of windows from a meter that counts energy, such as RAPL."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeecg.benchmark.energy import InvalidWindowError
from edgeecg.errors import MeterError
from edgeecg.meters import EnergyCounter


@dataclass
class CounterCurve:
    """The readings of a counter, interpolated linearly.

    Attributes:
        meter: The open meter.
        t_s: Times of the readings so far.
        readings_j: The readings.
        error: Why the meter cannot be read any more, or None.
        guard_s: 0, because a counter is read within a millisecond of the edges of the windows.
        resolution_w: 0, because the step of a counter is small against a window.
    """

    meter: EnergyCounter
    t_s: list[float] = field(default_factory=list[float])
    readings_j: list[float] = field(default_factory=list[float])
    error: str | None = None
    guard_s: float = 0.0
    resolution_w: float = 0.0

    def read(self, now_s: float) -> None:
        """Read the meter; after it has failed once, do nothing.

        Args:
            now_s: The time.
        """
        if self.error is not None:
            return
        try:
            joules = self.meter.joules()
        except MeterError as error:
            self.error = f"{error.what} {error.why}"
            return
        except Exception as error:
            # The code of a meter of another package may raise anything.
            self.error = f"It raised {type(error).__name__}: {error}."
            return
        self.t_s.append(now_s)
        self.readings_j.append(joules)

    def joules(self, begun_s: float, ended_s: float) -> float:
        """Return the energy of a period.

        Raises:
            InvalidWindowError: The meter failed before its end, or counted nothing.
        """
        if not self.t_s or begun_s < self.t_s[0] or ended_s > self.t_s[-1]:
            raise InvalidWindowError(f"the meter does not cover it. {self.error or ''}".rstrip())
        begin, end = np.interp([begun_s, ended_s], self.t_s, self.readings_j).tolist()
        if end <= begin:
            raise InvalidWindowError("the meter counted no energy.")
        return end - begin
