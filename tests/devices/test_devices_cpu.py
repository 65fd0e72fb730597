"""What a processor is and has, from ``/proc/cpuinfo`` of x86 and ARM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_machines import PI4_CORE, PI4_CORE_32, PI5_CORE, board, cpu_flags, put

from edgeecg import resources
from edgeecg.devices import cpu, detection
from edgeecg.schema import DeviceInfo, DeviceState


@pytest.mark.parametrize(
    ("text", "core", "features", "dot"),
    [
        (PI4_CORE, "Cortex-A72", ("asimd",), False),
        (PI5_CORE, "Cortex-A76", ("asimd", "fphp", "asimdhp", "asimddp"), True),
        (PI4_CORE_32, "Cortex-A72", ("neon", "vfpv4"), False),
    ],
)
def test_arm_processors(
    tmp_path: Path, text: str, core: str, features: tuple[str, ...], dot: bool
) -> None:
    put(tmp_path, "proc/cpuinfo", text)
    assert cpu.core(tmp_path) == core
    assert cpu.extensions(tmp_path) == features
    assert cpu.has_int8_dot_product(features) is dot


@pytest.mark.parametrize(
    ("flags", "features", "dot"),
    [
        ("fpu sse4_2 avx avx2 fma", ("sse4_2", "avx", "fma", "avx2"), False),
        ("fpu avx2 avx_vnni", ("avx2", "avx_vnni"), True),
        ("avx512f avx512_vnni amx_int8", ("avx512f", "avx512_vnni", "amx_int8"), True),
    ],
)
def test_x86_processors(tmp_path: Path, flags: str, features: tuple[str, ...], dot: bool) -> None:
    cpu_flags(tmp_path, flags)
    assert cpu.extensions(tmp_path) == features
    assert cpu.has_int8_dot_product(features) is dot
    assert cpu.core(tmp_path) is None


def test_without_cpuinfo_the_features_are_unknown_and_not_absent(tmp_path: Path) -> None:
    assert cpu.extensions(tmp_path) is None
    assert cpu.has_int8_dot_product(None) is None


def test_a_result_carries_core_board_and_features(tmp_path: Path) -> None:
    board(tmp_path, "Raspberry Pi 5 Model B Rev 1.0")
    put(tmp_path, "proc/cpuinfo", PI5_CORE)
    put(tmp_path, "sys/devices/system/cpu/cpu2/cpufreq/cpuinfo_max_freq", "2400000\n")
    state = detection.state(None, tmp_path)
    profile = resources.load_device("raspberry-pi-5")
    found = detection.describe(profile, state, state, cpu=2, root=tmp_path)
    assert found.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.core == "Cortex-A76"
    assert found.int8_dot_product is True
    assert "asimddp" in (found.cpu_features or ())
    assert found.max_frequency_hz == 2.4e9
    assert found.userland_bits == 64


def test_a_result_of_an_earlier_version_is_read() -> None:
    state = {"governor": None, "frequency_hz": None, "temperature_c": None}
    old: dict[str, Any] = {**state, "throttled": None, "load": 0.5}
    found = DeviceInfo.from_document(
        {
            **{"name": "x86-64", "emulated": False, "machine": "x86_64", "cpu": None},
            **{"cores": 2, "memory_bytes": 1, "system": "Linux", "python": "3.11.2"},
            **{"before": old, "after": old},
        },
        source="test",
    )
    assert (found.cpu_features, found.int8_dot_product, found.board) == (None, None, None)
    assert found.before == DeviceState(**old)
    assert found.before.throttle_since_boot is None
