"""Power monitor chips with a Linux kernel driver: INA219, INA226, INA260, INA3221 and alike.

The drivers offer them in ``/sys/class/hwmon``. Kernel documentation: ``sysfs-interface.rst``,
``ina2xx.rst``, ``ina3221.rst`` and ``ina238.rst`` in ``Documentation/hwmon``. A channel has a bus
voltage (``in1_input``, mV) and a current (``curr1_input``, mA). Power is their product, because
``power1_input`` (µW) has no sign and an INA3221 has none. The current comes from the voltage over a
shunt resistor, whose value is a setting of the driver (``shunt_resistor``, µΩ): a wrong value
scales all figures.

A chip converts again and again, and its registers hold the last result. It is read at most once a
conversion (``update_interval``, ms, or the driver's default where the file is missing), and at most
100 times a second. A sample has the time of the middle of the conversion that it belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeecg.errors import MeterError
from edgeecg.meters._hwmon_channel import Channel, optional_integer
from edgeecg.meters._hwmon_chips import family, is_power_monitor
from edgeecg.meters._polling import PolledMeter, ReadingError

HWMON = Path("/sys/class/hwmon")
SAMPLED = True

_FASTEST_HZ = 100.0
# The first readings are compared with the power that the chip computes.
_COMPARED = 10
_CONTRADICTION = 0.05
# The power register of an INA226 has steps of 25 mW.
_POWER_STEP_W = 0.025
# Channels with these labels are the supply of all others (NVIDIA Jetson Orin NX and Nano). A Jetson
# AGX Orin has none: VIN_SYS_5V0 is one of its rails beside the others.
_TOTALS = frozenset({"VDD_IN"})
_UNCHANGED_S = 10.0


class HwmonMeter(PolledMeter):
    """The sum of the chosen channels of one chip."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        """Take the channels' first reading.

        Args:
            channels: Channels of one chip that do not overlap.

        Raises:
            MeterError: They cannot be read.
        """
        self._channels = tuple(channels)
        chip = channels[0]
        kind = family(chip.chip)
        interval = optional_integer(chip.folder / "update_interval")
        self._conversion_s = interval * 1e-3 if interval else kind.conversion_s
        begun = time.perf_counter()
        try:
            for channel in channels:
                self.resolution_w += channel.volts() * channel.step_amperes(kind)
                channel.amperes()
        except ReadingError as error:
            raise _unreadable(chip, error) from error
        # Some drivers wait for the next conversion in every reading.
        slowest_s = max(self._conversion_s, time.perf_counter() - begun)
        super().__init__(
            "hwmon",
            tuple(channel.zone for channel in channels),
            min(1.0 / slowest_s, _FASTEST_HZ),
            sum(channel.max_watts(kind) for channel in channels),
        )
        self._compared: list[tuple[float, float]] = []
        self._last: tuple[float, float] | None = None
        self._changed_s = begun
        self._describe(interval is not None)

    def take(self) -> tuple[float, float]:
        """Read voltage and current of every channel once."""
        begun = time.perf_counter()
        pairs = [(each.volts(), each.amperes()) for each in self._channels]
        now = (begun + time.perf_counter()) / 2
        watts = sum(volts * amperes for volts, amperes in pairs)
        if len(self._compared) < _COMPARED:
            self._compare(watts)
        if (sum(v for v, _ in pairs), watts) != self._last:
            self._last, self._changed_s = (sum(v for v, _ in pairs), watts), now
        elif now - self._changed_s > _UNCHANGED_S:
            self.remark(
                f"The values of '{self.zones[0]}' did not change for {_UNCHANGED_S:g} s: the chip "
                "may have stopped converting."
            )
        return now - self._conversion_s, watts

    def close(self) -> None:
        """Do nothing: every reading opens and closes its files."""

    def _describe(self, interval_known: bool) -> None:
        for channel in self._channels:
            ohms = channel.shunt_ohms()
            if ohms is not None:
                self.remark(
                    f"The driver of '{channel.zone}' is set to a shunt of {ohms:g} ohm. "
                    "All figures are wrong if the board has another resistor (R100 means 0.1 ohm)."
                )
        if not interval_known:
            self.remark(
                f"'{self._channels[0].chip}' does not say how often it converts; the driver's "
                f"default of {self._conversion_s * 1e3:.3g} ms is assumed."
            )
        if len(self._channels) > 1:
            self.remark(
                f"The channels {', '.join(self.zones)} are added up. To measure one, give "
                f"--meter hwmon:{self._channels[0].where}."
            )

    def _compare(self, watts: float) -> None:
        """Compare voltage times current with the power that the chip computes."""
        own = [each.chip_watts() for each in self._channels]
        known = [each for each in own if each is not None]
        if len(known) < len(own):
            return
        self._compared.append((watts, sum(known)))
        if len(self._compared) < _COMPARED:
            return
        product = sum(each for each, _ in self._compared) / _COMPARED
        computed = sum(each for _, each in self._compared) / _COMPARED
        difference = abs(abs(product) - computed)
        if difference > max(_CONTRADICTION * abs(product), _POWER_STEP_W):
            self.remark(
                f"'{self.zones[0]}' contradicts itself: voltage times current is {product:.3g} W, "
                f"its power is {computed:.3g} W. It may be another chip than its driver assumes."
            )
        if product < 0:
            self.remark(
                f"The current of '{self.zones[0]}' is negative: supply and load are exchanged at "
                "the shunt, or power flows back."
            )


def open(where: str | None = None, root: Path = HWMON) -> HwmonMeter:
    """Open a power monitor chip.

    Args:
        where: ``CHIP`` or ``CHIP:CHANNEL``. CHIP is a name such as ``ina219`` or a folder such as
            ``hwmon2``; left out (``:CHANNEL``), it is the chip that has these channels. CHANNEL is
            a label or a number, or several joined with ``+``. None takes the only power monitor of
            the machine.
        root: The folder of all sensors.

    Raises:
        MeterError: There is no such chip or channel, there are several, or it cannot be read.
    """
    wanted, _, channel = (where or "").partition(":")
    chips = [(name, folder) for name, folder in _sensors(root) if _measures_power(folder)]
    if wanted:
        found = [each for each in chips if wanted in (each[0], each[1].name)]
        if not found:
            raise MeterError(
                f"There is no power monitor chip '{wanted}' on this machine.",
                f"'{root}' has {_list(chips) or 'none at all'}.",
                "Name one of these, as in --meter hwmon:NAME."
                if chips
                else "Load its driver, or use another meter.",
            )
    else:
        found = [each for each in chips if is_power_monitor(each[0])]
        if not found:
            raise _absent(root)
        if channel:
            words = set(channel.split("+"))
            found = [e for e in found if words <= _channel_names(e[1])] or found
    if len(found) > 1:
        raise MeterError(
            "There are several power monitor chips on this machine.",
            f"'{root}' has {_list(found)}.",
            f"Name one of them, by its folder where the names are the same: "
            f"--meter hwmon:{found[0][1].name}.",
        )
    return HwmonMeter(_chosen(*found[0], channel))


def _sensors(root: Path) -> Iterator[tuple[str, Path]]:
    folders = sorted(root.glob("hwmon*"), key=lambda path: (len(path.name), path.name))
    for folder in folders:
        try:
            yield (folder / "name").read_text(encoding="ascii").strip(), folder
        except (OSError, UnicodeDecodeError):
            continue


def _measures_power(folder: Path) -> bool:
    return any(True for _ in _numbers(folder))


def _numbers(folder: Path) -> Iterator[int]:
    # Three channels at most: in4 to in7 and curr4 of an INA3221 are shunt voltages and a sum.
    for number in (1, 2, 3):
        if (folder / f"in{number}_input").exists() and (folder / f"curr{number}_input").exists():
            enabled = optional_integer(folder / f"in{number}_enable")
            if enabled != 0:
                yield number


def _channel_names(folder: Path) -> set[str]:
    """Return the numbers and labels of the channels of a chip."""
    numbers = list(_numbers(folder))
    return {str(n) for n in numbers} | {_label(folder, n) or "" for n in numbers}


def _chosen(chip: str, folder: Path, wanted: str) -> list[Channel]:
    """Choose the channels that are added up: those named, or all that do not overlap."""
    numbers = list(_numbers(folder))
    labels = {number: _label(folder, number) for number in numbers}
    if len(numbers) > 1:
        labels = {number: label or str(number) for number, label in labels.items()}
    every = [Channel(chip, folder, number, labels[number]) for number in numbers]
    if not wanted:
        totals = [each for each in every if (each.label or "").upper() in _TOTALS]
        return totals[:1] or every
    chosen: list[Channel] = []
    for word in wanted.split("+"):
        named = [e for e in every if word in (str(e.number), e.label)]
        if not named:
            names = ", ".join(e.label or str(e.number) for e in every)
            raise MeterError(
                f"The chip '{chip}' has no channel '{word}'.",
                f"Its channels are: {names}.",
                f"Name one of these, as in --meter hwmon:{every[0].where}.",
            )
        chosen += [each for each in named[:1] if each not in chosen]
    return chosen


def _label(folder: Path, number: int) -> str | None:
    try:
        return (folder / f"in{number}_label").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _list(chips: Sequence[tuple[str, Path]]) -> str:
    return ", ".join(f"{name} ({folder.name})" for name, folder in chips)


def _absent(root: Path) -> MeterError:
    return MeterError(
        "There is no power monitor chip on this machine.",
        f"No sensor in '{root}' is an INA219, INA226, INA260, INA3221 or alike.",
        "Put an INA219 board into the 5 V supply, connect it to the I2C pins, and load its driver: "
        "sudo modprobe ina2xx, then echo ina219 0x40 | sudo tee "
        "/sys/bus/i2c/devices/i2c-1/new_device",
    )


def _unreadable(channel: Channel, error: ReadingError) -> MeterError:
    return MeterError(
        f"The power monitor chip '{channel.chip}' cannot be read.",
        f"It was found, but {error}.",
        "Check its wiring and its address on the I2C bus (i2cdetect -y 1).",
    )
