"""The firmware's answers, from a ``vcgencmd`` on PATH."""

from __future__ import annotations

import os
import stat
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from readings import collect

from edgeecg.errors import MeterError
from edgeecg.meters import pi5_pmic

# As a Raspberry Pi 5 prints it: the numbers of current and voltage of a rail differ.
ANSWER = """\
     3V7_WL_SW_A current(0)=0.10000000A
       3V3_SYS_A current(1)=0.20000000A
       1V8_SYS_A current(2)=0.15000000A
      DDR_VDD2_A current(3)=0.05000000A
      DDR_VDDQ_A current(4)=0.02000000A
       1V1_SYS_A current(5)=0.18000000A
        0V8_SW_A current(6)=0.30000000A
      VDD_CORE_A current(7)=2.00000000A
       3V3_DAC_A current(17)=0.00000000A
       3V3_ADC_A current(18)=0.00000000A
       0V8_AON_A current(16)=0.00500000A
          HDMI_A current(22)=0.01000000A
     3V7_WL_SW_V volt(8)=3.70000000V
       3V3_SYS_V volt(9)=3.30000000V
       1V8_SYS_V volt(10)=1.80000000V
      DDR_VDD2_V volt(11)=1.10000000V
      DDR_VDDQ_V volt(12)=0.60000000V
       1V1_SYS_V volt(13)=1.10000000V
        0V8_SW_V volt(14)=0.80000000V
      VDD_CORE_V volt(15)=0.75000000V
       3V3_DAC_V volt(20)=3.30000000V
       3V3_ADC_V volt(21)=3.30000000V
       0V8_AON_V volt(19)=0.80000000V
          HDMI_V volt(23)=5.00000000V
         EXT5V_V volt(24)=5.15000000V
          BATT_V volt(25)=0.00000000V
"""
# By hand, rail by rail in the order above, without 3V7_WL_SW.
WATTS = 0.66 + 0.27 + 0.055 + 0.012 + 0.198 + 0.24 + 1.5 + 0.0 + 0.0 + 0.004 + 0.05
CORE, DDR, WIRELESS = 1.5, 0.067, 0.37


class Firmware:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer(ANSWER)

    def answer(self, text: str, status: int = 0) -> None:
        (self.folder / "answer").write_text(text)
        self.script(f"cat '{self.folder}/answer'\nexit {status}")

    def script(self, body: str) -> None:
        path = self.folder / "vcgencmd.new"
        path.write_text(f'#!/bin/sh\n[ "$*" = pmic_read_adc ] || exit 9\n{textwrap.dedent(body)}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        path.rename(self.folder / "vcgencmd")


@pytest.fixture
def firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Firmware:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Firmware(tmp_path)


@pytest.mark.parametrize(
    ("where", "watts"),
    [
        (None, WATTS),
        ("all", WATTS + WIRELESS),
        ("core", CORE),
        ("ddr", DDR),
        ("corrected", 1.1451 * (WATTS + WIRELESS) + 0.5879),
    ],
)
def test_rails_are_paired_by_name_and_added(
    firmware: Firmware, where: str | None, watts: float
) -> None:
    assert firmware
    meter = pi5_pmic.open(where)
    assert meter.name == "pi5_pmic"
    found = collect(meter, 0.3)
    assert found.watts == pytest.approx(watts)
    assert ("3V7_WL_SW" in meter.zones) is (where in ("all", "corrected"))
    # A correction that was fitted on another board is named wherever the figure goes.
    assert any("1.1451" in zone for zone in meter.zones) is (where == "corrected")
    assert any("one board" in each for each in found.remarks) is (where == "corrected")


def test_a_changed_order_of_lines_changes_nothing(firmware: Firmware) -> None:
    firmware.answer("".join(reversed(ANSWER.splitlines(keepends=True))))
    assert pi5_pmic.open("core").read().watts == pytest.approx(CORE)


def test_it_is_read_ten_times_a_second(firmware: Firmware) -> None:
    assert firmware
    meter = pi5_pmic.open()
    assert meter.sample_rate_hz == 10.0
    begun = time.perf_counter()
    found = collect(meter, 1.0)
    assert found.t_s.size == pytest.approx(10, abs=3)
    assert begun - 0.2 < found.t_s[0] < found.t_s[-1] < time.perf_counter()


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        # A Raspberry Pi 4 knows the command and has no such chip; the exit status is 0.
        ('error=1 error_msg="Command not registered"\n', 0, "Command not registered"),
        ("VCHI initialization failed\n", 1, "usermod -aG video"),
        ("Can't open device file: /dev/vcio\n", 1, "usermod -aG video"),
        ("", 1, "Only a Raspberry Pi 5"),
        ("", 0, "no rail with voltage and current"),
        ("EXT5V_V volt(24)=5.15000000V\n", 0, "no rail with voltage and current"),
    ],
)
def test_a_firmware_that_refuses_is_explained(
    firmware: Firmware, answer: str, status: int, told: str
) -> None:
    firmware.answer(answer, status)
    with pytest.raises(MeterError) as caught:
        pi5_pmic.open()
    assert told in str(caught.value)


