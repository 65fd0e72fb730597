"""A driver that delivers what a Joulescope's driver delivers.

The real ``pyjoulescope_driver`` speaks USB itself and has no simulated device, so its ``Driver`` is
replaced. The statistics have the structure that the package makes of the instrument's messages.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from readings import collect

from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.meters import joulescope

Callback = Callable[[str, dict[str, Any]], None]


def statistics(begin: int, end: int, watts: float, rate_hz: float) -> dict[str, Any]:
    return {
        "time": {
            "samples": {"value": [begin, end], "units": "samples"},
            "sample_freq": {"value": rate_hz, "units": "Hz"},
            "delta": {"value": (end - begin) / rate_hz, "units": "s"},
        },
        "signals": {
            "power": {
                "avg": {"value": watts, "units": "W"},
                "integral": {"value": watts * (end - begin) / rate_hz, "units": "J"},
            }
        },
        "accumulators": {"energy": {"value": 1.0, "units": "J"}},
    }


class Driver:
    """``pyjoulescope_driver.Driver`` with JS220s and JS110s at its ports."""

    paths: tuple[str, ...] = ("u/js220/000123",)
    refusal: Exception | None = None
    rate_hz = 1e6
    skew = 0.0
    delay_s = 0.004
    high_watts = 2.0
    skipped: tuple[int, ...] = ()
    silent_after_s: float | None = None
    spoiled: tuple[int, ...] = ()
    made: ClassVar[list[Driver]]

    def __init__(self) -> None:
        type(self).made.append(self)
        self.calls: list[tuple[object, ...]] = []
        self.period_s = 0.5
        self.stopped = threading.Event()
        self.thread: threading.Thread | None = None
        self.origin = 0.0

    def device_paths(self) -> list[str]:
        return list(self.paths)

    def open(self, device: str, mode: str | None = None) -> None:
        self.calls.append(("open", device, mode))
        if self.refusal is not None:
            raise self.refusal

    def publish(self, topic: str, value: object) -> None:
        self.calls.append(("publish", topic, value))
        if topic.endswith("s/stats/scnt"):
            assert isinstance(value, int)
            self.period_s = value / 1e6

    def subscribe(self, topic: str, flags: str, fn: Callback) -> None:
        self.calls.append(("subscribe", topic, flags))
        self.thread = threading.Thread(target=self._deliver, args=(topic, fn))
        self.origin = time.perf_counter()
        self.thread.start()

    def _deliver(self, topic: str, fn: Callback) -> None:
        block = round(self.period_s * self.rate_hz)
        for i in range(100_000):
            due = self.origin + (i + 1) * block / (self.rate_hz * (1 + self.skew))
            late = self.delay_s * (1 + i % 3)
            if self.stopped.wait(max(due + late - time.perf_counter(), 0.0)):
                return
            if self.silent_after_s is not None and due - self.origin > self.silent_after_s:
                continue
            middle = (i + 0.5) * block / (self.rate_hz * (1 + self.skew))
            watts = 2.0 if middle % 1.0 < 0.5 else self.high_watts
            value = statistics(i * block, (i + 1) * block, watts, self.rate_hz)
            if i in self.spoiled:
                del value["signals"]["power"]
            if i not in self.skipped:
                fn(topic, value)

    def close(self, device: str) -> None:
        self.calls.append(("close", device))

    def finalize(self) -> None:
        self.calls.append(("finalize",))
        self.stopped.set()
        if self.thread is not None:
            self.thread.join()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    class Fresh(Driver):
        made: ClassVar[list[Driver]] = []

    module = importlib.import_module("pyjoulescope_driver")
    monkeypatch.setattr(module, "Driver", Fresh)
    return Fresh


def test_energy_of_a_known_power_within_one_percent(driver: type[Driver]) -> None:
    driver.high_watts = 6.0
    meter = joulescope.open()
    assert (meter.name, meter.sample_rate_hz, meter.replayed) == ("joulescope", 100.0, False)
    found = collect(meter, 2.2)
    meter.close()
    (made,) = driver.made
    begin = made.origin + 1.0
    assert found.joules(begin, begin + 0.5) == pytest.approx(1.0, rel=0.02)
    assert found.joules(begin + 0.5, begin + 1.0) == pytest.approx(3.0, rel=0.02)
    assert found.joules(begin, begin + 1.0) == pytest.approx(4.0, rel=0.01)
    assert np.diff(found.t_s) == pytest.approx(0.01, abs=1e-3)
    assert found.lost == 0
    assert ("open", "u/js220/000123", "restore") in made.calls
    assert ("publish", "u/js220/000123/s/stats/scnt", 10_000) in made.calls
    assert made.calls[-2:] == [("close", "u/js220/000123"), ("finalize",)]


def test_the_instruments_own_rate_counts_its_samples(driver: type[Driver]) -> None:
    # Twice as many numbers a second, and a clock that is 500 ppm fast.
    driver.rate_hz, driver.skew = 2e6, 5e-4
    meter = joulescope.open()
    found = collect(meter, 1.0)
    meter.close()
    (made,) = driver.made
    phase = (found.t_s - made.origin) / 0.01
    # A mean has the time of its middle.
    assert np.abs(phase - np.floor(phase) - 0.5).max() < 0.6
    assert np.diff(found.t_s) == pytest.approx(0.01, abs=1e-3)


def test_missing_statistics_are_counted_and_leave_a_gap(driver: type[Driver]) -> None:
    driver.skipped = (80, 81, 82)
    driver.spoiled = (90,)
    meter = joulescope.open()
    found = collect(meter, 1.0)
    meter.close()
    assert found.lost == pytest.approx(4, abs=1)
    assert np.diff(found.t_s).max() == pytest.approx(0.04, abs=2e-3)


def test_a_js110_is_opened_only_by_name(driver: type[Driver]) -> None:
    driver.paths = ("u/js110/004321",)
    with pytest.raises(MeterError, match="can cut the power") as caught:
        joulescope.open()
    assert "--meter joulescope:004321" in caught.value.todo
    assert [call[0] for call in driver.made[0].calls] == ["finalize"]
    driver.rate_hz = 2e6
    meter = joulescope.open("004321")
    assert meter.sample_rate_hz == 2.0
    found = collect(meter, 1.2)
    meter.close()
    assert found.watts == pytest.approx(2.0)
    topics = [call[1] for call in driver.made[1].calls if call[0] == "subscribe"]
    assert topics == ["u/js110/004321/s/sstats/value"]


@pytest.mark.parametrize(
    ("paths", "where", "told"),
    [
        ((), None, "no Joulescope at this computer"),
        (("u/other/1",), None, "no Joulescope at this computer"),
        (("u/js220/1", "u/js220/2"), None, "js220/1, js220/2"),
        (("u/js220/1", "u/js110/2"), None, "several"),
        (("u/js220/1",), "9", "no Joulescope '9'"),
    ],
)
def test_which_one_is_not_guessed(
    driver: type[Driver], paths: tuple[str, ...], where: str | None, told: str
) -> None:
    driver.paths = paths
    with pytest.raises(MeterError) as caught:
        joulescope.open(where)
    assert told in str(caught.value)
    assert driver.made[0].calls == [("finalize",)]


@pytest.mark.parametrize("where", ["2", "js220/2", "u/js220/2", "JS220/2"])
def test_one_of_two_is_named(driver: type[Driver], where: str) -> None:
    driver.paths = ("u/js220/1", "u/js220/2")
    meter = joulescope.open(where)
    meter.close()
    assert driver.made[0].calls[0] == ("open", "u/js220/2", "restore")


def test_a_device_that_is_in_use_is_explained(driver: type[Driver]) -> None:
    driver.refusal = RuntimeError("open failed with IN_USE")
    with pytest.raises(MeterError, match="IN_USE"):
        joulescope.open()
    assert driver.made[0].calls[-1] == ("finalize",)


def test_a_device_that_sends_nothing_is_explained(
    driver: type[Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joulescope, "_OPEN_TIMEOUT_S", 0.3)
    driver.silent_after_s = 0.0
    with pytest.raises(MeterError, match="sends no statistics"):
        joulescope.open()


def test_a_device_that_is_unplugged_ends_the_measurement(
    driver: type[Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.silent_after_s = 0.8
    meter = joulescope.open()
    monkeypatch.setattr(joulescope, "_GIVE_UP_S", 1.0)
    with pytest.raises(MeterError, match="sends nothing any more"):
        collect(meter, 6.0)
    meter.close()


def test_statistics_without_a_power_end_the_measurement(
    driver: type[Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = joulescope.open()
    driver.spoiled = tuple(range(100_000))
    monkeypatch.setattr(joulescope, "_GIVE_UP_S", 1.0)
    with pytest.raises(MeterError, match="sends nothing any more"):
        collect(meter, 6.0)
    meter.close()


def test_the_real_driver_finds_no_device_here_or_opens_it() -> None:
    # Neither may raise anything but an explained error.
    begun = time.perf_counter()
    with contextlib.suppress(MeterError):
        joulescope.open().close()
    assert time.perf_counter() - begun < 10.0


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"edgeecg\[joulescope\]"):
        joulescope.open()
