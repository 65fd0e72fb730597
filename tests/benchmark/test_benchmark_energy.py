from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st
from simulated_time import SimulatedTime

from edgeecg import meters
from edgeecg.benchmark import energy, energy_measurement, energy_windows
from edgeecg.benchmark.energy import MeterFacts
from edgeecg.benchmark.energy_measurement import WindowPlan
from edgeecg.errors import MeterError
from edgeecg.schema import Energy, EnergyWindow, Suite


@dataclass
class Meter:
    """Idle power from ``idle_w`` at every moment, plus what each inference spends."""

    time: SimulatedTime
    idle_w: Callable[[float], float]
    spent_j: float = 0.0
    last_ns: int = 0
    longest_gap_s: float = 0.0
    fails_at_s: float = float("inf")
    name: str = "simulated"
    zones: tuple[str, ...] = ("package-0",)
    sample_rate_hz: float | None = 1000.0
    replayed: bool = True

    def joules(self) -> float:
        if self.time.ns * 1e-9 > self.fails_at_s:
            raise MeterError("The meter cannot be read.", "It was unplugged.", "Plug it in.")
        gap = (self.time.ns - self.last_ns) * 1e-9
        self.longest_gap_s = max(self.longest_gap_s, gap)
        self.spent_j += gap * self.idle_w(self.time.ns * 1e-9)
        self.last_ns = self.time.ns
        return self.spent_j

    def close(self) -> None:
        pass


Measure = Callable[..., Energy]


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, suite: Suite) -> Measure:
    """Return a function that measures inferences with a simulated meter."""

    def run(
        meter: Meter, seconds: float, joules: float, rate_hz: float | None = None, **plan: object
    ) -> Energy:
        class Module:
            @staticmethod
            def open() -> Meter:
                return meter

        def inference() -> None:
            meter.time.pass_by(seconds)
            meter.spent_j += joules

        def get(name: str) -> type[Module]:
            del name
            return Module

        monkeypatch.setattr(meters, "get", get)
        arguments: dict[str, object] = {"suite": suite, **plan}
        clock = meter.time.clock()
        windows = (
            energy_windows.in_this_process(inference, clock)
            if rate_hz is None
            else energy_windows.at_rate(inference, rate_hz, clock)
        )
        whole = WindowPlan(run=windows, clock=clock, **arguments)  # pyright: ignore[reportArgumentType]
        return energy_measurement.measure("simulated", whole).energy

    return run


@dataclass(frozen=True)
class Curve:
    """A power that changes at given times."""

    times: tuple[float, ...]
    watts: tuple[float, ...]
    guard_s: float = 0.0
    resolution_w: float = 0.0

    def joules(self, begun_s: float, ended_s: float) -> float:
        edges = (*self.times, float("inf"))
        return sum(
            watts * max(0.0, min(ended_s, edges[k + 1]) - max(begun_s, edges[k]))
            for k, watts in enumerate(self.watts)
        )


FACTS = MeterFacts("simulated", ("supply",), 1000.0, True)


def in_turn(watts: tuple[float, ...], runs: int = 1000) -> tuple[tuple[EnergyWindow, ...], Curve]:
    """Windows of 10 s, the first idle and every second one busy, at these powers."""
    windows = tuple(
        EnergyWindow(begun_s=10.0 * k, ended_s=10.0 * k + 10.0, inferences=runs if k % 2 else 0)
        for k in range(len(watts))
    )
    return windows, Curve(tuple(10.0 * k for k in range(len(watts))), watts)


def test_known_watts_come_back_as_joules_per_inference(
    time: SimulatedTime, measure: Measure
) -> None:
    found = measure(Meter(time, lambda _: 3.0), 0.01, 0.02)
    assert found.tier == "measured"
    assert found.net_j == pytest.approx(0.02, rel=1e-6)
    # 3 W for 10 ms, and 0.02 J on top.
    assert found.gross_j == pytest.approx(0.05, rel=1e-6)
    assert found.idle_w == pytest.approx(3.0)
    assert found.windows == 5
    assert found.inferences == pytest.approx(5000, abs=5)
    assert found.replayed
    assert found.ci95_j == pytest.approx((0.02, 0.02), rel=1e-6)
    assert len(found.window_net_j) == 5


