"""USB power meters in the supply of a device: FNIRSI FNB48, FNB58, C1 and UM24C, UM25C, UM34C.

FNIRSI meters are USB devices and are found by themselves; see :mod:`edgeecg.meters._fnirsi`.

The UM meters of RDTech speak over Bluetooth, which Linux offers as a serial port:
``sudo rfcomm bind 0 ADDRESS``, then ``--meter usb:/dev/rfcomm0``. To the byte 0xF0 they answer with
130 bytes, big-endian: model (2 bytes), voltage (2), current (2), power in mW (4), and figures that
are not needed here. Voltage and current have steps of 10 mV and 1 mA, or 1 mV and 0.1 mA in an
UM25C. Their product must agree with the power: a record in which it does not is garbage.

Neither was tried on the instruments themselves: what is implemented are the published descriptions
of the two protocols (sigrok's driver ``rdtech-um``, and ``fnirsi-usb-power-data-logger``).
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg.errors import MeterError
from edgeecg.meters import _fnirsi
from edgeecg.meters._polling import PolledMeter, ReadingError
from edgeecg.meters._serial_ports import pyserial, unopened

SAMPLED = True
BESIDE = True
HIDRAW = Path("/sys/class/hidraw")

_REQUEST = b"\xf0"
_RECORD = struct.Struct(">HHHI120x")
# The meters renew their values about twice a second.
_RATE_HZ = 2.0
_TIMEOUT_S = 0.9


@dataclass(frozen=True)
class _Model:
    name: str
    volts_step: float
    amperes_step: float
    max_watts: float


_MODELS = {
    0x0963: _Model("UM24C", 1e-2, 1e-3, 72.0),
    0x09C9: _Model("UM25C", 1e-3, 1e-4, 120.0),
    0x0D4C: _Model("UM34C", 1e-2, 1e-3, 96.0),
}


class UmMeter(PolledMeter):
    """An UM24C, UM25C or UM34C at a serial port."""

    def __init__(self, port: Any, path: str) -> None:
        """Ask for one record, to learn which model it is.

        Args:
            port: An open ``serial.Serial``.
            path: Its path, for messages.

        Raises:
            MeterError: Nothing answers, or something else than such a meter.
        """
        self._port = port
        self._path = path
        # The first answer may be the rest of one that somebody else asked for.
        for last in (False, True):
            try:
                self._model, _ = self._record()
                break
            except ReadingError as error:
                if last:
                    raise MeterError(
                        f"There is no UM24C, UM25C or UM34C at '{path}'.",
                        f"It was asked for its values, but {error}.",
                        "Check the port (sudo rfcomm bind 0 ADDRESS), and that no telephone is "
                        "connected to the meter.",
                    ) from error
        super().__init__("usb", (f"{self._model.name} output",), _RATE_HZ, self._model.max_watts)
        # At the 5 V of USB.
        self.resolution_w = 5.0 * self._model.amperes_step

    def take(self) -> tuple[float, float]:
        """Ask for one record."""
        begun = time.perf_counter()
        model, watts = self._record()
        if model is not self._model:
            raise ReadingError(f"the answer is that of an {model.name}")
        return (begun + time.perf_counter()) / 2, watts

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    def _record(self) -> tuple[_Model, float]:
        try:
            # Not reset_input_buffer(), which raises no OSError when the port is gone.
            self._port.read(self._port.in_waiting)
            self._port.write(_REQUEST)
            content = self._port.read(_RECORD.size)
        except OSError as error:
            # pyserial's own exceptions are OSErrors, too.
            raise MeterError(
                "The USB meter was disconnected.",
                f"The serial port '{self._path}' reports: {error}.",
                "Connect it again, and measure again.",
            ) from error
        return parsed(content)


def parsed(content: bytes) -> tuple[_Model, float]:
    """Return the model and the watts of a record of an UM meter.

    Args:
        content: The answer, 130 bytes.

    Raises:
        ReadingError: It is no such record, or contradicts itself.
    """
    if len(content) != _RECORD.size:
        raise ReadingError(f"{len(content)} of {_RECORD.size} bytes came")
    identity, raw_volts, raw_amperes, milliwatts = _RECORD.unpack(content)
    model = _MODELS.get(identity)
    if model is None:
        raise ReadingError(f"the record begins with 0x{identity:04x}, which is no known model")
    volts, amperes = raw_volts * model.volts_step, raw_amperes * model.amperes_step
    watts = milliwatts * 1e-3
    step = volts * model.amperes_step + amperes * model.volts_step + 2e-3
    if abs(watts - volts * amperes) > 0.02 * watts + step:
        raise ReadingError(f"{volts:g} V times {amperes:g} A are not {watts:g} W")
    return model, watts


def open(where: str | None = None, hidraw: Path = HIDRAW) -> UmMeter | _fnirsi.FnirsiMeter:
    """Open a USB power meter.

    Args:
        where: The serial port of an UM meter, e.g. ``/dev/rfcomm0``, or the device file of an
            FNIRSI meter, e.g. ``/dev/hidraw3``. None takes the only FNIRSI meter that is plugged
            in.
        hidraw: The folder of all USB input devices, in which FNIRSI meters are found.

    Raises:
        MeterError: There is no such meter, or it may not be opened.
        MissingDependencyError: pyserial is not installed.
    """
    if where is None:
        return _fnirsi.open_only(hidraw)
    if Path(where).name.startswith("hidraw"):
        return _fnirsi.open_file(Path(where), hidraw)
    serial = pyserial("usb", "usb")
    try:
        port = serial.Serial(
            where, 9600, timeout=_TIMEOUT_S, write_timeout=_TIMEOUT_S, exclusive=True
        )
    except (OSError, ValueError) as error:
        raise unopened(where, error) from error
    try:
        return UmMeter(port, where)
    except BaseException:
        port.close()
        raise
