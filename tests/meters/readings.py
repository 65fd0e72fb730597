"""Reading a power meter for a while, and the energy of what was read."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from edgeecg.meters import PowerMeter


@dataclass
class Readings:
    t_s: NDArray[np.float64]
    watts: NDArray[np.float64]
    lost: int
    remarks: list[str]

    def joules(self, begin_s: float, end_s: float) -> float:
        """Integrate by the trapezoidal rule."""
        inside = self.t_s[(self.t_s > begin_s) & (self.t_s < end_s)]
        at = np.concatenate([[begin_s], inside, [end_s]])
        return float(trapezoid(np.interp(at, self.t_s, self.watts), at))


def collect(meter: PowerMeter, seconds: float) -> Readings:
    """Read a meter until so much time has passed."""
    end = time.perf_counter() + seconds
    t_s: list[NDArray[np.float64]] = []
    watts: list[NDArray[np.float64]] = []
    lost = 0
    remarks: list[str] = []
    while time.perf_counter() < end:
        begun = time.perf_counter()
        samples = meter.read()
        assert time.perf_counter() - begun < 2.0
        assert samples.t_s.shape == samples.watts.shape
        t_s.append(samples.t_s)
        watts.append(samples.watts)
        lost += samples.lost
        remarks += samples.remarks
    return Readings(np.concatenate(t_s), np.concatenate(watts), lost, remarks)