@pytest.mark.parametrize("rate_hz", [10.0, 1.0, 0.1, 0.01])
def test_a_window_at_a_rate_is_a_whole_number_of_periods(
    rate_hz: float, time: SimulatedTime, suite: Suite, measure: Measure
) -> None:
    run = energy_windows.at_rate(partial(time.pass_by, 0.01), rate_hz, time.clock())
    for _ in range(2):
        window = run(suite.energy_window_seconds, lambda: None)
        period_s = (window.ended_s - window.begun_s) / window.inferences
        assert period_s == pytest.approx(1 / rate_hz, rel=1e-6)
    found = measure(Meter(time, lambda _: 3.0), 0.01, 0.02, rate_hz)
    assert found.gross_j is not None
    assert found.idle_w == pytest.approx(3.0)
    # 3 W all the time, and 0.02 J on top for each inference.
    assert found.gross_j * rate_hz == pytest.approx(3.0 + 0.02 * rate_hz, rel=1e-6)
    assert found.net_j == pytest.approx(0.02, rel=1e-3)


def test_an_inference_that_is_late_at_a_rate_does_not_delay_the_next_ones(
    time: SimulatedTime,
) -> None:
    seconds = iter([1.5, *[0.01] * 9])
    begun: list[float] = []

    def inference() -> None:
        begun.append(time.ns * 1e-9)
        time.pass_by(next(seconds))

    window = energy_windows.at_rate(inference, 1.0, time.clock())(10.0, lambda: None)
    assert begun == pytest.approx([0.0, 1.5, *range(2, 10)])
    assert window.ended_s - window.begun_s == pytest.approx(10.0)


def test_the_meter_is_read_about_once_a_second(time: SimulatedTime, measure: Measure) -> None:
    meter = Meter(time, lambda _: 3.0)
    measure(meter, 0.3, 0.1)
    assert meter.longest_gap_s < 1.5


def test_drifting_idle_power_is_interpolated_away(time: SimulatedTime, measure: Measure) -> None:
    found = measure(Meter(time, lambda now: 3.0 + 0.01 * now), 0.01, 0.02)
    assert found.net_j == pytest.approx(0.02, rel=1e-3)
    # The drift is no noise.
    assert found.detection_limit_j == pytest.approx(0.0, abs=1e-4)


def test_a_step_of_the_idle_power_spoils_one_window_and_not_the_median(measure: Measure) -> None:
    windows, curve = in_turn((3.0, 5.0, 3.0, 5.5, 4.0, 6.0, 4.0, 6.0, 4.0, 6.0, 4.0))
    found = energy.evaluate(windows, curve, FACTS)
    # 2 W for 10 s in 1000 runs, also where the idle power rose by 1 W in the middle of a window.
    assert found.net_j == pytest.approx(0.02)


def test_energy_below_the_noise_is_not_resolved(time: SimulatedTime, measure: Measure) -> None:
    rng = np.random.default_rng(5)
    found = measure(Meter(time, lambda _: 3.0 + float(rng.standard_normal())), 0.01, 1e-5)
    assert found.tier == "not resolved"
    assert found.reason is not None
    assert "detection limit" in found.reason


def test_the_detection_limit_is_sigma_root_two_t_over_n() -> None:
    # Idle 3.0, 3.4, 3.2 and 3.6 W at 5, 25, 45 and 65 s. The line through them rises by 0.16 W in
    # 20 s; what is left is -0.06, 0.18, -0.18 and 0.06 W: sigma is the root of 0.072 / 2, 0.18974.
    windows, curve = in_turn((3.0, 13.2, 3.4, 13.3, 3.2, 13.4, 3.6))
    found = energy.evaluate(windows, curve, FACTS)
    assert found.detection_limit_j == pytest.approx(0.18974 * 1.41421 * 10 / 1000, rel=1e-4)
    assert found.net_j == pytest.approx(0.1)
    assert found.gross_j == pytest.approx(0.133)


