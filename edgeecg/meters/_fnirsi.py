"""USB power meters of FNIRSI (FNB48, FNB48S, FNB58, C1), through Linux' ``/dev/hidraw*``.

The meter sends packets of 64 bytes, little-endian: 0xAA, a type (4: values), four times 15 bytes
(voltage and current in 10 µV and 10 µA, 4 bytes each, and 7 bytes that are not needed here), a byte
of unknown meaning, and a CRC-8 over all bytes but the first and the last. It stops unless it is
asked to go on. The four values of a packet are shown a hundred times a second, but the meter
converts only about 25 times a second: a sample is the mean of a packet.
"""

from __future__ import annotations

import os
import select
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeecg.errors import MeterError
from edgeecg.meters import Samples

_PACKET_BYTES = 64
_VALUES = 4
_VALUE = struct.Struct("<II7x")
_STEP = 1e-5
_RATE_HZ = 25.0
_PATIENCE_S = 0.8
_GIVE_UP_S = 3.0
_START = (0x81, 0x82)
_GO_ON = 0x83


@dataclass(frozen=True)
class _Model:
    name: str
    third: int
    """The third command of the start."""
    every_s: float
    """How often it must be asked to go on."""
    max_watts: float


_MODELS = {
    (0x0483, 0x003A): _Model("FNB48", _GO_ON, 0.003, 150.0),
    (0x0483, 0x003B): _Model("C1", _GO_ON, 0.003, 150.0),
    (0x2E3C, 0x0049): _Model("FNB48S", 0x82, 1.0, 150.0),
    (0x2E3C, 0x5558): _Model("FNB58", 0x82, 1.0, 200.0),
}


class FnirsiMeter:
    """An open FNIRSI meter."""

    name = "usb"
    sample_rate_hz = _RATE_HZ
    replayed = False

    def __init__(self, file: int, path: Path, model: _Model) -> None:
        """Ask the meter to send.

        Args:
            file: An open file descriptor.
            path: Its path, for messages.
            model: Which meter it is.

        Raises:
            MeterError: It was unplugged.
        """
        self._file = file
        self._path = path
        self._model = model
        self.zones = (f"{model.name} output",)
        self.max_watts = model.max_watts
        for command in (*_START, model.third):
            self._send(command)
        self._asked_s = self._heard_s = time.perf_counter()

    def read(self) -> Samples:
        """Return the mean of the next packet.

        Raises:
            MeterError: The meter was unplugged, or sends nothing any more.
        """
        lost = 0
        end = time.perf_counter() + _PATIENCE_S
        while (now := time.perf_counter()) < end:
            if now - self._asked_s >= self._model.every_s:
                self._send(_GO_ON)
                self._asked_s = now
            packet = self._received(end - now)
            arrived = time.perf_counter()
            if packet is None or (len(packet) == _PACKET_BYTES and packet[1] != 4):
                continue
            self._heard_s = arrived
            watts = packet_watts(packet)
            if watts is None:
                lost += 1
                continue
            middle = arrived - 0.5 / _RATE_HZ
            return Samples(t_s=np.array([middle]), watts=np.array([watts]), lost=lost)
        if time.perf_counter() - self._heard_s > _GIVE_UP_S:
            raise MeterError(
                "The USB meter sends nothing any more.",
                f"'{self._path}' was silent for {_GIVE_UP_S:g} s.",
                "Plug its data cable out and in again, and measure again.",
            )
        return Samples(t_s=np.empty(0), watts=np.empty(0), lost=lost)

    def close(self) -> None:
        """Close the device file; the meter then stops by itself."""
        os.close(self._file)

    def _received(self, seconds: float) -> bytes | None:
        ready, _, _ = select.select([self._file], [], [], min(seconds, self._model.every_s))
        if not ready:
            return None
        try:
            return os.read(self._file, _PACKET_BYTES)
        except OSError as error:
            raise self._unplugged(error) from error

    def _send(self, command: int) -> None:
        packet = bytes([0xAA, command]) + bytes(_PACKET_BYTES - 3)
        try:
            # The kernel takes a zero in front, because the meter does not number its packets.
            os.write(self._file, b"\0" + packet + bytes([crc8(packet[1:])]))
        except OSError as error:
            raise self._unplugged(error) from error

    def _unplugged(self, error: OSError) -> MeterError:
        return MeterError(
            "The USB meter was unplugged.",
            f"'{self._path}' reports: {error.strerror}.",
            "Plug it in again, and measure again.",
        )


