from __future__ import annotations

from pathlib import Path

import pytest

from edgeecg import meters, resources
from edgeecg.devices import detection
from edgeecg.errors import UsageError


def board(root: Path, model: str) -> Path:
    path = root / "proc/device-tree/model"
    path.parent.mkdir(parents=True)
    # The kernel ends the text with a null byte.
    path.write_bytes(model.encode() + b"\0")
    return root


@pytest.mark.parametrize(
    ("model", "machine", "name"),
    [
        ("Raspberry Pi 4 Model B Rev 1.5", "aarch64", "raspberry-pi-4"),
        ("Raspberry Pi 4 Model B Rev 1.1", "armv7l", "raspberry-pi-4"),
        ("Raspberry Pi 5 Model B Rev 1.0", "aarch64", "raspberry-pi-5"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "aarch64", "raspberry-pi-zero-2-w"),
        ("Some Other Board", "aarch64", "arm64-linux"),
    ],
)
def test_boards_are_known_by_their_device_tree(
    tmp_path: Path, model: str, machine: str, name: str
) -> None:
    assert detection.detect(board(tmp_path, model), machine).name == name


def test_a_board_is_known_by_cpuinfo_where_there_is_no_device_tree(tmp_path: Path) -> None:
    path = tmp_path / "proc/cpuinfo"
    path.parent.mkdir()
    path.write_text("processor\t: 0\nModel\t\t: Raspberry Pi 4 Model B Rev 1.5\n")
    assert detection.detect(tmp_path, "aarch64").name == "raspberry-pi-4"


def test_a_computer_is_known_by_its_machine_alone(tmp_path: Path) -> None:
    assert detection.detect(tmp_path, "x86_64").name == "x86-64"


def test_an_unknown_machine_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="raspberry-pi-5") as caught:
        detection.detect(tmp_path, "riscv64")
    assert "--device" in caught.value.todo


def test_an_interpreter_for_our_own_machine_gives_an_emulator_away(tmp_path: Path) -> None:
    registered = tmp_path / "proc/sys/fs/binfmt_misc"
    registered.mkdir(parents=True)
    (registered / "qemu-x86_64").touch()
    assert not detection.emulated(tmp_path, "aarch64")
    (registered / "qemu-aarch64").touch()
    assert detection.emulated(tmp_path, "aarch64")


def test_an_emulator_behind_the_thread_gives_itself_away(tmp_path: Path) -> None:
    link = tmp_path / "proc/thread-self/exe"
    link.parent.mkdir(parents=True)
    link.symlink_to("/usr/bin/qemu-aarch64-static")
    assert detection.emulated(tmp_path, "aarch64")


def test_the_state_is_read_in_si_units(tmp_path: Path) -> None:
    cpu = tmp_path / "sys/devices/system/cpu/cpu3/cpufreq"
    cpu.mkdir(parents=True)
    (cpu / "scaling_governor").write_text("powersave\n")
    (cpu / "scaling_cur_freq").write_text("1500000\n")
    for zone, value in enumerate(("41200\n", "55600\n", "broken\n")):
        path = tmp_path / f"sys/class/thermal/thermal_zone{zone}"
        path.mkdir(parents=True)
        (path / "temp").write_text(value)
    state = detection.state(3, tmp_path)
    assert (state.governor, state.frequency_hz, state.temperature_c) == ("powersave", 1.5e9, 55.6)


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    state = detection.state(None, tmp_path)
    assert (state.governor, state.frequency_hz, state.temperature_c) == (None, None, None)


@pytest.mark.parametrize("name", resources.device_names())
def test_every_profile_is_valid_and_names_meters_that_exist(name: str) -> None:
    profile = resources.load_device(name)
    assert set(profile.meters) <= set(meters.names())
    assert profile.no_meter.endswith(".")


@pytest.mark.parametrize("name", ["default", "quick"])
def test_the_suites_keep_the_promises_of_their_descriptions(name: str) -> None:
    suite = resources.load_suite(name)
    assert f"{suite.min_runs} runs and {suite.min_seconds:g} s" in suite.description
    assert suite.energy_windows >= 5
