from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st
from simulated_time import SimulatedTime

from edgeecg.benchmark import energy
from edgeecg.benchmark.energy import Window
from edgeecg.errors import MeterError
from edgeecg.schema import Suite


@dataclass
class Meter:
    """Idle power from ``idle_w`` at every moment, plus ``busy_j`` for each inference."""

    time: SimulatedTime
    idle_w: Callable[[float], float]
    spent_j: float = 0.0
    last_ns: int = 0
    longest_gap_s: float = 0.0
    name: str = "simulated"
    zones: tuple[str, ...] = ("package-0",)
    sample_rate_hz: float | None = 1000.0
    replayed: bool = True

    def joules(self) -> float:
        gap = (self.time.ns - self.last_ns) * 1e-9
        self.longest_gap_s = max(self.longest_gap_s, gap)
        self.spent_j += gap * self.idle_w(self.time.ns * 1e-9)
        self.last_ns = self.time.ns
        return self.spent_j

    def close(self) -> None:
        pass


def inference(time: SimulatedTime, meter: Meter, seconds: float, joules: float) -> None:
    time.pass_by(seconds)
    meter.spent_j += joules


def test_known_watts_come_back_as_joules_per_inference(time: SimulatedTime, suite: Suite) -> None:
    meter = Meter(time, lambda _: 3.0)
    found = energy.measure(lambda: inference(time, meter, 0.01, 0.02), meter, suite, time.clock())
    assert found.tier == "measured"
    assert found.net_j == pytest.approx(0.02, rel=1e-6)
    # 3 W for 10 ms, and 0.02 J on top.
    assert found.gross_j == pytest.approx(0.05, rel=1e-6)
    assert found.idle_w == pytest.approx(3.0)
    assert found.windows == 5
    assert found.inferences == pytest.approx(5000, abs=5)
    assert found.replayed
    assert found.ci95_j == pytest.approx((0.02, 0.02), rel=1e-6)


def test_the_meter_is_read_about_once_a_second(time: SimulatedTime, suite: Suite) -> None:
    meter = Meter(time, lambda _: 3.0)
    energy.measure(lambda: inference(time, meter, 0.3, 0.1), meter, suite, time.clock())
    assert meter.longest_gap_s < 1.5


def test_drifting_idle_power_is_interpolated_away(time: SimulatedTime, suite: Suite) -> None:
    meter = Meter(time, lambda now: 3.0 + 0.01 * now)
    found = energy.measure(lambda: inference(time, meter, 0.01, 0.02), meter, suite, time.clock())
    assert found.net_j == pytest.approx(0.02, rel=1e-3)


def test_the_interval_covers_the_truth_about_as_often_as_it_says(suite: Suite) -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(40):
        time = SimulatedTime()
        meter = Meter(time, lambda _: 3.0 + 0.2 * float(rng.standard_normal()))
        found = energy.measure(
            partial(inference, time, meter, 0.1, 0.2), meter, suite, time.clock()
        )
        assert found.ci95_j is not None
        covered += found.ci95_j[0] <= 0.2 <= found.ci95_j[1]
    # Five windows bound their median less tightly than the 95 % of many.
    assert covered >= 32


def test_energy_below_the_noise_is_not_resolved(time: SimulatedTime, suite: Suite) -> None:
    rng = np.random.default_rng(5)
    meter = Meter(time, lambda _: 3.0 + float(rng.standard_normal()))
    found = energy.measure(lambda: inference(time, meter, 0.01, 1e-5), meter, suite, time.clock())
    assert found.tier == "not resolved"
    assert found.reason is not None
    assert "detection limit" in found.reason


def test_the_detection_limit_is_sigma_root_two_t_over_n(time: SimulatedTime) -> None:
    idle = [Window(10.0, joules, 0, middle) for joules, middle in ((30, 5), (32, 25), (34, 45))]
    busy = [Window(10.0, 131.0, 1000, 15), Window(10.0, 133.0, 1000, 35)]
    found = energy.evaluate(busy, idle, Meter(time, lambda _: 0.0))
    # Idle 3.0, 3.2, 3.4 W: sigma 0.2 W; 0.2 * 1.41421 * 10 / 1000.
    assert found.detection_limit_j == pytest.approx(2.82843e-3, rel=1e-5)
    # Between the idle windows 3.1 and 3.3 W: (131 - 31) / 1000 and (133 - 33) / 1000.
    assert found.net_j == pytest.approx(0.1)
    assert found.gross_j == pytest.approx(0.132)


@given(st.floats(0.1, 100), st.floats(1e-6, 10), st.integers(1, 10**6))
def test_net_is_gross_less_idle_whatever_the_scale(idle_w: float, net_j: float, runs: int) -> None:
    idle = [Window(10.0, idle_w * 10, 0, t) for t in (5.0, 25.0)]
    busy = [Window(10.0, idle_w * 10 + net_j * runs, runs, 15.0)]
    found = energy.evaluate(busy, idle, Meter(SimulatedTime(), lambda _: 0.0))
    assert found.net_j == pytest.approx(net_j, rel=1e-6, abs=1e-9 * idle_w * 10)
    assert found.gross_j == pytest.approx(net_j + idle_w * 10 / runs)


def test_a_meter_that_counts_nothing_is_an_error_and_not_zero(
    time: SimulatedTime, suite: Suite
) -> None:
    meter = Meter(time, lambda _: 0.0)
    with pytest.raises(MeterError, match="counted no energy"):
        energy.measure(lambda: time.pass_by(0.01), meter, suite, time.clock())


def test_no_meter_is_no_number() -> None:
    nothing = energy.not_measured("There is none.")
    assert nothing.tier == "not measured"
    assert (nothing.gross_j, nothing.net_j, nothing.ci95_j) == (None, None, None)