def crc8(content: bytes) -> int:
    """Return the check sum of a packet: polynomial 0x39, initial value 0x42, not reflected.

    Args:
        content: All bytes but the first and the last.
    """
    value = 0x42
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x39) & 0xFF if value & 0x80 else value << 1
    return value


def packet_watts(packet: bytes) -> float | None:
    """Return the mean power of a packet, or None if it is damaged.

    Args:
        packet: A packet of type 4.
    """
    if len(packet) != _PACKET_BYTES or packet[0] != 0xAA or crc8(packet[1:-1]) != packet[-1]:
        return None
    raw = [_VALUE.unpack_from(packet, 2 + i * _VALUE.size) for i in range(_VALUES)]
    return sum((volts * _STEP) * (amperes * _STEP) for volts, amperes in raw) / _VALUES


def open_only(root: Path) -> FnirsiMeter:
    """Open the only FNIRSI meter that is plugged in.

    Args:
        root: The folder ``/sys/class/hidraw``.

    Raises:
        MeterError: There is none, there are several, or it may not be opened.
    """
    found = [each.name for each in sorted(root.glob("hidraw*")) if _model(each) is not None]
    if not found:
        raise MeterError(
            "There is no USB power meter at this computer.",
            "No FNIRSI FNB48, FNB58 or C1 is plugged in, and an UM24C, UM25C or UM34C cannot be "
            "recognised.",
            "Plug the meter's data port in, or name the serial port of an UM meter: "
            "--meter usb:/dev/rfcomm0",
        )
    if len(found) > 1:
        raise MeterError(
            "There are several USB power meters at this computer.",
            f"They are {', '.join(f'/dev/{name}' for name in found)}.",
            f"Name one of them: --meter usb:/dev/{found[0]}",
        )
    return open_file(Path("/dev") / found[0], root)


def open_file(path: Path, root: Path) -> FnirsiMeter:
    """Open an FNIRSI meter.

    Args:
        path: Its device file, e.g. ``/dev/hidraw3``.
        root: The folder ``/sys/class/hidraw``.

    Raises:
        MeterError: It is no such meter, or it may not be opened.
    """
    model = _model(root / path.name)
    if model is None:
        raise MeterError(
            f"'{path}' is no USB power meter.",
            "It is not an FNIRSI FNB48, FNB48S, FNB58 or C1.",
            "Name another device, or leave the name out to take the one that is plugged in.",
        )
    try:
        file = os.open(path, os.O_RDWR)
    except OSError as error:
        raise MeterError(
            f"The USB meter {model.name} cannot be opened.",
            f"'{path}' reports: {error.strerror}.",
            "Allow it with this line in /etc/udev/rules.d/70-fnirsi.rules, and plug it in again: "
            'SUBSYSTEM=="hidraw", ATTRS{idVendor}=="2e3c|0483", TAG+="uaccess"',
        ) from error
    try:
        return FnirsiMeter(file, path, model)
    except BaseException:
        os.close(file)
        raise


def _model(folder: Path) -> _Model | None:
    """Return which meter a device is: the line ``HID_ID=0003:00002E3C:00005558`` says so."""
    try:
        lines = (folder / "device/uevent").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key == "HID_ID":
            try:
                _, vendor, product = (int(part, 16) for part in value.split(":"))
            except ValueError:
                return None
            return _MODELS.get((vendor, product))
    return None
