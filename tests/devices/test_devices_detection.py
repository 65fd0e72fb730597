from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import psutil
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


def test_a_registered_interpreter_for_this_machine_means_emulation(tmp_path: Path) -> None:
    registered = tmp_path / "proc/sys/fs/binfmt_misc"
    registered.mkdir(parents=True)
    (registered / "qemu-x86_64").touch()
    assert not detection.emulated(tmp_path, "aarch64")
    (registered / "qemu-aarch64").touch()
    assert detection.emulated(tmp_path, "aarch64")


def test_a_process_whose_thread_runs_qemu_is_emulated(tmp_path: Path) -> None:
    link = tmp_path / "proc/thread-self/exe"
    link.parent.mkdir(parents=True)
    link.symlink_to("/usr/bin/qemu-aarch64-static")
    assert detection.emulated(tmp_path, "aarch64")


class Sensor(NamedTuple):
    current: float


def test_the_state_is_read_in_si_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = tmp_path / "sys/devices/system/cpu/cpu3/cpufreq"
    cpu.mkdir(parents=True)
    (cpu / "scaling_governor").write_text("powersave\n")
    (cpu / "scaling_cur_freq").write_text("1500000\n")

    def sensors() -> dict[str, list[Sensor]]:
        return {"cpu_thermal": [Sensor(41.2), Sensor(55.6)], "nvme": [Sensor(38.0)]}

    monkeypatch.setattr(psutil, "sensors_temperatures", sensors, raising=False)
    monkeypatch.setattr(psutil, "getloadavg", lambda: (1.75, 1.0, 0.5))
    state = detection.state(3, tmp_path)
    assert (state.governor, state.frequency_hz, state.temperature_c) == ("powersave", 1.5e9, 55.6)
    assert state.load == 1.75


def test_without_cpufreq_the_frequency_of_that_core_comes_from_psutil(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frequencies(percpu: bool) -> list[Sensor]:
        assert percpu
        return [Sensor(800.0), Sensor(2400.0)]

    monkeypatch.setattr(psutil, "cpu_freq", frequencies)
    assert detection.state(1, tmp_path).frequency_hz == 2.4e9
    # A list that is shorter than the number of cores does not say which core it is about.
    assert detection.state(2, tmp_path).frequency_hz is None


def test_what_cannot_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(percpu: bool) -> list[Sensor]:
        raise NotImplementedError

    monkeypatch.setattr(psutil, "cpu_freq", unknown)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    state = detection.state(None, tmp_path)
    assert (state.governor, state.frequency_hz, state.temperature_c) == (None, None, None)


@pytest.mark.parametrize("name", resources.device_names())
def test_every_profile_is_valid_and_names_meters_that_exist(name: str) -> None:
    profile = resources.load_device(name)
    assert set(profile.meters) <= set(meters.names())
    assert profile.no_meter.endswith(".")


@pytest.mark.parametrize("name", ["default", "quick"])
def test_the_suites_do_what_their_descriptions_say(name: str) -> None:
    suite = resources.load_suite(name)
    assert f"{suite.min_runs} runs and {suite.min_seconds:g} s" in suite.description
    assert suite.energy_windows >= 5


def test_figures_of_a_computer_do_not_get_the_name_of_a_board(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no 'Raspberry Pi 5'") as caught:
        detection.chosen("raspberry-pi-5", tmp_path, "x86_64", "Linux")
    assert "x86_64" in caught.value.why
    assert "--on" in caught.value.todo


def test_a_microcontroller_cannot_be_named_for_this_machine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing can be measured") as caught:
        detection.chosen("nrf52840", tmp_path, "x86_64", "Linux")
    assert "edgeecg trace" in caught.value.todo


def test_a_board_that_is_not_recognised_can_be_named_and_this_is_said(tmp_path: Path) -> None:
    here = board(tmp_path, "Some Carrier Board")
    profile, doubt = detection.chosen("raspberry-pi-cm4", here, "aarch64", "Linux")
    assert profile.name == "raspberry-pi-cm4"
    assert doubt is not None
    assert "'Some Carrier Board'" in doubt
    assert "--device raspberry-pi-cm4" in doubt


def test_a_board_that_is_recognised_is_not_doubted(tmp_path: Path) -> None:
    here = board(tmp_path, "Raspberry Pi 5 Model B Rev 1.0")
    for name in (None, "raspberry-pi-5", "raspberry-pi", "arm64-linux"):
        profile, doubt = detection.chosen(name, here, "aarch64", "Linux")
        assert (profile.name, doubt) == (name or "raspberry-pi-5", None)


def test_a_file_of_ones_own_need_not_say_how_its_board_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nno_meter = "None."\n')
    profile, doubt = detection.chosen(str(path), tmp_path, "riscv64", "Linux")
    assert (profile.name, doubt) == ("mine", None)
