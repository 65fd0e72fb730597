from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from edgeecg import meters
from edgeecg.errors import MeterError, UnknownNameError
from edgeecg.meters import pyjoules


class Machine:
    """A powercap tree, nested as pyJoules reads it; waiting uses energy."""

    def __init__(self, root: Path) -> None:
        self.now, self.uj = 0.0, 0
        self.package = root / "intel-rapl:0"
        self.memory = self.package / "intel-rapl:0:0"
        for folder, name in ((self.package, "package-0"), (self.memory, "dram")):
            folder.mkdir(parents=True)
            (folder / "name").write_text(f"{name}\n")
        self.sleep(0)

    def sleep(self, seconds: float) -> None:
        """10 W in the package, 2 W in its memory."""
        self.now += seconds
        self.uj += round(seconds * 1e6)
        (self.package / "energy_uj").write_text(f"{10 * self.uj}\n")
        (self.memory / "energy_uj").write_text(f"{2 * self.uj}\n")

    def open(self) -> pyjoules.PyJoulesMeter:
        return pyjoules.open(clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    pyjoules._rapl_device()  # pyright: ignore[reportPrivateUsage]
    module = importlib.import_module("pyJoules.device.rapl_device")
    monkeypatch.setattr(module, "RAPL_API_DIR", str(tmp_path))
    return Machine(tmp_path)


def test_the_real_pyjoules_reads_package_and_memory(machine: Machine) -> None:
    meter = machine.open()
    assert meter.zones == ("package-0", "dram-0")
    before = meter.joules()
    machine.sleep(5.0)
    assert meter.joules() - before == pytest.approx(60.0)
    meter.close()


def test_a_wrap_is_an_error_and_no_negative_energy(machine: Machine) -> None:
    meter = machine.open()
    (machine.package / "energy_uj").write_text("1\n")
    with pytest.raises(MeterError, match="wrapped"):
        meter.joules()


def test_a_counter_that_does_not_change_is_an_error(machine: Machine) -> None:
    with pytest.raises(MeterError, match="does not change"):
        pyjoules.open(clock=lambda: machine.now, sleep=lambda s: setattr(machine, "now", 9.0))


def test_zones_of_other_names_are_not_read_by_pyjoules(machine: Machine) -> None:
    (machine.package / "name").write_text("psys\n")
    (machine.memory / "name").write_text("core\n")
    with pytest.raises(MeterError, match="no energy counter"):
        machine.open()


def test_an_unreadable_counter_says_how_to_make_it_readable(machine: Machine) -> None:
    (machine.package / "energy_uj").unlink()
    with pytest.raises(MeterError, match="chmod"):
        machine.open()


def test_counters_that_a_container_masks_name_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyjoules._rapl_device()  # pyright: ignore[reportPrivateUsage]
    module = importlib.import_module("pyJoules.device.rapl_device")
    link = tmp_path / "powercap/intel-rapl"
    link.parent.mkdir()
    link.symlink_to("../../devices/virtual/powercap/intel-rapl")
    monkeypatch.setattr(module, "RAPL_API_DIR", str(link))
    with pytest.raises(MeterError, match="hidden by the container"):
        pyjoules.open()


def test_without_counters_the_error_names_an_external_meter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pyjoules._rapl_device()  # pyright: ignore[reportPrivateUsage]
    module = importlib.import_module("pyJoules.device.rapl_device")
    monkeypatch.setattr(module, "RAPL_API_DIR", "/nowhere")
    with pytest.raises(MeterError, match="external meter"):
        pyjoules.open()


def test_meters_are_found_by_their_file_names() -> None:
    assert {"rapl", "pyjoules"} <= set(meters.names())
    assert all(callable(meters.get(name).open) for name in meters.names())
    with pytest.raises(UnknownNameError, match="Did you mean 'rapl'"):
        meters.get("rappl")
