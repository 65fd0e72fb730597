"""The real package ppk2-api, spoken to through a pseudo-terminal byte by byte."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_ppk2 import STEP_A, Running
from readings import collect

from edgeecg import meters
from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.meters import ppk2

Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def begin(**options: Any) -> Running:
        running.append(Running(**options))
        return running[-1]

    yield begin
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


def tried_again(test: Callable[[Start], None]) -> Callable[[Start], None]:
    """Try a check of times up to four times.

    The simulated instrument is a process, which the machine may hold up for longer than 5 ms at any
    moment; its samples are late then. What the meter does wrong, it does wrong each time.
    """

    @functools.wraps(test)
    def tries(start: Start) -> None:
        for _ in range(3):
            with contextlib.suppress(AssertionError):
                return test(start)
        return test(start)

    return tries


def begun_s(commands: list[dict[str, Any]]) -> float:
    return next(each["begun_s"] for each in commands if each["command"] == "start")


@tried_again
def test_energy_of_a_known_current_within_one_percent(start: Start) -> None:
    fake = start(half_period_s=0.5)
    with contextlib.closing(meters.open_meter(f"ppk2:{fake.port},source,5000mV")) as meter:
        assert isinstance(meter, ppk2.Ppk2Meter)
        found = collect(meter, 2.2)
    origin = begun_s(fake.stop())
    # By hand: 4 * 1000 * 1.8 / 163840 / 0.94 ohm = 46.75 mA, and five times as much.
    assert pytest.approx(0.04675, rel=1e-4) == 1000 * STEP_A
    low, high = 5.0 * 1000 * STEP_A, 5.0 * 5000 * STEP_A
    assert found.joules(origin + 1.0, origin + 1.5) == pytest.approx(0.5 * low, rel=0.01)
    assert found.joules(origin + 1.5, origin + 2.0) == pytest.approx(0.5 * high, rel=0.01)
    assert found.lost == 0
    # A sample a millisecond, in the order of time.
    assert np.diff(found.t_s) == pytest.approx(1e-3, abs=5e-4)
    # The edges are where they were, although the bytes arrive later.
    edges = found.t_s[1:][np.diff(found.watts) > 0.5 * (high - low)] - origin
    assert edges == pytest.approx([0.5 + round(edge - 0.5) for edge in edges.tolist()], abs=5e-3)


@pytest.mark.parametrize(
    ("where", "mode", "voltage"), [("source,3300mV", 2, 3300), ("ampere,5.0V", 1, 5000)]
)
def test_the_calls_come_in_the_order_that_the_instrument_needs(
    start: Start, where: str, mode: int, voltage: int
) -> None:
    fake = start()
    meter = ppk2.open(f"{fake.port},{where}")
    assert meter.zones == (f"supply ({voltage / 1000:g} V, {where.partition(',')[0]} mode)",)
    meter.close()
    commands = fake.stop()
    names = [each["command"] for each in commands]
    # The voltage is needed in both modes, and the device is not switched off at the end.
    assert names[-6:] == ["data", "mode", "voltage", "power", "start", "stop"]
    told = {each["command"]: each["with"] for each in commands}
    assert told["mode"] == [mode]
    assert told["power"] == [1]
    # Nordic: 800 mV is (3, 32), and each step is a millivolt.
    assert (told["voltage"][0] - 3) * 256 + told["voltage"][1] - 32 == voltage - 800


@tried_again
def test_a_clock_that_is_off_does_not_shift_the_samples(start: Start) -> None:
    fake = start(skew=1e-3, half_period_s=0.5)
    meter = ppk2.open(f"{fake.port},ampere,5V")
    found = collect(meter, 2.5)
    meter.close()
    origin = begun_s(fake.stop())
    edges = found.t_s[1:][np.abs(np.diff(found.watts)) > 0.4] - origin
    assert edges.size >= 4
    # Counted with the nominal rate alone, the last edge would be 3 ms late.
    assert edges == pytest.approx(np.round(edges / 0.5) * 0.5, abs=5e-3)
    assert found.lost == 0


def test_a_current_that_changes_within_a_millisecond_is_averaged(start: Start) -> None:
    # 0.35 ms low, 0.35 ms high: a single value a millisecond would be one or the other.
    fake = start(half_period_s=0.35e-3)
    meter = ppk2.open(f"{fake.port},ampere,5V")
    found = collect(meter, 1.0)
    meter.close()
    assert found.watts.mean() == pytest.approx(5.0 * 3000 * STEP_A, rel=0.01)


def test_currents_that_it_cannot_measure_are_left_out_and_counted(start: Start) -> None:
    fake = start(garbage=[10_007, 20], adc=[1000, 1000])
    meter = ppk2.open(f"{fake.port},ampere,5V")
    found = collect(meter, 1.5)
    meter.close()
    assert found.lost >= 10
    assert any("cannot measure" in each for each in found.remarks)
    # 16.7 A would be 83 W, and even its mean over a millisecond 0.8 W more.
    assert found.watts.max() < 1.5 * 5.0 * 1000 * STEP_A
    assert found.watts.mean() == pytest.approx(5.0 * 1000 * STEP_A, rel=0.01)


@tried_again
def test_lost_samples_are_noticed_by_their_number_and_leave_a_gap(start: Start) -> None:
    # 40 ms are missing at 1.5 s; the words carry no number that would tell.
    fake = start(lose=[150_000, 4_000], numbered=False, half_period_s=0.25)
    meter = ppk2.open(f"{fake.port},ampere,5V")
    found = collect(meter, 2.5)
    meter.close()
    origin = begun_s(fake.stop())
    assert found.lost == pytest.approx(40, abs=5)
    assert np.diff(found.t_s).max() == pytest.approx(0.041, abs=5e-3)
    late = found.t_s - origin > 2.1
    edges = found.t_s[late][1:][np.abs(np.diff(found.watts[late])) > 0.4] - origin
    assert edges == pytest.approx(np.round(edges / 0.25) * 0.25, abs=5e-3)


def test_a_lost_byte_does_not_turn_the_rest_into_garbage(start: Start) -> None:
    fake = start(cut_byte_at=100_000, adc=[1000, 1000])
    meter = ppk2.open(f"{fake.port},ampere,5V")
    found = collect(meter, 1.5)
    meter.close()
    truth = 5.0 * 1000 * STEP_A
    assert np.mean(np.abs(found.watts - truth) < 0.01 * truth) > 0.97
    assert found.lost > 0


def test_an_instrument_that_is_unplugged_ends_the_measurement(start: Start) -> None:
    fake = start()
    meter = ppk2.open(f"{fake.port},ampere,5V")
    meter.read()
    fake.unplug()
    with pytest.raises(MeterError, match="PPK2"):
        collect(meter, 4.0)
    meter.close()


def test_an_instrument_that_falls_silent_ends_the_measurement(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = start(silent_after_s=0.8)
    meter = ppk2.open(f"{fake.port},ampere,5V")
    monkeypatch.setattr(ppk2, "_GIVE_UP_S", 1.0)
    with pytest.raises(MeterError, match="sends nothing any more"):
        collect(meter, 6.0)
    meter.close()


def test_an_instrument_without_calibration_is_no_ppk2(start: Start) -> None:
    fake = start(mute=True)
    with pytest.raises(MeterError, match="no PPK2 at"):
        ppk2.open(f"{fake.port},ampere,5V")


def test_an_instrument_that_delivers_only_garbage_is_refused(start: Start) -> None:
    fake = start(garbage=[1, 1])
    with pytest.raises(MeterError, match="values that it cannot measure"):
        ppk2.open(f"{fake.port},ampere,5V")


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("/dev/ttyACM0", "voltage of the supply"),
        ("/dev/ttyACM0,ampere", "ampere,5.0V"),
        ("/dev/ttyACM0,source", "source,3300mV"),
        ("/dev/ttyACM0,source,5", "'5' is neither"),
        ("/dev/ttyACM0,source,50V", "0.8 to 5 V"),
        ("/dev/ttyACM0,source,0mV", "0.8 to 5 V"),
        ("/dev/ttyACM0,sauce,5V", "'sauce' is neither"),
        ("3,3V", "'3' is neither"),
        ("/dev/no such port,5V", "No such file"),
    ],
)
def test_a_place_that_is_not_understood_is_explained(where: str, told: str) -> None:
    with pytest.raises(MeterError) as caught:
        ppk2.open(where)
    assert told in str(caught.value)


def plugged_in(*ports: tuple[str, str, str]) -> Callable[[], list[SimpleNamespace]]:
    found = [
        SimpleNamespace(device=device, product="PPK2", serial_number=number, location=location)
        for device, number, location in ports
    ]
    other = SimpleNamespace(device="/dev/ttyUSB7", product="FT232", serial_number="x", location="9")
    return lambda: [other, *found]


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ([], "no PPK2 at this computer"),
        # One PPK2 has two ports: the first is for data.
        ([("/dev/ttyACM1", "A", "1-1:1.3"), ("/dev/ttyACM0", "A", "1-1:1.1")], "/dev/ttyACM0,amp"),
        ([("/dev/ttyACM0", "A", "1-1:1.1"), ("/dev/ttyACM2", "B", "1-2:1.1")], "several PPK2"),
    ],
)
def test_without_a_place_nothing_is_opened(
    ports: list[tuple[str, str, str]], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("serial.tools.list_ports")
    monkeypatch.setattr(module, "comports", plugged_in(*ports))
    with pytest.raises(MeterError) as caught:
        ppk2.open()
    assert told in str(caught.value)


def test_the_port_may_be_left_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = start()
    module = importlib.import_module("serial.tools.list_ports")
    monkeypatch.setattr(module, "comports", plugged_in((fake.port, "A", "1-1:1.1")))
    ppk2.open("5.0V").close()
    # The device is fed through the port that was found.
    assert {"power", "start"} <= {each["command"] for each in fake.stop()}


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"edgeecg\[ppk2\]"):
        ppk2.open()
