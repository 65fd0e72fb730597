"""Energy from samples of power, with the faults that real meters have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from harness.kinds import simulated_meters
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from edgeecg.benchmark.energy import InvalidWindowError
from edgeecg.benchmark.power_energy import PowerCurve, from_trace
from edgeecg.benchmark.recording import PowerTrace, plausible
from edgeecg.errors import MeterError
from edgeecg.meters import Samples
from edgeecg.schema import EnergyWindow

Floats = NDArray[np.float64]

RUNS = 100
WINDOWS = tuple(
    EnergyWindow(begun_s=10.0 * k, ended_s=10.0 * k + 10.0, inferences=RUNS * (k % 2))
    for k in range(7)
)


def traced(t_s: Floats, watts: Floats, rate_hz: float) -> PowerTrace:
    return PowerTrace("clamp", ("supply",), rate_hz, True, t_s, watts)


def steady(rate_hz: float, noise_w: float = 0.0) -> PowerTrace:
    """2 W at rest and 3 W in the busy windows: 0.1 J for each of 100 inferences."""
    t = np.arange(-1.0, 71.0, 1 / rate_hz)
    watts = 2.0 + ((t // 10) % 2 == 1) * ((t > 0) & (t < 70))
    return traced(t, watts + noise_w * np.random.default_rng(0).standard_normal(t.size), rate_hz)


@pytest.mark.parametrize("rate_hz", [5.0, 25.0, 1000.0])
def test_a_known_power_comes_back(rate_hz: float) -> None:
    found = from_trace(WINDOWS, steady(rate_hz, 0.001))
    assert found.tier == "measured"
    assert found.net_j == pytest.approx(0.1, rel=0.01)
    assert found.gross_j == pytest.approx(0.3, rel=0.01)
    assert found.idle_w == pytest.approx(2.0, rel=1e-3)
    assert found.guard_s >= 2 / rate_hz
    assert found.samples == steady(rate_hz).t_s.size


@pytest.mark.parametrize("offset_s", [-0.2, -0.04, 0.04, 0.2])
def test_a_clock_that_is_off_by_less_than_its_uncertainty_does_no_harm(offset_s: float) -> None:
    trace = steady(1000.0, 0.001)
    moved = replace(trace, t_s=trace.t_s + offset_s)
    found = from_trace(WINDOWS, moved, guard_s=0.2)
    assert found.net_j == pytest.approx(0.1, rel=0.001)


@given(st.lists(st.floats(0.0, 10.0), min_size=3, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_the_integral_is_that_of_straight_lines(watts: list[float], a: float, b: float) -> None:
    power = np.array(watts)
    t = 0.05 * np.arange(power.size, dtype=np.float64)
    begun, ended = sorted((a * t[-1], b * t[-1]))
    # Both ends and the samples between them: the trapezoidal rule is exact on straight lines.
    points = np.unique(np.concatenate([[begun, ended], t[(t > begun) & (t < ended)]]))
    expected = float(trapezoid(np.interp(points, t, power), points))
    found = PowerCurve(traced(t, power, 20.0)).joules(begun, ended)
    assert found == pytest.approx(expected, abs=1e-9)


def without(trace: PowerTrace, begun_s: float, ended_s: float) -> PowerTrace:
    keep = (trace.t_s < begun_s) | (trace.t_s > ended_s)
    return replace(trace, t_s=trace.t_s[keep], watts=trace.watts[keep])


def test_a_gap_spoils_the_windows_that_it_touches() -> None:
    # The idle window from 20 to 30 s is needed by the busy windows before and after it.
    with pytest.raises(InvalidWindowError, match=r"no sample for 0\.[56]"):
        PowerCurve(without(steady(100.0), 21.0, 21.5)).joules(20.0, 30.0)
    found = from_trace(WINDOWS, without(steady(100.0, 0.001), 12.0, 12.5))
    assert found.tier == "not measured"
    assert "no sample" in found.invalid[0]
    assert len(found.invalid) == 1


def test_nothing_is_extrapolated() -> None:
    trace = steady(100.0)
    short = replace(without(trace, 55.0, 100.0), error="The meter was unplugged.")
    curve = PowerCurve(short)
    curve.joules(40.0, 54.0)
    with pytest.raises(InvalidWindowError, match="unplugged"):
        curve.joules(50.0, 60.0)
    with pytest.raises(InvalidWindowError, match="cover"):
        curve.joules(-2.0, 10.0)
    assert "The recording ended early" in " ".join(from_trace(WINDOWS, short).warnings)


def test_no_samples_at_all_is_no_number() -> None:
    found = from_trace(WINDOWS, traced(np.empty(0), np.empty(0), 100.0))
    assert found.tier == "not measured"
    assert found.net_j is None


def test_a_clock_that_goes_back_is_refused() -> None:
    trace = steady(100.0)
    back = trace.t_s.copy()
    back[back > 35.0] -= 0.5
    with pytest.raises(InvalidWindowError, match="went back"):
        PowerCurve(replace(trace, t_s=back)).joules(30.0, 40.0)


def test_a_value_that_stays_while_others_change_is_stale() -> None:
    trace = steady(100.0, 0.01)
    watts = trace.watts.copy()
    watts[(trace.t_s > 31.0) & (trace.t_s < 34.0)] = 2.5
    with pytest.raises(InvalidWindowError, match="repeated one value"):
        PowerCurve(replace(trace, watts=watts)).joules(30.0, 40.0)


def test_a_value_that_stays_in_every_rest_is_not_stale() -> None:
    # 1 W at rest, exactly, and a noisy 2 W in windows of 2 s; rests of 3 s.
    t_s = np.arange(0.0, 28.0, 0.01)
    busy = t_s % 5.0 >= 3.0
    noise = np.random.default_rng(0).normal(0, 0.01, t_s.size)
    watts = np.where(busy, 2.0 + noise, 1.0)
    windows = [
        EnergyWindow(begun_s=5.0 * k + begun, ended_s=5.0 * k + ended, inferences=inferences)
        for k in range(5)
        for begun, ended, inferences in ((0.0, 3.0, 0), (3.0, 5.0, 20))
    ]
    windows.append(EnergyWindow(begun_s=25.0, ended_s=27.9, inferences=0))
    found = from_trace(windows, traced(t_s, watts, 100.0))
    assert found.invalid == ()
    assert found.net_j == pytest.approx(0.1, rel=0.02)


def test_a_meter_that_stops_twice_at_one_value_is_stale() -> None:
    trace = steady(100.0, 0.01)
    watts = trace.watts.copy()
    for begun in (31.0, 51.0):
        watts[(trace.t_s > begun) & (trace.t_s < begun + 3.0)] = 0.0
    curve = PowerCurve(replace(trace, watts=watts))
    for begun in (30.0, 50.0):
        with pytest.raises(InvalidWindowError, match="repeated one value"):
            curve.joules(begun, begun + 10.0)


def test_readings_in_coarse_steps_repeat_without_being_stale() -> None:
    # Steps of 5 mW, and a tenth of that as noise: most readings are equal, a few are a step off.
    quiet = steady(100.0, 0.0005)
    coarse = replace(quiet, watts=np.round(quiet.watts / 0.005 + 0.3) * 0.005, resolution_w=0.005)
    found = from_trace(WINDOWS, coarse)
    assert found.tier == "measured"
    assert found.invalid == ()
    assert found.net_j == pytest.approx(0.1, rel=0.01)


def test_a_meter_that_always_shows_the_same_is_not_resolved() -> None:
    trace = steady(100.0)
    found = from_trace(WINDOWS, replace(trace, watts=np.full(trace.t_s.size, 3.2)))
    assert found.tier == "not resolved"
    assert found.reason is not None
    assert "same 3.2 W" in found.reason


def test_steps_of_the_readings_widen_the_interval() -> None:
    trace = steady(100.0)
    coarse = from_trace(WINDOWS, replace(trace, resolution_w=0.2))
    assert coarse.ci95_j is not None
    # Half a step of 0.2 W, evenly distributed, in both powers: 0.2 / sqrt(12) * sqrt(2) W for
    # 0.1 s, and 1.96 times that on either side.
    assert coarse.ci95_j[1] - coarse.ci95_j[0] == pytest.approx(
        2 * 1.96 * 0.2 / 12**0.5 * 2**0.5 * 0.1, rel=1e-3
    )
    # Noise of a step dithers the readings.
    fine = from_trace(WINDOWS, replace(steady(100.0, 0.2), resolution_w=0.2))
    assert fine.ci95_j is not None
    assert fine.ci95_j[1] - fine.ci95_j[0] < 0.25 * (coarse.ci95_j[1] - coarse.ci95_j[0])


def test_a_meter_that_is_too_slow_for_the_windows_says_how_long_they_need_to_be() -> None:
    with pytest.raises(MeterError, match="--duration 40"):
        from_trace(WINDOWS, steady(0.5))


def test_absurd_samples_are_left_out() -> None:
    samples = Samples(np.arange(5.0), np.array([1.0, 9.8e6, np.nan, -9.3e8, -0.5]))
    assert plausible(samples, max_watts=100.0)["watts"].tolist() == [1.0, -0.5]


def test_lost_and_absurd_samples_are_told() -> None:
    found = from_trace(WINDOWS, replace(steady(100.0, 0.01), lost=7, dropped=2))
    assert (found.lost, found.dropped) == (7, 2)
    assert any("lost 7" in each for each in found.warnings)


Simulate = Callable[[simulated_meters.Scenario], dict[str, object]]


@pytest.mark.parametrize("scenario", simulated_meters.SCENARIOS, ids=lambda each: each.what)
def test_the_interval_holds_the_truth(scenario: simulated_meters.Scenario) -> None:
    row = simulated_meters.row_of(scenario, 100)
    holds = row["interval_holds"]
    if scenario.stuck:
        assert row["tiers"]["not measured"] == 100
        return
    assert holds >= 0.93
    # An energy that is off by more than its interval allows is off by little.
    assert row["largest_error_over_truth"] < 0.05
    if scenario.lost or scenario.gap_s or scenario.absurd:
        assert row["with_warning"] == 100


def test_energy_below_the_detection_limit_is_never_called_measured() -> None:
    for scenario in (simulated_meters.SCENARIOS[0], simulated_meters.QUIET):
        assert simulated_meters.below_the_limit(scenario, 100)["tiers"]["measured"] == 0
