"""UM meters and FNIRSI meters, spoken to byte by byte through a pseudo-terminal."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, strategies as st
from readings import collect

from edgeecg import meters
from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.meters import _fnirsi, usb
from edgeecg.meters._polling import ReadingError


def um_record(model: int, volts: int, amperes: int, milliwatts: int) -> bytes:
    """130 bytes as the instrument sends them, at the places that sigrok's driver names."""
    record = bytearray(130)
    record[0:2] = model.to_bytes(2, "big")
    record[2:4] = volts.to_bytes(2, "big")
    record[4:6] = amperes.to_bytes(2, "big")
    record[6:10] = milliwatts.to_bytes(4, "big")
    record[10:12] = (27).to_bytes(2, "big")
    record[128:130] = b"\xff\xf1"
    return bytes(record)


class Terminal:
    """The instrument's end of a serial line; ``respond`` gets what arrives."""

    def __init__(self, respond: Callable[[bytes], bytes]) -> None:
        self.master, slave = os.openpty()
        self.slave: int | None = slave
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self.respond = respond
        self.heard = b""
        self.running = True
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while self.running:
            if select.select([self.master], [], [], 0.01)[0]:
                with contextlib.suppress(OSError):
                    content = os.read(self.master, 1024)
                    self.heard += content
                    os.write(self.master, self.respond(content))

    def send(self, content: bytes) -> None:
        os.write(self.master, content)

    def unplug(self) -> None:
        if self.slave is not None:
            self.running = False
            self.thread.join()
            os.close(self.master)
            os.close(self.slave)
            self.slave = None


Plug = Callable[[Callable[[bytes], bytes]], Terminal]


@pytest.fixture
def plug() -> Iterator[Plug]:
    terminals: list[Terminal] = []

    def begin(respond: Callable[[bytes], bytes]) -> Terminal:
        terminals.append(Terminal(respond))
        return terminals[-1]

    yield begin
    for terminal in terminals:
        terminal.unplug()


@pytest.mark.parametrize(
    ("record", "name", "watts"),
    [
        # 5.10 V and 0.432 A; an UM25C shows one digit more of each.
        (um_record(0x0963, 510, 432, 2203), "UM24C", 2.203),
        (um_record(0x09C9, 5102, 4321, 2205), "UM25C", 2.205),
        (um_record(0x0D4C, 2000, 3000, 60_000), "UM34C", 60.0),
    ],
)
def test_a_meter_at_a_serial_port(plug: Plug, record: bytes, name: str, watts: float) -> None:
    terminal = plug(lambda asked: record * asked.count(b"\xf0"))
    with contextlib.closing(meters.open_meter(f"usb:{terminal.port}")) as meter:
        assert isinstance(meter, usb.UmMeter)
        assert meter.zones == (f"{name} output",)
        found = collect(meter, 1.2)
    assert found.watts == pytest.approx(watts)
    assert found.lost == 0
    assert 2 <= found.t_s.size <= 4


GOOD = um_record(0x0963, 510, 432, 2203)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        GOOD[:129],
        bytes(130),
        # The first record after a start: 188 V and 170 A, with a power of something else.
        um_record(0x0963, 18_800, 65_535, 2203),
        um_record(0x0963, 510, 432, 4_000_000_000),
        um_record(0x0963, 510, 432, 0),
        um_record(0x1234, 510, 432, 2203),
        # Another meter than before.
        um_record(0x0D4C, 510, 432, 2203),
    ],
)
def test_a_record_that_cannot_be_right_is_lost(
    plug: Plug, record: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usb, "_RATE_HZ", 20.0)
    monkeypatch.setattr(usb, "_TIMEOUT_S", 0.3)
    answers = [GOOD, record, GOOD]
    terminal = plug(lambda asked: answers.pop(0) if answers else GOOD)
    meter = usb.open(terminal.port)
    found = collect(meter, 0.5)
    meter.close()
    assert found.lost == 1
    assert found.watts == pytest.approx(2.203)


