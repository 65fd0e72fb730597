"""``doctor`` finds what stands in the way on machines that are set up wrongly."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from fake_machines import PI4_CORE, PI5_CORE, board, cpu_flags, put

from edgeecg import meters, plugins
from edgeecg.devices import checks, detection
from edgeecg.devices.checks import (
    CheckedHost,
    device,
    emulation,
    energy,
    governor,
    i2c,
    int8,
    load,
    rapl,
    runtimes,
    sensor_driver,
    shunt,
    swap,
    temperature,
    throttling,
    userland,
)
from edgeecg.devices.doctor import doctor
from edgeecg.errors import MeterError
from edgeecg.meters import MeterModule
from edgeecg.schema import DeviceState, Finding

CALM = DeviceState(
    governor="performance",
    frequency_hz=2.4e9,
    temperature_c=45.0,
    throttled=False,
    load=0.1,
    throttle_now=(),
    throttle_since_boot=(),
    swap_used_bytes=0,
)


def pi(
    root: Path, model: str = "Raspberry Pi 4 Model B Rev 1.4", cores: str = PI4_CORE
) -> CheckedHost:
    put(board(root, model), "proc/cpuinfo", cores)
    return CheckedHost(root=root, machine="aarch64", system="Linux", bits=64, python=(3, 11))


def in_state(host: CheckedHost, monkeypatch: pytest.MonkeyPatch, **changes: object) -> CheckedHost:
    state = CALM.model_copy(update=changes)

    def read(cpu: int | None, root: Path) -> DeviceState:
        return state

    monkeypatch.setattr(detection, "state", read)
    return host


def only(findings: list[Finding]) -> Finding:
    (found,) = findings
    return found


@pytest.mark.parametrize("name", plugins.names(checks.__name__))
def test_every_check_answers_on_this_machine_and_on_an_empty_one(tmp_path: Path, name: str) -> None:
    module = plugins.load(checks.__name__, name)
    for host in (CheckedHost(), CheckedHost(root=tmp_path, machine="riscv64", system="Linux")):
        for found in module.check(host):  # pyright: ignore[reportAttributeAccessIssue]
            assert isinstance(found, Finding)
            assert found.check
            assert found.found.endswith((".", ")"))
            assert found.ok or found.fix


def test_a_check_that_crashes_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(host: CheckedHost) -> list[Finding]:
        raise ZeroDivisionError("no such number")

    monkeypatch.setattr(swap, "check", broken)
    found = {each.check: each for each in doctor()}
    assert found["swap"].crashed
    assert not found["swap"].ok
    assert "ZeroDivisionError: no such number" in found["swap"].found
    assert not found["device"].crashed


def test_an_unknown_machine_is_told_how_to_go_on(tmp_path: Path) -> None:
    found = only(device.check(CheckedHost(root=tmp_path, machine="riscv64", system="Linux")))
    assert not found.ok
    assert "--device MY-BOARD.toml" in (found.fix or "")
    assert "(raspberry-pi-4)" in only(device.check(pi(tmp_path))).found


def test_emulation_is_found(tmp_path: Path) -> None:
    host = pi(tmp_path)
    assert emulation.check(host) == []
    put(tmp_path, "proc/sys/fs/binfmt_misc/qemu-aarch64", "enabled\n")
    assert "not those of the board" in only(emulation.check(host)).found


@pytest.mark.parametrize(
    ("machine", "bits", "ok"),
    [
        ("aarch64", 64, True),
        ("armv7l", 32, True),
        # Raspberry Pi OS 32-bit on a Pi 4 or 5 boots a 64-bit kernel, which says aarch64.
        ("aarch64", 32, False),
        ("x86_64", 64, True),
    ],
)
def test_a_32_bit_userland_on_a_64_bit_kernel(machine: str, bits: int, ok: bool) -> None:
    host = CheckedHost(machine=machine, bits=64 if bits == 64 else 32)
    found = only(userland.check(host))
    assert found.ok is ok
    if not ok:
        assert "edgeecg[device32]" in (found.fix or "")


def test_int8_needs_dot_product_instructions(tmp_path: Path) -> None:
    slow = only(int8.check(pi(tmp_path / "4")))
    assert not slow.ok
    assert "not expected to be faster" in slow.found
    assert only(int8.check(pi(tmp_path / "5", cores=PI5_CORE))).ok
    assert int8.check(CheckedHost(root=tmp_path)) == []
    host = CheckedHost(root=cpu_flags(tmp_path / "x", "avx2 avx512_vnni"), machine="x86_64")
    assert only(int8.check(host)).ok


def test_the_governor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = in_state(CheckedHost(root=tmp_path), monkeypatch, governor="ondemand")
    found = only(governor.check(host))
    assert not found.ok
    assert "ondemand" in found.found
    assert "scaling_governor" in (found.fix or "")
    assert only(governor.check(in_state(CheckedHost(root=tmp_path), monkeypatch))).ok
    assert governor.check(in_state(CheckedHost(root=tmp_path), monkeypatch, governor=None)) == []


def test_undervoltage_and_throttling_now_and_since_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = in_state(
        pi(tmp_path),
        monkeypatch,
        throttle_now=("throttled",),
        throttle_since_boot=("undervoltage", "throttled"),
    )
    voltage, slow = throttling.check(host)
    assert (voltage.check, voltage.ok) == ("undervoltage", False)
    assert "since boot" in voltage.found
    assert "power supply" in (voltage.fix or "")
    assert (slow.check, slow.ok) == ("throttling", False)
    assert "now: throttled" in slow.found
    calm = throttling.check(in_state(pi(tmp_path / "b"), monkeypatch))
    assert [each.ok for each in calm] == [True, True]


def test_a_raspberry_pi_without_vcgencmd_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown: dict[str, object] = {"throttle_now": None, "throttle_since_boot": None}
    found = only(throttling.check(in_state(pi(tmp_path), monkeypatch, **unknown)))
    assert "sudo apt install" in (found.fix or "")
    assert "group" in (found.fix or "") or "-aG video" in (found.fix or "")
    other = in_state(CheckedHost(root=tmp_path / "x", machine="x86_64"), monkeypatch, **unknown)
    assert throttling.check(other) == []


def test_temperature_load_and_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory().total
    for check, key, good, bad in (
        (temperature.check, "temperature_c", 60.0, 79.0),
        (load.check, "load", 0.1, 1.5),
        (swap.check, "swap_used_bytes", memory // 100, memory // 10),
    ):
        assert only(check(in_state(CheckedHost(), monkeypatch, **{key: good}))).ok
        found = only(check(in_state(CheckedHost(), monkeypatch, **{key: bad})))
        assert not found.ok
        assert found.fix
        assert check(in_state(CheckedHost(), monkeypatch, **{key: None})) == []


def test_rapl_that_only_root_may_read_gets_the_udev_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = CheckedHost(root=tmp_path, machine="x86_64", system="Linux")
    put(tmp_path, "sys/class/powercap/intel-rapl:0/name", "package-0\n")
    put(tmp_path, "sys/class/powercap/intel-rapl:0/max_energy_range_uj", "1000\n")
    put(tmp_path, "sys/class/powercap/intel-rapl:0/energy_uj", "1\n")
    real = Path.read_text

    def refused(path: Path, *arguments: str, **options: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    # A test may run as root, who may read everything.
    monkeypatch.setattr(Path, "read_text", refused)
    found = only(rapl.check(host))
    assert not found.ok
    assert "/etc/udev/rules.d/" in (found.fix or "")
    assert "chmod" in (found.fix or "")
    assert rapl.check(CheckedHost(root=tmp_path, machine="aarch64", system="Linux")) == []


def test_i2c_that_is_off_matters_where_the_sensor_lies_on_it(tmp_path: Path) -> None:
    off = only(i2c.check(pi(tmp_path)))
    assert not off.ok
    assert "raspi-config nonint do_i2c 0" in (off.fix or "")
    with_chip = pi(tmp_path / "5", "Raspberry Pi 5 Model B Rev 1.0", PI5_CORE)
    assert only(i2c.check(with_chip)).ok
    put(tmp_path, "dev/i2c-1", "")
    assert only(i2c.check(pi(tmp_path))).ok
    assert i2c.check(CheckedHost(root=tmp_path / "x", machine="x86_64")) == []


def test_a_sensor_without_its_driver(tmp_path: Path) -> None:
    put(tmp_path, "dev/i2c-1", "")
    none = only(sensor_driver.check(pi(tmp_path)))
    assert "new_device" in (none.fix or "")
    put(tmp_path, "sys/bus/i2c/devices/1-0040/name", "ina3221\n")
    waiting = only(sensor_driver.check(pi(tmp_path)))
    assert not waiting.ok
    assert waiting.fix == "sudo modprobe -a ina3221"
    put(tmp_path, "sys/class/hwmon/hwmon2/name", "ina219\n")
    works = only(sensor_driver.check(pi(tmp_path)))
    assert works.ok
    assert "ina219 (hwmon2)" in works.found


def test_other_sensors_are_no_power_sensors(tmp_path: Path) -> None:
    put(tmp_path, "dev/i2c-1", "")
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    assert not only(sensor_driver.check(pi(tmp_path))).ok
    assert shunt.check(pi(tmp_path)) == []


@pytest.mark.parametrize(("micro_ohms", "ok"), [("10000", False), ("100000", True), ("0", False)])
def test_the_shunt_that_linux_assumes(tmp_path: Path, micro_ohms: str, ok: bool) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon2/name", "ina219\n")
    put(tmp_path, "sys/class/hwmon/hwmon2/shunt_resistor", f"{micro_ohms}\n")
    found = only(shunt.check(pi(tmp_path)))
    assert found.ok is ok
    if not ok:
        assert "hwmon2/shunt_resistor" in (found.fix or "")


def test_a_shunt_of_the_device_tree_is_no_guess(tmp_path: Path) -> None:
    hwmon = "sys/class/hwmon/hwmon2"
    put(tmp_path, f"{hwmon}/name", "ina3221\n")
    for channel in (1, 2, 3):
        put(tmp_path, f"{hwmon}/shunt{channel}_resistor", "10000\n")
    assert [each.ok for each in shunt.check(pi(tmp_path))] == [False] * 3
    put(tmp_path, f"{hwmon}/device/of_node/input@0/shunt-resistor-micro-ohms", "\0\0\x27\x10")
    assert [each.ok for each in shunt.check(pi(tmp_path))] == [True] * 3


def test_the_first_meter_of_the_profile_that_works_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = CheckedHost(root=tmp_path, machine="x86_64", system="Linux")

    class Works:
        zones = ("package-0",)

        def close(self) -> None:
            """Do nothing."""

    def opened(name: str) -> Works:
        assert name == "rapl"
        return Works()

    def absent(name: str) -> MeterModule:
        raise MeterError("No counter.", "It is a virtual machine.", "Buy one.")

    monkeypatch.setattr("edgeecg.meters.open_meter", opened)
    assert only(energy.check(host)).found == "The meter rapl works, for: package-0."
    monkeypatch.setattr("edgeecg.meters.open_meter", absent)
    found = only(energy.check(host))
    assert not found.ok
    assert "rapl: No counter." in found.found
    assert "smart plug" in (found.fix or "")


class Ended(subprocess.Popen[str]):
    """A process that ended, with what it printed."""

    def __init__(self, status: int, printed: str) -> None:
        self.returncode = status
        self.printed = printed

    def communicate(
        self, input: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        return self.printed, ""

    def __del__(self) -> None:
        """Nothing was started."""


@pytest.mark.parametrize(
    ("status", "printed", "found", "fix"),
    [
        (0, '{"version": "litert 2.3.0"}', "litert 2.3.0 works.", None),
        (-signal.SIGILL, "", "instruction that this processor lacks", "older version"),
        (-signal.SIGSEGV, "", "SIGSEGV", "edgeecg[device]"),
        (1, "", "status 1", "edgeecg[device]"),
        (0, '{"broken": "ImportError: numpy.core"}', "ImportError: numpy.core", "numpy<2"),
        (0, '{"missing": "It needs X.", "fix": "Install X"}', "It needs X.", "Install X"),
    ],
)
def test_a_runtime_that_does_not_load(
    monkeypatch: pytest.MonkeyPatch, status: int, printed: str, found: str, fix: str | None
) -> None:
    def start(*arguments: object, **options: object) -> Ended:
        return Ended(status, printed)

    monkeypatch.setattr(subprocess, "Popen", start)
    for each in runtimes.check(CheckedHost(machine="x86_64", bits=64)):
        assert found in each.found
        assert each.ok is (fix is None)
        assert fix is None or fix in (each.fix or "")


def test_the_runtimes_of_this_machine_are_loaded_in_other_processes() -> None:
    found = {each.check: each for each in runtimes.check(CheckedHost())}
    assert found["runtime litert"].ok
    assert found["runtime litert"].found.startswith("litert 2.")
    assert found["runtime onnxruntime"].ok


def test_the_meters_are_those_that_bench_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def absent(name: str) -> MeterModule:
        opened.append(name)
        raise MeterError("No counter.", "It is a virtual machine.", "Buy one.")

    put(tmp_path, "proc/device-tree/model", "NVIDIA Jetson AGX Orin Developer Kit\0")
    monkeypatch.setattr("edgeecg.meters.open_meter", absent)
    host = CheckedHost(root=tmp_path, machine="aarch64", system="Linux")
    energy.check(host)
    assert host.profile is not None
    assert opened == meters.candidates(host.profile)
    assert opened[0] == "hwmon::VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0"