def test_an_error_in_words_is_a_lost_reading_and_no_zero(firmware: Firmware) -> None:
    meter = pi5_pmic.open()
    meter.read()
    firmware.answer('error=1 error_msg="Invalid arguments"\n')
    bad = collect(meter, 0.5)
    assert bad.t_s.size == 0
    assert bad.lost >= 3
    firmware.answer(ANSWER)
    assert collect(meter, 0.3).watts == pytest.approx(WATTS)


def test_a_missing_rail_is_a_lost_reading(firmware: Firmware) -> None:
    meter = pi5_pmic.open()
    firmware.answer(ANSWER.replace("VDD_CORE_A current(7)=2.00000000A", ""))
    bad = collect(meter, 0.3)
    assert (bad.t_s.size, bad.lost > 0) == (0, True)


def test_a_firmware_that_hangs_is_a_lost_reading(firmware: Firmware) -> None:
    meter = pi5_pmic.open()
    firmware.script("exec sleep 5")
    samples = meter.read()
    assert (samples.t_s.size, samples.lost) == (0, 1)


def test_a_missing_group_is_named(firmware: Firmware) -> None:
    firmware.answer(ANSWER.replace("DDR_VDDQ", "DDR_OTHER"))
    with pytest.raises(MeterError, match="'pi5_pmic:ddr'"):
        pi5_pmic.open("ddr")
    with pytest.raises(MeterError, match="all, core, corrected, ddr"):
        pi5_pmic.open("gpu")


def test_without_the_command_the_error_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MeterError, match="raspi-utils"):
        pi5_pmic.open()


@given(st.text())
def test_any_text_is_parsed_or_ignored(text: str) -> None:
    amperes, volts = pi5_pmic.readings(text)
    assert all(isinstance(value, float) for value in (*amperes.values(), *volts.values()))


def test_the_step_of_the_readings_is_that_of_the_rails_in_quadrature(firmware: Firmware) -> None:
    # One step of 8.93 mA at 0.75 V; two rails of memory with 0.97593 mA at 1.1 V and 0.6 V.
    assert pi5_pmic.open("core").resolution_w == pytest.approx(0.75 * 8.93e-3)
    expected = 0.97593e-3 * (1.1**2 + 0.6**2) ** 0.5
    assert pi5_pmic.open("ddr").resolution_w == pytest.approx(expected)
    assert pi5_pmic.open().resolution_w > expected
    # The steps are those of currents that vcgencmd printed on four boards.
    for core in (10.87674, 0.9287199, 1.91102, 0.8126299):
        assert core / 8.93e-3 == pytest.approx(round(core / 8.93e-3), abs=1e-3)
    for other in (0.06245952, 0.1610285, 0.1756674, 0.3279125, 0.1268709, 0.2029934):
        assert other / 0.97593e-3 == pytest.approx(round(other / 0.97593e-3), abs=2e-2)
    assert pi5_pmic.open("corrected").resolution_w > pi5_pmic.open("all").resolution_w
