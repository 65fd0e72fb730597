"""Every meter either opens and delivers, or says why it cannot and what to do about it."""

from __future__ import annotations

import importlib
import inspect
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from fake_ppk2 import Running
from readings import collect
from test_meters_hwmon import Chips
from test_meters_joulescope import Driver
from test_meters_pi5_pmic import Firmware
from test_meters_shelly import Plug
from test_meters_usb import GOOD, Terminal

from edgeecg import meters
from edgeecg.errors import EdgeECGError, MeterError, MissingDependencyError
from edgeecg.meters import EnergyCounter, Meter, PowerMeter, hwmon

SAMPLED = [name for name in meters.names() if meters.delivers_samples(name)]


def opened(name: str) -> tuple[Meter | None, EdgeECGError | None]:
    try:
        return meters.get(name).open(), None
    except EdgeECGError as error:
        return None, error


def check_counter(meter: EnergyCounter) -> None:
    first = meter.joules()
    assert meter.joules() >= first >= 0
    meter.close()


def check_power(meter: PowerMeter) -> None:
    """Every power meter delivers samples with times, none of which is in the future."""
    assert 0 < meter.sample_rate_hz <= 1000
    assert 0 < meter.max_watts < float("inf")
    assert all(zone and isinstance(zone, str) for zone in meter.zones)
    begun = time.perf_counter()
    found = collect(meter, 0.4 + 2 / meter.sample_rate_hz)
    meter.close()
    assert found.t_s.dtype == found.watts.dtype == np.float64
    assert np.all(np.diff(found.t_s) > 0)
    period = 1 / meter.sample_rate_hz
    assert begun - 1.0 - period < found.t_s[0] <= found.t_s[-1] < time.perf_counter()
    # Not more of them than it says: a value that is delivered twice is no second sample.
    assert 1 <= found.t_s.size <= 1.5 * (time.perf_counter() - begun) / period + 3
    assert np.all(np.abs(found.watts) <= meter.max_watts)


@pytest.mark.parametrize("name", meters.names())
def test_a_meter_opens_or_explains_itself(name: str) -> None:
    # It opens without arguments: that is what `edgeecg meters` does, on every machine.
    for parameter in inspect.signature(meters.get(name).open).parameters.values():
        assert parameter.default is not inspect.Parameter.empty
    begun = time.perf_counter()
    meter, error = opened(name)
    assert time.perf_counter() - begun < 5.0
    if meter is None:
        assert isinstance(error, (MeterError, MissingDependencyError))
        assert all((error.what, error.why, error.todo))
        return
    assert meter.name == name
    assert meter.zones
    if name in SAMPLED:
        check_power(meter)  # pyright: ignore[reportArgumentType]
    else:
        check_counter(meter)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened_here:
        yield opened_here


Fake = Callable[[Path, ExitStack, pytest.MonkeyPatch], PowerMeter]


def fake_hwmon(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    Chips(folder).ina219()
    return hwmon.open(root=folder)


def fake_joulescope(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    patch.setattr(Driver, "made", [], raising=False)
    patch.setattr(importlib.import_module("pyjoulescope_driver"), "Driver", Driver)
    return named("joulescope:000123")


def fake_pi5_pmic(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    Firmware(folder)
    return named("pi5_pmic:core")


def fake_ppk2(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    fake = Running()
    stack.callback(fake.stop)
    return named(f"ppk2:{fake.port},ampere,5.0V")


def fake_replay(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    rows = "".join(f"{i / 50},{2 + i % 3}\n" for i in range(500))
    (folder / "trace.csv").write_text("t_s,watts\n" + rows)
    return named(f"replay:{folder / 'trace.csv'}")


def fake_shelly(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    plug = Plug()
    stack.callback(plug.stop)
    plug.gen1()
    return named(f"shelly:{plug.address}")


def fake_usb(folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch) -> PowerMeter:
    terminal = Terminal(lambda asked: GOOD)
    stack.callback(terminal.unplug)
    return named(f"usb:{terminal.port}")


def named(name: str) -> PowerMeter:
    meter = meters.open_meter(name)
    assert hasattr(meter, "read")
    return meter  # pyright: ignore[reportReturnType]


FAKES: dict[str, Fake] = {
    "hwmon": fake_hwmon,
    "joulescope": fake_joulescope,
    "pi5_pmic": fake_pi5_pmic,
    "ppk2": fake_ppk2,
    "replay": fake_replay,
    "shelly": fake_shelly,
    "usb": fake_usb,
}


@pytest.mark.parametrize("name", SAMPLED)
def test_a_power_meter_delivers_samples_of_an_instrument(
    name: str, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A new power meter needs a fake instrument here.
    meter = FAKES[name](tmp_path, stack, monkeypatch)
    assert meter.name == name
    assert meter.replayed is (name == "replay")
    check_power(meter)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_place_that_does_not_exist_is_explained(name: str) -> None:
    for where in ("/no/such/place", "-x", "a b'\"$(c)", "é"):
        with pytest.raises((MeterError, MissingDependencyError)) as caught:
            meters.open_meter(f"{name}:{where}")
        assert all((caught.value.what, caught.value.why, caught.value.todo))


def test_only_power_meters_deliver_samples() -> None:
    assert set(SAMPLED) == set(FAKES)
    beside = {name for name in meters.names() if meters.is_beside(name)}
    assert beside == {"joulescope", "ppk2", "replay", "shelly", "usb"}


def test_what_is_listed_is_what_opens() -> None:
    rows = meters.availability()
    assert [row.name for row in rows] == meters.names()
    for row in rows:
        assert row.available is (row.reason is None)
