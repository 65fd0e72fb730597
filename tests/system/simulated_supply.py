"""The supply of an emulated Raspberry Pi, as an INA219 under hwmon and a Pi 5's power chip show it.

Its power is that of an idle board, and more while the programs of the Pi use the processor.
"""

from __future__ import annotations

import collections
import contextlib
import random
import threading
import time
from collections.abc import Generator
from pathlib import Path

import psutil

IDLE_W = 2.5
BUSY_W = 5.0
"""Added while the programs of the Pi use one whole processor."""

BUS_V = 5.0
SHUNT_OHM = 0.1
_PERIOD_S = 0.02
_AVERAGED = 6
"""Periods over which the use of the processor is averaged: the kernel counts it in 10 ms."""

_RAILS = {
    "3V7_WL_SW": (3.7, 0.02),
    "3V3_SYS": (3.3, 0.1),
    "1V8_SYS": (1.8, 0.1),
    "DDR_VDD2": (1.1, 0.05),
    "DDR_VDDQ": (0.6, 0.01),
    "1V1_SYS": (1.1, 0.1),
    "0V8_SW": (0.8, 0.2),
    "VDD_CORE": (0.75, None),
    "3V3_DAC": (3.3, 0.0),
    "3V3_ADC": (3.3, 0.0),
    "0V8_AON": (0.8, 0.003),
    "HDMI": (5.0, 0.01),
}
"""Volts and amperes of every rail; the core takes what is left."""


class SimulatedSupply:
    """Files that change as those of the drivers and the firmware do.

    Attributes:
        folder: ``class`` is ``/sys/class`` of the Pi; the others are the answers of vcgencmd.
    """

    def __init__(self, folder: Path) -> None:
        """Make the files."""
        self.folder = folder
        self._random = random.Random(0)
        chip = folder / "class" / "hwmon" / "hwmon0"
        chip.mkdir(parents=True)
        (chip / "name").write_text("ina219\n")
        (chip / "shunt_resistor").write_text(f"{1e6 * SHUNT_OHM:.0f}\n")
        zone = folder / "class" / "thermal" / "thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-thermal\n")
        (zone / "temp").write_text("48312\n")
        for name in ("net", "block", "power_supply"):
            (folder / "class" / name).mkdir()
        (folder / "get_throttled").write_text("throttled=0x0\n")
        self.show(IDLE_W)

    def show(self, watts: float) -> None:
        """Show a power, with the noise of a converter."""
        watts += self._random.gauss(0.0, 0.005)
        chip = self.folder / "class" / "hwmon" / "hwmon0"
        amperes = watts / BUS_V
        _replace(chip / "in0_input", f"{1e3 * amperes * SHUNT_OHM:.0f}")
        _replace(chip / "in1_input", f"{1e3 * BUS_V:.0f}")
        _replace(chip / "curr1_input", f"{1e3 * amperes:.0f}")
        _replace(chip / "power1_input", f"{1e6 * watts:.0f}")
        _replace(self.folder / "pmic_read_adc", self._rails(watts))

    def _rails(self, watts: float) -> str:
        rest = watts - sum(volts * (amperes or 0.0) for volts, amperes in _RAILS.values())
        amps: list[str] = []
        volts: list[str] = []
        for number, (name, (volt, ampere)) in enumerate(_RAILS.items()):
            ampere = rest / volt if ampere is None else ampere
            ampere += abs(self._random.gauss(0.0, 1e-5))
            amps.append(f"{name + '_A':>12} current({number})={ampere:.8f}A")
            volts.append(f"{name + '_V':>12} volt({number + 8})={volt:.8f}V")
        return "\n".join(
            [*amps, *volts, "     EXT5V_V volt(24)=5.15508000V", "     BATT_V volt(25)=0.0V"]
        )

    @contextlib.contextmanager
    def follows(self, process: int) -> Generator[None]:
        """Show what a process and its children use while the block runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._follow, args=(process, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _follow(self, process: int, done: threading.Event) -> None:
        last = collections.deque([(time.monotonic(), _processor_seconds(process))], _AVERAGED)
        while not done.wait(_PERIOD_S):
            last.append((time.monotonic(), _processor_seconds(process)))
            (begun, before), (ended, after) = last[0], last[-1]
            # Children that ended take their time with them.
            self.show(IDLE_W + BUSY_W * min(1.0, max(0.0, after - before) / (ended - begun)))


def _processor_seconds(process: int) -> float:
    """Return the processor time of a process and all its descendants."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(process)
        for each in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system
    return total


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader never sees half of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text + "\n")
    beside.replace(path)
