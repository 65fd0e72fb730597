"""What makes a window invalid that its meter cannot see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeecg.benchmark import disturbances
from edgeecg.benchmark.disturbances import Disturbances
from edgeecg.devices import throttling


@pytest.fixture
def firmware(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Return a function that sets what ``vcgencmd get_throttled`` answers."""
    answer: list[int | None] = [0]

    def read() -> throttling.Throttling | None:
        return None if answer[0] is None else throttling.decoded(answer[0])

    def set_to(bits: int | None) -> None:
        answer[0] = bits

    monkeypatch.setattr(throttling, "read", read)
    return set_to


def test_throttling_at_the_end_of_a_window_is_said(
    firmware: Callable[[int | None], None], tmp_path: Path
) -> None:
    check = Disturbances(tmp_path)
    assert check() is None
    firmware(0x4)
    assert check() == "the firmware reported throttled."


def test_an_undervoltage_that_is_over_invalidates_its_window_alone(
    firmware: Callable[[int | None], None], tmp_path: Path
) -> None:
    check = Disturbances(tmp_path)
    # Bit 16: undervoltage since boot, and not now.
    firmware(0x10000)
    assert check() == "the firmware reported undervoltage."
    assert check() is None


def test_what_happened_before_the_measurement_does_not_count(
    firmware: Callable[[int | None], None], tmp_path: Path
) -> None:
    firmware(0x50000)
    check = Disturbances(tmp_path)
    assert check() is None
    firmware(0x50001)
    assert check() == "the firmware reported undervoltage."


def test_a_machine_without_firmware_flags_is_not_disturbed(
    firmware: Callable[[int | None], None], tmp_path: Path
) -> None:
    firmware(None)
    assert Disturbances(tmp_path)() is None


def test_an_x86_processor_that_was_slowed_down(
    firmware: Callable[[int | None], None], tmp_path: Path
) -> None:
    firmware(None)
    count = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    count.parent.mkdir(parents=True)
    count.write_text("7\n")
    check = Disturbances(tmp_path)
    count.write_text("9\n")
    assert check() == "the processor was slowed down by its temperature."
    assert check() is None


def test_a_suspended_machine(
    firmware: Callable[[int | None], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock of windows and samples stands still while the machine sleeps; this one goes on.
    since_boot = [100.0]

    def clock_gettime(clock: int) -> float:
        return since_boot[clock]

    clocks = SimpleNamespace(CLOCK_BOOTTIME=0, monotonic=lambda: 50.0, clock_gettime=clock_gettime)
    monkeypatch.setattr(disturbances, "time", clocks)
    check = Disturbances(tmp_path)
    assert check() is None
    since_boot[0] += 30.0
    assert check() == "the machine was suspended for 30 s."


def test_a_process_that_had_to_wait_between_two_clocks_was_not_suspended(
    firmware: Callable[[int | None], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [50.0]

    def monotonic() -> float:
        # Each reading comes 5 s after the one before.
        now[0] += 5.0
        return now[0]

    def clock_gettime(clock: int) -> float:
        return monotonic() + 100.0 + clock

    clocks = SimpleNamespace(CLOCK_BOOTTIME=0, monotonic=monotonic, clock_gettime=clock_gettime)
    monkeypatch.setattr(disturbances, "time", clocks)
    check = Disturbances(tmp_path)
    assert [check() for _ in range(3)] == [None] * 3
