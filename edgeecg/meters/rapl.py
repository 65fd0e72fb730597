"""Intel and AMD energy counters through Linux powercap (``/sys/class/powercap``).

Kernel documentation: ``Documentation/power/powercap/powercap.rst``. Every zone has ``name``,
``energy_uj`` (a counter in microjoules) and ``max_energy_range_uj`` (the value at which the counter
wraps to 0).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import MeterError
from edgeecg.meters._powercap import masked

POWERCAP = Path("/sys/class/powercap")

# A counter is refreshed about every millisecond (Intel SDM, vol. 3B, "RAPL interfaces").
_REFRESH_HZ = 1000.0
_TIMEOUT_S = 1.0
# No socket draws more power. It bounds the time between two readings in which a counter cannot
# wrap twice.
_MAX_WATTS = 1000.0

_PERMISSION = (
    "Only root may read it since CVE-2020-8694. Until the next boot: "
    "sudo chmod o+r /sys/class/powercap/intel-rapl*:*/energy_uj. Permanently: put this line into "
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
    """The sum of the chosen zones; corrects for counters that wrap, by their ranges."""

    name = "rapl"
    sample_rate_hz = _REFRESH_HZ
    replayed = False

    def __init__(self, zones: list[_Zone], clock: Callable[[], float]) -> None:
        """Read every zone once.

        Args:
            zones: Zones that do not overlap.
            clock: Returns seconds; monotonic.

        Raises:
            MeterError: A counter or its range cannot be read.
        """
        self.zones = tuple(zone.label for zone in zones)
        self._clock = clock
        self._folders = zones
        self._ranges = [zone.range_uj() for zone in zones]
        for zone, size in zip(zones, self._ranges, strict=True):
            if size <= 0:
                raise _untrusted(zone.folder / "max_energy_range_uj", f"It holds {size}.")
        self._last = [zone.energy_uj() for zone in zones]
        self._read_at = clock()
        self._total_uj = 0

    def joules(self) -> float:
        """Return the energy of all zones since opening, in joules.

        Raises:
            MeterError: A counter cannot be read, or so much time has passed since the last
                reading that it may have wrapped twice.
        """
        now = self._clock()
        longest = min(self._ranges) * 1e-6 / _MAX_WATTS
        if now - self._read_at > longest:
            raise MeterError(
                "The energy counter was not read often enough.",
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
        """Do nothing: every reading opens and closes its file."""


def open(
    root: Path = POWERCAP,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RaplMeter:
    """Open the counters of this machine.

    Args:
        root: The powercap folder.
        clock: Returns seconds; monotonic.
        sleep: Waits for a number of seconds.

    Raises:
        MeterError: There are no counters, they may not be read, or they do not change.
    """
    hidden = masked(root)
    if hidden is not None:
        raise hidden
    zones = _chosen(root)
    if not zones:
        raise MeterError(
            "There is no RAPL energy counter on this machine.",
            f"'{root}' has no package zone: the processor, the virtual machine or the container "
            "offers none.",
            "Measure on a physical machine (modprobe intel_rapl_msr), or use an external meter.",
        )
    changing = _changing(zones, clock, sleep)
    if not any(not zone.label.endswith("/dram") for zone in changing):
        raise MeterError(
            "The RAPL energy counter does not change.",
            f"'{zones[0].label}' had the same value for {_TIMEOUT_S:g} s, as in many virtual "
            "machines.",
            "Measure on a physical machine, or use an external meter.",
        )
    return RaplMeter(changing, clock)


def _chosen(root: Path) -> list[_Zone]:
    """Choose zones that do not overlap.

    Every package counts, and its DRAM, which is not part of the package. ``core`` and ``uncore``
    are part of a package, ``psys`` includes it, ``package-N-die-M`` repeats ``package-N`` where
    both exist, and ``intel-rapl-mmio`` repeats the zones of ``intel-rapl``.
    """
    named: dict[str, _Zone] = {}
    # In this order MSR zones come before the MMIO zones of the same name, packages before parts.
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


def _changing(
    zones: list[_Zone], clock: Callable[[], float], sleep: Callable[[float], None]
) -> list[_Zone]:
    first = [zone.energy_uj() for zone in zones]
    deadline = clock() + _TIMEOUT_S
    while True:
        changed = [zone for zone, was in zip(zones, first, strict=True) if zone.energy_uj() != was]
        if len(changed) == len(zones) or clock() >= deadline:
            return changed
        sleep(0.01)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise MeterError(
            "The RAPL energy counter may not be read.",
            f"This user may not read '{path}'.",
            _PERMISSION,
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _untrusted(path, f"Reading it failed: {error}.") from error


def _integer(path: Path) -> int:
    text = _text(path)
    if not text.isdecimal():
        raise _untrusted(path, f"It should hold a number and holds {text!r}.")
    return int(text)


def _untrusted(path: Path, cause: str) -> MeterError:
    return MeterError(
        f"The RAPL energy counter at '{path}' cannot be trusted.",
        cause,
        "Use an external meter: with this counter the energy could be wrong.",
    )
