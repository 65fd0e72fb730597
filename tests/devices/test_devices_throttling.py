"""``vcgencmd get_throttled``, in all its bits and with a firmware that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_machines import put

from edgeecg.devices import detection, throttling


def vcgencmd(folder: Path, monkeypatch: pytest.MonkeyPatch, printed: str, status: int = 0) -> None:
    """Put a program on PATH that answers like the firmware."""
    folder.mkdir(exist_ok=True)
    program = folder / "vcgencmd"
    program.write_text(f"#!/bin/sh\necho '{printed}'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


# The table of the Raspberry Pi documentation, "get_throttled".
@pytest.mark.parametrize(
    ("bit", "meaning"),
    [(0, "undervoltage"), (1, "frequency capped"), (2, "throttled"), (3, "soft temperature limit")],
)
def test_every_bit_has_its_meaning_now_and_since_boot(bit: int, meaning: str) -> None:
    assert throttling.decoded(1 << bit) == throttling.Throttling((meaning,), ())
    assert throttling.decoded(1 << (16 + bit)) == throttling.Throttling((), (meaning,))


def test_a_state_has_what_the_firmware_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vcgencmd(tmp_path / "bin", monkeypatch, "throttled=0x50004")
    state = detection.state(None, tmp_path)
    assert state.throttled is True
    assert state.throttle_now == ("throttled",)
    assert state.throttle_since_boot == ("undervoltage", "throttled")


def test_throttling_in_the_past_is_not_throttling_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vcgencmd(tmp_path / "bin", monkeypatch, "throttled=0x50000")
    state = detection.state(None, tmp_path)
    assert state.throttled is False
    assert state.throttle_since_boot == ("undervoltage", "throttled")


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        # It prints this and ends with status 0, or with 255 where /dev/vcio may not be opened.
        ('error=1 error_msg="Command not registered"', 0),
        ("error=1", 0),
        ("VCHI initialization failed", 255),
        ("throttled=", 0),
        ("", 0),
    ],
)
def test_an_answer_that_is_none_is_no_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, status: int
) -> None:
    vcgencmd(tmp_path / "bin", monkeypatch, printed, status)
    state = detection.state(None, tmp_path)
    assert (state.throttled, state.throttle_now, state.throttle_since_boot) == (None, None, None)


def test_slow_downs_of_an_x86_processor_are_added_up(tmp_path: Path) -> None:
    assert throttling.events(tmp_path) is None
    for cpu, count in ((0, 3), (1, 4)):
        folder = f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle"
        put(tmp_path, f"{folder}/core_throttle_count", f"{count}\n")
    assert throttling.events(tmp_path) == 7