def test_the_rest_of_an_earlier_answer_does_not_shift_the_next(plug: Plug) -> None:
    terminal = plug(lambda asked: GOOD)
    terminal.send(GOOD[:50])
    meter = usb.open(terminal.port)
    assert collect(meter, 0.3).watts == pytest.approx(2.203)
    meter.close()


def test_something_else_at_the_port_is_explained(plug: Plug) -> None:
    terminal = plug(lambda asked: b"AT OK\r\n")
    with pytest.raises(MeterError, match=r"no UM24C.*7 of 130 bytes"):
        usb.open(terminal.port)


def test_a_port_that_cannot_be_opened_is_explained(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match=f"{tmp_path}/a b.*No such file"):
        usb.open(f"{tmp_path}/a b")


def test_a_port_that_another_program_uses_is_explained(plug: Plug) -> None:
    terminal = plug(lambda asked: GOOD)
    first = usb.open(terminal.port)
    with pytest.raises(MeterError, match="Close the other program"):
        usb.open(terminal.port)
    first.close()


def test_a_meter_that_is_disconnected_ends_the_measurement(plug: Plug) -> None:
    terminal = plug(lambda asked: GOOD)
    meter = usb.open(terminal.port)
    meter.read()
    terminal.unplug()
    with pytest.raises(MeterError, match=r"USB meter|'usb' cannot be read"):
        collect(meter, 6.0)
    meter.close()


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = importlib.import_module

    def absent(name: str) -> ModuleType:
        if name == "serial":
            raise ModuleNotFoundError(name=name)
        return load(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"edgeecg\[usb\]"):
        usb.open("/dev/rfcomm0")


@given(st.binary(min_size=0, max_size=140))
def test_any_bytes_are_a_record_or_an_error(content: bytes) -> None:
    try:
        model, watts = usb.parsed(content)
    except ReadingError:
        return
    assert len(content) == 130
    assert 0 <= watts < 1e7
    assert model.name.startswith("UM")


def fnirsi_packet(volts: float, amperes: float, kind: int = 4) -> bytes:
    value = struct.pack("<IIHHBH", round(volts * 1e5), round(amperes * 1e5), 600, 600, 1, 251)
    body = bytes([kind]) + value * 4 + b"\x00"
    return b"\xaa" + body + bytes([_fnirsi.crc8(body)])


def test_the_check_sum_is_that_of_the_instruments_own_commands() -> None:
    # These commands and their last bytes were recorded from the vendor's program.
    for command, last in ((0x81, 0x8E), (0x82, 0x96), (0x83, 0x9E)):
        assert _fnirsi.crc8(bytes([command]) + bytes(61)) == last
    # The check value of this CRC, as CRC catalogues give it.
    assert _fnirsi.crc8(b"123456789") == 0x4B


class Fnirsi:
    """``/sys/class/hidraw`` with one meter, whose device file is a pseudo-terminal."""

    def __init__(self, folder: Path, plug: Plug, product: str = "00002E3C:00005558") -> None:
        self.root = folder / "class"
        self.packets: list[bytes] = []
        self.add("hidraw0", "0000046D:0000C52B")
        self.add("hidraw3", product)
        self.terminal = plug(lambda asked: b"")
        self.file = folder / "hidraw3"
        self.file.symlink_to(self.terminal.port)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._stream)

    def add(self, name: str, product: str) -> None:
        (self.root / name / "device").mkdir(parents=True)
        text = f"DRIVER=hid-generic\nHID_ID=0003:{product}\nHID_NAME=FNIRSI USB Tester\n"
        (self.root / name / "device/uevent").write_text(text)

    def _stream(self) -> None:
        while not self.stop.wait(0.04):
            if self.packets:
                self.terminal.send(self.packets[0])
                if len(self.packets) > 1:
                    self.packets.pop(0)