def test_the_interval_is_students(measure: Measure) -> None:
    # Net 90, 100 and 110 mJ: their mean's standard error is 10 / sqrt(3), and t is 4.303.
    windows, curve = in_turn((3.0, 12.0, 3.0, 13.0, 3.0, 14.0, 3.0))
    found = energy.evaluate(windows, curve, FACTS)
    half = 4.303 * 0.01 / 3**0.5
    assert found.ci95_j == pytest.approx((0.1 - half, 0.1 + half), rel=1e-3)


@given(st.floats(0.1, 100), st.floats(1e-6, 10), st.integers(1, 10**6))
def test_net_is_gross_less_idle_whatever_the_scale(idle_w: float, net_j: float, runs: int) -> None:
    busy_w = idle_w + net_j * runs / 10.0
    windows, curve = in_turn((idle_w, busy_w, idle_w, busy_w, idle_w, busy_w, idle_w), runs)
    found = energy.evaluate(windows, curve, FACTS)
    assert found.net_j == pytest.approx(net_j, rel=1e-6, abs=1e-9 * idle_w * 10)
    assert found.gross_j == pytest.approx(net_j + idle_w * 10 / runs)


def test_a_meter_that_counts_nothing_is_no_number(time: SimulatedTime, measure: Measure) -> None:
    found = measure(Meter(time, lambda _: 0.0), 0.01, 0.0)
    assert found.tier == "not measured"
    assert (found.net_j, found.gross_j) == (None, None)
    assert found.reason is not None
    assert "counted no energy" in found.reason


def test_windows_before_a_meter_is_unplugged_are_kept(
    time: SimulatedTime, measure: Measure
) -> None:
    # 10 s and 0.1 s before the first of the pairs of 20 s: it fails in the fifth.
    found = measure(Meter(time, lambda _: 3.0, fails_at_s=110.0), 0.01, 0.02)
    assert found.windows == 4
    assert found.net_j == pytest.approx(0.02, rel=1e-6)
    assert "unplugged" in found.invalid[0]
    assert any("unplugged" in warning for warning in found.warnings)


def test_too_few_windows_are_not_measured(time: SimulatedTime, measure: Measure) -> None:
    found = measure(Meter(time, lambda _: 3.0, fails_at_s=60.0), 0.01, 0.02)
    assert found.tier == "not measured"
    assert found.reason is not None
    assert "Only 2 of 5" in found.reason


def test_a_window_in_which_the_processor_throttled_is_left_out(
    time: SimulatedTime, measure: Measure
) -> None:
    # Asked before the first window, then after each rest and each of the five busy windows.
    answers = iter([*[None] * 4, "the processor throttled.", *[None] * 7])
    found = measure(Meter(time, lambda _: 3.0), 0.01, 0.02, disturbance=lambda: next(answers))
    assert found.windows == 4
    assert found.invalid == ("Window 2 of 5: the processor throttled.",)


@pytest.mark.parametrize(
    ("rest", "windows"), [(0, "1"), (2, "2 3"), (5, "5")], ids=["first", "middle", "last"]
)
def test_a_disturbed_rest_costs_the_windows_on_both_sides(
    rest: int, windows: str, time: SimulatedTime, measure: Measure
) -> None:
    answers = iter(["a suspend." if k == 1 + 2 * rest else None for k in range(12)])
    found = measure(Meter(time, lambda _: 3.0), 0.01, 0.02, disturbance=lambda: next(answers))
    assert found.invalid == tuple(f"Window {n} of 5: a suspend." for n in windows.split())
    assert found.windows == 5 - len(windows.split())


def test_the_power_of_a_disturbed_rest_does_not_count() -> None:
    # A counter that began again at 0 in the last rest.
    windows, curve = in_turn((3.0, 5.0, 3.0, 5.0, 3.0, 5.0, 3.0, 5.0, 9e3))
    windows = (*windows[:-1], windows[-1].model_copy(update={"disturbed": "a suspend."}))
    found = energy.evaluate(windows, curve, FACTS, (None, None, None, "a suspend."))
    assert (found.tier, found.idle_w) == ("measured", 3.0)


def noisy(time: SimulatedTime, watts: float) -> Meter:
    rng = np.random.default_rng(7)
    return Meter(time, lambda _: 3.0 + watts * float(rng.standard_normal()))


