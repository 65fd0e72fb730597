from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from edgeecg.errors import MeterError
from edgeecg.meters import rapl

RANGE_UJ = 262_143_328_850


class Machine:
    """A powercap folder as the kernel lays it out, and a clock; waiting uses energy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        self.watts: dict[str, float] = {}
        self.exact_uj: dict[str, float] = {}
        self.range_uj: dict[str, int] = {}

    def zone(
        self, folder: str, name: str, watts: float, start: int = 0, size: int = RANGE_UJ
    ) -> None:
        path = self.root / folder
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        (path / "max_energy_range_uj").write_text(f"{size}\n")
        self.watts[folder], self.exact_uj[folder], self.range_uj[folder] = watts, start, size
        self._write(folder)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for folder, watts in self.watts.items():
            self.exact_uj[folder] += watts * seconds * 1e6
            self._write(folder)

    def _write(self, folder: str) -> None:
        value = round(self.exact_uj[folder]) % self.range_uj[folder]
        (self.root / folder / "energy_uj").write_text(f"{value}\n")

    def open(self) -> rapl.RaplMeter:
        return rapl.open(self.root, clock=lambda: self.now, sleep=self.sleep)

    def joules_after(self, seconds: float) -> float:
        meter = self.open()
        self.sleep(seconds)
        return meter.joules()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_package_at_known_power_gives_the_joules(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=12.5)
    assert machine.joules_after(8.0) == pytest.approx(100.0)


def test_core_uncore_psys_and_mmio_are_not_added_to_the_package(machine: Machine) -> None:
    machine.zone("intel-rapl-mmio:0", "package-0", watts=10)
    machine.zone("intel-rapl:0", "package-0", watts=10)
    machine.zone("intel-rapl:0:0", "core", watts=7)
    machine.zone("intel-rapl:0:1", "uncore", watts=1)
    machine.zone("intel-rapl:1", "psys", watts=20)
    assert machine.open().zones == ("package-0",)
    assert machine.joules_after(2.0) == pytest.approx(20.0)


def test_two_sockets_and_their_memory_are_added_up(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=30)
    machine.zone("intel-rapl:0:0", "dram", watts=4)
    machine.zone("intel-rapl:1", "package-1", watts=20)
    machine.zone("intel-rapl:1:0", "dram", watts=3)
    assert machine.open().zones == (
        "package-0",
        "package-0/dram",
        "package-1",
        "package-1/dram",
    )
    assert machine.joules_after(1.0) == pytest.approx(57.0)


def test_dies_repeat_their_package_where_both_are_listed(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=30)
    machine.zone("intel-rapl:1", "package-0-die-0", watts=15)
    machine.zone("intel-rapl:2", "package-0-die-1", watts=15)
    assert machine.joules_after(1.0) == pytest.approx(30.0)


def test_dies_alone_are_added_up(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0-die-0", watts=15)
    machine.zone("intel-rapl:1", "package-0-die-1", watts=16)
    assert machine.joules_after(1.0) == pytest.approx(31.0)


def test_psys_serves_where_there_is_no_package(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "psys", watts=20)
    assert machine.open().zones == ("psys",)


def test_memory_whose_counter_does_not_change_is_not_a_zone(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=10)
    machine.zone("intel-rapl:0:0", "dram", watts=0)
    assert machine.open().zones == ("package-0",)


@given(start=st.integers(0, 65_000_000), steps=st.lists(st.floats(0.01, 1.0), max_size=40))
def test_energy_survives_any_number_of_wraps(
    tmp_path_factory: pytest.TempPathFactory, start: int, steps: list[float]
) -> None:
    # 65 J of range at 40 W: a wrap every 1.6 s, read at most a second apart.
    machine = Machine(tmp_path_factory.mktemp("powercap"))
    machine.zone("intel-rapl:0", "package-0", watts=40, start=start, size=65_000_000)
    meter = rapl.RaplMeter(
        [rapl._Zone("package-0", machine.root / "intel-rapl:0")],  # pyright: ignore[reportPrivateUsage]
        clock=lambda: 0.0,
    )
    last = 0.0
    for step in steps:
        machine.sleep(step)
        now = meter.joules()
        assert now >= last
        last = now
    assert last == pytest.approx(40 * sum(steps), abs=1e-4)


def test_a_counter_that_was_not_read_for_too_long_is_an_error(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=10, size=65_000_000_000)
    meter = machine.open()
    machine.sleep(64.0)
    assert meter.joules() > 0
    machine.sleep(66.0)
    with pytest.raises(MeterError, match="wrapped more than once"):
        meter.joules()


def test_a_counter_that_does_not_change_is_an_error(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=0, start=42)
    with pytest.raises(MeterError, match="does not change"):
        machine.open()


@pytest.mark.parametrize("content", ["", "0\n", "-1\n", "many\n", None])
def test_an_unreadable_range_is_an_error(machine: Machine, content: str | None) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=10)
    path = machine.root / "intel-rapl:0/max_energy_range_uj"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(MeterError, match="cannot be trusted"):
        machine.open()


def test_a_counter_that_vanishes_is_an_error_and_not_zero(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=10)
    meter = machine.open()
    (machine.root / "intel-rapl:0/energy_uj").unlink()
    with pytest.raises(MeterError, match="cannot be trusted"):
        meter.joules()


@pytest.mark.parametrize("name", ["intel-rapl", "intel-rapl:0", "intel-rapl-mmio:0"])
def test_counters_that_a_container_masks_name_the_container(machine: Machine, name: str) -> None:
    # Docker mounts an empty folder over /sys/devices/virtual/powercap; the links remain.
    (machine.root / name).symlink_to(f"../../devices/virtual/powercap/intel-rapl/{name}")
    with pytest.raises(MeterError, match="hidden by the container") as caught:
        machine.open()
    assert "/sys/devices/virtual/powercap" in caught.value.why
    assert "systempaths=unconfined" in caught.value.todo


def test_no_file_stays_open(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=10)
    meter = machine.open()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        machine.sleep(0.1)
        meter.joules()
    meter.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_counter_in_microjoules_is_not_taken_for_millijoules(machine: Machine) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=0)
    counter = machine.root / "intel-rapl:0/energy_uj"
    meter = rapl.RaplMeter(
        [rapl._Zone("package-0", machine.root / "intel-rapl:0")],  # pyright: ignore[reportPrivateUsage]
        clock=lambda: 0.0,
    )
    counter.write_text("3000000\n")
    assert meter.joules() == pytest.approx(3.0)


def test_without_powercap_the_error_names_an_external_meter(tmp_path: Path) -> None:
    with pytest.raises(MeterError) as caught:
        rapl.open(tmp_path / "powercap")
    assert "external meter" in caught.value.todo


def test_a_counter_that_may_not_be_read_names_the_udev_rule(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.zone("intel-rapl:0", "package-0", watts=10)
    counter = machine.root / "intel-rapl:0/energy_uj"
    if os.geteuid() == 0:
        # Root may read everything: raise the error of the system call instead.
        read = Path.read_text

        def refuse(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
            if path == counter:
                raise PermissionError(13, "Permission denied", str(path))
            return read(path, encoding, errors)

        monkeypatch.setattr(Path, "read_text", refuse)
    else:
        counter.chmod(stat.S_IWUSR)
    with pytest.raises(MeterError) as caught:
        machine.open()
    for word in ("CVE-2020-8694", "chmod", "udev"):
        assert word in caught.value.todo
