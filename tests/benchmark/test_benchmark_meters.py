"""Which meter a measurement takes, and what it says of one that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from simulated_time import SimulatedTime

from edgeecg import meters, plugins, resources
from edgeecg.benchmark import energy_measurement, energy_windows, protocol
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.energy_measurement import MeasuredEnergy, WindowPlan
from edgeecg.errors import MeterError, PluginError

pytestmark = pytest.mark.usefixtures("small_suites")

Exported = Callable[[str], Path]


class StandIn:
    """A meter module that opens, or raises an error."""

    def __init__(self, meter: Any) -> None:
        self.meter = meter

    def open(self) -> Any:
        if self.meter is None:
            raise MeterError("It may not be read.", "Because.", "Do this.")
        return self.meter


def meter_entry_points(*names: str) -> Callable[..., list[EntryPoint]]:
    """Return a function that finds these meters of other packages; their modules do not exist."""

    def find(group: str) -> list[EntryPoint]:
        found = names if group == "edgeecg.meters" else ()
        return [EntryPoint(name, f"no_such_package.{name}", group) for name in found]

    return find


def config(meter: str | None) -> BenchConfig:
    return BenchConfig(device="x86-64", meter=meter)


def test_a_named_meter_that_fails_is_an_error_and_an_automatic_one_a_reason(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(name: str) -> StandIn:
        return StandIn(None)

    monkeypatch.setattr(meters, "get", refusing)
    path = exported("a")
    with pytest.raises(MeterError):
        protocol.measure([path], config("rapl"))
    (result,) = protocol.measure([path], config(None)).results
    assert result.energy.tier == "not measured"
    assert result.energy.reason is not None
    assert "It may not be read." in result.energy.reason


def test_a_working_meter_measures_and_is_closed(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, time: SimulatedTime
) -> None:
    class Steady:
        name, zones, sample_rate_hz, replayed = "steady", ("board",), 10.0, True
        closed = 0

        def joules(self) -> float:
            return time.ns * 1e-9 * 2.0

        def close(self) -> None:
            self.closed += 1

    meter = Steady()

    def working(name: str) -> StandIn:
        return StandIn(meter)

    monkeypatch.setattr(meters, "get", working)
    real = energy_measurement.measure

    def simulated(name: str, plan: WindowPlan) -> MeasuredEnergy:
        run = energy_windows.in_this_process(lambda: time.pass_by(0.01), time.clock())
        return real(name, replace(plan, run=run, clock=time.clock()))

    monkeypatch.setattr(energy_measurement, "measure", simulated)
    (result,) = protocol.measure([exported("a")], config("steady")).results
    # A meter that shows the same 2 W whether it works or not resolves nothing.
    assert result.energy.tier == "not resolved"
    assert result.energy.gross_j == pytest.approx(0.02)
    assert meter.closed == 2


def test_meters_of_other_packages_are_tried_after_those_of_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugins, "entry_points_of", meter_entry_points("bench_supply", "rapl"))
    profile = resources.load_device("x86-64")
    assert meters.candidates(profile) == [*profile.meters, "bench_supply"]
    assert "bench_supply" in meters.names()


def test_a_meter_of_another_package_that_cannot_be_imported_is_a_reason(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "entry_points_of", meter_entry_points("bench_supply"))
    path = exported("a")
    (result,) = protocol.measure([path], config(None)).results
    assert result.energy.tier == "not measured"
    assert result.energy.reason is not None
    assert "The extension 'bench_supply'" in result.energy.reason
    with pytest.raises(PluginError, match="bench_supply"):
        protocol.measure([path], config("bench_supply"))
