"""Which PPK2 a user means, and how it is to measure."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass

from edgeecg.errors import MeterError

_MIN_VOLTS, _MAX_VOLTS = 0.8, 5.0
_VOLTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*(m?)v", re.IGNORECASE)
_EXAMPLE = "--meter ppk2:/dev/ttyACM0,ampere,5.0V"


@dataclass(frozen=True)
class Settings:
    """Port, mode and voltage.

    Attributes:
        port: The serial port, or None for the only PPK2.
        source: Whether the PPK2 supplies the device.
        volts: Voltage of the supply.
    """

    port: str | None
    source: bool
    volts: float


def parsed(where: str) -> Settings:
    """Return what the user wants.

    Args:
        where: Port, mode and voltage, separated by commas.

    Raises:
        MeterError: The voltage is missing, or a part is not understood.
    """
    port: str | None = None
    mode = "ampere"
    volts: float | None = None
    for word in (each.strip() for each in where.split(",")):
        voltage = _VOLTAGE.fullmatch(word)
        if voltage:
            volts = float(voltage[1]) * (1e-3 if voltage[2] else 1.0)
        elif word in ("ampere", "source"):
            mode = word
        elif port is None and re.match(r"/|COM\d|\\\\", word):
            port = word
        else:
            raise MeterError(
                f"The PPK2 cannot be opened as '{where}'.",
                f"'{word}' is neither a serial port, nor 'ampere' or 'source', nor a voltage such "
                "as 5.0V or 3300mV.",
                f"Give all three, as in {_EXAMPLE}",
            )
    if volts is None:
        raise without_voltage(port or "/dev/ttyACM0")
    if not _MIN_VOLTS <= volts <= _MAX_VOLTS:
        raise MeterError(
            f"The PPK2 cannot measure at {volts:g} V.",
            f"It works from {_MIN_VOLTS:g} to {_MAX_VOLTS:g} V.",
            f"Give the voltage of the supply, as in {_EXAMPLE}",
        )
    return Settings(port, mode == "source", volts)


def without_voltage(port: str) -> MeterError:
    """Return the error for a voltage that was not given.

    Args:
        port: A serial port, for the example.
    """
    return MeterError(
        "The PPK2 needs to know the voltage of the supply.",
        "It measures current only, and power is current times voltage.",
        f"Give it: --meter ppk2:{port},ampere,5.0V where the device has its own supply, or "
        f"ppk2:{port},source,3300mV where the PPK2 shall supply it.",
    )


def only_port() -> str:
    """Return the port of the only PPK2. One PPK2 may have two ports; the first is for data.

    Raises:
        MeterError: There is none, or there are several.
    """
    ports = importlib.import_module("serial.tools.list_ports").comports()
    first: dict[str, str] = {}
    for each in sorted(ports, key=lambda port: (port.location or "", port.device)):
        if each.product == "PPK2":
            first.setdefault(str(each.serial_number), each.device)
    found = sorted(first.values())
    if not found:
        raise MeterError(
            "There is no PPK2 at this computer.",
            "No serial port belongs to a Power Profiler Kit II.",
            f"Plug it in and switch it on, or name its port: {_EXAMPLE}",
        )
    if len(found) > 1:
        raise MeterError(
            "There are several PPK2 at this computer.",
            f"Their ports are {', '.join(found)}.",
            f"Name one of them: --meter ppk2:{found[0]},ampere,5.0V",
        )
    return found[0]
