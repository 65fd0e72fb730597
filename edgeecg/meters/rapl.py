"""Intel and AMD energy counters through Linux powercap (``/sys/class/powercap``).

Kernel documentation: ``Documentation/power/powercap/powercap.rst``. Every zone has ``name``,
``energy_uj`` (a counter in microjoules) and ``max_energy_range_uj`` (where it wraps to 0).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import MeterError

POWERCAP = Path("/sys/class/powercap")

# A counter is refreshed about every millisecond (Intel SDM, vol. 3B, "RAPL interfaces").
_REFRESH_HZ = 1000.0
_PATIENCE_S = 1.0
# No socket draws more, which tells how long a counter may stay unread without a second wrap.
_MOST_WATTS = 1000.0

_PERMISSION = (
    "Only root may read it since CVE-2020-8694. For this boot: "
    "sudo chmod o+r /sys/class/powercap/intel-rapl*:*/energy_uj. For good, put into "
    '/etc/udev/rules.d/70-rapl.rules: SUBSYSTEM=="powercap", ACTION=="add", '
    'RUN+="/bin/chmod o+r /sys%p/energy_uj"'
)


@dataclass(frozen=True)
class _Zone:
    label: str
    folder: Path

    def energy_uj(self) -> int:
        return _integer(self.folder / "energy_uj")

    def range_uj(self) -> int:
        return _integer(self.folder / "max_energy_range_uj")


class RaplMeter:
    """The chosen zones, added up; a wrap of a counter is undone with the counter's range."""

    name = "rapl"
    sample_rate_hz = _REFRESH_HZ
    replayed = False

    def __init__(self, zones: list[_Zone], clock: Callable[[], float]) -> None:
        """Read every zone once.

        Args:
            zones: Zones that do not overlap.
            clock: Seconds, monotonic.

        Raises:
            MeterError: A counter or its range is unreadable.
        """
        self.zones = tuple(zone.label for zone in zones)
        self._clock = clock
        self._folders = zones
        self._ranges = [zone.range_uj() for zone in zones]
        for zone, size in zip(zones, self._ranges, strict=True):
            if size <= 0:
                raise _unbelievable(zone.folder / "max_energy_range_uj", f"It holds {size}.")
        self._last = [zone.energy_uj() for zone in zones]
        self._read_at = clock()
        self._total_uj = 0

    def joules(self) -> float:
        """Return the energy of all zones since opening, in joules.

        Raises:
            MeterError: A counter is unreadable, or was left unread for so long that it may have
                wrapped twice.
        """
        now = self._clock()
        longest = min(self._ranges) * 1e-6 / _MOST_WATTS
        if now - self._read_at > longest:
            raise MeterError(
                "The energy counter was read too seldom.",
                f"{now - self._read_at:.0f} s passed between two readings; after {longest:.0f} s "
                "it may have wrapped more than once.",
                "Measure again on a machine that is not suspended or overloaded.",
            )
        self._read_at = now
        for i, zone in enumerate(self._folders):
            value = zone.energy_uj()
            step = value - self._last[i]
            self._total_uj += step if step >= 0 else step + self._ranges[i]
            self._last[i] = value
        return self._total_uj * 1e-6

    def close(self) -> None:
        """Nothing is held: every reading opens and closes its file."""


def open(
    root: Path = POWERCAP,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RaplMeter:
    """Open the counters of this machine.

    Args:
        root: The powercap folder.
        clock: Seconds, monotonic.
        sleep: Waits for some seconds.

    Raises:
        MeterError: There are no counters, they may not be read, or they do not move.
    """
    zones = _chosen(root)
    if not zones:
        raise MeterError(
            "There is no RAPL energy counter here.",
            f"'{root}' holds no package zone: the processor or the virtual machine has none.",
            "Measure on the bare machine (modprobe intel_rapl_msr), or use an external meter.",
        )
    moving = _moving(zones, clock, sleep)
    if not any(not zone.label.endswith("/dram") for zone in moving):
        raise MeterError(
            "The RAPL energy counter does not move.",
            f"'{zones[0].label}' kept one value for {_PATIENCE_S:g} s, as virtual machines do.",
            "Measure on the bare machine, or use an external meter.",
        )
    return RaplMeter(moving, clock)


def _chosen(root: Path) -> list[_Zone]:
    """Choose zones that do not overlap.

    Packages are added up, with their DRAM, which they do not contain. ``core`` and ``uncore`` lie
    inside a package, ``psys`` contains it, ``package-N-die-M`` repeats ``package-N`` where both
    exist, and ``intel-rapl-mmio`` repeats the zones of ``intel-rapl``.
    """
    named: dict[str, _Zone] = {}
    # In this order the MSR zones come before their MMIO twins, and packages before their parts.
    for folder in sorted(root.glob("intel-rapl*:*"), key=lambda f: ("mmio" in f.name, f.name)):
        if folder.name.count(":") == 1:
            label = _text(folder / "name")
            named.setdefault(label, _Zone(label, folder))
    packages = {label: zone for label, zone in named.items() if re.fullmatch(r"package-\d+", label)}
    for label, zone in named.items():
        whole, die, _ = label.partition("-die-")
        if die and whole not in packages:
            packages[label] = zone
    if not packages:
        return [named["psys"]] if "psys" in named else []
    chosen: list[_Zone] = []
    for label, zone in sorted(packages.items()):
        chosen.append(zone)
        for part in sorted(root.glob(f"{zone.folder.name}:*")):
            if _text(part / "name") == "dram":
                chosen.append(_Zone(f"{label}/dram", part))
    return chosen


def _moving(
    zones: list[_Zone], clock: Callable[[], float], sleep: Callable[[float], None]
) -> list[_Zone]:
    first = [zone.energy_uj() for zone in zones]
    deadline = clock() + _PATIENCE_S
    while True:
        moved = [zone for zone, was in zip(zones, first, strict=True) if zone.energy_uj() != was]
        if len(moved) == len(zones) or clock() >= deadline:
            return moved
        sleep(0.01)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise MeterError(
            "The RAPL energy counter may not be read.",
            f"'{path}' refuses this user.",
            _PERMISSION,
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unbelievable(path, f"Reading it failed: {error}.") from error


def _integer(path: Path) -> int:
    text = _text(path)
    if not text.isdecimal():
        raise _unbelievable(path, f"A number was expected, {text!r} came.")
    return int(text)


def _unbelievable(path: Path, cause: str) -> MeterError:
    return MeterError(
        f"The RAPL energy counter at '{path}' cannot be trusted.",
        cause,
        "Without it a wrapped counter would give a false energy; use an external meter.",
    )