def test_more_windows_are_run_until_the_interval_is_narrow_enough(
    time: SimulatedTime, measure: Measure
) -> None:
    found = measure(noisy(time, 0.5), 0.01, 0.02, target_error=0.05)
    assert found.windows > 5
    assert found.ci95_j is not None
    assert found.net_j is not None
    assert (found.ci95_j[1] - found.ci95_j[0]) / 2 <= 0.05 * found.net_j


def test_an_interval_that_stays_wide_is_told(time: SimulatedTime, measure: Measure) -> None:
    found = measure(noisy(time, 0.5), 0.01, 0.02, target_error=0.001)
    assert found.windows == 50
    assert "were asked for" in found.warnings[0]


def test_no_meter_is_no_number() -> None:
    nothing = energy.not_measured("There is none.")
    assert nothing.tier == "not measured"
    assert (nothing.gross_j, nothing.net_j, nothing.ci95_j) == (None, None, None)


def test_windows_for_a_meter_elsewhere_have_times_and_no_joules(
    time: SimulatedTime, suite: Suite
) -> None:
    run = energy_windows.in_this_process(partial(time.pass_by, 0.01), time.clock())
    plan = WindowPlan(run, suite, time.clock())
    found = energy_measurement.without_meter(plan, "Read elsewhere.")
    assert found.energy.tier == "not measured"
    assert [window.inferences > 0 for window in found.windows] == [False, True] * 5 + [False]
    for before, after in zip(found.windows, found.windows[1:], strict=False):
        assert after.begun_s >= before.ended_s


@dataclass
class Elsewhere:
    """Gives intervals of 20 % until it has been asked three times."""

    ran_windows: list[EnergyWindow] = field(default_factory=list[EnergyWindow])
    asked: list[int] = field(default_factory=list[int])

    def ran(self, window: EnergyWindow) -> None:
        self.ran_windows.append(window)

    def energy(self, windows: Sequence[EnergyWindow]) -> Energy:
        self.asked.append(sum(window.inferences > 0 for window in windows))
        half = 0.2 if len(self.asked) < 3 else 0.02
        return energy.not_measured("No meter.").model_copy(
            update={"net_j": 1.0, "ci95_j": (1.0 - half, 1.0 + half)}
        )


def test_more_windows_are_run_until_a_meter_elsewhere_is_exact_enough(
    time: SimulatedTime, suite: Suite
) -> None:
    run = energy_windows.in_this_process(partial(time.pass_by, 0.01), time.clock())
    elsewhere = Elsewhere()
    plan = WindowPlan(run, suite, time.clock(), target_error=0.03, elsewhere=elsewhere)
    found = energy_measurement.without_meter(plan, "Read elsewhere.")
    assert elsewhere.asked == [5, 6, 7]
    assert found.energy.ci95_j == (0.98, 1.02)
    busy = [window for window in found.windows if window.inferences]
    assert [(w.begun_s, w.ended_s) for w in elsewhere.ran_windows] == [
        (w.begun_s, w.ended_s) for w in busy
    ]


def test_a_meter_of_another_package_that_raises_anything_costs_its_windows_alone(
    time: SimulatedTime, measure: Measure
) -> None:
    class Faulty(Meter):
        def joules(self) -> float:
            try:
                return super().joules()
            except MeterError as error:
                raise OSError(5, "Input/output error") from error

    found = measure(Faulty(time, lambda _: 3.0, fails_at_s=60.0), 0.01, 0.02)
    assert found.tier == "not measured"
    assert "OSError" in " ".join(found.warnings)


def test_without_two_whole_rests_the_energy_is_not_measured() -> None:
    @dataclass(frozen=True)
    class Halves(Curve):
        """A curve that covers halves of rests and busy windows, and no whole rest."""

        def joules(self, begun_s: float, ended_s: float) -> float:
            if ended_s - begun_s == 10.0 and begun_s // 10 % 2 == 0:
                raise energy.InvalidWindowError("a gap.")
            return super().joules(begun_s, ended_s)

    windows, curve = in_turn((1.0, 3.0) * 5 + (1.0,))
    found = energy.evaluate(windows, Halves(curve.times, curve.watts), FACTS)
    assert found.tier == "not measured"
    assert "one rest, or none" in (found.reason or "")
