"""The power management chip (PMIC) of a Raspberry Pi 5: ``vcgencmd pmic_read_adc``.

The chip measures voltage and current of the rails that it supplies. It does not see what uses the
5 V directly (USB, HATs, NVMe), nor the losses of its converters, so the sum is below what the power
supply delivers. The energy of an inference needs only differences.

``--meter pi5_pmic`` adds all rails but 3V7_WL_SW, whose current drifts with the temperature
(raspberrypi/linux issue 6473). ``pi5_pmic:all`` adds that one, too; ``pi5_pmic:core`` is the
processor cores (VDD_CORE), ``pi5_pmic:ddr`` the memory (DDR_VDD2 and DDR_VDDQ).
``pi5_pmic:corrected`` is ``1.1451 * all + 0.5879 W``, an estimate of the power of the supply that
was fitted on one board; it is not known how well it fits another.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import time

from edgeecg.errors import MeterError
from edgeecg.meters._polling import PolledMeter, ReadingError

SAMPLED = True

_COMMAND = "vcgencmd"
# Every reading starts a process: ten a second use about one percent of a core.
_RATE_HZ = 10.0
_TIMEOUT_S = 0.9
# Its power supply delivers 27 W.
_MAX_WATTS = 40.0

_DRIFTING = "3V7_WL_SW"
_GROUPS: dict[str, tuple[str, ...] | None] = {
    "all": None,
    "core": ("VDD_CORE",),
    "corrected": None,
    "ddr": ("DDR_VDD2", "DDR_VDDQ"),
}
_SLOPE, _OFFSET_W = 1.1451, 0.5879
# Published answers of several boards have currents that are multiples of these steps.
_STEP_A = 0.97593e-3
_STEPS_A = {
    "VDD_CORE": 8.93e-3,
    **dict.fromkeys(("3V3_DAC", "3V3_ADC", "0V8_AON", "HDMI"), 0.06105e-3),
}

# For example "  VDD_CORE_A current(7)=0.92871990A". The numbers of a rail's current and voltage
# differ, so that the two belong together by name only.
_LINE = re.compile(r"\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)([AV])\s*")


class Pi5PmicMeter(PolledMeter):
    """The sum of some rails of the PMIC."""

    def __init__(self, command: str, group: str | None) -> None:
        """Read the rails once.

        Args:
            command: Path of ``vcgencmd``.
            group: ``"all"``, ``"core"``, ``"ddr"``, ``"corrected"``, or None for all rails whose
                current does not drift.

        Raises:
            MeterError: The command fails, or does not name these rails.
        """
        self._command = command
        self._corrected = group == "corrected"
        self._volts: dict[str, float] = {}
        try:
            measured = self._watts_by_rail()
        except ReadingError as error:
            raise _refused(error) from error
        wanted = None if group is None else _GROUPS[group]
        self._rails = tuple(
            rail
            for rail in measured
            if (rail in wanted if wanted else group is not None or rail != _DRIFTING)
        )
        if not self._rails or (wanted and len(self._rails) < len(wanted)):
            raise MeterError(
                f"The PMIC does not measure the rails of 'pi5_pmic:{group or 'all'}'.",
                f"{_COMMAND} names {', '.join(measured) or 'no rail with voltage and current'}.",
                "Update the firmware (sudo rpi-eeprom-update -a), or leave the group out.",
            )
        zones = self._rails
        if self._corrected:
            zones = (*zones, f"corrected: {_SLOPE} x sum + {_OFFSET_W} W")
        super().__init__("pi5_pmic", zones, _RATE_HZ, _MAX_WATTS)
        # The errors of the rails are independent of one another.
        scale = _SLOPE if self._corrected else 1.0
        self.resolution_w = scale * math.hypot(*(self._step_w(rail) for rail in self._rails))
        if self._corrected:
            self.remark(
                f"The sum of the rails is corrected by {_SLOPE} x sum + {_OFFSET_W} W, which was "
                "fitted on one board, to estimate the power of the supply."
            )

    def take(self) -> tuple[float, float]:
        """Read all rails once."""
        begun = time.perf_counter()
        measured = self._watts_by_rail()
        middle = (begun + time.perf_counter()) / 2
        missing = [rail for rail in self._rails if rail not in measured]
        if missing:
            raise ReadingError(f"{_COMMAND} did not name the rail {missing[0]}")
        watts = sum(measured[rail] for rail in self._rails)
        return middle, _SLOPE * watts + _OFFSET_W if self._corrected else watts

    def close(self) -> None:
        """Do nothing: every reading is a process of its own."""

    def _watts_by_rail(self) -> dict[str, float]:
        try:
            done = subprocess.run(
                [self._command, "pmic_read_adc"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
                stdin=subprocess.DEVNULL,
                # Without this Python cannot start the process in the cheapest way.
                close_fds=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ReadingError(f"{_COMMAND} gave no answer within {_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise ReadingError(f"{_COMMAND} cannot be started: {error.strerror}") from error
        answer = " ".join((done.stdout + done.stderr).split())
        # The firmware reports an error in words, with exit status 0.
        if "error=" in answer or done.returncode:
            raise ReadingError(f"{_COMMAND} answers: {answer[:200] or f'status {done.returncode}'}")
        amperes, self._volts = readings(done.stdout)
        return {rail: self._volts[rail] * amperes[rail] for rail in amperes if rail in self._volts}

    def _step_w(self, rail: str) -> float:
        return self._volts[rail] * _STEPS_A.get(rail, _STEP_A)


def readings(text: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return currents and voltages by rail.

    Args:
        text: What ``vcgencmd pmic_read_adc`` prints.
    """
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match and match[2] == match[4]:
            values[match[2]][match[1]] = float(match[3])
    return values["A"], values["V"]


def open(where: str | None = None) -> Pi5PmicMeter:
    """Open the PMIC of this Raspberry Pi.

    Args:
        where: ``all``, ``core``, ``ddr`` or ``corrected``; None means all rails whose current does
            not drift.

    Raises:
        MeterError: This is no Raspberry Pi 5, its firmware refuses, or there is no such group.
    """
    if where is not None and where not in _GROUPS:
        raise MeterError(
            f"The PMIC has no group of rails '{where}'.",
            f"The groups are: {', '.join(_GROUPS)}.",
            "Name one of these, as in --meter pi5_pmic:core, or give --meter pi5_pmic.",
        )
    command = shutil.which(_COMMAND)
    if command is None:
        raise MeterError(
            "There is no Raspberry Pi power chip to be read on this machine.",
            f"The command '{_COMMAND}' is not installed.",
            "On a Raspberry Pi 5: sudo apt install raspi-utils. On other machines, use another "
            "meter.",
        )
    return Pi5PmicMeter(command, where)


def _refused(error: ReadingError) -> MeterError:
    text = str(error)
    if re.search(r"vcio|VCHI|ermission", text):
        return MeterError(
            "The Raspberry Pi's power chip may not be read.",
            f"This user may not ask the firmware: {error}.",
            "Join the group 'video' and log in again: sudo usermod -aG video $USER",
        )
    return MeterError(
        "The Raspberry Pi's power chip cannot be read.",
        f"{text[0].upper()}{text[1:]}.",
        "Only a Raspberry Pi 5 or 500 can measure itself. On other boards, use an INA219 "
        "(--meter hwmon) or a meter in the supply.",
    )
