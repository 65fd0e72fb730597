"""Every device profile is complete, and every board is distinguished from similar ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_machines import board, cpu_flags
from pydantic import ValidationError

from edgeecg import meters, resources
from edgeecg.devices import catalogue, detection
from edgeecg.schema import DetectRule, Processor

PI_MACHINES = ("aarch64", "armv7l", "armv8l")
WITH_POWER_CHIP = {"raspberry-pi-5", "raspberry-pi-500", "raspberry-pi-cm5", "raspberry-pi"}

MODELS = {
    "Raspberry Pi Zero 2 W Rev 1.0": "raspberry-pi-zero-2-w",
    "Raspberry Pi 2 Model B Rev 1.1": "raspberry-pi-2",
    "Raspberry Pi 3 Model B Rev 1.2": "raspberry-pi-3",
    "Raspberry Pi 3 Model B Plus Rev 1.3": "raspberry-pi-3",
    "Raspberry Pi 3 Model A Plus Rev 1.0": "raspberry-pi-3",
    "Raspberry Pi Compute Module 3 Plus Rev 1.0": "raspberry-pi-3",
    "Raspberry Pi 4 Model B Rev 1.5": "raspberry-pi-4",
    "Raspberry Pi 400 Rev 1.0": "raspberry-pi-400",
    "Raspberry Pi Compute Module 4 Rev 1.1": "raspberry-pi-cm4",
    "Raspberry Pi Compute Module 4S Rev 1.0": "raspberry-pi-cm4",
    "Raspberry Pi 5 Model B Rev 1.0": "raspberry-pi-5",
    "Raspberry Pi 500 Rev 1.0": "raspberry-pi-500",
    "Raspberry Pi 500+ Rev 1.0": "raspberry-pi-500",
    "Raspberry Pi Compute Module 5 Rev 1.0": "raspberry-pi-cm5",
    "Raspberry Pi Compute Module 5 Lite Rev 1.0": "raspberry-pi-cm5",
    # Boards that nobody knows yet: their names begin like those of known ones.
    "Raspberry Pi 6 Model B Rev 1.0": "raspberry-pi",
    "Raspberry Pi 40 Rev 1.0": "raspberry-pi",
    "Raspberry Pi Compute Module 50 Rev 1.0": "raspberry-pi",
}


@pytest.mark.parametrize("machine", PI_MACHINES)
@pytest.mark.parametrize(("model", "name"), MODELS.items())
def test_every_raspberry_pi_is_told_apart_in_both_widths(
    tmp_path: Path, model: str, name: str, machine: str
) -> None:
    assert detection.detect(board(tmp_path, model), machine, "Linux").name == name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "jetson-orin"),
        ("NVIDIA Orin NX Developer Kit", "jetson-orin"),
        ("NVIDIA Jetson AGX Orin Developer Kit", "jetson-agx-orin"),
        ("Radxa ROCK 5B", "arm64-linux"),
    ],
)
def test_other_boards(tmp_path: Path, model: str, name: str) -> None:
    assert detection.detect(board(tmp_path, model), "aarch64", "Linux").name == name


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("fpu sse4_2 avx2 fma", "x86-64"),
        ("fpu avx2 avx_vnni", "x86-64-vnni"),
        ("fpu avx512f avx512_vnni", "x86-64-vnni"),
        # No flag, but one that contains its name.
        ("fpu avx2 not_avx_vnni_at_all", "x86-64"),
    ],
)
def test_vnni_is_seen_in_the_flags(tmp_path: Path, flags: str, name: str) -> None:
    assert detection.detect(cpu_flags(tmp_path, flags), "x86_64", "Linux").name == name


def test_a_mac_is_no_arm_linux_machine(tmp_path: Path) -> None:
    assert detection.detect(tmp_path, "arm64", "Darwin").name == "apple-silicon"
    assert detection.detect(tmp_path, "arm64", "Linux").name == "arm64-linux"


@pytest.mark.parametrize("name", resources.device_names())
def test_every_profile_is_complete(name: str) -> None:
    profile = resources.load_device(name)
    assert set(profile.meters) | set(profile.external_meters) <= known_meters()
    for text in (profile.no_meter, profile.to_buy, profile.notes):
        assert text.endswith(".")
    processor = profile.processor
    assert processor is not None
    # What is unknown has a reason, and what is known of the peak a source.
    complete = (processor.count, processor.clock_hz, profile.memory_bytes)
    assert all(complete) or processor.reason
    assert set(processor.macs_per_cycle) == {"float32", "int8"} or processor.reason
    assert bool(processor.source) == bool(processor.macs_per_cycle)
    figures = {
        "count": processor.count,
        "clock_hz": processor.clock_hz,
        "memory_bytes": profile.memory_bytes,
        "flash_bytes": profile.flash_bytes,
    }
    assert set(profile.sources) == {figure for figure, value in figures.items() if value}
    if profile.detect is None:
        assert not profile.meters, "a board that runs no Python cannot read a meter"
        assert profile.external_meters


def known_meters() -> set[str]:
    planned = {"hwmon", "joulescope", "pi5_pmic", "ppk2", "pyjoules", "rapl", "shelly", "usb"}
    return planned | set(meters.names())


@pytest.mark.parametrize("name", resources.device_names())
def test_the_power_chip_is_tried_on_the_boards_that_have_it(name: str) -> None:
    if not name.startswith("raspberry-pi"):
        return
    expected = ("pi5_pmic", "hwmon") if name in WITH_POWER_CHIP else ("hwmon",)
    assert resources.load_device(name).meters == expected


def test_peaks_are_those_of_the_instructions() -> None:
    # Two 128-bit pipelines: 2 x 4 float32 products, 2 x 16 int8 products with SDOT.
    pi5 = resources.load_device("raspberry-pi-5").processor
    assert pi5 is not None
    assert pi5.macs_per_cycle == {"float32": 8, "int8": 32}
    m4 = resources.load_device("nrf52840").processor
    assert m4 is not None
    assert m4.clock_hz == 64e6
    # A product of 1 cycle and a sum of 1 cycle.
    assert m4.macs_per_cycle["float32"] == 1 / 2


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 4, "clock_hz": 1e9, "macs_per_cycle": {"float32": 4, "int8": 8}},
        {"count": 4, "clock_hz": 1e9, "macs_per_cycle": {"float32": 4}, "source": "a guide"},
        {"clock_hz": 1e9, "macs_per_cycle": {"float32": 4, "int8": 8}, "source": "a guide"},
    ],
)
def test_a_processor_needs_a_source_and_a_reason_for_what_is_unknown(
    fields: dict[str, object],
) -> None:
    with pytest.raises(ValidationError, match=r"needs a (source|reason)"):
        Processor.model_validate({"core": "X", **fields})


def test_a_rule_takes_one_text_or_several() -> None:
    one = DetectRule.model_validate({"machine": ["a"], "model_contains": "Board"})
    assert one.model_contains == ("Board",)
    assert DetectRule.model_validate({"machine": ["a"]}).model_contains == ()


def test_this_machine_is_listed_as_it_is() -> None:
    rows = catalogue()
    (here,) = [row for row in rows if row.here]
    assert here.cores
    with Path("/proc/meminfo").open(encoding="ascii") as file:
        kibibytes = int(next(line for line in file if line.startswith("MemTotal")).split()[1])
    assert here.memory_bytes == (kibibytes * 1024,)
    pi = next(row for row in rows if row.name == "raspberry-pi-5")
    assert (pi.core, pi.cores, pi.memory_bytes[-1]) == ("Cortex-A76", 4, 16 * 2**30)
