"""Nordic Power Profiler Kit II (PPK2), at a serial port, through the package ``ppk2-api``.

The PPK2 measures current, 100,000 times a second. Power is its product with a voltage that is set:

- ``--meter ppk2:/dev/ttyACM0,ampere,5.0V``: the device has a supply of its own, of 5 V, whose
  current flows through the PPK2.
- ``--meter ppk2:/dev/ttyACM0,source,3300mV``: the PPK2 supplies the device with 3.3 V. It goes on
  when the meter is closed.

The port may be left out when one PPK2 is plugged in, and ``ampere`` may be left out. It measures up
to 1 A from 0.8 to 5 V: enough for a microcontroller or a Raspberry Pi Zero 2 W.

Samples are the means over a millisecond. The number of samples is compared with the time, because a
loss is not marked in the stream. The PPK2 sometimes delivers currents that it cannot measure: the
milliseconds that contain one are left out, and counted as lost.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.meters import Samples
from edgeecg.meters._ppk2_settings import Settings, only_port, parsed, without_voltage
from edgeecg.meters._sample_clock import SampleClock
from edgeecg.meters._serial_ports import unopened

SAMPLED = True
BESIDE = True

_SENSOR_HZ = 100_000.0
_BLOCK = 100
_RATE_HZ = _SENSOR_HZ / _BLOCK
_WORD_BYTES = 4
# The operating system gives 4 KB at a time. Fewer bytes mean that no more are waiting.
_FEW_BYTES, _MANY_CHUNKS = 1024, 64
# It measures 1 A at most; the spike filter lets a little more through.
_MAX_UA, _MIN_UA = 1.2e6, -5e4
_TIMEOUT_S = 1.0
_POLL_S = 0.005
_BATCH_S, _PATIENCE_S, _GIVE_UP_S = 0.05, 0.8, 2.0
# The first values after the start are not to be trusted, and the delay is not known yet.
_SETTLE_S = 0.5
_TRIES = 3


class Ppk2Meter:
    """A PPK2 that is measuring."""

    name = "ppk2"
    sample_rate_hz = _RATE_HZ
    replayed = False

    def __init__(self, api: Any, port: str, settings: Settings) -> None:
        """Start the measurement.

        Args:
            api: A ``ppk2_api.ppk2_api.PPK2_API``.
            port: Its serial port, for messages.
            settings: Mode and voltage.

        Raises:
            MeterError: It does not answer, or delivers nothing that it can measure.
        """
        self._api = api
        self._port = port
        self._volts = settings.volts
        self.max_watts = _MAX_UA * 1e-6 * settings.volts
        mode = "source" if settings.source else "ampere"
        self.zones = (f"supply ({settings.volts:g} V, {mode} mode)",)
        self._said: set[str] = set()
        self._remarks: list[str] = []
        self._clock = SampleClock(_SENSOR_HZ)
        self._count = 0
        self._bytes = b""
        self._pending: NDArray[np.float64] = np.empty(0)
        self._heard_s = time.perf_counter()
        try:
            self._start(settings)
            self._settle()
        except OSError as error:
            raise self._unplugged(error) from error
        self._remark(
            f"Power is the measured current times {settings.volts:g} V, which the PPK2 "
            + ("is set to supply." if settings.source else "is set to; it measures no voltage.")
        )

    def read(self) -> Samples:
        """Return the means over the milliseconds since the last call.

        Raises:
            MeterError: The PPK2 was unplugged, or sends nothing any more.
        """
        begun = time.perf_counter()
        t_s: list[NDArray[np.float64]] = []
        watts: list[NDArray[np.float64]] = []
        lost = 0
        while True:
            time.sleep(_POLL_S)
            try:
                times, means, gone = self._received()
            except OSError as error:
                raise self._unplugged(error) from error
            lost += gone
            t_s.append(times)
            watts.append(means)
            elapsed = time.perf_counter() - begun
            if elapsed > (_BATCH_S if sum(each.size for each in t_s) else _PATIENCE_S):
                break
        if time.perf_counter() - self._heard_s > _GIVE_UP_S:
            raise MeterError(
                "The PPK2 sends nothing any more.",
                f"'{self._port}' was silent for {_GIVE_UP_S:g} s.",
                "Plug it out and in again, and measure again.",
            )
        remarks, self._remarks = tuple(self._remarks), []
        return Samples(np.concatenate(t_s), np.concatenate(watts), lost, remarks)

    def close(self) -> None:
        """Stop measuring. A device that the PPK2 supplies stays powered."""
        if self._api.ser.is_open:
            self._api.stop_measuring()
            self._api.ser.close()

    def _start(self, settings: Settings) -> None:
        """Call the package in the order that the PPK2 needs."""
        # It may still send what an earlier program asked for.
        self._api.stop_measuring()
        quiet = 0
        while quiet < _TRIES:
            quiet = 0 if self._api.get_data() else quiet + 1
            time.sleep(4 * _POLL_S)
        if not any(self._calibrated() for _ in range(_TRIES)):
            raise MeterError(
                f"There is no PPK2 at '{self._port}'.",
                "It was asked for its calibration and gave no answer.",
                "Name its other port where it has two, or update it with the nRF Connect "
                "Programmer.",
            )
        if settings.source:
            self._api.use_source_meter()
        else:
            self._api.use_ampere_meter()
        self._api.set_source_voltage(round(settings.volts * 1000))
        self._api.toggle_DUT_power("ON")
        self._api.start_measuring()

    def _calibrated(self) -> bool:
        try:
            return bool(self._api.get_modifiers())
        except ValueError:
            # Bytes of a measurement are no text.
            return False

    def _settle(self) -> None:
        end = time.perf_counter() + _SETTLE_S
        good = 0
        while time.perf_counter() < end or not good:
            time.sleep(_POLL_S)
            good += self._received()[1].size
            if time.perf_counter() > end + _GIVE_UP_S:
                raise MeterError(
                    "The PPK2 delivers no current.",
                    "It sends no samples."
                    if not self._count
                    else f"It sends only values that it cannot measure, above {_MAX_UA:g} µA.",
                    "Plug it out and in again, switch its power switch on, and measure again.",
                )
        self._clock.settle()
        self._said.clear()
        self._remarks.clear()

    def _received(self) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Return times and means of new milliseconds, and how many were lost."""
        content = self._waiting()
        now = time.perf_counter()
        lost = 0
        if content:
            self._heard_s = now
            self._bytes += content
            lost += self._align()
        whole = len(self._bytes) // _WORD_BYTES * _WORD_BYTES
        if whole:
            # Older versions of the package return a list, newer ones a pair.
            found = self._api.get_samples(self._bytes[:whole])
            current = np.asarray(found[0] if isinstance(found, tuple) else found, np.float64)
            self._bytes = self._bytes[whole:]
            self._count += whole // _WORD_BYTES
            self._pending = np.concatenate([self._pending, current])
        times, means, bad = self._blocks()
        lost += bad
        if whole:
            missing = self._clock.arrived(self._count, now)
            if missing:
                self._count += missing
                self._pending = np.empty(0)
                lost += max(1, round(missing / _BLOCK))
                self._remark("The PPK2 lost samples, as their number shows; see the gaps.")
        return times, means, lost

    def _waiting(self) -> bytes:
        """Return all bytes that have arrived, so that the last of them have only just come."""
        chunks = [self._api.get_data()]
        while len(chunks[-1]) > _FEW_BYTES and len(chunks) < _MANY_CHUNKS:
            chunks.append(self._api.get_data())
        return b"".join(chunks)

    def _blocks(self) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        number = self._pending.size // _BLOCK
        first = self._count - self._pending.size
        blocks = self._pending[: number * _BLOCK].reshape(number, _BLOCK)
        self._pending = self._pending[number * _BLOCK :]
        good = np.all((blocks >= _MIN_UA) & (blocks <= _MAX_UA), axis=1)
        bad = number - int(good.sum())
        if bad:
            self._remark(
                "The PPK2 delivered currents that it cannot measure; the milliseconds that "
                "contain one were left out."
            )
        if not number or self._clock.empty:
            return np.empty(0), np.empty(0), bad
        middles = first + _BLOCK * (np.flatnonzero(good) + 0.5)
        times = self._clock.time_of(0.0) + middles / _SENSOR_HZ
        watts = blocks[good].mean(axis=1) * (1e-6 * self._volts)
        return times.astype(np.float64), watts.astype(np.float64), bad

    def _align(self) -> int:
        """Find where words begin, after bytes were lost; return how many milliseconds that costs.

        Bits 18 to 23 of a word count up. They do not in every firmware; then nothing is changed.
        """
        regular = [_regular(self._bytes[shift:]) for shift in range(_WORD_BYTES)]
        best = int(np.argmax(regular))
        if regular[0] > 0.5 or regular[best] < 0.9:
            return 0
        self._bytes = self._bytes[best:]
        self._remark("The PPK2 lost samples, as their number shows; see the gaps.")
        return 1

    def _remark(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._remarks.append(text)

    def _unplugged(self, error: OSError) -> MeterError:
        self._api.ser.close()
        return MeterError(
            "The PPK2 was unplugged.",
            f"'{self._port}' reports: {error}.",
            "Plug it in again, and measure again.",
        )


def _regular(content: bytes) -> float:
    """Return which fraction of the words has a count that is one more than that before."""
    words = np.frombuffer(content[: len(content) // _WORD_BYTES * _WORD_BYTES], "<u4")
    if words.size < 32:
        return 0.0
    counts = (words >> 18) & 0x3F
    return float(np.mean((np.diff(counts) & 0x3F) == 1))


def open(where: str | None = None) -> Ppk2Meter:
    """Open a PPK2 and start to measure.

    Args:
        where: Port, mode and voltage, separated by commas: ``/dev/ttyACM0,ampere,5.0V``. The port
            may be left out when one PPK2 is plugged in; the mode is ``ampere`` or ``source``.

    Raises:
        MissingDependencyError: ppk2-api is not installed.
        MeterError: There is no PPK2, or no voltage is given.
    """
    try:
        package = importlib.import_module("ppk2_api.ppk2_api")
    except ModuleNotFoundError as error:
        raise MissingDependencyError("ppk2-api", "ppk2", "the meter 'ppk2'") from error
    if where is None:
        raise without_voltage(only_port())
    settings = parsed(where)
    port = settings.port or only_port()
    try:
        api = package.PPK2_API(port, timeout=_TIMEOUT_S, write_timeout=_TIMEOUT_S, exclusive=True)
    except (OSError, ValueError) as error:
        raise unopened(port, error) from error
    try:
        return Ppk2Meter(api, port, settings)
    except BaseException:
        api.ser.close()
        raise