@pytest.fixture
def fnirsi(tmp_path: Path, plug: Plug) -> Iterator[Fnirsi]:
    made = Fnirsi(tmp_path, plug)
    made.thread.start()
    yield made
    made.stop.set()
    made.thread.join()


def test_an_fnirsi_meter(fnirsi: Fnirsi) -> None:
    fnirsi.packets = [fnirsi_packet(5.125, 0.4)]
    meter = usb.open(str(fnirsi.file), fnirsi.root)
    assert (meter.name, meter.zones) == ("usb", ("FNB58 output",))
    found = collect(meter, 1.3)
    meter.close()
    assert found.watts == pytest.approx(5.125 * 0.4)
    # 25 packets a second, with four values each.
    assert found.t_s.size == pytest.approx(32, abs=8)
    assert found.lost == 0
    asked = fnirsi.terminal.heard
    packets = [asked[i : i + 65] for i in range(0, len(asked), 65)]
    assert [packet[:3] for packet in packets[:3]] == [b"\0\xaa\x81", b"\0\xaa\x82", b"\0\xaa\x82"]
    # It is asked to go on once a second.
    assert packets[3][:3] == b"\0\xaa\x83"
    assert len(packets) == 4


def test_damaged_packets_are_lost_and_others_are_passed_over(fnirsi: Fnirsi) -> None:
    good = fnirsi_packet(5.0, 0.5)
    damaged = good[:10] + b"\xff" + good[11:]
    fnirsi.packets = [damaged, fnirsi_packet(188.0, 170.0, kind=3), damaged, good]
    meter = usb.open(str(fnirsi.file), fnirsi.root)
    found = collect(meter, 0.6)
    meter.close()
    assert found.lost == 2
    assert found.watts == pytest.approx(2.5)


def test_a_silent_fnirsi_meter_ends_the_measurement(
    fnirsi: Fnirsi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fnirsi, "_GIVE_UP_S", 1.0)
    meter = usb.open(str(fnirsi.file), fnirsi.root)
    with pytest.raises(MeterError, match="sends nothing any more"):
        collect(meter, 6.0)
    meter.close()


def test_an_unplugged_fnirsi_meter_ends_the_measurement(fnirsi: Fnirsi) -> None:
    meter = usb.open(str(fnirsi.file), fnirsi.root)
    fnirsi.terminal.unplug()
    with pytest.raises(MeterError, match="was unplugged"):
        collect(meter, 2.0)
    meter.close()


def test_another_device_is_no_fnirsi_meter(fnirsi: Fnirsi, tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="is no USB power meter"):
        usb.open("/dev/hidraw0", fnirsi.root)
    with pytest.raises(MeterError, match="is no USB power meter"):
        usb.open("/dev/hidraw99", fnirsi.root)


def test_a_device_file_that_may_not_be_opened_names_the_udev_rule(fnirsi: Fnirsi) -> None:
    fnirsi.file.unlink()
    with pytest.raises(MeterError) as caught:
        usb.open(str(fnirsi.file), fnirsi.root)
    assert "udev" in caught.value.todo


def test_without_a_place_the_only_fnirsi_meter_is_taken(fnirsi: Fnirsi) -> None:
    # Its device file is not in /dev here, which the error shows.
    with pytest.raises(MeterError, match="'/dev/hidraw3'"):
        usb.open(hidraw=fnirsi.root)
    fnirsi.add("hidraw5", "00000483:0000003A")
    with pytest.raises(MeterError, match=r"/dev/hidraw3, /dev/hidraw5"):
        usb.open(hidraw=fnirsi.root)


def test_without_a_place_and_a_meter_both_kinds_are_named(tmp_path: Path) -> None:
    begun = time.perf_counter()
    with pytest.raises(MeterError) as caught:
        usb.open(hidraw=tmp_path)
    assert time.perf_counter() - begun < 0.5
    assert "FNB58" in caught.value.why
    assert "/dev/rfcomm0" in caught.value.todo
